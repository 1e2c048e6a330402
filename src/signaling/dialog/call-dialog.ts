import type { EndReason } from "../../core/end-reason.ts";
import type {
  Dialog,
  DialogHandler,
  ExtraHeaders,
  OutgoingReferHandler,
  OutgoingReferOptions,
  Party,
  ReinviteResult,
} from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { parseReason } from "../message/reason.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { Acceptance, CallDialogOptions } from "./call-dialog-options.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogRequests } from "./dialog-requests.ts";
import type { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import { FarEnd } from "./far-end.ts";
import { IncomingOffers } from "./incoming-offers.ts";
import { DEFAULT_TERMS } from "./leg-terms.ts";
import { OurAccepts } from "./our-accepts.ts";
import { OurAcks } from "./our-acks.ts";
import { ALLOW, CALL_OPTIONS, contactField, safeExtras, supportedField } from "./our-headers.ts";
import { OtherRequests } from "./other-requests.ts";
import type { Peer } from "./peer.ts";
import { ReinviteQueue } from "./reinvite-queue.ts";
import {
  bodyRefusal,
  optionsResponse,
  ourResponse,
  requireRefusal,
  respondTo,
} from "./responses.ts";
import { REFER_OPTIONS } from "./server-refer.ts";
import { SessionRefresh } from "./session-refresh.ts";
import type { SessionRefreshPort } from "./session-refresh.ts";

type State =
  /** Our 2xx waits for a PRACK (RFC 3262 §5). */
  | { readonly name: "held"; readonly transaction: ServerTransaction }
  /** Our 2xx has been sent, its ACK has not come. */
  | { readonly name: "accepted" }
  | { readonly name: "confirmed" }
  | { readonly name: "closing"; readonly farewell: Farewell }
  | { readonly name: "terminated" };

/** What a BYE of ours says. */
interface Farewell {
  readonly reason: EndReason | undefined;
  readonly headers?: ExtraHeaders | undefined;
}

const TIMEOUT: EndReason = { sipStatus: 408, text: "Request Timeout" };
const EXPIRED: EndReason = { sipStatus: 408, q850: 102, text: "Session timer expired" };
const OVER: EndReason = { sipStatus: 481, text: "The dialog is over" };
const NO_PRACK: EndReason = { sipStatus: 504, q850: 102, text: "No PRACK" };

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
  readonly #ownsCallId: boolean;
  readonly #far: FarEnd;
  readonly #requests: DialogRequests;
  readonly #session: SessionRefresh;
  readonly #acks: OurAcks;
  readonly #accepts: OurAccepts;
  // Made when they are needed: most dialogs see no re-INVITE and no REFER, and thousands are held.
  #reinviteQueue: ReinviteQueue | undefined;
  #incomingOffers: IncomingOffers | undefined;
  #otherRequests: OtherRequests | undefined;
  readonly #unwatch: () => void;
  #state: State = { name: "confirmed" };
  #handler: DialogHandler | undefined;
  #acceptance: Acceptance | undefined;
  /** The last SDP of ours that the far end has: sent again as it is when nothing changes. */
  #localSdp: string | undefined;

  constructor(context: DialogContext, options: CallDialogOptions) {
    const { state, peer } = options;
    this.#context = context;
    this.#dialog = state;
    this.peer = peer;
    this.#contactUser = options.contactUser;
    this.remoteAgent = options.remoteAgent;
    this.#far = new FarEnd(options.farMessage);
    this.#localSdp = options.localSdp;
    this.#ownsCallId = options.ownsCallId;
    this.#acks = new OurAcks(context, peer, state);
    this.#accepts = new OurAccepts(context);
    this.#requests = new DialogRequests(context, peer, state, options.contactUser);
    this.#session = new SessionRefresh(context, {
      offer: options.session,
      requests: this.#requests,
      far: this.#far,
      port: () => this.#refreshPort(),
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
    switch (this.#state.name) {
      case "held":
      case "accepted":
      case "confirmed":
        return true;
      case "closing":
      case "terminated":
        return false;
    }
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
  onAccepted(invite: SipRequest, response: SipResponse, isLateOffer: boolean): void {
    this.#far.learn(response);
    this.#session.onAccepted(response);
    this.#acks.owe(invite);
    if (!isLateOffer) this.#sendAck();
  }

  /** Sends our 2xx to the INVITE that makes the dialog, once RFC 3262 §5 allows it. */
  accept(acceptance: Acceptance): void {
    const { transaction, reliable } = acceptance;
    this.#acceptance = acceptance;
    if (reliable?.holdsAccept === true) {
      this.#state = { name: "held", transaction };
      transaction.onCancel = (cancel) => {
        const reason = parseReason(cancel.headers, 487) ?? { sipStatus: 487 };
        this.#terminate(reason, 487)?.onLost(reason);
      };
      reliable.settle(() => this.#sendAccept(acceptance));
      return;
    }
    this.#sendAccept(acceptance);
  }

  /** No PRACK has come for what was sent reliably before our 2xx (RFC 3262 §3). */
  onNoPrack(): void {
    if (this.#state.name === "held") this.#lose(NO_PRACK);
  }

  acknowledge(sdp: string): void {
    if (!this.#acks.isOwed) return;
    this.#localSdp = sdp;
    this.#sendAck(sdp);
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
    if (!this.isLive) return Promise.resolve(481);
    const infoPackage = options.headers?.find(([name]) => name.toLowerCase() === "info-package");
    // RFC 6086 §4.2.1: only packages that the far end has listed are sent.
    if (infoPackage !== undefined && !this.#far.takesPackage(infoPackage[1])) {
      return Promise.resolve(469);
    }
    return new Promise((resolve) => {
      const fields = safeExtras(options.headers);
      this.#requests.send(
        method,
        { ...options, fields: () => fields },
        (outcome) => resolve(this.#onRequestDone(outcome)),
        () => resolve(481),
      );
    });
  }

  refer(options: OutgoingReferOptions, handler: OutgoingReferHandler): void {
    if (this.isLive) this.#others.refer(options, handler);
    else this.#context.clock.after(0, () => handler.onEnded(481, "The call is over"));
  }

  bye(reason?: EndReason, headers?: ExtraHeaders): void {
    if (!this.isLive) return;
    const farewell = { reason, headers };
    this.#handler = undefined;
    switch (this.#state.name) {
      case "accepted":
        // RFC 3261 §15: the callee's BYE waits for the ACK, or for the end of the transaction.
        this.#state = { name: "closing", farewell };
        return;
      case "held":
      case "confirmed":
      case "closing":
      case "terminated":
        this.#close(farewell);
    }
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
      case "PRACK":
        this.#onPrack(transaction);
        return;
      case "OPTIONS":
        transaction.respond(optionsResponse(request));
        return;
      default:
        this.#others.receive(transaction);
    }
  }

  onAck(request: SipRequest): void {
    const accepted = this.#accepts.acknowledge(request.cseq.number);
    if (accepted === undefined) return;
    switch (this.#state.name) {
      case "held":
        return;
      case "accepted":
      case "confirmed":
        this.#onConfirmed(accepted.isOffer ? request.sdp : undefined);
        return;
      case "closing":
        this.#close(this.#state.farewell);
        return;
      case "terminated":
        return;
    }
  }

  /** A 2xx again: the same ACK again (RFC 3261 §13.2.2.4). */
  onStrayAccept(response: SipResponse): void {
    this.#acks.repeat(response);
  }

  get #reinvites(): ReinviteQueue {
    if (this.#reinviteQueue !== undefined) return this.#reinviteQueue;
    this.#reinviteQueue = new ReinviteQueue(this.#context, {
      ownsCallId: this.#ownsCallId,
      isOffered: () => this.#incomingOffers?.isPending === true,
      isUnacknowledged: () =>
        this.#state.name === "held" || !this.#accepts.isEmpty || this.#acks.isOwed,
      start: (sdp, headers, onDone) =>
        this.#requests.reinvite({
          sdp,
          fields: () => [...this.#session.requestFields, ...safeExtras(headers)],
          onDone,
          onRepeatedAccept: (response) => this.onStrayAccept(response),
        }),
      onAccepted: (response, request, isLateOffer) => {
        this.#dialog.refreshTarget(response);
        if (!isLateOffer) this.#localSdp = request.sdp;
        this.onAccepted(request, response, isLateOffer);
      },
      onTooSmall: (response) => this.#session.onTooSmall(response),
      onLost: (reason) => this.#lose(reason),
    });
    // Whoever asks after the end is told so.
    if (this.#state.name === "terminated") this.#reinviteQueue.close(OVER);
    return this.#reinviteQueue;
  }

  get #offers(): IncomingOffers {
    this.#incomingOffers ??= new IncomingOffers(this.#context, this.peer, {
      isOfferOpen: () => this.#isOfferOpen(),
      handler: () => {
        const handler = this.#handler;
        return handler === undefined ? undefined : (offer) => handler.onReinvite(offer);
      },
      onBegin: () => this.#reinviteQueue?.yield(),
      accept: (transaction, sdp, isLateOffer) => this.#acceptOffer(transaction, sdp, isLateOffer),
      onEnd: () => {
        // RFC 3262 §5: an offer in the PRACK that our 2xx waits for is answered before it.
        this.#acceptance?.reliable?.pump();
        this.#reinviteQueue?.pump();
      },
    });
    return this.#incomingOffers;
  }

  get #others(): OtherRequests {
    this.#otherRequests ??= new OtherRequests(this.#context, {
      dialog: this.#dialog,
      peer: this.peer,
      contactUser: this.#contactUser,
      onOutcome: (outcome) => this.#onRequestDone(outcome),
      handler: () => this.#handler,
    });
    return this.#otherRequests;
  }

  #sendAccept({ transaction, build, isOffer, reliable }: Acceptance): void {
    reliable?.stop();
    this.#state = { name: "accepted" };
    this.#sendOk(transaction, build(this.#session.accept(transaction.request)), isOffer);
  }

  #sendOk(transaction: ServerTransaction, response: SipResponse, isOffer: boolean): void {
    this.#accepts.send(
      transaction.request.cseq.number,
      isOffer,
      () => respondTo(this.#context, this.peer, transaction, response),
      () => this.#onNoAck(),
    );
  }

  #onConfirmed(sdp: string | undefined): void {
    this.#state = { name: "confirmed" };
    const nextOffer = this.#acceptance?.nextOffer;
    this.#acceptance = undefined;
    this.#handler?.onConfirmed(sdp);
    // Nobody waits for the outcome: a refusal leaves the far end with what it has.
    if (nextOffer !== undefined) void this.reinvite(nextOffer);
    this.#reinviteQueue?.pump();
  }

  #refusalOf(request: SipRequest): SipResponse | undefined {
    if (!this.isLive && request.method !== "BYE") return ourResponse(request, 481);
    // RFC 3261 §12.2.2
    if (!this.#dialog.acceptRemoteCseq(request.cseq.number)) return ourResponse(request, 500);
    const isRefer = request.method === "REFER";
    return requireRefusal(request, isRefer ? REFER_OPTIONS : CALL_OPTIONS);
  }

  /** An offer of ours has no answer yet, or one of the far end's has none of ours. */
  #isOfferOpen(): boolean {
    return (
      this.#reinviteQueue?.isSent === true ||
      this.#acks.isOwed ||
      this.#accepts.hasOffer ||
      this.#accepts.isFull ||
      (this.#state.name === "held" && this.#acceptance?.reliable?.holdsAccept === true)
    );
  }

  #onBye(request: SipRequest, transaction: ServerTransaction): void {
    transaction.respond(ourResponse(request, 200));
    const reason = parseReason(request.headers);
    const handler = this.#terminate(reason ?? { sipStatus: 200 }, 487);
    handler?.onBye(reason, request);
  }

  #onReinvite(transaction: ServerTransaction): void {
    const refusal = this.#session.refusalOf(transaction.request);
    if (refusal === undefined) this.#offers.receive("INVITE", transaction);
    else transaction.respond(refusal);
  }

  #onUpdate(transaction: ServerTransaction): void {
    const { request } = transaction;
    const refusal = this.#session.refusalOf(request) ?? bodyRefusal(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
    } else if (request.sdp !== undefined) {
      this.#offers.receive("UPDATE", transaction);
    } else {
      // RFC 3311 §5.2: without an offer it refreshes the target and, with RFC 4028, the session.
      transaction.respond(ourResponse(request, 200, { fields: this.#refreshedBy(transaction) }));
    }
  }

  #onPrack(transaction: ServerTransaction): void {
    const { request } = transaction;
    const reliable = this.#acceptance?.reliable;
    if (reliable?.acknowledge(request) !== true) {
      transaction.respond(ourResponse(request, 481)); // RFC 3262 §3
      return;
    }
    if (request.sdp === undefined) transaction.respond(ourResponse(request, 200));
    else this.#offers.receive("PRACK", transaction);
    if (request.sdp === undefined || !this.#offers.isPending) reliable.pump();
  }

  #acceptOffer(transaction: ServerTransaction, sdp: string, isLateOffer: boolean): void {
    const { request } = transaction;
    this.#localSdp = sdp;
    // What would have been offered next is out of date.
    if (this.#acceptance !== undefined) {
      this.#acceptance = { ...this.#acceptance, nextOffer: undefined };
    }
    // RFC 3261 §12.2: of the three that bring an offer a PRACK alone refreshes nothing.
    const fields = request.method === "PRACK" ? [] : this.#refreshedBy(transaction);
    const response = ourResponse(request, 200, { sdp, fields });
    if (request.method === "INVITE") this.#sendOk(transaction, response, isLateOffer);
    else respondTo(this.#context, this.peer, transaction, response);
  }

  /** A re-INVITE or UPDATE of the far end is accepted. @returns what the 2xx says beside the SDP */
  #refreshedBy({ request, flow }: ServerTransaction): readonly HeaderField[] {
    this.#dialog.refreshTarget(request);
    this.#far.learn(request);
    return [
      contactField(flow, this.#contactUser, {
        scheme: request.uri.scheme,
        host: this.peer.terms?.contactHost,
      }),
      ["Allow", ALLOW],
      this.#supported,
      ...this.#session.accept(request),
    ];
  }

  get #supported(): HeaderField {
    const { reliable } = this.peer.terms ?? DEFAULT_TERMS;
    return supportedField({ withReliable: reliable !== "off" });
  }

  #onRequestDone(outcome: ExchangeOutcome): number {
    switch (outcome.kind) {
      case "response": {
        const status = outcome.response.statusCode;
        // RFC 3261 §12.2.1.2, RFC 5057 §5.1
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

  #onNoAck(): void {
    switch (this.#state.name) {
      case "accepted":
      case "confirmed":
        // RFC 3261 §13.3.1.4: the dialog is confirmed, but the session should be ended with BYE.
        this.#lose({ sipStatus: 408, text: "No ACK" });
        return;
      case "closing":
        this.#close(this.#state.farewell);
        return;
      case "held":
      case "terminated":
        return;
    }
  }

  #refreshPort(): SessionRefreshPort {
    return {
      isReady: () => this.#state.name === "confirmed",
      localSdp: () => this.#localSdp,
      reinvite: (sdp) => this.#reinvites.add(sdp, []),
      updateFields: () => [["Allow", ALLOW], this.#supported],
      onRefreshed: (response) => {
        this.#dialog.refreshTarget(response);
        this.#far.learn(response);
      },
      onRefused: (outcome) => this.#onRequestDone(outcome),
      onExpired: () => this.#lose(EXPIRED), // RFC 4028 §10
    };
  }

  #lose(reason: EndReason): void {
    if (this.#state.name === "terminated") return;
    const handler = this.#handler;
    if (reason.sipStatus === 481) this.#terminate(reason, 481);
    else this.#close({ reason });
    handler?.onLost(reason);
  }

  #sendAck(sdp?: string): void {
    if (this.#acks.send(sdp)) this.#reinviteQueue?.pump();
  }

  /** Ends the call at the far end, with BYE or, before our 2xx, by refusing its INVITE. */
  #close(farewell: Farewell): void {
    const { reason } = farewell;
    if (this.#state.name !== "held") this.#sendBye(farewell);
    const status = reason === undefined || reason.sipStatus < 300 ? 480 : reason.sipStatus;
    this.#terminate(reason ?? { sipStatus: 200 }, status);
  }

  #sendBye({ reason, headers }: Farewell): void {
    // Whoever owes an ACK sends it first: the far end would repeat its 2xx otherwise.
    this.#sendAck();
    // The BYE begins before the rest ends, so that the way to the far end always has a watcher.
    this.#requests.bye(reason, headers);
  }

  /**
   * Ends everything here.
   *
   * @param heldStatus what an INVITE gets whose 2xx was held back
   * @returns the handler, for its one final callback
   */
  #terminate(reason: EndReason, heldStatus: number): DialogHandler | undefined {
    const state = this.#state;
    if (state.name === "terminated") return undefined;
    const handler = this.#handler;
    this.#state = { name: "terminated" };
    this.#handler = undefined;
    this.#unwatch();
    this.#session.stop();
    this.#acceptance?.reliable?.stop();
    if (state.name === "held") {
      const { transaction } = state;
      const options = { reason, toTag: this.localTag };
      const response = ourResponse(transaction.request, heldStatus, options);
      respondTo(this.#context, this.peer, transaction, response);
    }
    this.#accepts.stop();
    this.#incomingOffers?.cancel();
    this.#reinviteQueue?.close(reason);
    this.#requests.abandon();
    this.#otherRequests?.close();
    this.#context.table.delete(this.callId, this.localTag, this.remoteTag, this);
    this.#context.table.end(this);
    return handler;
  }
}
