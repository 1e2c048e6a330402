import type { IncomingReinvite, IncomingRequest } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogRequests } from "./dialog-requests.ts";
import type { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { IncomingOffers } from "./incoming-offers.ts";
import { ALLOW, CALL_OPTIONS, contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { reliableRseqOf } from "./rack.ts";
import {
  bodyRefusal,
  methodResponse,
  optionsResponse,
  ourResponse,
  packageRefusal,
  requireRefusal,
  respondTo,
} from "./responses.ts";
import { ServerRequest } from "./server-reinvite.ts";

export interface EarlyDialogOptions {
  readonly peer: Peer;
  readonly state: DialogState;
  /** The user part of our Contact. */
  readonly contactUser: string;
  /** The INVITE's offer; undefined with a late offer. */
  readonly offer: string | undefined;
  /** A 2xx of this fork that belongs to no transaction any more. */
  readonly onAccept: (response: SipResponse) => void;
  /** Who answers an offer of the callee's; undefined: nobody. */
  readonly onReinvite: (() => (offer: IncomingReinvite) => void) | undefined;
  /** Who takes an INFO of the callee's; undefined: nobody. */
  readonly onInfo: ((request: IncomingRequest) => void) | undefined;
}

/**
 * One fork of an INVITE of ours that has sent a provisional response (RFC 3261 §12.1.2):
 * acknowledges what came reliably (RFC 3262 §4), and answers what the callee may send before it
 * answers the call.
 */
export class EarlyDialog implements DialogUsage {
  readonly peer: Peer;
  readonly state: DialogState;
  readonly #context: DialogContext;
  readonly #options: EarlyDialogOptions;
  readonly #requests: DialogRequests;
  readonly #offers: IncomingOffers;
  #lastRseq: number | undefined;
  #remoteSdp: string | undefined;
  #localSdp: string | undefined;

  constructor(context: DialogContext, options: EarlyDialogOptions) {
    const { peer, state } = options;
    this.#context = context;
    this.#options = options;
    this.peer = peer;
    this.state = state;
    this.#localSdp = options.offer;
    this.#requests = new DialogRequests(context, peer, state, options.contactUser);
    this.#offers = new IncomingOffers(context, peer, {
      // RFC 3311 §5.2: the INVITE's offer has no answer yet.
      isOfferOpen: () => this.#remoteSdp === undefined,
      handler: () => options.onReinvite?.(),
      onBegin() {},
      accept: (transaction, sdp) => this.#acceptOffer(transaction, sdp),
      onEnd() {},
    });
    context.table.set(state.callId, state.localTag, state.remoteTag, this);
  }

  /**
   * What the two ends have agreed on already, by a reliable response: SDP in later responses to the
   * INVITE means nothing then (RFC 3261 §13.2.1).
   */
  get agreed(): { readonly remote: string; readonly local: string | undefined } | undefined {
    const remote = this.#remoteSdp;
    return remote === undefined ? undefined : { remote, local: this.#localSdp };
  }

  /** Takes a provisional response. @returns false for one that came before or out of order */
  receive(response: SipResponse): boolean {
    const rseq = reliableRseqOf(response);
    if (rseq === undefined) return true;
    // RFC 3262 §4: exactly one more than the last; anything else is dropped, without a PRACK.
    if (this.#lastRseq !== undefined && rseq !== this.#lastRseq + 1) return false;
    this.#lastRseq = rseq;
    // With a late offer no reliable response is asked for, and an offer in one gets no answer here.
    if (this.#options.offer !== undefined) this.#remoteSdp ??= response.sdp;
    const rack: HeaderField = ["RAck", `${rseq} ${response.cseq.number} INVITE`];
    // Whatever becomes of it: without the PRACK the callee fails the INVITE by itself.
    this.#requests.send("PRACK", { fields: () => [rack] }, () => {});
    return true;
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) transaction.respond(refusal);
    else if (request.method === "UPDATE") this.#onUpdate(request, transaction);
    else if (request.method === "INFO") this.#onInfo(request, transaction);
    else transaction.respond(this.#responseTo(request));
  }

  /** Sends an INFO. @returns the final status, 408 without one, 481 when the fork has ended */
  info(parts: { readonly contentType: string; readonly body: Buffer }): Promise<number> {
    return new Promise((resolve) => {
      this.#requests.send(
        "INFO",
        { ...parts, fields: () => [] },
        (outcome) => resolve(outcome.kind === "response" ? outcome.response.statusCode : 408),
        () => resolve(481),
      );
    });
  }

  onAck(_request: SipRequest): void {}

  onStrayAccept(response: SipResponse): void {
    this.#options.onAccept(response);
  }

  /** The fork has ended, or its 2xx has come: PRACKs on their way are left to themselves. */
  close(): void {
    const { callId, localTag, remoteTag } = this.state;
    this.#offers.cancel();
    this.#context.table.delete(callId, localTag, remoteTag, this);
  }

  #refusalOf(request: SipRequest): SipResponse | undefined {
    if (!this.state.acceptRemoteCseq(request.cseq.number)) return ourResponse(request, 500);
    return requireRefusal(request, CALL_OPTIONS);
  }

  #onInfo(request: SipRequest, transaction: ServerTransaction): void {
    const { onInfo } = this.#options;
    const refusal = packageRefusal(request);
    if (refusal !== undefined) transaction.respond(refusal);
    else if (onInfo === undefined) transaction.respond(ourResponse(request, 491));
    else {
      onInfo(
        new ServerRequest(request, (status, options) =>
          respondTo(this.#context, this.peer, transaction, ourResponse(request, status, options)),
        ),
      );
    }
  }

  #onUpdate(request: SipRequest, transaction: ServerTransaction): void {
    const refusal = bodyRefusal(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
    } else if (request.sdp !== undefined) {
      this.#offers.receive("UPDATE", transaction);
    } else {
      this.state.refreshTarget(request);
      transaction.respond(ourResponse(request, 200, { fields: this.#fields(transaction) }));
    }
  }

  #acceptOffer(transaction: ServerTransaction, sdp: string): void {
    const { request } = transaction;
    this.#remoteSdp = request.sdp;
    this.#localSdp = sdp;
    this.state.refreshTarget(request);
    const response = ourResponse(request, 200, { sdp, fields: this.#fields(transaction) });
    respondTo(this.#context, this.peer, transaction, response);
  }

  #fields({ flow }: ServerTransaction): readonly HeaderField[] {
    const host = this.peer.terms?.contactHost;
    return [contactField(flow, this.#options.contactUser, { host }), ["Allow", ALLOW]];
  }

  #responseTo(request: SipRequest): SipResponse {
    switch (request.method) {
      case "OPTIONS":
        return optionsResponse(request);
      case "BYE":
        return ourResponse(request, 403); // RFC 3261 §15: the callee's BYE needs a confirmed dialog
      case "PRACK":
        return ourResponse(request, 481); // RFC 3262 §3: nothing of ours was sent reliably
      case "INVITE":
      case "MESSAGE":
      case "NOTIFY":
      case "REFER":
        return ourResponse(request, 491);
      default:
        return methodResponse(request);
    }
  }
}
