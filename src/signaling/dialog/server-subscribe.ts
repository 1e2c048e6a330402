import type { Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import type {
  EventContent,
  IncomingSubscribe,
  Party,
  ResponseOptions,
  Subscription,
  SubscriptionOptions,
} from "../engine.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { mediaType } from "../message/multipart.ts";
import { tryParseEvent } from "../message/subscription-state.ts";
import type { EventType } from "../message/subscription-state.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import {
  methodResponse,
  optionsResponse,
  ourResponse,
  requireRefusal,
  respondTo,
} from "./responses.ts";
import { ServedSubscription } from "./served-subscription.ts";
import type { ExpiryBounds } from "./served-subscription.ts";

export interface SubscribeOptions {
  readonly peer: Peer;
  readonly event: EventType;
  /** What is asked for, within `bounds`. */
  readonly expiresSeconds: number;
  readonly bounds: ExpiryBounds;
  /** It has been refused, or is over. Called once. */
  readonly onGone: () => void;
}

const TAG_LENGTH = 22;

/** A SUBSCRIBE that has arrived, until its final response (RFC 6665 §4.2.1). */
export class ServerSubscribe implements IncomingSubscribe {
  readonly party: Party;
  readonly request: SipRequest;
  readonly event: string;
  readonly calledNumber: string;
  readonly mediaTypes: readonly string[];
  readonly expiresSeconds: number;
  readonly #context: DialogContext;
  readonly #transaction: ServerTransaction;
  readonly #options: SubscribeOptions;
  readonly #localTag = randomToken(TAG_LENGTH);
  readonly #unanswered: Timer;
  #state: "proceeding" | "ended" = "proceeding";

  constructor(context: DialogContext, transaction: ServerTransaction, options: SubscribeOptions) {
    const { request } = transaction;
    this.#context = context;
    this.#transaction = transaction;
    this.#options = options;
    this.party = options.peer.party;
    this.request = request;
    this.event = options.event.name;
    this.calledNumber = request.uri.user ?? "";
    this.mediaTypes = request.headers.list("Accept").map((value) => mediaType(value));
    this.expiresSeconds = options.expiresSeconds;
    // Whoever asked has given up by then (Timer F); its place must not stay taken.
    this.#unanswered = context.clock.after(context.timers.timerF, () => this.reject(480));
  }

  get callId(): string {
    return this.request.callId;
  }

  accept(
    content: EventContent | undefined,
    options: SubscriptionOptions = {},
  ): Subscription | undefined {
    if (this.#state === "ended") return undefined;
    this.#state = "ended";
    this.#unanswered.cancel();
    const { peer, event, bounds, onGone } = this.#options;
    const seconds = Math.min(options.expiresSeconds ?? this.expiresSeconds, this.expiresSeconds);
    const response = ourResponse(this.request, 200, {
      toTag: this.#localTag,
      fields: [contactField(this.#transaction.flow, this.#localTag), ["Expires", String(seconds)]],
    });
    respondTo(this.#context, peer, this.#transaction, response);
    const dialog = DialogState.ofServer(this.request, this.#localTag, peer.followsRoutes);
    const usage = new SubscriptionDialog(this.#context, peer, dialog);
    const id = event.id === undefined ? "" : `;id=${event.id}`;
    const subscription = new ServedSubscription(this.#context, {
      dialog,
      peer,
      contactUser: this.#localTag,
      event: `${event.name}${id}`,
      expiresSeconds: seconds,
      bounds,
      onGone: () => {
        usage.close();
        onGone();
      },
    });
    usage.begin(subscription);
    // RFC 6665 §4.2.1.2: a NOTIFY at once; the only one when the state was asked for once (§4.4.3).
    if (seconds === 0) subscription.terminate("timeout", content);
    else subscription.notify(content, options.state);
    return subscription;
  }

  reject(status: number, options: ResponseOptions = {}): void {
    if (this.#state === "ended" || status < 300) return;
    this.#state = "ended";
    this.#unanswered.cancel();
    const response = ourResponse(this.request, status, { ...options, toTag: this.#localTag });
    respondTo(this.#context, this.#options.peer, this.#transaction, response);
    this.#options.onGone();
  }
}

/** The dialog of a subscription that we serve. */
class SubscriptionDialog implements DialogUsage {
  readonly peer: Peer;
  readonly #context: DialogContext;
  readonly #dialog: DialogState;
  #subscription: ServedSubscription | undefined;

  constructor(context: DialogContext, peer: Peer, dialog: DialogState) {
    this.#context = context;
    this.peer = peer;
    this.#dialog = dialog;
  }

  begin(subscription: ServedSubscription): void {
    this.#subscription = subscription;
    const { callId, localTag, remoteTag } = this.#dialog;
    this.#context.table.set(callId, localTag, remoteTag, this);
  }

  close(): void {
    const { callId, localTag, remoteTag } = this.#dialog;
    this.#context.table.delete(callId, localTag, remoteTag, this);
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    this.#subscription?.refresh(transaction);
  }

  onAck(_request: SipRequest): void {}

  onStrayAccept(_response: SipResponse): void {}

  /** Also what is answered without further ado; undefined for a SUBSCRIBE of this event. */
  #refusalOf(request: SipRequest): SipResponse | undefined {
    // RFC 3261 §12.2.2
    if (!this.#dialog.acceptRemoteCseq(request.cseq.number)) return ourResponse(request, 500);
    const refusal = requireRefusal(request, []);
    if (refusal !== undefined) return refusal;
    if (request.method === "OPTIONS") return optionsResponse(request);
    if (request.method !== "SUBSCRIBE") return methodResponse(request);
    const event = tryParseEvent(request.headers.get("Event"));
    const own = tryParseEvent(this.#subscription?.event);
    const isOwn = event?.name === own?.name && event?.id === own?.id;
    return isOwn ? undefined : ourResponse(request, 481);
  }
}
