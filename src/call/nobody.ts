import { withDirection } from "../media/direction.ts";
import type { MediaLeg } from "../media/session.ts";

/**
 * Stands in rtpengine for a callee that has gone after its early media, while others are tried: the
 * caller has an answer, and may offer again.
 */
export const NOBODY_LEG: MediaLeg = { tag: "nobody", kind: "rtp", hasFixedAddress: true };

/**
 * Takes everything that an offer has, at an address of the documentation's, where nobody
 * is, and wants nothing sent there.
 */
export function answerOfNobody(offer: string): string {
  const elsewhere = offer
    .replaceAll(/^c=IN IP[46] [^\s/]+/gm, "c=IN IP4 192.0.2.1")
    .replaceAll(/^m=audio [0-9]+/gm, "m=audio 9")
    .replaceAll(/^a=rtcp:.*\r?\n/gm, "");
  return withDirection(elsewhere, "inactive");
}
