import type { Timer } from "../../core/clock.ts";
import type { SubscriptionOutcome } from "../engine.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { tryParseEvent, tryParseSubscriptionState } from "../message/subscription-state.ts";
import type { SubscriptionState } from "../message/subscription-state.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import { PRODUCT, contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { methodResponse, optionsResponse, ourResponse, requireRefusal } from "./responses.ts";

export interface SubscriptionForkOptions {
  readonly dialog: DialogState;
  readonly peer: Peer;
  readonly contactUser: string;
  readonly event: string;
  readonly accept: readonly string[];
  readonly expiresSeconds: number;
  /** A NOTIFY that has been answered with 200; the last one comes before `onEnded`. */
  readonly onNotify: (notify: SipRequest, state: SubscriptionState) => void;
  /** Final. */
  readonly onEnded: (outcome: SubscriptionOutcome) => void;
}

const MAX_SECONDS = 86_400;
/** A refresh goes out this long before the end, or at half of the time when that is later. */
const REFRESH_EARLY_SECONDS = 30;
/** RFC 6665 §4.1.3: reasons after which a new SUBSCRIBE is of no use. */
const LASTING: ReadonlySet<string> = new Set(["rejected", "noresource", "invariant"]);

/** One fork of a subscription of ours: a dialog that a NOTIFY has made (RFC 6665 §4.4.1). */
export class SubscriptionFork implements DialogUsage {
  readonly peer: Peer;
  readonly #context: DialogContext;
  readonly #options: SubscriptionForkOptions;
  #state: "active" | "unsubscribing" | "ended" = "active";
  #expiry: Timer | undefined;
  #refresh: Timer | undefined;
  #request: Exchange | undefined;
  #seconds: number;

  constructor(context: DialogContext, options: SubscriptionForkOptions) {
    this.#context = context;
    this.#options = options;
    this.peer = options.peer;
    this.#seconds = options.expiresSeconds;
    const { callId, localTag, remoteTag } = options.dialog;
    context.table.set(callId, localTag, remoteTag, this);
    this.#lastFor(options.expiresSeconds);
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    const state = tryParseSubscriptionState(request.headers.get("Subscription-State"));
    if (state === undefined) {
      transaction.respond(ourResponse(request, 400)); // RFC 6665 §4.1.3: it is mandatory
      return;
    }
    transaction.respond(ourResponse(request, 200));
    this.#options.dialog.refreshTarget(request);
    this.#onNotify(request, state);
  }

  onAck(_request: SipRequest): void {}

  onStrayAccept(_response: SipResponse): void {}

  /** The response to the SUBSCRIBE grants less than was asked for. */
  shorten(seconds: number): void {
    if (this.#state === "active" && seconds < this.#seconds) this.#lastFor(seconds);
  }

  /** SUBSCRIBE with Expires 0; the NOTIFY that follows ends it (RFC 6665 §4.1.2.3). */
  unsubscribe(): void {
    if (this.#state !== "active") return;
    this.#state = "unsubscribing";
    this.#refresh?.cancel();
    this.#request?.abandon();
    this.#send(0);
  }

  /** Ends it without a word. */
  close(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#expiry?.cancel();
    this.#refresh?.cancel();
    this.#request?.abandon();
    const { callId, localTag, remoteTag } = this.#options.dialog;
    this.#context.table.delete(callId, localTag, remoteTag, this);
  }

  /** Also what is answered without further ado; undefined for a NOTIFY of ours. */
  #refusalOf(request: SipRequest): SipResponse | undefined {
    const { dialog, event } = this.#options;
    if (!dialog.acceptRemoteCseq(request.cseq.number)) return ourResponse(request, 500);
    const refusal = requireRefusal(request, []);
    if (refusal !== undefined) return refusal;
    if (request.method === "OPTIONS") return optionsResponse(request);
    if (request.method !== "NOTIFY") return methodResponse(request);
    const isOurs = tryParseEvent(request.headers.get("Event"))?.name === event;
    return isOurs ? undefined : ourResponse(request, 481); // RFC 6665 §4.1.3
  }

  #onNotify(request: SipRequest, state: SubscriptionState): void {
    if (state.state !== "terminated" && state.expiresSeconds !== undefined) {
      // RFC 6665 §4.1.3: what the notifier says counts.
      this.#lastFor(state.expiresSeconds);
    }
    this.#options.onNotify(request, state);
    if (state.state !== "terminated") return;
    const reason = state.reason ?? "terminated";
    const retryAfterSeconds = LASTING.has(reason) ? undefined : (state.retryAfterSeconds ?? 0);
    this.#end({ reason, status: undefined, retryAfterSeconds });
  }

  #lastFor(asked: number): void {
    const seconds = Math.min(asked, MAX_SECONDS);
    this.#seconds = seconds;
    const { clock } = this.#context;
    this.#expiry?.cancel();
    this.#expiry = clock.after(1000 * seconds, () => {
      this.#end({ reason: "expired", status: undefined, retryAfterSeconds: 0 });
    });
    if (this.#state !== "active") return;
    this.#refresh?.cancel();
    const early = Math.max(seconds / 2, seconds - REFRESH_EARLY_SECONDS);
    this.#refresh = clock.after(1000 * early, () => this.#onRefresh());
  }

  #onRefresh(): void {
    if (this.#request === undefined) this.#send(this.#options.expiresSeconds);
  }

  #send(expiresSeconds: number): void {
    const { dialog, peer, contactUser, event, accept } = this.#options;
    this.#request = new Exchange(this.#context, {
      peer,
      nextHop: () => dialog.nextHop,
      build: (flow, credentials) =>
        dialog.request("SUBSCRIBE", {
          headers: [
            contactField(flow, contactUser),
            ["Event", event],
            ["Expires", String(expiresSeconds)],
            ...(accept.length === 0 ? [] : [["Accept", accept.join(", ")] as const]),
            ["User-Agent", PRODUCT],
            ...credentials,
          ],
        }),
      onDone: (outcome) => this.#onResponse(outcome),
    });
  }

  #onResponse(outcome: ExchangeOutcome): void {
    this.#request = undefined;
    if (outcome.kind !== "response") {
      // RFC 6665 §4.1.2.2: the subscription goes on until it runs out; the end of ours does not wait.
      if (this.#state === "unsubscribing") this.#end(GONE);
      return;
    }
    const status = outcome.response.statusCode;
    if (status < 300) {
      const { expires } = outcome.response;
      this.#options.dialog.refreshTarget(outcome.response);
      if (expires !== undefined && this.#state === "active") this.#lastFor(expires);
      return;
    }
    // RFC 6665 §4.1.2.2, RFC 5057 §5.1
    const isGone = status === 481 || status === 404 || status === 410 || status === 489;
    // A challenge that the peer has no answer to is for the one who has subscribed through us: the
    // sooner a new subscription brings the answer, the less is missed.
    const isAsked = status === 401 || status === 407;
    if (isGone || isAsked || this.#state === "unsubscribing") {
      const retryAfterSeconds = status === 481 || isAsked ? 0 : undefined;
      this.#end({ reason: "refused", status, retryAfterSeconds });
    }
  }

  #end(outcome: SubscriptionOutcome): void {
    if (this.#state === "ended") return;
    this.close();
    this.#options.onEnded(outcome);
  }
}

const GONE: SubscriptionOutcome = {
  reason: "unsubscribed",
  status: undefined,
  retryAfterSeconds: undefined,
};
