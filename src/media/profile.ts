/**
 * Which ng keys an offer or an answer carries: a pure table from the kinds of the two legs, the
 * codec policy and the codecs at hand. The values are those that carried sound with rtpengine
 * 10.5 and 26; what looks missing is missing on purpose:
 *
 * - no `DTLS` key: rtpengine's own choice (active toward a browser's offer, `actpass` in its own)
 *   is the one that never failed; `DTLS=passive` broke calls with 10.5;
 * - no `WebRTC` alias: 10.5 ignores it in silence;
 * - no `codec` in an answer: the offer decides;
 * - no `media handover` and no `inject DTMF`: the first lets a third party take the stream over,
 *   the second keeps every packet out of the kernel.
 *
 * Codecs that pass through unchanged are chosen by our own filter in the SDP, so that rtpengine
 * sees only what it may use; ng's `codec` appears where something must be transcoded.
 */
import type { NgArguments, NgValue } from "./ng-client.ts";
import type { CodecPolicy, LegKind, MediaLeg } from "./session.ts";
import { unusable } from "./sdp.ts";
import { feedbackProtocol } from "./video.ts";
import { secureProtocol, WEAK_SUITES, type MediaSecurity } from "./srtp.ts";

/**
 * ng's way to leave suites out of what is offered. `pad`: RFC 4568 §6.1 wants the padding of base64,
 * without which baresip loses the end of a key of 256 bits.
 */
const STRONG_SDES: readonly string[] = [...WEAK_SUITES.map((suite) => `no-${suite}`), "pad"];

const TO_RTP = {
  ICE: "remove",
  // A browser insists on rtcp-mux, telephones hardly know it.
  "rtcp-mux": ["demux"],
  replace: ["origin"],
  flags: ["strip extmap", "port latching", "strict source"],
};

const TO_WEBRTC = {
  "transport-protocol": "UDP/TLS/RTP/SAVPF",
  // rtpengine is the only candidate: media never goes around it.
  ICE: "force",
  SDES: ["off"],
  "rtcp-mux": ["require"],
  replace: ["origin"],
  flags: ["generate mid", "no rtcp attribute", "strict source"],
  "DTLS-fingerprint": "sha-256",
};

/** Who sent an SDP, and who gets it. */
export interface ProfileInput {
  readonly sender: Pick<MediaLeg, "kind" | "hasFixedAddress" | "isDirect"> & {
    /** The address for media in its SDP. */
    readonly host?: string | undefined;
  };
  readonly receiver: Pick<MediaLeg, "kind" | "srtp" | "addressFamily"> & {
    /** In an answer: how the receiver's offer was encrypted, and its protocol. */
    readonly offered?: OfferedTransport | undefined;
  };
  /** Whether video goes along: its feedback needs a profile with feedback (see video.ts). */
  readonly hasVideo?: boolean | undefined;
}

/** The transport of a plain leg's offer. */
export interface OfferedTransport {
  /** `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVP`, or one with feedback (`…F`). */
  readonly protocol: string;
  readonly security: MediaSecurity;
}

/** The keys of an ng command that has `flags`. */
export type FlaggedArguments = NgArguments & { readonly flags: readonly string[] };

/** The ng keys of a command with an SDP: the same in an offer as in an answer. */
export function profileOf({ sender, receiver, hasVideo }: ProfileInput): FlaggedArguments {
  const base = receiver.kind === "webrtc" ? TO_WEBRTC : { ...TO_RTP, ...transportOf(receiver) };
  const flags = [...base.flags, ...learningFlags(sender)];
  const profile = { ...base, "address family": receiver.addressFamily, flags };
  const transport: { readonly [key: string]: NgValue } = base;
  const protocol = transport["transport-protocol"];
  if (hasVideo !== true || typeof protocol !== "string") return profile;
  return { ...profile, "transport-protocol": feedbackProtocol(protocol) };
}

/**
 * How the media of a plain leg is carried: as its configuration says in an offer to it, as its own
 * offer was in an answer. Weak suites are never offered; the filter never lets them in either.
 */
function transportOf({ srtp, offered }: ProfileInput["receiver"]): {
  readonly [key: string]: NgValue;
} {
  const security = offered?.security ?? srtp ?? "off";
  switch (security) {
    case "none":
    case "off":
      return { "transport-protocol": offered?.protocol ?? "RTP/AVP", SDES: ["off"] };
    case "sdes":
      return {
        // rtpengine is told of SRTP whatever the telephone calls it; the filter sets that right.
        "transport-protocol": offered === undefined ? "RTP/SAVP" : secureProtocol(offered.protocol),
        DTLS: "off",
        SDES: STRONG_SDES,
      };
    case "dtls":
      return { "transport-protocol": offered?.protocol ?? "UDP/TLS/RTP/SAVP", SDES: ["off"] };
    case "optional":
      // RFC 8643 §3.1: the profile without SRTP, and the keys all the same.
      return {
        "transport-protocol": "RTP/AVP",
        OSRTP: ["offer"],
        DTLS: "off",
        SDES: STRONG_SDES,
      };
  }
}

/**
 * How rtpengine learns where the sender's packets really come from (CVE-2025-53399). ICE settles
 * it for a browser. A telephone may be behind a NAT: the heuristic takes the address in its SDP if
 * packets come from there within three seconds, and `strict source` drops the others' from then
 * on. Measured: once the peer sends a stranger gets no packet, but may inject in those seconds;
 * without any learning he can do neither. 10.5 does not know the ng key `endpoint-learning`; all of
 * them know the flags. `asymmetric` says the same to 10.5, and holds when a PBX sends two calls past
 * itself: their packets then come from ourselves, and a heuristic would take those that the PBX
 * still sends.
 */
function learningFlags(sender: ProfileInput["sender"]): readonly string[] {
  if (sender.kind === "webrtc") return [];
  const isDirect =
    sender.hasFixedAddress === true ||
    (sender.host !== undefined && sender.isDirect?.(sender.host) === true);
  return isDirect ? ["asymmetric", "endpoint-learning-off"] : ["endpoint-learning-heuristic"];
}

/** What shall become of the codecs of an offer. */
export interface CodecPlan {
  /** Speech codecs that stay in the offer, in lower case, in the order for the answerer. */
  readonly keep: readonly string[];
  /** The ng key `codec`; undefined when nothing is transcoded. */
  readonly transcoding: Transcoding | undefined;
}

/** The ng key `codec` as we use it; each a list of codec names. */
export interface Transcoding {
  readonly [key: string]: readonly string[];
}

export interface CodecPlanInput {
  readonly policy: CodecPolicy;
  readonly offererKind: LegKind;
  readonly answererKind: LegKind;
  /** Speech codecs of the offer, in lower case, in its order. */
  readonly offered: readonly string[];
  /** Speech codecs that the answerer takes, in order; undefined: the default set of its kind. */
  readonly accepted: readonly string[] | undefined;
  /**
   * The answerer's codec so far, in lower case. It goes first, so that a hold or a refresh changes
   * no codec: with rtpengine 10.5 a change under transcoding may set timestamps back, and Chromium
   * then throws the stream away.
   */
  readonly current?: string | undefined;
}

/** RFC 7874 §3 has every browser know Opus, PCMU and PCMA; all of them know G.722 too. */
const WEBRTC_CODECS: readonly string[] = ["opus", "g722", "pcmu", "pcma"];
const NARROW_CODECS: readonly string[] = ["g722", "pcmu", "pcma"];

/** What rtpengine decodes and encodes, by the name that ng wants. */
const TRANSCODABLE: ReadonlyMap<string, string> = new Map([
  ["opus", "opus"],
  ["g722", "G722"],
  ["pcmu", "PCMU"],
  ["pcma", "PCMA"],
  ["g729", "G729"],
  ["g723", "G723"],
  ["gsm", "GSM"],
  ["speex", "speex"],
]);

/**
 * Decides which codecs of an offer go on and whether rtpengine transcodes.
 *
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` when the two sides have nothing in common and
 *   rtpengine cannot bridge them
 */
export function planCodecs(input: CodecPlanInput): CodecPlan {
  const plan = choosePlan(input);
  const { current } = input;
  if (current === undefined) return plan;
  const transcode = plan.transcoding?.["transcode"];
  if (transcode === undefined) return { ...plan, keep: withFirst(plan.keep, current) };
  const name = TRANSCODABLE.get(current);
  return {
    keep: plan.keep,
    transcoding: {
      ...plan.transcoding,
      transcode: name === undefined ? transcode : withFirst(transcode, name),
    },
  };
}

function withFirst<T>(items: readonly T[], first: T): readonly T[] {
  return items.includes(first) ? [first, ...items.filter((item) => item !== first)] : items;
}

function choosePlan(input: CodecPlanInput): CodecPlan {
  const { policy, offererKind, answererKind, offered } = input;
  const accepted = input.accepted?.map((name) => name.toLowerCase()) ?? defaultCodecs(answererKind);
  if (policy === "opus" && offererKind !== answererKind) {
    const plan = planOpusEdge(offererKind, offered, accepted);
    if (plan !== undefined) return plan;
  }
  const shared = sharedCodecs(input, accepted);
  if (policy === "narrow") {
    const narrow = shared.filter((name) => name !== "opus");
    if (narrow.length > 0) return { keep: narrow, transcoding: undefined };
  }
  if (shared.length > 0) return { keep: shared, transcoding: undefined };
  return bridge(
    offered,
    policy === "narrow" && answererKind === "webrtc" ? NARROW_CODECS : accepted,
  );
}

/** Opus at the browser whatever the other side speaks; undefined when the browser has no Opus. */
function planOpusEdge(
  offererKind: LegKind,
  offered: readonly string[],
  accepted: readonly string[],
): CodecPlan | undefined {
  if (offererKind === "rtp") {
    if (!accepted.includes("opus")) return undefined;
    if (offered.includes("opus")) {
      const rest = offered.filter((name) => name !== "opus" && accepted.includes(name));
      return { keep: ["opus", ...rest], transcoding: undefined };
    }
    return bridge(offered, ["opus"]);
  }
  if (!offered.includes("opus")) return undefined;
  if (accepted.includes("opus")) {
    const rest = accepted.filter((name) => name !== "opus" && offered.includes(name));
    // `accept`: Opus stays in the offer, and still comes back to the browser if the other side
    // picks something else.
    return { keep: ["opus", ...rest], transcoding: { accept: ["opus"] } };
  }
  return bridge(["opus"], accepted);
}

/** What both know: in the answerer's order toward a telephone, in the offer's toward a browser. */
function sharedCodecs(input: CodecPlanInput, accepted: readonly string[]): readonly string[] {
  const { offered, answererKind } = input;
  return answererKind === "rtp"
    ? accepted.filter((name) => offered.includes(name))
    : offered.filter((name) => accepted.includes(name));
}

function bridge(from: readonly string[], to: readonly string[]): CodecPlan {
  const keep = from.filter((name) => TRANSCODABLE.has(name));
  const consume = keep.flatMap((name) => TRANSCODABLE.get(name) ?? []);
  const transcode = to.flatMap((name) => TRANSCODABLE.get(name) ?? []);
  if (consume.length === 0 || transcode.length === 0) {
    throw unusable(`no codec in common: offered ${from.join(", ")}; accepted ${to.join(", ")}`);
  }
  // `consume` hides the offer's codecs from the answerer and has rtpengine answer with them;
  // `mask` would do the same only as long as both sides name different codecs.
  return { keep, transcoding: { consume, transcode } };
}

function defaultCodecs(kind: LegKind): readonly string[] {
  return kind === "webrtc" ? WEBRTC_CODECS : NARROW_CODECS;
}
