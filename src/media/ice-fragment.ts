/**
 * Candidates that a browser finds after its offer or answer has gone: the body of trickle ICE
 * (RFC 8840 §9), read strictly.
 */
import type { SdpAttribute, SdpLimits } from "./sdp.ts";
import { findAttribute, parseSdp, unusable } from "./sdp.ts";
import { candidatesOf } from "./sdp-attributes.ts";
import type { LegDescription, LegLayout } from "./sdp-filter.ts";

/** Of a fragment that we take. */
export const MAX_FRAGMENT_OCTETS = 16_384;

/** `a=ice-ufrag` and `a=ice-pwd`. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** A browser's ICE since its last restart (RFC 8838: a generation). */
export interface IceGeneration {
  /** Of its audio. */
  readonly credentials: IceCredentials;
  /** What has come after its SDP: section and candidate. */
  readonly later: ReadonlySet<string>;
}

/** What a fragment says of one section that rtpengine has. */
export interface FragmentSection {
  readonly type: "audio" | "video";
  readonly credentials: IceCredentials;
  /** UDP candidates with a literal address; RFC 8840 §4.4 has each fragment repeat the former ones. */
  readonly candidates: readonly SdpAttribute[];
}

/** @returns a browser's generation after an SDP of its own; undefined for a leg without ICE */
export function followIce(
  before: IceGeneration | undefined,
  { audio }: Pick<LegDescription, "audio">,
): IceGeneration | undefined {
  const credentials = credentialsOf(audio.attributes);
  if (credentials === undefined) return undefined;
  return before !== undefined && isSame(before.credentials, credentials)
    ? before
    : { credentials, later: new Set() };
}

/**
 * Reads the body of an INFO of the package trickle-ice.
 *
 * @param layout of the SDP that the fragment belongs to
 * @returns its audio first, then its video if it says anything of it
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` when it is too long or broken, has no credentials, or
 *   has a section that the SDP has not
 */
export function parseFragment(
  text: string,
  layout: LegLayout,
  limits: SdpLimits,
): readonly FragmentSection[] {
  if (Buffer.byteLength(text) > MAX_FRAGMENT_OCTETS) {
    throw unusable(`a fragment longer than ${MAX_FRAGMENT_OCTETS} octets`);
  }
  // RFC 8840 §9.2: lines of an SDP without those that every SDP begins with.
  const sdp = parseSdp(`v=0\r\n${text}`, limits);
  const known = layout.sections.map(({ mid }) => mid);
  const mids = sdp.media.map(({ attributes }) => findAttribute(attributes, "mid")?.value);
  if (mids.some((mid) => mid === undefined || !known.includes(mid))) {
    throw unusable("a fragment with an unknown a=mid");
  }
  const read = (type: "audio" | "video", mid: string | undefined): FragmentSection => {
    const section = sdp.media[mids.indexOf(mid)] ?? { attributes: [] };
    const either = [...section.attributes, ...sdp.attributes];
    const credentials = credentialsOf(either);
    if (credentials === undefined) {
      throw unusable("a fragment without a=ice-ufrag and a=ice-pwd");
    }
    return {
      type,
      credentials,
      candidates: candidatesOf(section, limits.candidates),
    };
  };
  const audio = read("audio", known[layout.audioIndex]);
  const { videoIndex } = layout;
  const videoMid = videoIndex === undefined ? undefined : known[videoIndex];
  return videoMid !== undefined && mids.includes(videoMid)
    ? [audio, read("video", videoMid)]
    : [audio];
}

/**
 * What of a fragment is news for rtpengine.
 *
 * @param max candidates of one generation that are taken after its SDP
 * @returns undefined for a fragment of another generation
 */
export function followFragment(
  ice: IceGeneration,
  sections: readonly FragmentSection[],
  max: number,
): { readonly ice: IceGeneration; readonly news: readonly FragmentSection[] } | undefined {
  const [audio] = sections;
  // RFC 8838 §16: each restart has its own.
  if (audio === undefined || !isSame(ice.credentials, audio.credentials)) return undefined;
  const later = new Set(ice.later);
  const news = sections.map((section) => {
    const candidates = section.candidates.filter(({ value = "" }) => {
      const key = `${section.type} ${value}`;
      if (later.has(key) || later.size >= max) return false;
      later.add(key);
      return true;
    });
    return { ...section, candidates };
  });
  return { ice: { ...ice, later }, news };
}

/** An SDP that rtpengine has had, with what has come since. */
export function withCandidates(sdp: string, news: readonly FragmentSection[]): string {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => {
      const candidates =
        news.find(({ type }) => section.startsWith(`m=${type} `))?.candidates ?? [];
      return section + candidates.map(({ value = "" }) => `a=candidate:${value}\r\n`).join("");
    })
    .join("");
}

function credentialsOf(attributes: readonly SdpAttribute[]): IceCredentials | undefined {
  const ufrag = findAttribute(attributes, "ice-ufrag")?.value;
  const password = findAttribute(attributes, "ice-pwd")?.value;
  return ufrag === undefined || password === undefined ? undefined : { ufrag, password };
}

function isSame(one: IceCredentials, other: IceCredentials): boolean {
  return one.ufrag === other.ufrag && one.password === other.password;
}
