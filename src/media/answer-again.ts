import { codecsOf, formatCodec } from "./codecs.ts";
import { formatSdp, parseSdp } from "./sdp.ts";
import type { SdpMedia } from "./sdp.ts";

/**
 * What an offerer would say to an offer that it is not asked about: its own SDP, with the codecs
 * alone that it has been answered with.
 *
 * @throws MediaError when one of them cannot be read
 */
export function answerAgain(own: string, answer: string): string {
  const sdp = parseSdp(own);
  const audio = parseSdp(answer).media.find(({ type }) => type === "audio");
  const agreed = audio === undefined ? [] : codecsOf(audio).map(formatCodec);
  const media = sdp.media.map((section) =>
    section.type === "audio" ? { ...section, formats: formatsOf(section, agreed) } : section,
  );
  return formatSdp({ ...sdp, media }, { id: "0", version: 0 });
}

/** Payload types of these codecs, in this order. */
function formatsOf(section: SdpMedia, codecs: readonly string[]): readonly string[] {
  const own = new Map(codecsOf(section).map((codec) => [formatCodec(codec), codec.payloadType]));
  return codecs.flatMap((codec) => own.get(codec) ?? []);
}
