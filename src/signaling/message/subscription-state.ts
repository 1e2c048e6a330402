import { SipParseError } from "./errors.ts";
import { isToken, parseParams, skipBlanks, tokenEnd, tryParseDigits } from "./syntax.ts";
import type { Params } from "./syntax.ts";

/** Why a notifier ends a subscription (RFC 6665 §4.1.3). */
export type SubscriptionEnd =
  | "deactivated"
  | "probation"
  | "rejected"
  | "timeout"
  | "giveup"
  | "noresource"
  | "invariant";

/** The value of Event (RFC 6665 §8.2.1). */
export interface EventType {
  /** In lower case. */
  readonly name: string;
  readonly id: string | undefined;
}

/** The value of Subscription-State (RFC 6665 §8.2.3). */
export interface SubscriptionState {
  /** In lower case; any unknown one counts as `active`. */
  readonly state: "active" | "pending" | "terminated";
  /** In lower case. */
  readonly reason: string | undefined;
  readonly expiresSeconds: number | undefined;
  readonly retryAfterSeconds: number | undefined;
}

const MAX_SECONDS = 0xffff_ffff;

/** @returns undefined when there is none or it is malformed */
export function tryParseEvent(value: string | undefined): EventType | undefined {
  const read = tryParseTokenAndParams(value);
  return read === undefined ? undefined : { name: read.token, id: read.params.get("id") };
}

/** @returns undefined when there is none or it is malformed */
export function tryParseSubscriptionState(
  value: string | undefined,
): SubscriptionState | undefined {
  const read = tryParseTokenAndParams(value);
  if (read === undefined) return undefined;
  const { token, params } = read;
  return {
    state: token === "terminated" || token === "pending" ? token : "active",
    reason: params.get("reason")?.toLowerCase(),
    expiresSeconds: tryParseDigits(params.get("expires") ?? "", MAX_SECONDS),
    retryAfterSeconds: tryParseDigits(params.get("retry-after") ?? "", MAX_SECONDS),
  };
}

function tryParseTokenAndParams(
  value: string | undefined,
): { readonly token: string; readonly params: Params } | undefined {
  if (value === undefined) return undefined;
  const end = tokenEnd(value, 0);
  const token = value.slice(0, end);
  if (!isToken(token)) return undefined;
  try {
    return { token: token.toLowerCase(), params: parseParams(value, skipBlanks(value, end)) };
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}
