import type { HeaderField } from "../message/headers.ts";
import type { SipMessage, SipResponse } from "../message/message.ts";
import { tryParseDigits } from "../message/syntax.ts";
import type { SessionTerms } from "./leg-terms.ts";

/** The header fields of RFC 4028: what they say, and what ours say. */

/** Who sends the refreshes: the side that sent the request with the field, or the other one. */
export type Refresher = "uac" | "uas";

export interface SessionExpires {
  readonly seconds: number;
  readonly refresher: Refresher | undefined;
}

/** RFC 4028 §5: the smallest interval of anyone who says nothing else. */
export const DEFAULT_MINIMUM_SECONDS = 90;
/** An interval above a day means nothing, and a timer must not overflow. */
const MAX_SECONDS = 86_400;
const MAX_DELTA_SECONDS = 0xffff_ffff;

/** Reads Session-Expires; undefined when there is none or it is malformed. */
export function sessionExpiresOf(message: SipMessage): SessionExpires | undefined {
  const field = message.headers.get("Session-Expires");
  if (field === undefined) return undefined;
  const [interval, ...params] = field.split(";", 8);
  const seconds = tryParseDigits(interval?.trim() ?? "", MAX_DELTA_SECONDS);
  if (seconds === undefined || seconds === 0) return undefined;
  let refresher: Refresher | undefined;
  for (const param of params) {
    const [name, value] = param.split("=", 2).map((part) => part.trim().toLowerCase());
    if (name === "refresher" && (value === "uac" || value === "uas")) refresher = value;
  }
  return { seconds: Math.min(seconds, MAX_SECONDS), refresher };
}

/** Reads Min-SE; undefined when there is none or it is malformed. */
export function minimumOf(message: SipMessage): number | undefined {
  const [value] = (message.headers.get("Min-SE") ?? "").split(";", 1);
  return tryParseDigits(value?.trim() ?? "", MAX_DELTA_SECONDS);
}

const MAX_RAISES = 3;

/**
 * The interval that we ask one far end for. It grows when that far end answers 422 (RFC 4028 §7.3),
 * within reason.
 */
export class SessionOffer {
  readonly terms: SessionTerms | undefined;
  #minimumSeconds: number;
  #raises = 0;

  constructor(terms: SessionTerms | undefined) {
    this.terms = terms;
    this.#minimumSeconds = terms?.minimumSeconds ?? DEFAULT_MINIMUM_SECONDS;
  }

  /** The largest Min-SE that is known for this call. */
  get minimumSeconds(): number {
    return this.#minimumSeconds;
  }

  /** What the first INVITE says: nothing without terms. */
  get fields(): readonly HeaderField[] {
    return this.terms === undefined ? [] : this.fieldsFor(this.terms.expiresSeconds, undefined);
  }

  /** Session-Expires and Min-SE of a request of ours. */
  fieldsFor(seconds: number, refresher: Refresher | undefined): readonly HeaderField[] {
    const interval = Math.max(seconds, this.#minimumSeconds);
    const suffix = refresher === undefined ? "" : `;refresher=${refresher}`;
    return [["Session-Expires", `${interval}${suffix}`], ...this.#minimumFields];
  }

  /** Takes a 422. @returns whether the request may be sent again (RFC 4028 §7.3) */
  raise(response: SipResponse): boolean {
    const minimum = minimumOf(response);
    if (response.statusCode !== 422 || minimum === undefined) return false;
    if (minimum <= this.#minimumSeconds || minimum > MAX_SECONDS) return false;
    this.#raises += 1;
    if (this.#raises > MAX_RAISES) return false;
    this.#minimumSeconds = minimum;
    return true;
  }

  get #minimumFields(): readonly HeaderField[] {
    return this.#minimumSeconds === DEFAULT_MINIMUM_SECONDS
      ? []
      : [["Min-SE", String(this.#minimumSeconds)]];
  }
}
