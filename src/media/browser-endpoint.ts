/**
 * The DTLS endpoint of a leg as rtpengine knows it. A browser that has changed its network may go on
 * with a new peer connection: another endpoint in the middle of a call. rtpengine 10.5 would then
 * send its ClientHello too early, and the next one only at the tick of a timer, seconds later. As
 * DTLS server it has nothing to send first: the browser's offer leaves the choice, so we make it.
 */
import type { Sdp } from "./sdp.ts";
import { findAttribute } from "./sdp.ts";
import type { LegDescription } from "./sdp-filter.ts";

/** The endpoint of a leg, as rtpengine was last told. */
export interface BrowserEndpoint {
  readonly fingerprint: string;
  /** Whether it came with an offer in the place of another: then it stays the DTLS client. */
  readonly isNew: boolean;
}

/**
 * @param before what rtpengine was last told; undefined when it has been told nothing
 * @returns the endpoint after this description; undefined for a leg without DTLS
 */
export function followEndpoint(
  before: BrowserEndpoint | undefined,
  description: LegDescription,
  role: "offer" | "answer",
): BrowserEndpoint | undefined {
  const fingerprint = findAttribute(description.audio.attributes, "fingerprint")?.value;
  if (fingerprint === undefined) return undefined;
  if (before?.fingerprint === fingerprint) return before;
  return { fingerprint, isNew: before !== undefined && role === "offer" };
}

/** RFC 8842 §5.2: `actpass` made `active`; what has been decided already stays. */
export function asDtlsClient(sdp: Sdp): Sdp {
  return {
    ...sdp,
    media: sdp.media.map((media) => ({
      ...media,
      attributes: media.attributes.map((attribute) =>
        attribute.name === "setup" && attribute.value === "actpass"
          ? { name: "setup", value: "active" }
          : attribute,
      ),
    })),
  };
}
