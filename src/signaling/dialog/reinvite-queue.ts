import type { Timer } from "../../core/clock.ts";
import type { EndReason } from "../../core/end-reason.ts";
import type { ExtraHeaders, ReinviteResult } from "../engine.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { Exchange, ExchangeOutcome } from "./exchange.ts";

/** What the queue needs of its dialog. */
export interface ReinvitePort {
  /** We made the Call-ID: decides how long we wait after a 491 (RFC 3261 §14.1). */
  readonly ownsCallId: boolean;
  /** A re-INVITE or UPDATE of the far end waits for its final response. */
  isOffered(): boolean;
  /** An ACK is owed by either side. */
  isUnacknowledged(): boolean;
  /** Sends one re-INVITE. */
  start(
    sdp: string | undefined,
    headers: ExtraHeaders,
    onDone: (outcome: ExchangeOutcome) => void,
  ): Exchange;
  /** A 2xx has come: refreshes the target and sends the ACK, or keeps it for `acknowledge`. */
  onAccepted(response: SipResponse, request: SipRequest, isLateOffer: boolean): void;
  /** A 422 has come. @returns whether the re-INVITE may be sent again, with what has been learned */
  onTooSmall(response: SipResponse): boolean;
  /** The far end does not know the dialog, or is silent (RFC 3261 §12.2.1.2). */
  onLost(reason: EndReason): void;
}

interface Item {
  readonly sdp: string | undefined;
  readonly headers: ExtraHeaders;
  readonly resolve: (result: ReinviteResult) => void;
  retries: number;
}

type State =
  | { readonly name: "idle" }
  | { readonly name: "sent"; readonly item: Item; readonly exchange: Exchange }
  | { readonly name: "waiting"; readonly item: Item; readonly timer: Timer }
  | { readonly name: "closed" };

const MAX_WAITING = 8;
const MAX_RETRIES = 8;
const MAX_RETRY_AFTER_SECONDS = 10;

/** Our re-INVITEs of one dialog: one at a time, in order, never against one of the far end. */
export class ReinviteQueue {
  readonly #context: DialogContext;
  readonly #port: ReinvitePort;
  readonly #queue: Item[] = [];
  #state: State = { name: "idle" };

  constructor(context: DialogContext, port: ReinvitePort) {
    this.#context = context;
    this.#port = port;
  }

  /** An INVITE of ours is on its way: one of the far end's gets 491 (RFC 3261 §14.2). */
  get isSent(): boolean {
    return this.#state.name === "sent";
  }

  add(sdp: string | undefined, headers: ExtraHeaders): Promise<ReinviteResult> {
    return new Promise((resolve) => {
      if (this.#state.name === "closed") {
        resolve(refusal(481, "The dialog is over"));
      } else if (this.#port.isOffered() || this.#queue.length >= MAX_WAITING) {
        // The far end's offer goes first: whoever answers it may be the one that asks here, and
        // the two would wait for each other.
        resolve(PENDING);
      } else {
        this.#queue.push({ sdp, headers, resolve, retries: 0 });
        this.pump();
      }
    });
  }

  /** Sends the next one when nothing stands against it. Called whenever something has ended. */
  pump(): void {
    if (this.#state.name !== "idle" || this.#port.isOffered() || this.#port.isUnacknowledged()) {
      return;
    }
    const item = this.#queue.shift();
    if (item !== undefined) this.#send(item);
  }

  /** An offer of the far end has come first: what has not been sent yet fails with 491. */
  yield(): void {
    if (this.#state.name === "waiting") {
      this.#state.timer.cancel();
      this.#state.item.resolve(PENDING);
      this.#state = { name: "idle" };
    }
    for (const item of this.#queue.splice(0)) item.resolve(PENDING);
  }

  close(reason: EndReason): void {
    const state = this.#state;
    this.#state = { name: "closed" };
    switch (state.name) {
      case "sent":
        state.exchange.abandon();
        state.item.resolve({ ok: false, reason });
        break;
      case "waiting":
        state.timer.cancel();
        state.item.resolve({ ok: false, reason });
        break;
      case "idle":
      case "closed":
        break;
    }
    for (const item of this.#queue.splice(0)) item.resolve({ ok: false, reason });
  }

  #send(item: Item): void {
    const exchange = this.#port.start(item.sdp, item.headers, (outcome) => {
      this.#onDone(item, outcome);
    });
    this.#state = { name: "sent", item, exchange };
  }

  #onDone(item: Item, outcome: ExchangeOutcome): void {
    this.#state = { name: "idle" };
    switch (outcome.kind) {
      case "response":
        this.#onResponse(item, outcome.response, outcome.request);
        break;
      case "timeout": {
        const reason = { sipStatus: 408, text: "Request Timeout" };
        item.resolve({ ok: false, reason });
        this.#port.onLost(reason);
        break;
      }
      case "transport":
        item.resolve(refusal(503, "Service Unavailable"));
        break;
    }
    this.pump();
  }

  #onResponse(item: Item, response: SipResponse, request: SipRequest): void {
    const status = response.statusCode;
    if (status < 300) {
      this.#port.onAccepted(response, request, item.sdp === undefined);
      item.resolve({ ok: true, sdp: response.sdp });
      return;
    }
    if (status === 422 && this.#port.onTooSmall(response)) {
      this.#queue.unshift(item); // RFC 4028 §7.3
      return;
    }
    const waitMs = this.#retryDelayMs(response);
    if (waitMs !== undefined && item.retries < MAX_RETRIES) {
      item.retries += 1;
      const timer = this.#context.clock.after(waitMs, () => this.#onRetry(item));
      this.#state = { name: "waiting", item, timer };
      return;
    }
    const reason = { sipStatus: status, text: response.reasonPhrase };
    item.resolve({ ok: false, reason });
    // RFC 3261 §12.2.1.2
    if (status === 481 || status === 408) this.#port.onLost(reason);
  }

  #onRetry(item: Item): void {
    this.#state = { name: "idle" };
    this.#queue.unshift(item);
    this.pump();
  }

  /** RFC 3261 §14.1 for 491; §14.2 answers 500 with Retry-After when two INVITEs overlap. */
  #retryDelayMs(response: SipResponse): number | undefined {
    if (response.statusCode === 491) {
      // In units of 10 ms: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other side.
      const steps = this.#port.ownsCallId
        ? 210 + Math.floor(this.#context.random() * 191)
        : Math.floor(this.#context.random() * 201);
      return steps * 10;
    }
    if (response.statusCode !== 500) return undefined;
    const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    return seconds >= 0 && seconds <= MAX_RETRY_AFTER_SECONDS ? seconds * 1000 : undefined;
  }
}

const PENDING = refusal(491, "Request Pending");

function refusal(sipStatus: number, text: string): ReinviteResult {
  return { ok: false, reason: { sipStatus, text } };
}
