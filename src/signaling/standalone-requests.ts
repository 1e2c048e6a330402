import type { DialogLayer } from "./dialog/dialog-layer.ts";
import type { Peer } from "./dialog/peer.ts";
import { methodResponse, ourResponse, requireRefusal } from "./dialog/responses.ts";
import { messageRefusal } from "./dialog/server-message.ts";
import { grantedSeconds } from "./dialog/served-subscription.ts";
import type { ExpiryBounds } from "./dialog/served-subscription.ts";
import type { CalledInstance, EngineHandler, Party } from "./engine.ts";
import type { HeaderField } from "./message/headers.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import { tryParseEvent } from "./message/subscription-state.ts";
import { SipUri } from "./message/uri.ts";
import type { ServerTransaction } from "./transaction/transaction.ts";

/** Bounds of what the far ends may subscribe to; expiry in seconds. */
export interface SubscriptionLimits extends ExpiryBounds {
  /** A shorter expiry gets 423. Default 60. */
  readonly minSeconds: number;
  /** A longer expiry is shortened; also the default of every package. Default 3600. */
  readonly maxSeconds: number;
  /** Live subscriptions of one web user. Default 50. */
  readonly maxPerUser: number;
  /** Live subscriptions of one trunk. Default 5000. */
  readonly maxPerTrunk: number;
}

const DEFAULT_LIMITS: SubscriptionLimits = {
  minSeconds: 60,
  maxSeconds: 3600,
  maxPerUser: 50,
  maxPerTrunk: 5000,
};

/**
 * MESSAGE and SUBSCRIBE outside a dialog. A method without a method of the handler is refused as
 * one that we do not know, and is not in Allow.
 */
export class StandaloneRequests {
  readonly #handler: EngineHandler;
  readonly #dialogs: DialogLayer;
  readonly #limits: SubscriptionLimits;
  /** Live subscriptions by party. */
  readonly #counts = new Map<string, number>();

  constructor(
    handler: EngineHandler,
    dialogs: DialogLayer,
    limits: Partial<SubscriptionLimits> = {},
  ) {
    this.#handler = handler;
    this.#dialogs = dialogs;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Methods that come on top of those of every call. */
  get methods(): readonly string[] {
    return [
      ...(this.#handler.onMessage === undefined ? [] : ["MESSAGE"]),
      ...(this.#handler.onSubscribe === undefined ? [] : ["SUBSCRIBE"]),
    ];
  }

  /** What OPTIONS tells beside the methods (RFC 6665 §4.4.4). */
  get fields(): readonly HeaderField[] {
    return this.#handler.onSubscribe === undefined ? [] : [this.#allowEvents()];
  }

  /**
   * @param called what a GRUU or a contact in the Request-URI leads to; a number refuses the request
   * @param isToContact it is the contact that the browser has at its PBX
   */
  onMessage(
    transaction: ServerTransaction,
    peer: Peer,
    called: CalledInstance | number | undefined,
    isToContact = false,
  ): void {
    const { request } = transaction;
    if (this.#handler.onMessage === undefined) {
      transaction.respond(methodResponse(request));
      return;
    }
    const refusal =
      // The message goes on behind us: with no hop left it would not (RFC 3261 §16.3 item 3).
      (request.maxForwards === 0 ? ourResponse(request, 483) : undefined) ??
      requireRefusal(request, []) ??
      messageRefusal(request) ??
      (typeof called === "number" ? ourResponse(request, called) : undefined);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    const instance = typeof called === "object" ? called : undefined;
    this.#handler.onMessage(this.#dialogs.receiveMessage(transaction, peer, instance, isToContact));
  }

  onSubscribe(transaction: ServerTransaction, peer: Peer): void {
    const { request } = transaction;
    if (this.#handler.onSubscribe === undefined) {
      transaction.respond(methodResponse(request));
      return;
    }
    const refusal = requireRefusal(request, []) ?? this.#refusalOf(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    const event = tryParseEvent(request.headers.get("Event"));
    const expiresSeconds = grantedSeconds(request.expires, this.#limits);
    if (event === undefined || expiresSeconds === undefined) return;
    const release = this.#take(peer.party);
    if (release === undefined) {
      transaction.respond(ourResponse(request, 403, { reasonPhrase: "Too many subscriptions" }));
      return;
    }
    this.#handler.onSubscribe(
      this.#dialogs.receiveSubscribe(transaction, {
        peer,
        event,
        expiresSeconds,
        bounds: this.#limits,
        onGone: release,
      }),
    );
  }

  #refusalOf(request: SipRequest): SipResponse | undefined {
    const { contacts, contact } = request;
    // RFC 6665 §4.1.2.1 makes a dialog, so there must be one Contact.
    const scheme = SipUri.tryParse(contact?.uri ?? "")?.scheme;
    if (contacts === "*" || contacts.length !== 1 || (scheme !== "sip" && scheme !== "sips")) {
      return ourResponse(request, 400);
    }
    const event = tryParseEvent(request.headers.get("Event"));
    if (event === undefined || this.#handler.events?.includes(event.name) !== true) {
      return ourResponse(request, 489, { fields: [this.#allowEvents()] }); // RFC 6665 §4.2.1.1
    }
    if (grantedSeconds(request.expires, this.#limits) === undefined) {
      const { minSeconds } = this.#limits;
      return ourResponse(request, 423, { fields: [["Min-Expires", String(minSeconds)]] });
    }
    return undefined;
  }

  #allowEvents(): HeaderField {
    return ["Allow-Events", (this.#handler.events ?? []).join(", ")];
  }

  /** @returns what gives the place back; undefined when there is none left */
  #take(party: Party): (() => void) | undefined {
    const isUser = party.kind === "user";
    const key = isUser ? `user ${party.userId}` : `trunk ${party.trunkId}`;
    const count = this.#counts.get(key) ?? 0;
    if (count >= (isUser ? this.#limits.maxPerUser : this.#limits.maxPerTrunk)) return undefined;
    this.#counts.set(key, count + 1);
    return () => {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    };
  }
}
