/**
 * Video beside the sound of a call. It passes through as it is, VP8 and H.264, on ports of its own;
 * nothing is transcoded. A side that has none, or shall have none, gets or gives a rejected section
 * (port 0), and the sound never depends on it.
 *
 * Key frames are asked for by RTCP feedback (RFC 4585, RFC 5104). rtpengine lets feedback through
 * only between two profiles with feedback (`…F`), while telephones name the one without and write
 * `a=rtcp-fb` all the same: toward rtpengine a section with `a=rtcp-fb` has the profile with it, and
 * the telephone sees the one that it knows. A telephone that asks by SIP INFO instead (RFC 5168) is
 * the business of src/call/picture-update.ts.
 */
import type { Codec } from "./codecs.ts";
import { codecsOf } from "./codecs.ts";
import type { SdpAttribute, SdpMedia } from "./sdp.ts";
import { upTo } from "./sdp.ts";

/** What browsers decode without a licence question, and what video telephones send. */
const VIDEO_CODECS: ReadonlySet<string> = new Set(["vp8", "h264"]);

/** Feedback that is of use without header extensions, which do not pass. */
const FEEDBACK: ReadonlySet<string> = new Set(["nack", "nack pli", "ccm fir", "goog-remb"]);

/** The codecs of a video section that pass, in its order; those without a way to repair are none. */
export function videoCodecsOf(media: SdpMedia): readonly Codec[] {
  return codecsOf(media).filter(({ key }) => VIDEO_CODECS.has(key));
}

/**
 * A video section's attributes with its feedback told for each payload type (`a=rtcp-fb:* …` for
 * all of them), and only what passes.
 */
export function withFeedback(
  attributes: readonly SdpAttribute[],
  codecs: readonly Codec[],
): readonly SdpAttribute[] {
  return attributes.flatMap((attribute) => {
    const { name, value } = attribute;
    if (name !== "rtcp-fb" || value === undefined) return [attribute];
    const payloadType = upTo(value, " ");
    const feedback = value.slice(payloadType.length + 1).trim();
    if (!FEEDBACK.has(feedback)) return [];
    return payloadType === "*"
      ? codecs.map((codec) => ({ name, value: `${codec.payloadType} ${feedback}` }))
      : [{ name, value: `${payloadType} ${feedback}` }];
  });
}

/** Whether a section names any feedback. */
export function hasFeedback(media: Pick<SdpMedia, "attributes">): boolean {
  return media.attributes.some(({ name }) => name === "rtcp-fb");
}

/** `RTP/AVPF` for `RTP/AVP`, and so on. */
export function feedbackProtocol(protocol: string): string {
  return protocol.endsWith("F") ? protocol : `${protocol}F`;
}

/** `RTP/AVP` for `RTP/AVPF`, and so on. */
export function plainProtocol(protocol: string): string {
  return protocol.endsWith("F") ? protocol.slice(0, -1) : protocol;
}

/** Whether an SDP of ours has a video section that is in use. */
export function offersVideo(sdp: string): boolean {
  return /^m=video [1-9]/m.test(sdp);
}

/** A rejected video section (RFC 3264 §6). */
export const NO_VIDEO: SdpMedia = {
  type: "video",
  port: 0,
  protocol: "RTP/AVP",
  formats: ["96"],
  connection: undefined,
  attributes: [],
};
