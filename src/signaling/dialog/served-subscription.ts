import type { Timer } from "../../core/clock.ts";
import type { EventContent, Party, Subscription, SubscriptionHandler } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SubscriptionEnd } from "../message/subscription-state.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import { Notifier } from "./notifier.ts";
import { contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { ourResponse, respondTo } from "./responses.ts";

export interface ServedSubscriptionOptions {
  readonly dialog: DialogState;
  readonly peer: Peer;
  readonly contactUser: string;
  /** The value of Event in every NOTIFY. */
  readonly event: string;
  readonly expiresSeconds: number;
  readonly bounds: ExpiryBounds;
  /** It is over: nothing leads to it any more. */
  readonly onGone: () => void;
}

/** How long a subscription may last, in seconds. */
export interface ExpiryBounds {
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

/**
 * A subscription that we serve (RFC 6665 §4.2), in a dialog of its own or in that of the call of a
 * REFER. It lasts until it ends by one of the two sides or runs out; the last NOTIFY lives on alone.
 */
export class ServedSubscription implements Subscription {
  readonly party: Party;
  readonly event: string;
  readonly #context: DialogContext;
  readonly #options: ServedSubscriptionOptions;
  readonly #notifier: Notifier;
  #expiresAtMs: number;
  #expiry: Timer;
  #handler: SubscriptionHandler | undefined;
  #content: EventContent | undefined;
  #state: "active" | "pending" | "terminated" = "active";

  constructor(context: DialogContext, options: ServedSubscriptionOptions) {
    this.#context = context;
    this.#options = options;
    const { dialog, peer, contactUser, event } = options;
    this.party = peer.party;
    this.event = event;
    this.#notifier = new Notifier(context, {
      dialog,
      peer,
      contactUser,
      onRefused: () => this.#end(),
    });
    this.#expiresAtMs = context.clock.monotonicMs() + 1000 * options.expiresSeconds;
    this.#expiry = this.#startExpiry(options.expiresSeconds);
    context.table.begin(this);
  }

  attach(handler: SubscriptionHandler): void {
    if (this.#state !== "terminated") this.#handler = handler;
  }

  notify(content: EventContent | undefined, state: "active" | "pending" = "active"): void {
    if (this.#state === "terminated") return;
    this.#state = state;
    this.#content = content;
    this.#notifier.send({ ...content, fields: () => this.#fields() });
  }

  terminate(reason: SubscriptionEnd, content?: EventContent): void {
    if (this.#state === "terminated") return;
    this.#handler = undefined;
    this.#finish(reason, content ?? this.#content);
  }

  /** A SUBSCRIBE inside the dialog: prolongs it, or ends it (RFC 6665 §4.2.1.2). */
  refresh(transaction: ServerTransaction): void {
    const { request } = transaction;
    const { dialog, peer, bounds, contactUser } = this.#options;
    const respond = (status: number, fields: readonly HeaderField[]): void => {
      respondTo(this.#context, peer, transaction, ourResponse(request, status, { fields }));
    };
    if (this.#state === "terminated") {
      respond(481, []);
      return;
    }
    const granted = grantedSeconds(request.expires, bounds);
    if (granted === undefined) {
      respond(423, [["Min-Expires", String(bounds.minSeconds)]]);
      return;
    }
    dialog.refreshTarget(request);
    respond(200, [contactField(transaction.flow, contactUser), ["Expires", String(granted)]]);
    if (granted === 0) {
      this.#finish("timeout", this.#content);
      return;
    }
    this.#expiry.cancel();
    this.#expiresAtMs = this.#context.clock.monotonicMs() + 1000 * granted;
    this.#expiry = this.#startExpiry(granted);
    this.#notifier.send({ ...this.#content, fields: () => this.#fields() });
    this.#handler?.onRefreshed(granted);
  }

  #startExpiry(seconds: number): Timer {
    return this.#context.clock.after(1000 * seconds, () => this.#finish("timeout", this.#content));
  }

  #finish(reason: SubscriptionEnd, content: EventContent | undefined): void {
    const fields: readonly HeaderField[] = [
      ["Event", this.event],
      ["Subscription-State", `terminated;reason=${reason}`],
    ];
    this.#notifier.finish({ ...content, fields: () => fields });
    this.#end();
  }

  #end(): void {
    if (this.#state === "terminated") return;
    this.#state = "terminated";
    this.#expiry.cancel();
    const handler = this.#handler;
    this.#handler = undefined;
    this.#context.table.end(this);
    this.#options.onGone();
    handler?.onTerminated();
  }

  #fields(): readonly HeaderField[] {
    const leftMs = this.#expiresAtMs - this.#context.clock.monotonicMs();
    const seconds = Math.max(0, Math.ceil(leftMs / 1000));
    return [
      ["Event", this.event],
      ["Subscription-State", `${this.#state};expires=${seconds}`],
    ];
  }
}

/**
 * What a SUBSCRIBE gets of what it asks for (RFC 6665 §4.2.1.1).
 *
 * @param asked its Expires; without one it is our maximum
 * @returns undefined when it is too short: 423
 */
export function grantedSeconds(
  asked: number | undefined,
  bounds: ExpiryBounds,
): number | undefined {
  const seconds = Math.min(asked ?? bounds.maxSeconds, bounds.maxSeconds);
  return seconds > 0 && seconds < bounds.minSeconds ? undefined : seconds;
}
