const FIRST_MS = 500;
const LAST_MS = 30_000;

/**
 * The pause before a new attempt to reach the gateway: full jitter below 0.5 s, 1 s, 2 s … 30 s,
 * and never less than a quarter of a second, so that a thousand phones do not return in one instant.
 *
 * @param attempt 1 for the first
 * @param random  a number in [0, 1)
 * @returns milliseconds
 */
export function retryDelayMs(attempt: number, random: number): number {
  const ceiling = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(250 + random * (ceiling - 250));
}

/** The longest that a gateway may send us away for: ten minutes. */
const LONGEST_SECONDS = 600;

/**
 * How long the gateway wants us to wait, by its Retry-After (RFC 3261 §20.33).
 *
 * @returns milliseconds; 0 without one
 */
export function retryAfterMs(value: string | undefined): number {
  const seconds = /^\s*([0-9]{1,6})/.exec(value ?? "")?.[1];
  return seconds === undefined ? 0 : 1000 * Math.min(LONGEST_SECONDS, Number(seconds));
}
