/**
 * What to do when the answer that a far end got reliably, before the call was answered, is not the
 * one that holds in the end: it may not be sent again as an answer (RFC 3261 §13.2.1), so the
 * difference is offered. Texts only; what they mean is the media room's.
 */

/** Whether two descriptions differ in nothing but their origin. */
export function isSameDescription(one: string, other: string): boolean {
  return withoutOrigin(one) === withoutOrigin(other);
}

/** `next` as the offer that follows `sent` in one session (RFC 3264 §8). */
export function nextOfferOf(sent: string, next: string): string {
  const origin = sent.split(/\r?\n/).find((line) => line.startsWith("o="));
  return next
    .split(/\r?\n/)
    .map((line) => {
      if (origin !== undefined && line.startsWith("o=")) return withNextVersion(origin);
      // RFC 8842 §5.2: an offer leaves the role open; the association that is there stays.
      return line.startsWith("a=setup:") ? "a=setup:actpass" : line;
    })
    .join("\r\n");
}

/** RFC 4566 §5.2: `o=<username> <sess-id> <sess-version> …` */
function withNextVersion(origin: string): string {
  const fields = origin.split(" ");
  const version = fields[2] ?? "";
  if (/^[0-9]{1,20}$/.test(version)) fields[2] = String(BigInt(version) + 1n);
  return fields.join(" ");
}

function withoutOrigin(sdp: string): string {
  return sdp
    .split(/\r?\n/)
    .filter((line) => !line.startsWith("o="))
    .join("\n");
}
