import type { Timer } from "../../core/clock.ts";
import type { OutgoingReferHandler } from "../engine.ts";
import type { SipRequest } from "../message/message.ts";
import { reasonPhraseOf } from "../message/build.ts";
import { tryParseStatusFragment } from "../message/sip-fragment.ts";
import type { EventType, SubscriptionState } from "../message/subscription-state.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { ExchangeOutcome } from "./exchange.ts";

type State =
  /** No final response yet. */
  | { readonly name: "sending" }
  | { readonly name: "subscribed"; readonly expiry: Timer }
  | { readonly name: "ended" };

const DEFAULT_SECONDS = 180;
const MAX_SECONDS = 3600;

/**
 * A REFER of ours and the subscription that it opens (RFC 3515 §2.4). A NOTIFY may come before the
 * response, and says then that the REFER has been taken.
 */
export class ClientRefer {
  readonly #context: DialogContext;
  readonly #handler: OutgoingReferHandler;
  readonly #hasSubscription: boolean;
  readonly #onGone: () => void;
  /** Those of every attempt: a challenged REFER goes out twice. */
  readonly #cseqNumbers = new Set<number>();
  #state: State = { name: "sending" };
  #last: { readonly status: number; readonly reasonPhrase: string } | undefined;

  constructor(
    context: DialogContext,
    handler: OutgoingReferHandler,
    options: { readonly hasSubscription: boolean; readonly onGone: () => void },
  ) {
    this.#context = context;
    this.#handler = handler;
    this.#hasSubscription = options.hasSubscription;
    this.#onGone = options.onGone;
  }

  /** A REFER with this number is on its way. */
  onSent(cseqNumber: number): void {
    this.#cseqNumbers.add(cseqNumber);
  }

  /** RFC 3515 §2.4.6: `id` is the CSeq of the REFER; the first REFER of a dialog may go without. */
  fits(event: EventType): boolean {
    if (this.#state.name === "ended") return false;
    return event.id === undefined || this.#cseqNumbers.has(Number(event.id));
  }

  /** The REFER has come out. @param status 408 without a response */
  onDone(outcome: ExchangeOutcome, status: number): void {
    if (this.#state.name === "ended") return;
    const phrase = outcome.kind === "response" ? outcome.response.reasonPhrase : undefined;
    if (status >= 300) {
      this.#end(status, phrase);
      return;
    }
    const refersSilently =
      outcome.kind === "response" &&
      outcome.response.headers.get("Refer-Sub")?.trim().toLowerCase().startsWith("false") === true;
    const isSilent = !this.#hasSubscription || refersSilently;
    if (this.#state.name === "sending") {
      // RFC 6665 §4.1.2.4: without a NOTIFY in Timer N there is no subscription.
      const expiry = this.#context.clock.after(this.#context.timers.timerF, () =>
        this.#onExpired(),
      );
      this.#state = { name: "subscribed", expiry };
      this.#handler.onAccepted();
    }
    if (isSilent) this.#end(status, phrase);
  }

  /** A NOTIFY that fits. */
  onNotify(notify: SipRequest, subscription: SubscriptionState): void {
    const fragment = tryParseStatusFragment(notify.body);
    if (this.#state.name === "sending") this.#handler.onAccepted();
    if (this.#isEnded()) return;
    this.#renew(subscription.expiresSeconds);
    if (fragment !== undefined) {
      this.#last = fragment;
      this.#handler.onProgress(fragment.status, fragment.reasonPhrase);
    }
    if (subscription.state !== "terminated" || this.#isEnded()) return;
    this.#end(this.#last?.status ?? 408, this.#last?.reasonPhrase);
  }

  /** The dialog is over. */
  close(): void {
    this.#end(this.#last?.status ?? 481, this.#last?.reasonPhrase);
  }

  #isEnded(): boolean {
    return this.#state.name === "ended";
  }

  #renew(seconds = DEFAULT_SECONDS): void {
    if (this.#state.name === "subscribed") this.#state.expiry.cancel();
    const expiry = this.#context.clock.after(1000 * Math.min(seconds, MAX_SECONDS), () => {
      this.#onExpired();
    });
    this.#state = { name: "subscribed", expiry };
  }

  #onExpired(): void {
    const last = this.#last;
    if (last !== undefined && last.status >= 200) this.#end(last.status, last.reasonPhrase);
    else this.#end(408, undefined);
  }

  #end(status: number, reasonPhrase = reasonPhraseOf(status)): void {
    if (this.#state.name === "ended") return;
    if (this.#state.name === "subscribed") this.#state.expiry.cancel();
    this.#state = { name: "ended" };
    this.#onGone();
    this.#handler.onEnded(status, reasonPhrase);
  }
}
