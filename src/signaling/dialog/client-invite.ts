import { LazyMap } from "../../core/lazy-map.ts";
import type { Timer } from "../../core/clock.ts";
import type { EndReason } from "../../core/end-reason.ts";
import { randomToken } from "../../core/ids.ts";
import type {
  ExtraHeaders,
  InviteFailure,
  OutgoingInvite,
  OutgoingInviteHandler,
} from "../engine.ts";
import { buildRequest } from "../message/build.ts";
import type { HeaderField } from "../message/headers.ts";
import { SipRequest } from "../message/message.ts";
import type { SipResponse } from "../message/message.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { parseReason } from "../message/reason.ts";
import type { ClientTransaction, ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import { CallDialog } from "./call-dialog.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogState } from "./dialog-state.ts";
import type { InviteUsage } from "./dialog-table.ts";
import { EarlyDialog } from "./early-dialog.ts";
import { DEFAULT_TERMS } from "./leg-terms.ts";
import type { LegTerms } from "./leg-terms.ts";
import {
  ALLOW,
  PRODUCT,
  contactField,
  reasonFields,
  safeExtras,
  supportedField,
} from "./our-headers.ts";
import { challengesFor } from "./passed-challenge.ts";
import type { Peer } from "./peer.ts";
import { SessionOffer } from "./session-terms.ts";
import type { Transactions } from "./transactions.ts";

/** What the INVITE says, its addresses already chosen for the leg. */
export interface ClientInviteOptions {
  readonly peer: Peer;
  readonly requestUri: string;
  /** URI and display name of From and To, without tags. */
  readonly from: { readonly uri: string; readonly displayName?: string | undefined };
  readonly to: { readonly uri: string; readonly displayName?: string | undefined };
  /** The user part of our Contact. */
  readonly contactUser: string;
  readonly sdp: string | undefined;
  readonly headers: ExtraHeaders;
  /** Route values, topmost first: the Path of a registration (RFC 3327 §5.3). */
  readonly routes?: readonly string[];
  /**
   * A challenge in one of these realms that the peer does not answer is told in the failure: it is
   * for the caller. Default: none is.
   */
  readonly callersRealms?: readonly string[] | undefined;
}

type Giving = {
  readonly cause: "cancelled" | "timeout";
  readonly reason: EndReason;
};

type State =
  | { readonly name: "calling" }
  /** CANCEL is out, or waits for the first provisional response (RFC 3261 §9.1). */
  | { readonly name: "giving-up"; readonly why: Giving }
  | { readonly name: "accepted"; readonly dialog: CallDialog }
  | { readonly name: "failed" };

const TAG_LENGTH = 22;
const MAX_FORKS = 16;

/**
 * An INVITE of ours: the UAC of RFC 3261 §13.2. Every early dialog of every fork is known by its
 * To-tag; the first 2xx wins, all others are acknowledged and hung up (§13.2.2.4).
 */
export class ClientInvite implements OutgoingInvite, InviteUsage {
  readonly peer: Peer;
  readonly callId = randomToken(TAG_LENGTH);
  readonly #context: DialogContext;
  readonly #options: ClientInviteOptions;
  /** Let go after the final callback: late responses of forks must not keep a whole call alive. */
  #handler: OutgoingInviteHandler | undefined;
  readonly #localTag = randomToken(TAG_LENGTH);
  readonly #terms: LegTerms;
  readonly #session: SessionOffer;
  /** By To-tag. */
  readonly #early = new Map<string, EarlyDialog>();
  /** 2xx of forks that lost, by To-tag: each is acknowledged and hung up once. */
  readonly #lostForks = new LazyMap<string, CallDialog>();
  readonly #unwatch: () => void;
  #state: State = { name: "calling" };
  #transaction: ClientTransaction | undefined;
  #cseqNumber = 0;
  #challenges = 0;
  #noFinal: Timer | undefined;
  /** Set only when there was no connection to send on. */
  #unsendable: Timer | undefined;

  constructor(
    context: DialogContext,
    options: ClientInviteOptions,
    handler: OutgoingInviteHandler,
  ) {
    this.#context = context;
    this.#options = options;
    this.peer = options.peer;
    this.#terms = options.peer.terms ?? DEFAULT_TERMS;
    this.#session = new SessionOffer(this.#terms.session);
    this.#handler = handler;
    // A lost connection comes as the transaction's error; the watch keeps the way to the far end.
    this.#unwatch = options.peer.watch({ onFlowLost() {}, onFlowRestored() {} });
    context.table.begin(this);
    context.table.setInvite(this.callId, this.#localTag, this);
    this.#send([]);
  }

  cancel(reason?: EndReason): void {
    this.#giveUp(
      { cause: "cancelled", reason: { text: "Request Terminated", ...reason, sipStatus: 487 } },
      reason,
    );
  }

  /** A 2xx that came after the transaction's end. */
  onStrayAccept(response: SipResponse): void {
    this.#onAccept(response, undefined);
  }

  #send(credentials: readonly HeaderField[]): void {
    this.#closeEarly();
    this.#cseqNumber += 1;
    const { transactions, clock } = this.#context;
    const handler: ClientTransactionHandler = {
      onResponse: (response) => {
        if (transaction !== undefined) this.#onResponse(transaction, response);
      },
      onTimeout: () => this.#onTimeout(),
      onTransportError: () => this.#onTransportError(),
    };
    const build = (flow: Flow, isNext: boolean): SipRequest => {
      if (!isNext) return this.#build(flow, credentials);
      // Another server has another nonce: it gets the request as the first one got it.
      this.#closeEarly();
      this.#challenges = 0;
      this.#noFinal?.cancel();
      return this.#build(flow, []);
    };
    const transaction = this.#start(transactions, build, handler);
    if (transaction === undefined) {
      // The handler is never called from inside `invite`.
      this.#unsendable = clock.after(0, () => this.#onTransportError());
      return;
    }
    this.#transaction = transaction;
  }

  #start(
    transactions: Transactions,
    build: (flow: Flow, isNext: boolean) => SipRequest,
    handler: ClientTransactionHandler,
  ): ClientTransaction | undefined {
    if (this.peer.request !== undefined) return this.peer.request(transactions, build, handler);
    const flow = this.peer.flowTo(this.#options.requestUri);
    return flow && transactions.request(build(flow, false), flow, handler);
  }

  #build(flow: Flow, credentials: readonly HeaderField[]): SipRequest {
    const { requestUri, from, to, contactUser, sdp, headers } = this.#options;
    const extras = safeExtras(headers);
    const hasOwnHops = extras.some(([name]) => name.toLowerCase() === "max-forwards");
    return buildRequest({
      method: "INVITE",
      requestUri,
      headers: [
        ...(this.#options.routes ?? []).map((route): HeaderField => ["Route", route]),
        // A call that came to us with few hops left goes on with few: a loop ends (RFC 3261 §16.6).
        ...(hasOwnHops ? [] : [["Max-Forwards", "70"] as const]),
        ["From", formatNameAddr({ ...from, params: new Map([["tag", this.#localTag]]) })],
        ["To", formatNameAddr(to)],
        ["Call-ID", this.callId],
        ["CSeq", `${this.#cseqNumber} INVITE`],
        contactField(flow, contactUser, { host: this.#terms.contactHost }),
        ["Allow", ALLOW],
        ...this.#extensionFields(),
        ["User-Agent", PRODUCT],
        ...credentials,
        ...extras,
      ],
      body: sdp,
      contentType: "application/sdp",
    });
  }

  #extensionFields(): readonly HeaderField[] {
    // With a late offer a reliable response would bring the offer, and its PRACK our answer
    // (RFC 3262 §5), long before there is one: none is asked for.
    const reliable = this.#options.sdp === undefined ? "off" : this.#terms.reliable;
    return [
      supportedField({ withReliable: reliable !== "off" }),
      ...(reliable === "required" ? [["Require", "100rel"] as const] : []),
      ...this.#session.fields,
    ];
  }

  #onResponse(transaction: ClientTransaction, response: SipResponse): void {
    const status = response.statusCode;
    if (status >= 200 && status < 300) this.#onAccept(response, transaction);
    else if (transaction !== this.#transaction) return;
    else if (status < 200) this.#onProvisional(transaction.request, response);
    else this.#onRejected(transaction.request, response);
  }

  #onProvisional(request: SipRequest, response: SipResponse): void {
    switch (this.#state.name) {
      case "calling":
        break;
      case "giving-up":
      case "accepted":
      case "failed":
        return;
    }
    this.#noFinal?.cancel();
    this.#noFinal = this.#context.clock.after(this.#context.limits.noFinalResponseMs, () => {
      const reason: EndReason = { sipStatus: 408, text: "No final response" };
      this.#giveUp({ cause: "timeout", reason }, reason);
    });
    const { statusCode: status, toTag: tag } = response;
    if (status === 100) return;
    if (status === 199) {
      this.#endFork(tag);
      return;
    }
    const early = this.#earlyOf(request, response);
    // RFC 3262 §4: one that came before or out of order is dropped.
    if (early?.receive(response) === false) return;
    this.#handler?.onProvisional({
      status,
      reasonPhrase: response.reasonPhrase,
      sdp: response.sdp,
      remoteTag: tag ?? "",
    });
  }

  info(options: { readonly contentType: string; readonly body: Buffer }): Promise<number> {
    return [...this.#early.values()].at(-1)?.info(options) ?? Promise.resolve(481);
  }

  /** RFC 6228 §4: the early dialog is over, the INVITE goes on. */
  #endFork(tag: string | undefined): void {
    this.#early.get(tag ?? "")?.close();
    this.#early.delete(tag ?? "");
  }

  /** RFC 3261 §12.1.2: a provisional response with a To-tag makes an early dialog. */
  #earlyOf(request: SipRequest, response: SipResponse): EarlyDialog | undefined {
    const tag = response.toTag;
    if (tag === undefined) return undefined;
    const known = this.#early.get(tag);
    if (known !== undefined || this.#early.size >= MAX_FORKS) return known;
    const handler = this.#handler;
    const early = new EarlyDialog(this.#context, {
      peer: this.peer,
      state: DialogState.ofClient(request, response, this.peer.followsRoutes),
      contactUser: this.#options.contactUser,
      offer: this.#options.sdp,
      onAccept: (accept) => this.#onAccept(accept, undefined),
      onReinvite:
        handler?.onReinvite === undefined
          ? undefined
          : () => (offer) => handler?.onReinvite?.(offer, tag),
      onInfo:
        handler?.onRequest === undefined
          ? undefined
          : (info) => this.#handler?.onRequest?.(info, tag),
    });
    this.#early.set(tag, early);
    return early;
  }

  #onRejected(request: SipRequest, response: SipResponse): void {
    const state = this.#state;
    if (state.name === "giving-up") {
      this.#fail({ ...state.why, reasonPhrase: state.why.reason.text ?? "" });
      return;
    }
    if (response.statusCode === 401 || response.statusCode === 407) {
      const credentials = this.peer.authorize(request, response, this.#challenges);
      if (credentials !== undefined) {
        this.#challenges += 1;
        this.#noFinal?.cancel();
        this.#send([credentials]); // RFC 3261 §22.2: the same Call-ID and tag, a higher CSeq
        return;
      }
    }
    if (this.#session.raise(response)) {
      this.#noFinal?.cancel();
      this.#challenges = 0;
      this.#send([]); // RFC 4028 §7.3: the same Call-ID and tag, a higher CSeq
      return;
    }
    const told = parseReason(response.headers, response.statusCode);
    this.#fail({
      cause: "response",
      reason: {
        text: response.reasonPhrase,
        ...told,
        sipStatus: response.statusCode,
      },
      reasonPhrase: response.reasonPhrase,
      ...redirectOf(response),
      ...challengeOf(response, this.#options.callersRealms ?? []),
    });
  }

  #onAccept(response: SipResponse, transaction: ClientTransaction | undefined): void {
    const tag = response.toTag ?? "";
    const state = this.#state;
    if (state.name === "accepted" && state.dialog.remoteTag === tag) {
      state.dialog.onStrayAccept(response);
      return;
    }
    const lost = this.#lostForks.get(tag);
    if (lost !== undefined) {
      lost.onStrayAccept(response);
      return;
    }
    const current = transaction ?? this.#transaction;
    if (current === undefined) return;
    const { request } = current;
    // RFC 3263 §4.3: another server is being called by now, and only one of them may have the call.
    if (response.topmostVia.branch !== current.id) {
      this.#hangUp(withCseqOf(request, response), response);
      return;
    }
    switch (state.name) {
      case "calling":
        this.#win(request, response);
        return;
      case "giving-up":
        // RFC 3261 §9.1: the 2xx and the CANCEL have crossed.
        this.#hangUp(request, response);
        this.#fail({ ...state.why, reasonPhrase: state.why.reason.text ?? "" });
        return;
      case "accepted":
      case "failed":
        this.#hangUp(request, response);
        return;
    }
  }

  #win(request: SipRequest, response: SipResponse): void {
    const { dialog, agreed } = this.#dialogOf(request, response);
    this.#close();
    this.#state = { name: "accepted", dialog };
    dialog.onAccepted(request, response, this.#options.sdp === undefined);
    this.#takeHandler()?.onAccepted(dialog, agreed, response);
  }

  #hangUp(request: SipRequest, response: SipResponse): void {
    if (this.#lostForks.size >= MAX_FORKS) return;
    const { dialog } = this.#dialogOf(request, response);
    this.#lostForks.set(dialog.remoteTag, dialog);
    dialog.onAccepted(request, response, false);
    dialog.bye();
  }

  /** @returns the dialog of a 2xx, and what the far end has agreed to */
  #dialogOf(
    request: SipRequest,
    response: SipResponse,
  ): { readonly dialog: CallDialog; readonly agreed: string | undefined } {
    const tag = response.toTag ?? "";
    const early = this.#early.get(tag);
    early?.close();
    this.#early.delete(tag);
    early?.state.confirm(response, this.peer.followsRoutes);
    const { headers } = response;
    const dialog = new CallDialog(this.#context, {
      state: early?.state ?? DialogState.ofClient(request, response, this.peer.followsRoutes),
      peer: this.peer,
      contactUser: this.#options.contactUser,
      remoteAgent: headers.get("Server") ?? headers.get("User-Agent"),
      ownsCallId: true,
      farMessage: response,
      localSdp: early?.agreed?.local ?? this.#options.sdp,
      session: this.#session,
    });
    // RFC 3261 §13.2.1: what follows a reliable answer is ignored.
    return { dialog, agreed: early?.agreed?.remote ?? response.sdp };
  }

  #onTimeout(): void {
    const reason: EndReason = { sipStatus: 408, text: "Request Timeout" }; // RFC 3261 §8.1.3.1
    this.#onNoResponse({ cause: "timeout", reason, reasonPhrase: "Request Timeout" });
  }

  #onTransportError(): void {
    if (this.#hasAnotherFlow()) {
      this.#send([]);
      return;
    }
    const reason: EndReason = { sipStatus: 503, text: "Service Unavailable" }; // RFC 3261 §8.1.3.1
    this.#onNoResponse({ cause: "transport", reason, reasonPhrase: "Service Unavailable" });
  }

  /**
   * RFC 5626 §4.2.2: an instance may have several flows, or have come back on a new one. Only
   * before any response, 100 included: a phone that has the INVITE would ring twice.
   */
  #hasAnotherFlow(): boolean {
    const used = this.#transaction?.flow;
    if (this.#state.name !== "calling" || used === undefined) return false;
    // Set by every provisional response.
    if (this.#noFinal !== undefined) return false;
    if (this.peer.party.kind !== "user") return false;
    const flow = this.peer.flowTo(this.#options.requestUri);
    return flow !== undefined && flow !== used;
  }

  #onNoResponse(failure: InviteFailure): void {
    switch (this.#state.name) {
      case "calling":
        this.#fail(failure);
        return;
      case "giving-up": {
        const { why } = this.#state;
        this.#fail({ ...why, reasonPhrase: why.reason.text ?? "" });
        return;
      }
      case "accepted":
      case "failed":
        return;
    }
  }

  #giveUp(why: Giving, told: EndReason | undefined): void {
    if (this.#state.name !== "calling") return;
    this.#state = { name: "giving-up", why };
    this.#noFinal?.cancel();
    this.#transaction?.cancel(reasonFields(told));
  }

  #fail(failure: InviteFailure): void {
    if (this.#state.name === "failed" || this.#state.name === "accepted") return;
    this.#close();
    this.#state = { name: "failed" };
    this.#takeHandler()?.onFailed(failure);
  }

  #takeHandler(): OutgoingInviteHandler | undefined {
    const handler = this.#handler;
    this.#handler = undefined;
    return handler;
  }

  #close(): void {
    this.#noFinal?.cancel();
    this.#unsendable?.cancel();
    this.#closeEarly();
    this.#unwatch();
    const { clock, table, timers } = this.#context;
    // RFC 3261 §13.2.2.4: other forks may still answer for 64·T1.
    const nowMs = clock.monotonicMs();
    table.retireInvite(this.callId, this.#localTag, { nowMs, expiresAtMs: nowMs + 64 * timers.t1 });
    table.end(this);
  }

  #closeEarly(): void {
    for (const early of this.#early.values()) early.close();
    this.#early.clear();
  }
}

/** The request as it was when this response was caused: a challenge since then has raised CSeq. */
function withCseqOf(request: SipRequest, { cseq }: SipResponse): SipRequest {
  if (request.cseq.number === cseq.number) return request;
  const headers = request.headers.with("CSeq", `${cseq.number} ${cseq.method}`);
  return new SipRequest(request.method, request.requestUri, headers, request.body);
}

const MAX_REDIRECTS = 8;

/** The Contacts of a 3xx, by their q (RFC 3261 §8.1.3.4, §20.10). */
function redirectOf(response: SipResponse): Pick<InviteFailure, "contacts"> {
  const { statusCode, contacts } = response;
  if (statusCode >= 400 || contacts === "*" || contacts.length === 0) return {};
  const preferenceOf = (contact: NameAddr): number => Number(contact.params.get("q") ?? "1") || 0;
  const sorted = [...contacts].sort((left, right) => preferenceOf(right) - preferenceOf(left));
  return { contacts: sorted.slice(0, MAX_REDIRECTS).map(({ uri }) => uri) };
}

function challengeOf(
  response: SipResponse,
  realms: readonly string[],
): Pick<InviteFailure, "challenge"> {
  const challenge = challengesFor(response, realms);
  return challenge.length === 0 ? {} : { challenge };
}
