import { ownCopy } from "../core/own-copy.ts";
import type { SdpMedia } from "./sdp.ts";
import { parseInteger, parseSdp, wordsOf } from "./sdp.ts";

/** A payload type of an `m=audio` line with what its `a=rtpmap` says. */
export interface Codec {
  readonly payloadType: string;
  /** As written, such as `opus` or `telephone-event`. */
  readonly name: string;
  /** `name` in lower case: encoding names are case-insensitive (RFC 4855 §3). */
  readonly key: string;
  /** RTP clock in Hz. */
  readonly clockRate: number;
  readonly channels: number;
}

// RFC 3551 §6: the static payload types that telephones still use without an rtpmap.
const STATIC_PAYLOAD_TYPES: ReadonlyMap<string, readonly [name: string, clockRate: number]> =
  new Map([
    ["0", ["PCMU", 8000]],
    ["3", ["GSM", 8000]],
    ["4", ["G723", 8000]],
    ["8", ["PCMA", 8000]],
    ["9", ["G722", 8000]],
    ["13", ["CN", 8000]],
    ["15", ["G728", 8000]],
    ["18", ["G729", 8000]],
  ]);

/** Formats that carry no speech: never counted as an audio codec. */
const NOT_SPEECH: ReadonlySet<string> = new Set(["telephone-event", "cn", "red", "ulpfec", "rtx"]);

/** The codecs of an audio section in order of preference; formats without an rtpmap are left out. */
export function codecsOf(media: SdpMedia): readonly Codec[] {
  const maps = new Map<string, Codec | "taken">();
  for (const { name, value } of media.attributes) {
    if (name !== "rtpmap" || value === undefined) continue;
    const codec = codecOf(value);
    if (codec !== undefined && !maps.has(codec.payloadType)) maps.set(codec.payloadType, codec);
  }
  const codecs: Codec[] = [];
  for (const payloadType of media.formats) {
    const codec = maps.get(payloadType) ?? staticCodec(payloadType);
    if (codec === undefined || codec === "taken") continue;
    maps.set(payloadType, "taken");
    codecs.push(codec);
  }
  return codecs;
}

/** Names, in lower case, of the speech codecs of an SDP's first audio section; empty without one. */
export function speechCodecsOf(text: string): readonly string[] {
  try {
    const audio = parseSdp(text).media.find(({ type, port }) => type === "audio" && port !== 0);
    return audio === undefined
      ? []
      : codecsOf(audio)
          .filter(isSpeech)
          .map(({ key }) => key);
  } catch {
    return [];
  }
}

/** Whether a codec carries speech. */
export function isSpeech(codec: Codec): boolean {
  return !NOT_SPEECH.has(codec.key);
}

/** Whether a codec is RFC 4733's telephone-event. */
export function isTelephoneEvent(codec: Codec): boolean {
  return codec.key === "telephone-event";
}

/** `PCMU/8000`, `opus/48000/2`: the value of an rtpmap. */
export function formatCodec(codec: Codec): string {
  const channels = codec.channels === 1 ? "" : `/${codec.channels}`;
  return `${codec.name}/${codec.clockRate}${channels}`;
}

function staticCodec(payloadType: string): Codec | undefined {
  const entry = STATIC_PAYLOAD_TYPES.get(payloadType);
  if (entry === undefined) return undefined;
  const [name, clockRate] = entry;
  return { payloadType, name, key: name.toLowerCase(), clockRate, channels: 1 };
}

const MAX_KNOWN = 256;
const MAX_KNOWN_LENGTH = 64;

/** By the text of their rtpmap: all calls of one kind of telephone bring the same few. */
const known = new Map<string, Codec>();

function codecOf(rtpmap: string): Codec | undefined {
  const before = known.get(rtpmap);
  if (before !== undefined) return before;
  const isKept = known.size < MAX_KNOWN && rtpmap.length <= MAX_KNOWN_LENGTH;
  // It outlives the SDP that it was cut out of.
  const text = isKept ? ownCopy(rtpmap) : rtpmap;
  const codec = parseRtpmap(text);
  if (isKept && codec !== undefined) known.set(text, codec);
  return codec;
}

function parseRtpmap(value: string): Codec | undefined {
  const [payloadType, encoding] = wordsOf(value);
  if (payloadType === undefined || encoding === undefined) return undefined;
  // RFC 3550 §5.1: the payload type has seven bits.
  if (parseInteger(payloadType, 127) === undefined) return undefined;
  const [name, rateText, channelsText] = encoding.split("/");
  const clockRate = parseInteger(rateText ?? "", 1_000_000);
  const channels = parseInteger(channelsText ?? "1", 255);
  if (name === undefined || name === "" || clockRate === undefined || channels === undefined) {
    return undefined;
  }
  if (clockRate === 0 || channels === 0) return undefined;
  return { payloadType, name, key: name.toLowerCase(), clockRate, channels };
}
