import type { IncomingReinvite, ResponseOptions } from "../engine.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { HeaderField } from "../message/headers.ts";
import type { Peer } from "./peer.ts";
import { bodyRefusal, ourResponse, respondTo } from "./responses.ts";
import { ServerReinvite } from "./server-reinvite.ts";

/** What the far end's offers need of their dialog. */
export interface OfferPort {
  /** An offer of ours has no answer yet. */
  isOfferOpen(): boolean;
  /** Who answers; undefined: nobody, and the offer gets 488. */
  handler(): ((offer: IncomingReinvite) => void) | undefined;
  /** An offer is about to be handed over. */
  onBegin(): void;
  /** Sends the 2xx; `isLateOffer`: the SDP is our offer. */
  accept(transaction: ServerTransaction, sdp: string, isLateOffer: boolean): void;
  /** The offer has its answer or its refusal. */
  onEnd(): void;
}

/**
 * The far end's offers inside one dialog, in re-INVITE, UPDATE or PRACK: one at a time, never
 * against one of ours (RFC 3261 §14.2, RFC 3311 §5.2).
 */
export class IncomingOffers {
  readonly #context: DialogContext;
  readonly #peer: Peer;
  readonly #port: OfferPort;
  #current: ServerReinvite | undefined;

  constructor(context: DialogContext, peer: Peer, port: OfferPort) {
    this.#context = context;
    this.#peer = peer;
    this.#port = port;
  }

  /** One waits for its final response. */
  get isPending(): boolean {
    return this.#current !== undefined;
  }

  /** A re-INVITE, or an UPDATE or PRACK with SDP. */
  receive(method: "INVITE" | "UPDATE" | "PRACK", transaction: ServerTransaction): void {
    const { request } = transaction;
    const refusal = bodyRefusal(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
    } else if (this.#port.isOfferOpen()) {
      transaction.respond(ourResponse(request, 491)); // RFC 3261 §14.2, RFC 3311 §5.2
    } else if (this.#current !== undefined) {
      this.putOff(transaction);
    } else {
      this.#begin(method, transaction);
    }
  }

  /**
   * Another offer has no answer of ours yet: 500 with a Retry-After between 0 and 10 seconds
   * (RFC 3261 §14.2, RFC 3311 §5.2).
   */
  putOff(transaction: ServerTransaction): void {
    const seconds = Math.floor(this.#context.random() * 11);
    const fields: readonly HeaderField[] = [["Retry-After", String(seconds)]];
    transaction.respond(ourResponse(transaction.request, 500, { fields }));
  }

  /** The dialog has ended: pending requests still get their response (RFC 3261 §15.1.2). */
  cancel(): void {
    this.#current?.cancel();
  }

  #begin(method: "INVITE" | "UPDATE" | "PRACK", transaction: ServerTransaction): void {
    const handler = this.#port.handler();
    if (handler === undefined) {
      transaction.respond(ourResponse(transaction.request, 488));
      return;
    }
    const offer = new ServerReinvite(method, transaction, {
      accept: (sdp) => {
        this.#current = undefined;
        this.#port.accept(transaction, sdp, offer.sdp === undefined);
        this.#port.onEnd();
      },
      reject: (status, options) => {
        this.#current = undefined;
        this.#respond(transaction, status, options);
        this.#port.onEnd();
      },
    });
    this.#current = offer;
    this.#port.onBegin();
    if (method === "INVITE") transaction.onCancel = () => offer.cancel();
    handler(offer);
  }

  #respond(transaction: ServerTransaction, status: number, options: ResponseOptions): void {
    const response = ourResponse(transaction.request, status, options);
    respondTo(this.#context, this.#peer, transaction, response);
  }
}
