import type { EndReason } from "../../core/end-reason.ts";
import type {
  Dialog,
  DialogHandler,
  ExtraHeaders,
  OutgoingReferHandler,
  OutgoingReferOptions,
  Party,
  ReinviteResult,
  ResponseOptions,
} from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { parseReason } from "../message/reason.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import { AcceptRetransmission } from "./accept-retransmission.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import { ALLOW, PRODUCT, contactField, reasonFields, safeExtras } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { ReferUsage } from "./refer-usage.ts";
import { ReinviteQueue } from "./reinvite-queue.ts";
import {
  bodyRefusal,
  methodResponse,
  optionsResponse,
  ourResponse,
  requireRefusal,
  respondTo,
} from "./responses.ts";
import { ServerMessage, messageRefusal } from "./server-message.ts";
import { REFER_OPTIONS } from "./server-refer.ts";
import { ServerReinvite, ServerRequest } from "./server-reinvite.ts";

export interface CallDialogOptions {
  readonly state: DialogState;
  readonly peer: Peer;
  /** The user part of our Contact. */
  readonly contactUser: string;
  readonly remoteAgent: string | undefined;
  /** We sent the INVITE that made the dialog, and so made its Call-ID. */
  readonly ownsCallId: boolean;
}

/** A 2xx of ours whose ACK has not come. */
interface Unacknowledged {
  readonly retransmission: AcceptRetransmission;
  /** The 2xx carried our offer: the ACK brings the answer. */
  readonly isOffer: boolean;
}

/** An ACK of ours: what has been sent, or would have been with a connection. */
interface SentAck {
  readonly cseqNumber: number;
  readonly message: SipRequest;
}

type State =
  /** Our 2xx has been sent, its ACK has not come. */
  | { readonly name: "accepted" }
  | { readonly name: "confirmed" }
  | { readonly name: "closing"; readonly reason: EndReason | undefined }
  | { readonly name: "terminated" };

const TIMEOUT: EndReason = { sipStatus: 408, text: "Request Timeout" };
const MAX_UNACKNOWLEDGED = 2;

/**
 * A confirmed dialog (RFC 3261 §12) from its 2xx to its end. `closing` is a hang-up of ours that
 * waits for the ACK of our 2xx (§15); after `terminated` nothing is called and nothing is found
 * here, only late 2xx are still acknowledged.
 */
export class CallDialog implements Dialog, DialogUsage {
  readonly peer: Peer;
  readonly remoteAgent: string | undefined;
  readonly #context: DialogContext;
  readonly #dialog: DialogState;
  readonly #contactUser: string;
  readonly #reinvites: ReinviteQueue;
  readonly #refers: ReferUsage;
  readonly #unwatch: () => void;
  /** Requests on their way, each with what tells its sender the status. */
  readonly #exchanges = new Map<Exchange, (status: number) => void>();
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  #state: State = { name: "confirmed" };
  #handler: DialogHandler | undefined;
  /** The far end's offer in a 2xx, to be answered in our ACK. */
  #owedAck: { readonly cseqNumber: number; readonly fields: readonly HeaderField[] } | undefined;
  #sentAck: SentAck | undefined;
  #incoming: ServerReinvite | undefined;

  constructor(context: DialogContext, options: CallDialogOptions) {
    this.#context = context;
    this.#dialog = options.state;
    this.peer = options.peer;
    this.#contactUser = options.contactUser;
    this.remoteAgent = options.remoteAgent;
    this.#reinvites = new ReinviteQueue(context, {
      ownsCallId: options.ownsCallId,
      isOffered: () => this.#incoming !== undefined,
      isUnacknowledged: () => this.#unacknowledged.size > 0 || this.#owedAck !== undefined,
      start: (sdp, headers, onDone) => this.#startReinvite(sdp, headers, onDone),
      onAccepted: (response, request, isLateOffer) => {
        this.#dialog.refreshTarget(response);
        this.onAccepted(request, isLateOffer);
      },
      onLost: (reason) => this.#lose(reason),
    });
    this.#refers = new ReferUsage(context, {
      dialog: options.state,
      peer: options.peer,
      contactUser: options.contactUser,
      onOutcome: (outcome) => this.#onRequestDone(outcome),
    });
    this.#unwatch = this.peer.watch({
      onFlowLost: () => this.#handler?.onFlowLost(),
      onFlowRestored: () => this.#handler?.onFlowRestored(),
    });
    context.table.begin(this);
    context.table.set(this.callId, this.localTag, this.remoteTag, this);
  }

  get party(): Party {
    return this.peer.party;
  }

  /** Neither over nor being hung up. */
  get isLive(): boolean {
    return this.#state.name === "accepted" || this.#state.name === "confirmed";
  }

  get callId(): string {
    return this.#dialog.callId;
  }

  get localTag(): string {
    return this.#dialog.localTag;
  }

  get remoteTag(): string {
    return this.#dialog.remoteTag;
  }

  attach(handler: DialogHandler): void {
    if (this.isLive) this.#handler = handler;
  }

  /** A 2xx to an INVITE of ours has come: the ACK goes out, or waits for the answer (§13.2.2.4). */
  onAccepted(invite: SipRequest, isLateOffer: boolean): void {
    this.#owedAck = { cseqNumber: invite.cseq.number, fields: credentialsOf(invite) };
    if (!isLateOffer) this.#sendAck(undefined);
  }

  /** Sends our 2xx to an INVITE, again and again until its ACK (§13.3.1.4). */
  accept(transaction: ServerTransaction, response: SipResponse, isOffer: boolean): void {
    // A request inside the dialog has a To-tag; the one that makes it has none.
    if (transaction.request.toTag === undefined) this.#state = { name: "accepted" };
    const cseqNumber = transaction.request.cseq.number;
    const retransmission = new AcceptRetransmission(
      this.#context,
      () => respondTo(this.#context, this.peer, transaction, response),
      () => this.#onNoAck(cseqNumber),
    );
    this.#unacknowledged.set(cseqNumber, { retransmission, isOffer });
  }

  acknowledge(sdp: string): void {
    if (this.#owedAck !== undefined) this.#sendAck(sdp);
  }

  reinvite(sdp: string | undefined, headers: ExtraHeaders = []): Promise<ReinviteResult> {
    return this.#reinvites.add(sdp, headers);
  }

  request(
    method: string,
    options: {
      readonly contentType?: string;
      readonly body?: Buffer;
      readonly headers?: ExtraHeaders;
    },
  ): Promise<number> {
    return new Promise((resolve) => {
      if (!this.isLive) {
        resolve(481);
        return;
      }
      const exchange = new Exchange(this.#context, {
        peer: this.peer,
        nextHop: () => this.#dialog.nextHop,
        build: (flow, credentials) =>
          this.#dialog.request(method, {
            headers: [
              contactField(flow, this.#contactUser),
              ["User-Agent", PRODUCT],
              ...credentials,
              ...safeExtras(options.headers),
            ],
            body: options.body,
            contentType: options.contentType,
          }),
        onDone: (outcome) => {
          this.#exchanges.delete(exchange);
          resolve(this.#onRequestDone(outcome));
        },
      });
      this.#exchanges.set(exchange, resolve);
    });
  }

  refer(options: OutgoingReferOptions, handler: OutgoingReferHandler): void {
    if (this.isLive) this.#refers.refer(options, handler);
    else this.#context.clock.after(0, () => handler.onEnded(481, "The call is over"));
  }

  bye(reason?: EndReason): void {
    if (!this.isLive) return;
    this.#handler = undefined;
    if (this.#state.name === "accepted") {
      // RFC 3261 §15: the callee's BYE waits for the ACK, or for the end of the transaction.
      this.#state = { name: "closing", reason };
      return;
    }
    this.#sendBye(reason);
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    switch (request.method) {
      case "BYE":
        this.#onBye(request, transaction);
        return;
      case "INVITE":
        this.#onReinvite(transaction);
        return;
      case "UPDATE":
        this.#onUpdate(transaction);
        return;
      case "OPTIONS":
        transaction.respond(optionsResponse(request));
        return;
      case "INFO":
        this.#onOther(request, transaction);
        return;
      case "MESSAGE":
        this.#onMessage(request, transaction);
        return;
      case "NOTIFY":
        if (!this.#refers.onNotify(transaction)) this.#onOther(request, transaction);
        return;
      case "REFER":
        if (!this.#refers.onRefer(transaction, this.#handler)) {
          this.#onOther(request, transaction);
        }
        return;
      case "SUBSCRIBE":
        if (!this.#refers.onSubscribe(transaction, this.#handler)) {
          transaction.respond(methodResponse(request));
        }
        return;
      default:
        transaction.respond(methodResponse(request));
    }
  }

  onAck(request: SipRequest): void {
    const cseqNumber = request.cseq.number;
    const accepted = this.#unacknowledged.get(cseqNumber);
    if (accepted === undefined) return;
    accepted.retransmission.stop();
    this.#unacknowledged.delete(cseqNumber);
    switch (this.#state.name) {
      case "accepted":
      case "confirmed":
        this.#state = { name: "confirmed" };
        this.#handler?.onConfirmed(accepted.isOffer ? request.sdp : undefined);
        this.#reinvites.pump();
        return;
      case "closing":
        this.#sendBye(this.#state.reason);
        return;
      case "terminated":
        return;
    }
  }

  /** A 2xx again: the same ACK again (RFC 3261 §13.2.2.4). */
  onStrayAccept(response: SipResponse): void {
    const cseqNumber = response.cseq.number;
    if (this.#owedAck?.cseqNumber === cseqNumber) return;
    if (this.#sentAck?.cseqNumber !== cseqNumber) {
      // A re-INVITE that was sent again on a new connection while its first 2xx was on the way.
      this.#sentAck = { cseqNumber, message: this.#dialog.ack(cseqNumber) };
    }
    this.#transmitAck(this.#sentAck);
  }

  #refusalOf(request: SipRequest): SipResponse | undefined {
    if (!this.isLive && request.method !== "BYE") return ourResponse(request, 481);
    // RFC 3261 §12.2.2
    if (!this.#dialog.acceptRemoteCseq(request.cseq.number)) return ourResponse(request, 500);
    return requireRefusal(request, request.method === "REFER" ? REFER_OPTIONS : []);
  }

  /** An offer of ours has no answer yet, or one of the far end's has none of ours. */
  #isOfferOpen(): boolean {
    if (this.#reinvites.isSent || this.#owedAck !== undefined) return true;
    return [...this.#unacknowledged.values()].some(({ isOffer }) => isOffer);
  }

  #onBye(request: SipRequest, transaction: ServerTransaction): void {
    transaction.respond(ourResponse(request, 200));
    const reason = parseReason(request.headers);
    const handler = this.#terminate(reason ?? { sipStatus: 200 });
    handler?.onBye(reason);
  }

  #onReinvite(transaction: ServerTransaction): void {
    const request = transaction.request;
    if (this.#isOfferOpen() || this.#unacknowledged.size >= MAX_UNACKNOWLEDGED) {
      transaction.respond(ourResponse(request, 491)); // RFC 3261 §14.2
      return;
    }
    if (this.#incoming !== undefined) {
      transaction.respond(this.#busyResponse(request)); // RFC 3261 §14.2
      return;
    }
    const refusal = bodyRefusal(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    this.#offer("INVITE", transaction);
  }

  #onUpdate(transaction: ServerTransaction): void {
    const request = transaction.request;
    const refusal = bodyRefusal(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
    } else if (request.sdp === undefined) {
      // RFC 3311 §5.2: without an offer it refreshes the target and, with RFC 4028, the session.
      this.#dialog.refreshTarget(request);
      transaction.respond(ourResponse(request, 200, { fields: this.#contactFields(transaction) }));
    } else if (this.#isOfferOpen()) {
      transaction.respond(ourResponse(request, 491)); // RFC 3311 §5.2
    } else if (this.#incoming !== undefined) {
      transaction.respond(this.#busyResponse(request)); // RFC 3311 §5.2
    } else {
      this.#offer("UPDATE", transaction);
    }
  }

  #offer(method: "INVITE" | "UPDATE", transaction: ServerTransaction): void {
    const handler = this.#handler;
    if (handler === undefined) {
      transaction.respond(ourResponse(transaction.request, 488));
      return;
    }
    const reinvite = new ServerReinvite(method, transaction, {
      accept: (sdp) => {
        this.#incoming = undefined;
        this.#dialog.refreshTarget(transaction.request);
        const response = ourResponse(transaction.request, 200, {
          sdp,
          fields: [...this.#contactFields(transaction), ["Allow", ALLOW]],
        });
        if (method === "INVITE") this.accept(transaction, response, reinvite.sdp === undefined);
        else respondTo(this.#context, this.peer, transaction, response);
        this.#reinvites.pump();
      },
      reject: (status, options) => {
        this.#incoming = undefined;
        const response = ourResponse(transaction.request, status, options);
        respondTo(this.#context, this.peer, transaction, response);
        this.#reinvites.pump();
      },
    });
    this.#incoming = reinvite;
    this.#reinvites.yield();
    if (method === "INVITE") this.#context.table.cancellable(transaction, () => reinvite.cancel());
    handler.onReinvite(reinvite);
  }

  #onOther(request: SipRequest, transaction: ServerTransaction): void {
    const handler = this.#handler;
    if (handler === undefined) {
      transaction.respond(ourResponse(request, 481));
      return;
    }
    const respond = (status: number, options: ResponseOptions): void => {
      respondTo(this.#context, this.peer, transaction, ourResponse(request, status, options));
    };
    handler.onRequest(new ServerRequest(request, respond));
  }

  #onMessage(request: SipRequest, transaction: ServerTransaction): void {
    const handler = this.#handler;
    if (handler?.onMessage === undefined) {
      this.#onOther(request, transaction);
      return;
    }
    const refusal = messageRefusal(request);
    if (refusal !== undefined) transaction.respond(refusal);
    else handler.onMessage(new ServerMessage(this.#context, transaction, this.peer));
  }

  /** 500 with a Retry-After between 0 and 10 seconds (RFC 3261 §14.2). */
  #busyResponse(request: SipRequest): SipResponse {
    const seconds = Math.floor(this.#context.random() * 11);
    return ourResponse(request, 500, { fields: [["Retry-After", String(seconds)]] });
  }

  #contactFields(transaction: ServerTransaction): readonly HeaderField[] {
    const { flow, request } = transaction;
    return [contactField(flow, this.#contactUser, request.uri.scheme)];
  }

  #startReinvite(
    sdp: string | undefined,
    headers: ExtraHeaders,
    onDone: (outcome: ExchangeOutcome) => void,
  ): Exchange {
    return new Exchange(this.#context, {
      peer: this.peer,
      nextHop: () => this.#dialog.nextHop,
      limitMs: this.#context.limits.noFinalResponseMs,
      build: (flow, credentials) =>
        this.#dialog.request("INVITE", {
          headers: [
            contactField(flow, this.#contactUser),
            ["Allow", ALLOW],
            ["User-Agent", PRODUCT],
            ...credentials,
            ...safeExtras(headers),
          ],
          body: sdp,
          contentType: "application/sdp",
        }),
      onDone,
      onRepeatedAccept: (response) => this.onStrayAccept(response),
    });
  }

  #onRequestDone(outcome: ExchangeOutcome): number {
    switch (outcome.kind) {
      case "response": {
        const status = outcome.response.statusCode;
        // RFC 3261 §12.2.1.2
        if (status === 481) this.#lose({ sipStatus: 481, text: outcome.response.reasonPhrase });
        else if (status === 408) this.#lose(TIMEOUT);
        return status;
      }
      case "timeout":
        this.#lose(TIMEOUT);
        return 408;
      case "transport":
        return 408;
    }
  }

  #onNoAck(cseqNumber: number): void {
    this.#unacknowledged.delete(cseqNumber);
    switch (this.#state.name) {
      case "accepted":
      case "confirmed":
        // RFC 3261 §13.3.1.4: the dialog is confirmed, but the session should be ended with BYE.
        this.#lose({ sipStatus: 408, text: "No ACK" });
        return;
      case "closing":
        this.#sendBye(this.#state.reason);
        return;
      case "terminated":
        return;
    }
  }

  #lose(reason: EndReason): void {
    if (this.#state.name === "terminated") return;
    const handler = this.#handler;
    if (reason.sipStatus === 481) this.#terminate(reason);
    else this.#sendBye(reason);
    handler?.onLost(reason);
  }

  #sendAck(sdp: string | undefined): void {
    const owed = this.#owedAck;
    if (owed === undefined) return;
    this.#owedAck = undefined;
    const { cseqNumber, fields } = owed;
    const message = this.#dialog.ack(cseqNumber, {
      headers: [["User-Agent", PRODUCT], ...fields],
      body: sdp,
      contentType: "application/sdp",
    });
    this.#transmitAck({ cseqNumber, message });
    this.#reinvites.pump();
  }

  #transmitAck(ack: SentAck): void {
    const flow = this.peer.flowTo(this.#dialog.nextHop);
    const message =
      flow === undefined
        ? ack.message
        : this.#context.transactions.sendStateless(ack.message, flow);
    this.#sentAck = { cseqNumber: ack.cseqNumber, message };
  }

  #sendBye(reason: EndReason | undefined): void {
    // Whoever owes an ACK sends it first: the far end would repeat its 2xx otherwise.
    this.#sendAck(undefined);
    // The BYE lives on alone: challenged, or waiting for a browser to come back, it ends by itself.
    // It begins before the rest ends, so that the way to the far end is never without a watcher.
    // oxlint-disable-next-line no-new
    new Exchange(this.#context, {
      peer: this.peer,
      nextHop: () => this.#dialog.nextHop,
      build: (_flow, credentials) =>
        this.#dialog.request("BYE", {
          headers: [["User-Agent", PRODUCT], ...credentials, ...reasonFields(reason)],
        }),
      onDone: () => {},
    });
    this.#terminate(reason ?? { sipStatus: 200 });
  }

  /** Ends everything here. @returns the handler, for its one final callback */
  #terminate(reason: EndReason): DialogHandler | undefined {
    if (this.#state.name === "terminated") return undefined;
    const handler = this.#handler;
    this.#state = { name: "terminated" };
    this.#handler = undefined;
    this.#unwatch();
    for (const { retransmission } of this.#unacknowledged.values()) retransmission.stop();
    this.#unacknowledged.clear();
    this.#incoming?.cancel(); // RFC 3261 §15.1.2: pending requests still get their response
    this.#reinvites.close(reason);
    for (const [exchange, resolve] of this.#exchanges) {
      exchange.abandon();
      resolve(481);
    }
    this.#exchanges.clear();
    this.#refers.close();
    this.#context.table.delete(this.callId, this.localTag, this.remoteTag, this);
    this.#context.table.end(this);
    return handler;
  }
}

/** The credentials of an INVITE, which its ACK repeats (RFC 3261 §22.1). */
function credentialsOf(invite: SipRequest): readonly HeaderField[] {
  return ["Authorization", "Proxy-Authorization"].flatMap((name) =>
    invite.headers.getAll(name).map((value): HeaderField => [name, value]),
  );
}
