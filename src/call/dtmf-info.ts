/**
 * Digits in SIP INFO, as telephones and PBXs write them: `application/dtmf-relay` with a signal and
 * its duration, and `application/dtmf` with the digit alone. Neither has an RFC (RFC 6086 §1 calls
 * them legacy usages); both are everywhere.
 */
import type { SipRequest } from "../signaling/message/message.ts";

/** One digit. */
export interface InfoDigit {
  /** One of `0-9*#A-D`. */
  readonly digit: string;
  readonly durationMs: number | undefined;
}

export const DTMF_RELAY = "application/dtmf-relay";
export const DTMF = "application/dtmf";

const MAX_BODY_OCTETS = 256;
const DIGITS = "0123456789*#ABCD";

/**
 * Reads the digit of an INFO.
 *
 * @returns the digit; `unsupported` for another type of body (415), `unusable` for a body that is
 *   none (400)
 */
export function readDigit(request: SipRequest): InfoDigit | "unsupported" | "unusable" {
  const type = (request.headers.get("Content-Type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== DTMF_RELAY && type !== DTMF) return "unsupported";
  if (request.body.length === 0 || request.body.length > MAX_BODY_OCTETS) return "unusable";
  const text = request.body.toString("latin1");
  return type === DTMF ? readPlain(text) : readRelay(text);
}

/** The body of an INFO with this digit. */
export function formatDigit(
  type: typeof DTMF_RELAY | typeof DTMF,
  { digit, durationMs }: InfoDigit,
): Buffer {
  return Buffer.from(
    type === DTMF ? digit : `Signal=${digit}\r\nDuration=${Math.round(durationMs ?? 100)}\r\n`,
    "latin1",
  );
}

function readPlain(text: string): InfoDigit | "unusable" {
  const digit = digitOf(text.trim());
  return digit === undefined ? "unusable" : { digit, durationMs: undefined };
}

function readRelay(text: string): InfoDigit | "unusable" {
  let digit: string | undefined;
  let durationMs: number | undefined;
  for (const line of text.split(/[\r\n]+/)) {
    const equals = line.indexOf("=");
    if (equals < 0) continue;
    const name = line.slice(0, equals).trim().toLowerCase();
    const value = line.slice(equals + 1).trim();
    if (name === "signal") digit = digitOf(value);
    if (name === "duration" && /^[0-9]{1,5}$/.test(value)) durationMs = Number(value);
  }
  return digit === undefined ? "unusable" : { digit, durationMs };
}

/** `5`, `*`, `a`; and, as some write it, `10` to `15`: the numbers of RFC 4733's events. */
function digitOf(text: string): string | undefined {
  if (/^1[0-5]$/.test(text)) return DIGITS[Number(text)];
  const upper = text.toUpperCase();
  return upper.length === 1 && DIGITS.includes(upper) ? upper : undefined;
}
