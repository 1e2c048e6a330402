import { LazyMap } from "../../core/lazy-map.ts";
import type { DialogHandler, OutgoingReferHandler, OutgoingReferOptions } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import { formatReferTo, tryReadReferTo } from "../message/refer-to.ts";
import { tryParseEvent, tryParseSubscriptionState } from "../message/subscription-state.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import { ClientRefer } from "./client-refer.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import { PRODUCT, contactField, safeExtras } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { ourResponse } from "./responses.ts";
import { ServedSubscription } from "./served-subscription.ts";
import { ServerRefer } from "./server-refer.ts";

/** What REFER needs of its dialog. */
export interface ReferPort {
  readonly dialog: DialogState;
  readonly peer: Peer;
  readonly contactUser: string;
  /** A REFER of ours has come out. @returns its status; the dialog may be over after it */
  readonly onOutcome: (outcome: ExchangeOutcome) => number;
}

const REFER = "refer";
/** REFERs of one dialog that are not over, of each side. */
const MAX_REFERS = 4;
/** A transfer that takes longer is told no more. */
const BOUNDS = { minSeconds: 1, maxSeconds: 600 };

/** The REFERs of one dialog, of both sides, with their subscriptions (RFC 3515, RFC 6665 §4.5). */
export class ReferUsage {
  readonly #context: DialogContext;
  readonly #port: ReferPort;
  /** Subscriptions that we serve, by the CSeq of their REFER. */
  readonly #served = new LazyMap<number, ServedSubscription>();
  readonly #sent = new LazyMap<ClientRefer, Exchange>();
  #hasServed = false;

  constructor(context: DialogContext, port: ReferPort) {
    this.#context = context;
    this.#port = port;
  }

  /** Sends a REFER. @throws SipFormatError when one of the URIs may not be written */
  refer(options: OutgoingReferOptions, handler: OutgoingReferHandler): void {
    const { dialog, peer, contactUser, onOutcome } = this.#port;
    const { referTo, replaces, referredBy, hasSubscription = true } = options;
    if (this.#sent.size >= MAX_REFERS) {
      this.#context.clock.after(0, () => handler.onEnded(503, "Too many REFERs"));
      return;
    }
    const fields: readonly HeaderField[] = [
      ["Refer-To", formatReferTo(referTo, replaces)],
      ...(referredBy === undefined
        ? []
        : [["Referred-By", formatNameAddr({ uri: referredBy })] as const]),
      // RFC 4488 §4; the far end may send NOTIFYs all the same.
      ...(hasSubscription ? [] : [["Refer-Sub", "false"] as const]),
    ];
    const refer = new ClientRefer(this.#context, handler, {
      hasSubscription,
      onGone: () => this.#forget(refer),
    });
    const exchange = new Exchange(this.#context, {
      peer,
      nextHop: () => dialog.nextHop,
      build: (flow, credentials) => {
        const request = dialog.request("REFER", {
          headers: [
            contactField(flow, contactUser),
            ...fields,
            ["User-Agent", PRODUCT],
            ...credentials,
            ...safeExtras(options.headers),
          ],
        });
        refer.onSent(request.cseq.number);
        return request;
      },
      onDone: (outcome) => refer.onDone(outcome, onOutcome(outcome)),
    });
    this.#sent.set(refer, exchange);
  }

  /** A REFER of the far end. @returns false when nobody here takes it */
  onRefer(transaction: ServerTransaction, handler: DialogHandler | undefined): boolean {
    if (handler?.onRefer === undefined) return false;
    const { request } = transaction;
    const referTo = tryReadReferTo(request.headers);
    if (referTo === undefined) {
      transaction.respond(ourResponse(request, 400)); // RFC 3515 §2.4.2
      return true;
    }
    if (this.#served.size >= MAX_REFERS) {
      transaction.respond(ourResponse(request, 503, { fields: [["Retry-After", "5"]] }));
      return true;
    }
    const { peer, contactUser } = this.#port;
    const subscribe = (): ServedSubscription => this.#serve(request.cseq.number);
    handler.onRefer(
      new ServerRefer(this.#context, { transaction, peer, contactUser, referTo, subscribe }),
    );
    return true;
  }

  /**
   * A SUBSCRIBE of the far end: it may only prolong or end what a REFER has opened.
   *
   * @returns false when nobody here takes a REFER
   */
  onSubscribe(transaction: ServerTransaction, handler: DialogHandler | undefined): boolean {
    if (handler?.onRefer === undefined) return false;
    const { request } = transaction;
    const event = tryParseEvent(request.headers.get("Event"));
    if (event?.name !== REFER) {
      // RFC 6665 §4.5: a new subscription does not go into the dialog of a call.
      transaction.respond(ourResponse(request, 489, { fields: [["Allow-Events", REFER]] }));
      return true;
    }
    const [first] = this.#served.values();
    const known = event.id === undefined ? first : this.#served.get(Number(event.id));
    if (known === undefined) transaction.respond(ourResponse(request, 481));
    else known.refresh(transaction);
    return true;
  }

  /** A NOTIFY of the far end. @returns false when it is not about a REFER */
  onNotify(transaction: ServerTransaction): boolean {
    const { request } = transaction;
    const event = tryParseEvent(request.headers.get("Event"));
    if (event?.name !== REFER) return false;
    const state = tryParseSubscriptionState(request.headers.get("Subscription-State"));
    if (state === undefined) {
      transaction.respond(ourResponse(request, 400));
      return true;
    }
    const refer = [...this.#sent.keys()].find((candidate) => candidate.fits(event));
    transaction.respond(ourResponse(request, refer === undefined ? 481 : 200)); // RFC 6665 §4.1.3
    refer?.onNotify(request, state);
    return true;
  }

  /** The call is over. Our NOTIFYs go on: whoever refers may hang up at once (RFC 5057 §4.2). */
  close(): void {
    for (const [refer, exchange] of this.#sent) {
      exchange.abandon();
      refer.close();
    }
    this.#sent.clear();
  }

  #serve(cseqNumber: number): ServedSubscription {
    const { dialog, peer, contactUser } = this.#port;
    // RFC 3515 §2.4.6: the first of a dialog may do without an id, and old phones know no id.
    const event = this.#hasServed ? `${REFER};id=${cseqNumber}` : REFER;
    this.#hasServed = true;
    const subscription = new ServedSubscription(this.#context, {
      dialog,
      peer,
      contactUser,
      event,
      expiresSeconds: BOUNDS.maxSeconds,
      bounds: BOUNDS,
      onGone: () => this.#served.delete(cseqNumber),
    });
    this.#served.set(cseqNumber, subscription);
    return subscription;
  }

  #forget(refer: ClientRefer): void {
    this.#sent.delete(refer);
  }
}
