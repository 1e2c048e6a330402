import type { Timer } from "../../core/clock.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { DialogContext } from "./dialog-context.ts";
import { supports } from "./option-tags.ts";
import { ourResponse } from "./responses.ts";
import { DEFAULT_MINIMUM_SECONDS, minimumOf, sessionExpiresOf } from "./session-terms.ts";
import type { SessionOffer } from "./session-terms.ts";

/** What a session timer does to its dialog. */
export interface SessionTimerPort {
  /** Half of the interval is over: sends an UPDATE or re-INVITE with `requestFields`. */
  onRefreshDue(): void;
  /** No refresh has come, or none of ours got through: the session is over. */
  onExpired(): void;
}

type State =
  /** The two ends have agreed on no interval. */
  | { readonly name: "off" }
  | { readonly name: "running"; readonly seconds: number; readonly isOurs: boolean }
  | { readonly name: "stopped" };

const MAX_MARGIN_SECONDS = 32;
const MAX_RETRY_SECONDS = 32;

/**
 * The session timer of one dialog (RFC 4028): agrees on an interval and on who refreshes, asks for
 * refreshes of ours in time, and finds out when none comes. Every 2xx to an INVITE or UPDATE of
 * either side begins the interval anew.
 */
export class SessionTimer {
  readonly #context: DialogContext;
  readonly #port: SessionTimerPort;
  readonly #offer: SessionOffer;
  #state: State = { name: "off" };
  #refresh: Timer | undefined;
  #expiry: Timer | undefined;

  constructor(context: DialogContext, offer: SessionOffer, port: SessionTimerPort) {
    this.#context = context;
    this.#offer = offer;
    this.#port = port;
  }

  /** Of a re-INVITE or UPDATE of ours (RFC 4028 §7.4): the interval and the roles stay. */
  get requestFields(): readonly HeaderField[] {
    if (this.#state.name !== "running") return [];
    const { seconds, isOurs } = this.#state;
    return this.#offer.fieldsFor(seconds, isOurs ? "uac" : "uas");
  }

  /** A 2xx to an INVITE or UPDATE of ours (RFC 4028 §7.2). */
  onAccepted(response: SipResponse): void {
    const agreed = sessionExpiresOf(response);
    // Without the field the far end has no timer, and so there is none.
    if (agreed === undefined) this.#set(undefined, false);
    else this.#set(agreed.seconds, agreed.refresher !== "uas");
  }

  /** A 422 to a request of ours. @returns whether it may be sent again */
  onTooSmall(response: SipResponse): boolean {
    if (!this.#offer.raise(response)) return false;
    if (this.#state.name === "running") {
      const seconds = Math.max(this.#state.seconds, this.#offer.minimumSeconds);
      this.#state = { ...this.#state, seconds };
    }
    return true;
  }

  /** A refresh of ours came to nothing, but the dialog lives: tried again until the end. */
  onRefreshFailed(): void {
    if (this.#state.name !== "running") return;
    const seconds = Math.min(MAX_RETRY_SECONDS, this.#state.seconds / 8);
    this.#refresh?.cancel();
    this.#refresh = this.#context.clock.after(1000 * seconds, () => this.#port.onRefreshDue());
  }

  /** 422 to an INVITE or UPDATE whose interval is too small for us; undefined lets it pass. */
  refusalOf(request: SipRequest): SipResponse | undefined {
    return intervalRefusal(request, this.#offer);
  }

  /** The fields of our 2xx to an INVITE or UPDATE (RFC 4028 §9); begins the interval. */
  accept(request: SipRequest): readonly HeaderField[] {
    if (this.#state.name === "stopped") return [];
    const asked = sessionExpiresOf(request);
    const isSupported = supports(request, "timer");
    const { terms } = this.#offer;
    // A field that a proxy put in counts, but only toward far ends that we run timers with.
    const isAgreed = isSupported
      ? asked !== undefined || terms !== undefined
      : asked !== undefined && terms !== undefined;
    if (!isAgreed) {
      this.#set(undefined, false);
      return [];
    }
    const minimum = Math.max(minimumOf(request) ?? 0, this.#offer.minimumSeconds);
    const ours = Math.max(terms?.expiresSeconds ?? asked?.seconds ?? 0, minimum);
    // RFC 4028 §9: the interval may be lowered, but not below Min-SE, and never raised.
    const seconds = asked === undefined ? ours : Math.min(asked.seconds, ours);
    const isOurs = this.#isOurs(asked?.refresher, isSupported);
    this.#set(seconds, isOurs);
    return [
      // RFC 4028 §9: required when the far end refreshes.
      ...(isSupported ? [["Require", "timer"] as const] : []),
      ["Session-Expires", `${seconds};refresher=${isOurs ? "uas" : "uac"}`],
    ];
  }

  stop(): void {
    this.#state = { name: "stopped" };
    this.#refresh?.cancel();
    this.#expiry?.cancel();
  }

  /** RFC 4028 §9, table 2: the far end's wish, else whoever runs the timer now, else our terms. */
  #isOurs(wish: "uac" | "uas" | undefined, isSupported: boolean): boolean {
    if (!isSupported) return true;
    if (wish !== undefined) return wish === "uas";
    if (this.#state.name === "running") return this.#state.isOurs;
    return this.#offer.terms !== undefined;
  }

  #set(seconds: number | undefined, isOurs: boolean): void {
    if (this.#state.name === "stopped") return;
    this.#refresh?.cancel();
    this.#expiry?.cancel();
    if (seconds === undefined) {
      this.#state = { name: "off" };
      return;
    }
    this.#state = { name: "running", seconds, isOurs };
    const { clock } = this.#context;
    if (isOurs) {
      // RFC 4028 §10: half of the interval is recommended.
      this.#refresh = clock.after(500 * seconds, () => this.#port.onRefreshDue());
    }
    // Deviates from RFC 4028 §10 (a SHOULD) where we have no terms: a browser's timers sleep in the
    // background, and its connection tells better whether it is there.
    if (this.#offer.terms === undefined && !isOurs) return;
    // RFC 4028 §10: whoever waits for a refresh hangs up a little before the end.
    const margin = isOurs ? 0 : Math.min(MAX_MARGIN_SECONDS, seconds / 3);
    this.#expiry = clock.after(1000 * (seconds - margin), () => this.#port.onExpired());
  }
}

/** 422 when an INVITE or UPDATE asks for less than our minimum (RFC 4028 §9). */
export function intervalRefusal(request: SipRequest, offer: SessionOffer): SipResponse | undefined {
  const asked = sessionExpiresOf(request);
  // RFC 4028 §9: only whoever knows the extension can do anything with a 422.
  if (asked === undefined || !supports(request, "timer")) return undefined;
  const minimum = offer.terms?.minimumSeconds ?? Math.min(DEFAULT_MINIMUM_SECONDS, asked.seconds);
  if (asked.seconds >= minimum) return undefined;
  return ourResponse(request, 422, { fields: [["Min-SE", String(minimum)]] });
}
