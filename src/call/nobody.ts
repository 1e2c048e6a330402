import { withDirection } from "../media/direction.ts";
import type { MediaLeg } from "../media/session.ts";

/**
 * Stands in rtpengine for a callee, while nobody is there: before anybody is called, when the caller
 * has to have an offer of ours first, and after one with early media has gone. The caller has agreed
 * on something with us, and may offer again.
 */
export const NOBODY_LEG: MediaLeg = { tag: "nobody", kind: "rtp", hasFixedAddress: true };

/**
 * As `NOBODY_LEG`, for our offer to the caller. rtpengine knows an exchange's answerer by the branch,
 * which is the caller this time: to drop that branch would be to drop the caller.
 */
export const FIRST_LEG: MediaLeg = { ...NOBODY_LEG, tag: "early-offer" };

/** Asks for what every telephone has; a caller without an offer is sent it as ours. */
export const OFFER_OF_NOBODY = [
  "v=0",
  "o=- 0 0 IN IP4 192.0.2.1",
  "s=-",
  "c=IN IP4 192.0.2.1",
  "t=0 0",
  "m=audio 9 RTP/AVP 9 8 0 101",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-15",
  "a=inactive",
  "",
].join("\r\n");

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
