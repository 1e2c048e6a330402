/**
 * Our own filter before and after rtpengine. Both ways an SDP is taken apart and written anew from
 * a list of what may pass, so nothing that we do not understand reaches rtpengine, and no address,
 * SSRC, stream name or extension of one side reaches the other. (A peer's `a=ssrc` would even mute
 * the call: Chromium plays a stream of another SSRC at volume 0.)
 *
 * rtpengine sees one audio section, and a video section behind it when both sides may have video. The
 * other sections that a leg offered come back to it rejected (port 0), in their places, as RFC 3264 §6
 * wants.
 */
import type { Codec } from "./codecs.ts";
import { codecsOf, formatCodec, isSpeech, isTelephoneEvent } from "./codecs.ts";
import type { Sdp, SdpAttribute, SdpConnection, SdpLimits, SdpMedia } from "./sdp.ts";
import { SDP_LIMITS, findAttribute, isPrintable, isSdpToken, parseSdp, unusable } from "./sdp.ts";
import {
  attributesOf,
  candidatesOf,
  hasOwn,
  isRtcpValue,
  PASS_DTLS,
  PASS_ICE,
  SESSION_LEVEL,
} from "./sdp-attributes.ts";
import type { LegKind, LegSrtp, OpusParameters } from "./session.ts";
import {
  demandSecurity,
  isStrongCrypto,
  secureProtocol,
  securityOf,
  type MediaSecurity,
} from "./srtp.ts";
import {
  feedbackProtocol,
  hasFeedback,
  NO_VIDEO,
  plainProtocol,
  videoCodecsOf,
  withFeedback,
} from "./video.ts";

/** Where a leg's audio and video sections stand among its sections. */
export interface LegLayout {
  readonly sections: readonly {
    readonly type: string;
    readonly protocol: string;
    readonly formats: readonly string[];
    readonly mid: string | undefined;
  }[];
  readonly audioIndex: number;
  /** Of the first video section, rejected or not; undefined without one. */
  readonly videoIndex: number | undefined;
  /** Whether its audio is in an `a=group:BUNDLE`. */
  readonly isBundled: boolean;
}

/** A leg's SDP as far as it matters. */
export interface LegDescription {
  readonly audio: SdpMedia & { readonly connection: SdpConnection };
  readonly codecs: readonly Codec[];
  readonly security: MediaSecurity;
  /** Its video section, when it is in use, has a codec that passes, and is carried as its audio is. */
  readonly video: SdpMedia | undefined;
  readonly layout: LegLayout;
  /** How many of its candidates go on. */
  readonly maxCandidates: number;
}

/**
 * Reads and validates an SDP that came from a leg.
 *
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` when it is broken or has no audio section with an
 *   address and a speech codec, a `webrtc` leg's has no DTLS fingerprint or ICE credentials, or an
 *   `rtp` leg's is not encrypted as `srtp` demands
 */
export function readDescription(
  text: string,
  kind: LegKind,
  options: { readonly srtp?: LegSrtp | undefined; readonly limits?: SdpLimits | undefined } = {},
): LegDescription {
  const { srtp, limits = SDP_LIMITS } = options;
  const sdp = parseSdp(text, limits);
  const audioIndex = findAudio(sdp, kind === "webrtc" || (srtp !== undefined && srtp !== "off"));
  const section = sdp.media[audioIndex];
  if (section === undefined) throw unusable("no audio section with a port");
  const connection = section.connection ?? sdp.connection;
  if (connection === undefined) throw unusable("the audio section has no c= line");
  const audio = {
    ...completeSection(sdp, section),
    // RFC 8843 §6: a bundle-only section has port 0 and is in use all the same.
    port: section.port === 0 ? 9 : section.port,
    connection,
  };
  const codecs = codecsOf(audio);
  if (!codecs.some(isSpeech)) throw unusable("no audio codec");
  if (kind === "webrtc") {
    for (const name of ["fingerprint", "ice-ufrag", "ice-pwd"]) {
      if (findAttribute(audio.attributes, name) === undefined) throw unusable(`no a=${name}`);
    }
  }
  const security = kind === "webrtc" ? "dtls" : demandSecurity(audio, srtp);
  return {
    audio,
    codecs,
    security,
    video: readVideo(sdp, kind, security, srtp),
    layout: layoutOf(sdp, audioIndex),
    maxCandidates: limits.candidates,
  };
}

/** A section with what stands once for the whole session, and only what can be printed again. */
function completeSection(sdp: Sdp, section: SdpMedia): SdpMedia {
  const inherited = sdp.attributes.filter(
    ({ name }) => SESSION_LEVEL.has(name) && !hasOwn(section, name),
  );
  return {
    ...section,
    attributes: [...section.attributes, ...inherited].filter(
      ({ value }) => value === undefined || isPrintable(value),
    ),
  };
}

/**
 * The video section of an SDP, if it can be used. One that is `bundle-only` cannot: rtpengine has a
 * port for each section, and RFC 8843 §7.3.3 has such a section rejected then.
 */
function readVideo(
  sdp: Sdp,
  kind: LegKind,
  security: MediaSecurity,
  srtp: LegSrtp | undefined,
): SdpMedia | undefined {
  const section = sdp.media.find((media) => media.type === "video");
  if (section === undefined || section.port === 0) return undefined;
  const connection = section.connection ?? sdp.connection;
  if (!section.protocol.includes("RTP/") || connection === undefined) return undefined;
  const video = { ...completeSection(sdp, section), connection };
  const codecs = videoCodecsOf(video);
  if (codecs.length === 0) return undefined;
  if (kind === "rtp" && securityOf(video, srtp) !== security) return undefined;
  const needed = kind === "webrtc" ? ["fingerprint", "ice-ufrag", "ice-pwd"] : [];
  if (needed.some((name) => findAttribute(video.attributes, name) === undefined)) return undefined;
  return { ...video, attributes: withFeedback(video.attributes, codecs) };
}

/**
 * The codecs of an offer that go on: speech as the plan says, and the telephone-event of each
 * clock that is left.
 */
export function selectOfferCodecs(
  codecs: readonly Codec[],
  keep: readonly string[],
): readonly Codec[] {
  const speech: Codec[] = [];
  for (const key of keep) for (const codec of codecs) if (codec.key === key) speech.push(codec);
  return [...speech, ...eventsFor(codecs, speech)];
}

/**
 * The codecs of an answer that go on: all its speech, and one telephone-event, of the clock of
 * the first codec. Two of them beside Opus lose digits.
 */
export function selectAnswerCodecs(codecs: readonly Codec[]): readonly Codec[] {
  const speech = codecs.filter(isSpeech);
  return [...speech, ...eventsFor(codecs, speech.slice(0, 1)).slice(0, 1)];
}

/**
 * A leg's audio section, written anew for rtpengine.
 *
 * @param tlsId a constant of the leg: without `a=tls-id` rtpengine 11.3 and later ends DTLS when a
 *   browser, which knows no tls-id, restarts ICE. Older ones pass it on unread, and the filter
 *   behind them drops it.
 */
export function sdpForRtpengine(
  description: LegDescription,
  codecs: readonly Codec[],
  kind: LegKind,
  tlsId: string,
  video: VideoUse = "none",
): Sdp {
  const { audio, security } = description;
  const passes = (attribute: SdpAttribute): boolean => {
    const { name, value } = attribute;
    if (kind === "webrtc") {
      // Not mid: ours toward the browser and rtpengine's own need not be the same, and it matches
      // media descriptions by their order.
      return PASS_ICE.has(name) || PASS_DTLS.has(name) || name === "rtcp-mux";
    }
    if (name === "rtcp") return isRtcpValue(value);
    // RFC 4568: a telephone's SRTP keys travel in its SDP.
    if (name === "crypto") return security === "sdes" && isStrongCrypto(attribute);
    return name === "rtcp-mux" || (security === "dtls" && PASS_DTLS.has(name));
  };
  const ofBrowser = (media: SdpMedia): readonly SdpAttribute[] =>
    kind === "webrtc"
      ? [...candidatesOf(media, description.maxCandidates), { name: "tls-id", value: tlsId }]
      : [];
  const attributes = [...attributesOf(audio, codecs, passes), ...ofBrowser(audio)];
  // A telephone-event that is ours and not the leg's stands in none of its lines.
  for (const codec of codecs) {
    if (description.codecs.includes(codec)) continue;
    attributes.push({ name: "rtpmap", value: `${codec.payloadType} ${formatCodec(codec)}` });
  }
  // RFC 8643 §3.1: keys in a plain profile; rtpengine takes them in the secure one.
  const secured = security === "sdes" ? secureProtocol(audio.protocol) : audio.protocol;
  const own = video === "own" ? description.video : undefined;
  const protocol = own !== undefined && hasFeedback(own) ? feedbackProtocol(secured) : secured;
  const sections: SdpMedia[] = [
    {
      type: "audio",
      port: audio.port,
      protocol,
      formats: codecs.map((codec) => codec.payloadType),
      connection: undefined,
      attributes,
    },
  ];
  if (own !== undefined) {
    const videoCodecs = videoCodecsOf(own);
    sections.push({
      type: "video",
      port: own.port,
      protocol,
      formats: videoCodecs.map((codec) => codec.payloadType),
      connection: own.connection,
      attributes: [...attributesOf(own, videoCodecs, passes), ...ofBrowser(own)],
    });
  } else if (video !== "none") {
    sections.push(NO_VIDEO);
  }
  return { connection: audio.connection, attributes: [], media: sections };
}

/**
 * What becomes of video in an SDP for rtpengine. `own`: the leg's own, rejected if it has none;
 * `rejected`: a section that was there before and shall not be used; `none`: no section at all.
 */
export type VideoUse = "own" | "rejected" | "none";

/** How an SDP is written for a leg. */
export interface LegRendering {
  readonly kind: LegKind;
  readonly role: "offer" | "answer";
  /** What the leg's own last SDP looked like; undefined before it sent one. */
  readonly layout: LegLayout | undefined;
  /** RFC 3264 §6: an answer has the protocol of its offer; undefined: rtpengine's. */
  readonly protocol?: string | undefined;
  /** False for a leg whose digits go another way: it gets no telephone-event. Default true. */
  readonly hasEvents?: boolean;
  /** What the leg is asked for when it sends Opus; undefined: what rtpengine passes on. */
  readonly opus?: OpusParameters | undefined;
}

/**
 * rtpengine's SDP, written anew for a leg.
 *
 * @returns the SDP, and its codecs
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` when no audio codec is left: rtpengine may well answer
 *   with telephone-event alone, or with an m= line without any format
 */
export function sdpForLeg(
  text: string,
  rendering: LegRendering,
): {
  readonly sdp: Sdp;
  readonly codecs: readonly Codec[];
  /** The telephone-event that rtpengine meant for the leg, whether or not the leg gets it. */
  readonly events: Codec | undefined;
  readonly security: MediaSecurity;
  readonly hasVideo: boolean;
} {
  const { kind, role, layout, hasEvents = true, opus } = rendering;
  const reply = parseSdp(text);
  const section = reply.media.find((media) => media.type === "audio");
  const connection = section?.connection ?? reply.connection;
  if (section === undefined || section.port === 0 || connection === undefined) {
    throw unusable("rtpengine left no audio section");
  }
  const offered = codecsOf(section);
  const all =
    role === "answer"
      ? selectAnswerCodecs(offered)
      : selectOfferCodecs(
          offered,
          offered.filter(isSpeech).map((codec) => codec.key),
        );
  const codecs = hasEvents ? all : all.filter(isSpeech);
  if (!codecs.some(isSpeech)) throw unusable("no audio codec in common");
  const mid = layout === undefined ? "0" : layout.sections[layout.audioIndex]?.mid;
  const isDtls = section.protocol.includes("TLS");
  const passes = (attribute: SdpAttribute): boolean => {
    const { name, value } = attribute;
    if (kind === "webrtc") {
      return (
        PASS_ICE.has(name) || PASS_DTLS.has(name) || name === "rtcp-mux" || name === "candidate"
      );
    }
    if (PASS_DTLS.has(name)) return isDtls;
    return isStrongCrypto(attribute) || (name === "rtcp" && isRtcpValue(value));
  };
  const passed = attributesOf(section, codecs, passes);
  const attributes = opus === undefined ? passed : askForOpus(passed, codecs, opus);
  if (kind === "webrtc" && mid !== undefined) attributes.unshift({ name: "mid", value: mid });
  // Telephones know the profile without feedback; see video.ts.
  const protocol =
    rendering.protocol ?? (kind === "rtp" ? plainProtocol(section.protocol) : section.protocol);
  const video = videoForLeg(reply, { kind, layout, protocol, passes });
  const audio: SdpMedia = {
    type: "audio",
    port: section.port,
    protocol,
    formats: codecs.map((codec) => codec.payloadType),
    connection: undefined,
    attributes,
  };
  // With video no group at all: Chromium puts a section on the transport of the group that it knows as
  // soon as it offers again, and its offer has both in one.
  const isBundled =
    kind === "webrtc" && mid !== undefined && video === undefined && (layout?.isBundled ?? true);
  return {
    sdp: {
      connection,
      // RFC 9143 §7.3.1: a page with `bundlePolicy: max-bundle` refuses an answer without its group.
      attributes: [
        // RFC 8839 §5.3: a session-level attribute.
        ...(kind === "webrtc" ? reply.attributes.filter(({ name }) => name === "ice-lite") : []),
        ...(isBundled ? [{ name: "group", value: `BUNDLE ${mid}` }] : []),
      ],
      media: layout === undefined ? [audio, ...listOf(video)] : placeSections(audio, video, layout),
    },
    codecs,
    events: all.find(isTelephoneEvent),
    security: isDtls ? "dtls" : attributes.some(isStrongCrypto) ? "sdes" : "none",
    hasVideo: video !== undefined,
  };
}

function listOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

/** rtpengine's video section, written anew for a leg; undefined when it is not used. */
function videoForLeg(
  reply: Sdp,
  leg: {
    readonly kind: LegKind;
    readonly layout: LegLayout | undefined;
    readonly protocol: string;
    readonly passes: (attribute: SdpAttribute) => boolean;
  },
): SdpMedia | undefined {
  const section = reply.media.find((media) => media.type === "video");
  if (section === undefined || section.port === 0) return undefined;
  const codecs = videoCodecsOf(section);
  if (codecs.length === 0) return undefined;
  const attributes = withFeedback(attributesOf(section, codecs, leg.passes), codecs);
  return {
    type: "video",
    port: section.port,
    protocol: leg.protocol,
    formats: codecs.map((codec) => codec.payloadType),
    connection: section.connection,
    attributes:
      leg.kind === "webrtc"
        ? [{ name: "mid", value: videoMid(leg.layout) }, ...attributes]
        : attributes.filter(({ value }) => value?.endsWith(" goog-remb") !== true),
  };
}

/** The leg's own name of its video section, or one that none of its sections has. */
function videoMid(layout: LegLayout | undefined): string {
  const mids = layout?.sections.map(({ mid }) => mid) ?? ["0"];
  const own = layout?.videoIndex === undefined ? undefined : mids[layout.videoIndex];
  if (own !== undefined) return own;
  let number = mids.length;
  while (mids.includes(String(number))) number += 1;
  return String(number);
}

/**
 * What a sender of Opus is asked for, in place of what the other side's SDP said about it
 * (RFC 7587 §6.1); `ptime` only where Opus is the first choice, for it counts for every codec.
 */
function askForOpus(
  attributes: readonly SdpAttribute[],
  codecs: readonly Codec[],
  parameters: OpusParameters,
): SdpAttribute[] {
  const opus = codecs.find(({ key }) => key === "opus");
  if (opus === undefined) return [...attributes];
  const isFirst = codecs[0] === opus;
  const kept = attributes.filter(
    ({ name, value }) =>
      !(name === "fmtp" && value?.split(" ", 1)[0] === opus.payloadType) &&
      !(isFirst && name === "ptime"),
  );
  const after = kept.findIndex(
    ({ name, value }) => name === "rtpmap" && value?.split(" ", 1)[0] === opus.payloadType,
  );
  kept.splice(after + 1, 0, {
    name: "fmtp",
    value: `${opus.payloadType} ${formatOpusParameters(parameters)}`,
  });
  if (isFirst) kept.push({ name: "ptime", value: String(parameters.ptimeMs) });
  return kept;
}

function formatOpusParameters({ fec, dtx, ptimeMs, bitrate }: OpusParameters): string {
  return [
    `minptime=${Math.min(10, ptimeMs)}`,
    `useinbandfec=${fec ? 1 : 0}`,
    ...(dtx ? ["usedtx=1"] : []),
    ...(bitrate === undefined ? [] : [`maxaveragebitrate=${bitrate}`]),
  ].join(";");
}

/**
 * RFC 3264 §6 and §8: as many sections as the leg has, in its order, the others rejected; video that
 * the leg has no section for comes behind them.
 */
function placeSections(
  audio: SdpMedia,
  video: SdpMedia | undefined,
  layout: LegLayout,
): readonly SdpMedia[] {
  const placed = layout.sections.map(({ type, protocol, formats, mid }, index) => {
    if (index === layout.audioIndex) return audio;
    if (index === layout.videoIndex && video !== undefined) return video;
    return {
      type,
      port: 0,
      protocol,
      formats,
      connection: undefined,
      attributes: mid === undefined ? [] : [{ name: "mid", value: mid }],
    };
  });
  return layout.videoIndex === undefined ? [...placed, ...listOf(video)] : placed;
}

function findAudio(sdp: Sdp, isEncrypted: boolean): number {
  const isUsable = (media: SdpMedia): boolean =>
    media.type === "audio" &&
    media.protocol.includes("RTP/") &&
    (media.port !== 0 || findAttribute(media.attributes, "bundle-only") !== undefined);
  // A telephone that leaves the choice offers the same audio twice, as SRTP and as plain RTP.
  const isPreferred = (media: SdpMedia): boolean =>
    isUsable(media) && media.protocol.includes("SAVP") === isEncrypted;
  const preferred = sdp.media.findIndex(isPreferred);
  return preferred >= 0 ? preferred : sdp.media.findIndex(isUsable);
}

function layoutOf(sdp: Sdp, audioIndex: number): LegLayout {
  const sections = sdp.media.map(({ type, protocol, formats, attributes }) => {
    const mid = findAttribute(attributes, "mid")?.value;
    return {
      type,
      protocol,
      formats,
      mid: mid !== undefined && isSdpToken(mid) ? mid : undefined,
    };
  });
  const audioMid = sections[audioIndex]?.mid;
  const isBundled = sdp.attributes.some(
    ({ name, value }) =>
      name === "group" &&
      value !== undefined &&
      value.startsWith("BUNDLE ") &&
      audioMid !== undefined &&
      value.split(" ").includes(audioMid),
  );
  const videoIndex = sections.findIndex(({ type }) => type === "video");
  return {
    sections,
    audioIndex,
    videoIndex: videoIndex < 0 ? undefined : videoIndex,
    isBundled,
  };
}

function eventsFor(codecs: readonly Codec[], speech: readonly Codec[]): readonly Codec[] {
  const events = codecs.filter(isTelephoneEvent);
  const matching = events.filter((event) =>
    speech.some((codec) => codec.clockRate === event.clockRate),
  );
  // Firefox has telephone-event/8000 alone, beside Opus too.
  return matching.length > 0 ? matching : events.slice(0, 1);
}
