const MINUTE_MS = 60_000;

let minuteMs = Number.NaN;
let minuteText = "";

/**
 * A time as ISO 8601 in UTC, such as `2026-11-21T10:00:00.000Z`: what `Date` says of it. Each line of
 * the log and each call record has some, nearly all of this minute or the one before.
 *
 * @param unixMs milliseconds since the Unix epoch; parts of one are left out
 * @throws RangeError when it is no time
 */
export function formatIsoTime(unixMs: number): string {
  let sinceMinute = Math.trunc(unixMs) - minuteMs;
  if (!(sinceMinute >= 0 && sinceMinute < MINUTE_MS)) {
    const date = new Date(unixMs);
    const text = date.toISOString();
    // Before 1970 parts of a millisecond count the other way.
    if (!(unixMs >= 0)) return text;
    sinceMinute = date.getTime() % MINUTE_MS;
    minuteMs = date.getTime() - sinceMinute;
    minuteText = text.slice(0, -"00.000Z".length);
  }
  const seconds = Math.trunc(sinceMinute / 1000);
  const rest = sinceMinute - seconds * 1000;
  return `${minuteText}${seconds < 10 ? "0" : ""}${seconds}.${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
}
