import { directionOf } from "./direction.ts";

/** Port and protocol of the first audio section, and every address. */
const TRANSPORT = /^(?:m=audio [0-9]+ \S+|c=\S+ \S+ \S+|a=(?:crypto|fingerprint|setup):.*)/gm;

/** Whether two SDPs lead sound to the same place, in the same direction and encryption. */
export function isSameTransport(one: string, other: string): boolean {
  const of = (sdp: string): string => (sdp.match(TRANSPORT) ?? []).join("\n");
  return of(one) === of(other) && directionOf(one) === directionOf(other);
}
