import type { SipResponse } from "./message.ts";
import { tryParseDigits } from "./syntax.ts";

const MAX_SECONDS = 1_000_000_000;

/** Retry-After in seconds (RFC 3261 §20.33); a comment and parameters may follow the number. */
export function tryParseRetryAfter(response: SipResponse): number | undefined {
  const value = response.headers.get("Retry-After") ?? "";
  let end = 0;
  while (end < value.length && value.charCodeAt(end) >= 48 && value.charCodeAt(end) <= 57) end += 1;
  return tryParseDigits(value.slice(0, end), MAX_SECONDS);
}
