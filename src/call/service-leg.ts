import type { MediaLeg } from "../media/session.ts";

/** The leg of a service of ours: plain RTP from exactly the address in its SDP. */
export const SERVICE_LEG: MediaLeg = {
  tag: "service",
  kind: "rtp",
  codecs: ["PCMU", "PCMA"],
  hasFixedAddress: true,
};
