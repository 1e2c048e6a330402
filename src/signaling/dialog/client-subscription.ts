import type { Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import type {
  ExtraHeaders,
  OutgoingSubscription,
  OutgoingSubscriptionHandler,
  SubscriptionOutcome,
} from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { tryParseEvent, tryParseSubscriptionState } from "../message/subscription-state.ts";
import type { SubscriptionState } from "../message/subscription-state.ts";
import { tryParseDigits } from "../message/syntax.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import { standaloneRequest } from "./client-request.ts";
import type { RequestAddresses } from "./client-request.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import { contactField } from "./our-headers.ts";
import { challengesFor } from "./passed-challenge.ts";
import type { Peer } from "./peer.ts";
import { ourResponse, requireRefusal } from "./responses.ts";
import { SubscriptionFork } from "./subscription-fork.ts";

export interface ClientSubscriptionOptions extends RequestAddresses {
  /** The user part of our Contact. */
  readonly contactUser: string;
  readonly event: string;
  readonly accept: readonly string[];
  readonly expiresSeconds: number;
}

type State =
  /** No NOTIFY yet. `wait` is Timer N (RFC 6665 §4.1.2.4). */
  | { readonly name: "subscribing"; readonly wait: Timer }
  | { readonly name: "subscribed" }
  /** Given up by us: every fork is told, and one that comes late too. */
  | { readonly name: "unsubscribing"; readonly wait: Timer }
  | { readonly name: "ended" };

const TAG_LENGTH = 22;
const MAX_FORKS = 8;
const MAX_EXPIRES = 86_400;
const UNSUBSCRIBED: SubscriptionOutcome = {
  reason: "unsubscribed",
  status: undefined,
  retryAfterSeconds: undefined,
};

/**
 * A subscription of ours (RFC 6665 §4.1): the SUBSCRIBE, and a dialog for each fork that notifies.
 * Only a NOTIFY makes a dialog (§4.4.1); the response says how long it will last.
 */
export class ClientSubscription implements OutgoingSubscription, DialogUsage {
  readonly peer: Peer;
  readonly callId = randomToken(TAG_LENGTH);
  readonly #context: DialogContext;
  readonly #options: ClientSubscriptionOptions;
  readonly #localTag = randomToken(TAG_LENGTH);
  readonly #forks = new Map<string, SubscriptionFork>();
  readonly #unwatch: () => void;
  #handler: OutgoingSubscriptionHandler | undefined;
  #state: State;
  #request: Exchange | undefined;
  #cseqNumber = 0;
  #expiresSeconds: number;
  #hasTriedLonger = false;
  #outcome: SubscriptionOutcome = UNSUBSCRIBED;

  constructor(
    context: DialogContext,
    options: ClientSubscriptionOptions,
    handler: OutgoingSubscriptionHandler,
  ) {
    this.#context = context;
    this.#options = options;
    this.#handler = handler;
    this.peer = options.peer;
    this.#expiresSeconds = options.expiresSeconds;
    this.#unwatch = options.peer.watch({ onFlowLost() {}, onFlowRestored() {} });
    context.table.begin(this);
    context.table.setSubscriber(this.callId, this.#localTag, this);
    this.#state = { name: "subscribing", wait: this.#startTimerN() };
    this.#send();
  }

  unsubscribe(): void {
    this.#handler = undefined;
    switch (this.#state.name) {
      case "subscribing":
        // The SUBSCRIBE is on its way: whatever fork it makes is ended by its first NOTIFY.
        this.#state = { name: "unsubscribing", wait: this.#state.wait };
        return;
      case "subscribed":
        this.#state = { name: "unsubscribing", wait: this.#startTimerN() };
        for (const fork of this.#forks.values()) fork.unsubscribe();
        return;
      case "unsubscribing":
      case "ended":
        return;
    }
  }

  /** A NOTIFY of a fork that is not known yet. */
  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const event = tryParseEvent(request.headers.get("Event"));
    const tag = request.fromTag ?? "";
    if (event?.name !== this.#options.event || this.#forks.size >= MAX_FORKS) {
      transaction.respond(ourResponse(request, 481)); // RFC 6665 §4.1.3
      return;
    }
    const state = tryParseSubscriptionState(request.headers.get("Subscription-State"));
    // RFC 6665 §4.1.3: Subscription-State is mandatory.
    const refusal = state === undefined ? ourResponse(request, 400) : requireRefusal(request, []);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    const dialog = DialogState.ofNotify(request, this.#cseqNumber, this.peer.followsRoutes);
    const fork = new SubscriptionFork(this.#context, {
      dialog,
      peer: this.peer,
      contactUser: this.#options.contactUser,
      event: this.#options.event,
      accept: this.#options.accept,
      expiresSeconds: this.#expiresSeconds,
      onNotify: (notify, state) => this.#onNotify(notify, state),
      onEnded: (outcome) => this.#onForkEnded(tag, outcome),
    });
    this.#forks.set(tag, fork);
    const isWanted = this.#state.name === "subscribing" || this.#state.name === "subscribed";
    if (this.#state.name === "subscribing") {
      this.#state.wait.cancel();
      this.#state = { name: "subscribed" };
    }
    fork.onRequest(request, transaction);
    if (!isWanted) fork.unsubscribe();
  }

  onAck(_request: SipRequest): void {}

  onStrayAccept(_response: SipResponse): void {}

  #startTimerN(): Timer {
    return this.#context.clock.after(this.#context.timers.timerF, () => this.#onTimerN());
  }

  #send(): void {
    this.#request = new Exchange(this.#context, {
      peer: this.peer,
      findsServer: this.#options.routes.length === 0,
      nextHop: () => this.#options.routes[0] ?? this.#options.requestUri,
      build: (flow, credentials) => this.#build(flow, credentials),
      onDone: (outcome) => this.#onResponse(outcome),
    });
  }

  #build(flow: Flow, credentials: readonly HeaderField[]): SipRequest {
    const { contactUser, event, accept } = this.#options;
    this.#cseqNumber += 1;
    return standaloneRequest({
      ...this.#options,
      method: "SUBSCRIBE",
      callId: this.callId,
      localTag: this.#localTag,
      cseqNumber: this.#cseqNumber,
      fields: [
        contactField(flow, contactUser),
        ["Event", event],
        ["Expires", String(this.#expiresSeconds)],
        ...(accept.length === 0 ? [] : [["Accept", accept.join(", ")] as const]),
        ...credentials,
      ],
    });
  }

  #onResponse(outcome: ExchangeOutcome): void {
    this.#request = undefined;
    if (outcome.kind !== "response") {
      this.#refused(outcome.kind === "timeout" ? 408 : 503, 0);
      return;
    }
    const { response } = outcome;
    const status = response.statusCode;
    if (status < 300) {
      const seconds = response.expires;
      if (seconds !== undefined) this.#grant(seconds);
      return;
    }
    const longer = tryParseDigits(response.headers.get("Min-Expires") ?? "", MAX_EXPIRES);
    if (status === 423 && longer !== undefined && !this.#hasTriedLonger) {
      this.#hasTriedLonger = true; // RFC 6665 §4.1.2.1: once more, for as long as asked
      this.#expiresSeconds = longer;
      this.#send();
      return;
    }
    const challenge = challengesFor(response, this.#options.callersRealms ?? []);
    this.#refused(status, retryAfterOf(response), challenge);
  }

  #grant(seconds: number): void {
    // RFC 6665 §4.1.2.1: the response may only shorten it.
    this.#expiresSeconds = Math.min(seconds, this.#expiresSeconds);
    for (const fork of this.#forks.values()) fork.shorten(this.#expiresSeconds);
  }

  #refused(
    status: number,
    retryAfterSeconds: number | undefined,
    challenge: ExtraHeaders = [],
  ): void {
    // A fork that has notified counts more than the response that another one sent.
    if (this.#forks.size > 0) return;
    const asked = challenge.length === 0 ? {} : { challenge };
    this.#end({ reason: "refused", status, retryAfterSeconds, ...asked });
  }

  #onTimerN(): void {
    if (this.#state.name === "ended") return;
    for (const fork of this.#forks.values()) fork.close();
    this.#end({ reason: "no-notify", status: 408, retryAfterSeconds: 0 });
  }

  #onNotify(notify: SipRequest, { state }: SubscriptionState): void {
    this.#handler?.onNotify({
      state,
      contentType: notify.body.length === 0 ? undefined : notify.contentType,
      body: notify.body,
      remoteTag: notify.fromTag ?? "",
    });
  }

  #onForkEnded(tag: string, outcome: SubscriptionOutcome): void {
    this.#forks.delete(tag);
    this.#outcome = outcome;
    if (this.#forks.size === 0) this.#end(this.#outcome);
  }

  #end(outcome: SubscriptionOutcome): void {
    const state = this.#state;
    if (state.name === "ended") return;
    if (state.name !== "subscribed") state.wait.cancel();
    this.#state = { name: "ended" };
    this.#request?.abandon();
    this.#unwatch();
    this.#forks.clear();
    const { table } = this.#context;
    table.deleteSubscriber(this.callId, this.#localTag);
    table.end(this);
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onEnded(outcome);
  }
}

/** Retry-After of a response; undefined when there is no use in trying again (489 and its like). */
function retryAfterOf(response: SipResponse): number | undefined {
  const [text = ""] = (response.headers.get("Retry-After") ?? "").split(/[ ;(]/u);
  return tryParseDigits(text, MAX_EXPIRES);
}
