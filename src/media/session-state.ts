import { randomToken } from "../core/ids.ts";
import type { BrowserAnchor, BrowserChanges } from "./browser-anchor.ts";
import type { BrowserEndpoint } from "./browser-endpoint.ts";
import type { Codec } from "./codecs.ts";
import { formatCodec, isTelephoneEvent } from "./codecs.ts";
import { wayTo } from "./digits.ts";
import { withDirection, type MediaDirection } from "./direction.ts";
import { MediaError } from "./errors.ts";
import type { IceGeneration } from "./ice-fragment.ts";
import type { MediaAddress } from "./media-address.ts";
import type { NgCommands, NgReply } from "./ng-client.ts";
import type { CodecPlan, FlaggedArguments, OfferedTransport } from "./profile.ts";
import type { RtpengineNode } from "./rtpengine-node.ts";
import type { Sdp, SdpConnection } from "./sdp.ts";
import { findAttribute, formatSdp, newOriginId } from "./sdp.ts";
import type { LegDescription, LegLayout, VideoUse } from "./sdp-filter.ts";
import { sdpForLeg } from "./sdp-filter.ts";
import type {
  DtmfWay,
  Exchange,
  LegKind,
  MediaLeg,
  MediaReport,
  OpusParameters,
} from "./session.ts";
import type { MediaSecurity } from "./srtp.ts";

/** Nothing about the browser is new. */
export const UNCHANGED: BrowserChanges = { hasIceRestarted: false, hasNewTransport: false };

/** What we remember of one leg. */
export interface LegState {
  readonly originId: string;
  tlsId: string;
  /** A browser: what rtpengine shows it, and by what the browser is known there. */
  anchor: BrowserAnchor | undefined;
  ufrag: string | undefined;
  fingerprint: string | undefined;
  /** What its last offer changed, for the answer that it gets. */
  pending: BrowserChanges;
  version: number;
  /** How often the leg has gone to another rtpengine call. */
  moves: number;
  /** The last SDP that the leg got. */
  lastSent: string | undefined;
  layout: LegLayout | undefined;
  codec: Codec | undefined;
  /** How its last offer was carried; an answer to it is carried in the same way. */
  offered: OfferedTransport | undefined;
  security: MediaSecurity | undefined;
  /** Whether its own last SDP had a telephone-event. */
  hasEvents: boolean;
  /** The telephone-event that rtpengine takes it to have. */
  events: Codec | undefined;
  /** The way that digits go to it; undefined before it has sent an SDP. */
  way: DtmfWay | undefined;
  /** The telephone-event that rtpengine last meant for it. */
  meantEvents: Codec | undefined;
  /** The browser there, as rtpengine knows it. */
  endpoint: BrowserEndpoint | undefined;
  /** The codec of the first answer that it got to its offer, in lower case. */
  promised: string | undefined;
  /** Where it last said that it takes media. */
  address: MediaAddress | undefined;
  /** The browser's ICE since its last restart. */
  ice: IceGeneration | undefined;
  /** Whether its last SDP made the offer in its stead: toward it rtpengine is the controlled agent. */
  hasStandIn: boolean;
}

/** The commands that are about a call. */
export type CallCommand = Exclude<keyof NgCommands, "ping" | "statistics" | "list">;
export type OfferCommand = FlaggedArguments & Omit<NgCommands["offer"], "call-id">;
export type AnswerCommand = FlaggedArguments & Omit<NgCommands["answer"], "call-id">;

/** What we remember of one attempt. */
export interface BranchState {
  /** The last offer's command, to be repeated before an answer that changes the codec. */
  offer: OfferCommand;
  /** The last answer's command; undefined before one. */
  answer: AnswerCommand | undefined;
  readonly offererTag: string;
  readonly answererTag: string;
  /** Flags that came to be needed: `always transcode`, `inject DTMF`. */
  readonly flags: Set<string>;
  /** Whether rtpengine has a video section, used or not: it knows sections by their order. */
  readonly hasVideo: boolean;
  /** Whether the answerer's tag is known to rtpengine. */
  isAnswered: boolean;
  /** Codecs of the last answer to that offer. */
  answeredCodecs: string | undefined;
  state: "live" | "dropped";
}

/** What belongs to one rtpengine call, and is left behind when the session moves to another. */
export interface Anchorage {
  readonly callId: string;
  readonly node: RtpengineNode | undefined;
  readonly branches: ReadonlyMap<string, BranchState>;
  readonly joined: readonly string[];
  readonly attempts: number;
  readonly anchors: ReadonlyMap<
    string,
    Pick<LegState, "anchor" | "tlsId" | "ufrag" | "fingerprint">
  >;
  /** What it last said of its packets, should it say nothing more. */
  readonly lastReport: MediaReport | undefined;
  /** Whether rtpengine has been told to end it. */
  isEnded: boolean;
}

/** A leg that nothing is known of. */
export function newLegState(): LegState {
  return {
    originId: newOriginId(),
    // RFC 8842 §5: 20 to 255 characters.
    tlsId: randomToken(24),
    anchor: undefined,
    ufrag: undefined,
    fingerprint: undefined,
    pending: UNCHANGED,
    version: 0,
    moves: 0,
    lastSent: undefined,
    layout: undefined,
    codec: undefined,
    offered: undefined,
    security: undefined,
    hasEvents: false,
    events: undefined,
    way: undefined,
    meantEvents: undefined,
    endpoint: undefined,
    promised: undefined,
    address: undefined,
    ice: undefined,
    hasStandIn: false,
  };
}

/** The leg goes to another rtpengine call, where every port, key and credential is new. */
export function forgetPath(leg: LegState): void {
  leg.moves += 1;
  leg.anchor = undefined;
  leg.ufrag = undefined;
  leg.fingerprint = undefined;
  leg.endpoint = undefined;
  leg.promised = undefined;
  leg.hasStandIn = false;
  // RFC 8842 §4: another tls-id, another DTLS association.
  leg.tlsId = randomToken(24);
}

/**
 * A leg that comes from another session, or that has been there: it goes on with the numbers that
 * its far end has seen.
 */
export function adopted(own: LegState | undefined, from: LegState): LegState {
  if (own === undefined) return { ...from };
  return {
    ...own,
    moves: Math.max(own.moves, from.moves),
    ...(from.version > own.version ? { version: from.version, lastSent: from.lastSent } : {}),
  };
}

/**
 * One rtpengine has one certificate. A browser keeps its DTLS association as long as the
 * fingerprint stays, and would wait in vain for a new rtpengine call to go on with it: with every
 * move the fingerprint is shown by another hash, and the browser begins anew (RFC 8842 §4).
 */
const FINGERPRINT_HASHES = ["sha-256", "sha-384", "sha-512"] as const;

/**
 * A profile as a call needs it: ICE-lite (RFC 8445 §2.5) where that is configured, in both
 * directions, for a plain leg has no ICE; and what a browser needs whose call has been moved.
 *
 * @param role rtpengine's role in DTLS toward it before the move
 */
export function adaptProfile(
  profile: FlaggedArguments,
  call: {
    readonly kind: LegKind;
    readonly moves: number;
    readonly role: string | undefined;
    readonly hasStandIn: boolean;
    readonly isIceLite: boolean | undefined;
  },
): FlaggedArguments {
  const { kind, moves, role, hasStandIn, isIceLite } = call;
  if (isIceLite === true) return { ...profile, "ICE-lite": "both", ...newHash(kind, moves) };
  if (kind !== "webrtc" || moves === 0) return profile;
  // A browser that is controlled stays on the dead path until that has been silent for 2.5 s, for no
  // sound comes over the new one before DTLS, and DTLS, which it begins, goes over the dead one
  // (measured with Chromium 156). Beside an ICE-lite agent it is the controlling one, and takes the
  // new path at once (RFC 8445 §6.1.1). And where its old SDP has made an offer to the other end,
  // rtpengine is controlled, as is the browser, which is asked: a conflict that ends for ever every
  // other time, when the greater tie-breaker is the browser's (10.5 with Chromium 156).
  const isControlling = role === "passive" || hasStandIn;
  return {
    ...profile,
    ...newHash(kind, moves),
    ...(isControlling ? { "ICE-lite": "forward" } : {}),
  };
}

/**
 * A browser that restarts ICE on the connection that it has gets an ICE-lite agent. It checks its new
 * port with our old credentials before it has our answer. Checks of ours to that port, with the new
 * ones, would be refused there, and a pair that we have given up is not nominated: what we send goes
 * to the browser's old port, until it closes that some seconds later. Without checks of ours the
 * browser alone decides, and takes its new path at once.
 */
export function forRestart(profile: FlaggedArguments, by: BrowserChanges): FlaggedArguments {
  if (!by.hasIceRestarted || by.hasNewTransport) return profile;
  return { ...profile, "ICE-lite": profile["ICE-lite"] === undefined ? "backward" : "both" };
}

function newHash(kind: LegKind, moves: number): Partial<FlaggedArguments> {
  const hash = FINGERPRINT_HASHES[moves % FINGERPRINT_HASHES.length];
  return kind === "webrtc" && moves > 0 ? { "DTLS-fingerprint": hash } : {};
}

/** What a browser's own SDP says of its transport. @returns what is new in it */
export function noteBrowser(
  state: LegState,
  leg: MediaLeg,
  { audio }: LegDescription,
): BrowserChanges {
  if (leg.kind !== "webrtc") return UNCHANGED;
  const ufrag = findAttribute(audio.attributes, "ice-ufrag")?.value;
  const fingerprint = findAttribute(audio.attributes, "fingerprint")?.value;
  const role = findAttribute(audio.attributes, "setup")?.value;
  const by = {
    hasIceRestarted: state.ufrag !== undefined && state.ufrag !== ufrag,
    hasNewTransport: state.fingerprint !== undefined && state.fingerprint !== fingerprint,
  };
  state.ufrag = ufrag;
  state.fingerprint = fingerprint;
  if (state.anchor !== undefined && state.anchor.role === undefined) {
    // RFC 5763 §5: the browser has answered our `actpass`, so our role is the other one.
    const ours = role === "active" ? "passive" : role === "passive" ? "active" : undefined;
    state.anchor = { ...state.anchor, role: ours };
  }
  return by;
}

/** What a leg's own SDP says of digits. @returns the way that they go to it */
export function noteEvents(
  state: LegState,
  leg: MediaLeg,
  { codecs }: Pick<LegDescription, "codecs">,
): DtmfWay {
  state.hasEvents = codecs.some(isTelephoneEvent);
  state.way = wayTo(leg, state.hasEvents);
  return state.way;
}

/**
 * By what a tone that rtpengine shall make must be asked for longer than it is to last. rtpengine, 10.5
 * as 26, counts its samples on the receiver's clock and makes them on the sender's: from Opus, 48 kHz,
 * to a telephone, 8 kHz, a sixth of it would come out, which no detector knows for a digit.
 *
 * @throws MediaError toward a leg that encrypts: rtpengine, 10.5 as 26, sends such tones in the clear
 */
export function toneStretch(
  legs: ReadonlyMap<string, LegState>,
  joined: readonly string[],
  from: string,
): number {
  const receiver = legs.get(joined.find((tag) => tag !== from) ?? "");
  if (receiver?.way !== "inband") return 1;
  if ((receiver.security ?? "none") !== "none") {
    throw new MediaError(
      "ERR_OFFHOOK_MEDIA_REFUSED",
      "the tone of a digit would not be encrypted as the call is",
    );
  }
  const clock = legs.get(from)?.codec?.clockRate;
  if (receiver.codec === undefined || clock === undefined) return 1;
  return clock / receiver.codec.clockRate;
}

/** Whether a leg is configured for another way than RFC 4733: it is given no telephone-event. */
export function wantsOtherWay(leg: MediaLeg): boolean {
  return (leg.dtmf ?? "rfc4733") !== "rfc4733";
}

export function isReplacedWay(way: DtmfWay): boolean {
  return way !== "rfc4733";
}

/** An answer that would take less encryption than was offered must not go out. */
export function keepSecurity(offered: MediaSecurity | undefined, answered: MediaSecurity): void {
  if (offered === undefined || offered === answered) return;
  throw new MediaError(
    "ERR_OFFHOOK_MEDIA_REFUSED",
    `rtpengine answered an offer of ${offered} with ${answered}`,
  );
}

/** The same command with more flags. */
export function withFlags<Command extends FlaggedArguments>(
  command: Command,
  more: Iterable<string>,
): Command {
  return { ...command, flags: [...new Set([...command.flags, ...more])] };
}

/** The ng key `codec`. @param offersEvents events are made for the answerer, the offer has none */
export function transcodingOf(
  { transcoding }: CodecPlan,
  offersEvents: boolean,
): CodecPlan["transcoding"] {
  if (!offersEvents) return transcoding;
  const codecs = transcoding?.["transcode"] ?? [];
  return { ...transcoding, transcode: [...codecs, "telephone-event"] };
}

export function hasTranscodingFlag({ state, flags }: BranchState): boolean {
  return state === "live" && flags.size > 0;
}

/**
 * A browser's SDP without its ICE and DTLS: it will be asked for new ones. Without ICE rtpengine takes
 * the 0.0.0.0 of a browser that had no candidate yet for a hold: then it gets an address of the
 * documentation's, where nobody is.
 */
export function withoutTransport(description: LegDescription, leg: MediaLeg): LegDescription {
  if (leg.kind !== "webrtc") return description;
  const isKept = ({ name }: { readonly name: string }): boolean =>
    !name.startsWith("ice-") && name !== "candidate" && name !== "fingerprint" && name !== "setup";
  const { audio, video } = description;
  return {
    ...description,
    audio: {
      ...audio,
      connection: somewhere(audio.connection),
      attributes: audio.attributes.filter(isKept),
    },
    video: video && {
      ...video,
      connection: video.connection && somewhere(video.connection),
      attributes: video.attributes.filter(isKept),
    },
  };
}

function somewhere(connection: SdpConnection): SdpConnection {
  return connection.host === "0.0.0.0" ? { family: "IP4", host: "192.0.2.1" } : connection;
}

/** What rtpengine replied, as a leg is to have it. @throws MediaError */
export function renderForLeg(
  reply: NgReply,
  rendering: {
    readonly leg: MediaLeg;
    readonly role: "offer" | "answer";
    readonly state: LegState;
    readonly opus: OpusParameters | undefined;
  },
): ReturnType<typeof sdpForLeg> {
  const { leg, role, state, opus } = rendering;
  const text = reply["sdp"];
  if (typeof text !== "string") {
    throw new MediaError("ERR_OFFHOOK_MEDIA_REFUSED", "rtpengine replied without an SDP");
  }
  return sdpForLeg(text, {
    kind: leg.kind,
    role,
    layout: state.layout,
    protocol: role === "answer" && leg.kind === "rtp" ? state.offered?.protocol : undefined,
    hasEvents: !wantsOtherWay(leg) && (state.way ?? "rfc4733") === "rfc4733",
    opus,
  });
}

/** RFC 3264 §8: the same origin in every SDP to a leg, its version one more when the body changes. */
export function printForLeg(leg: LegState, sdp: Sdp): string {
  const id = leg.originId;
  const again = leg.version === 0 ? undefined : formatSdp(sdp, { id, version: leg.version });
  if (again !== undefined && again === leg.lastSent) return again;
  leg.version += 1;
  leg.lastSent = formatSdp(sdp, { id, version: leg.version });
  return leg.lastSent;
}

/** What the SDPs have settled, for the record. */
export function agreedBetween(
  legs: ReadonlyMap<string, LegState>,
  joined: readonly string[],
): Pick<MediaReport, "codecs" | "dtmf" | "srtp"> {
  let dtmf: Record<string, DtmfWay | "none"> | undefined;
  let srtp: Record<string, MediaSecurity> | undefined;
  // The tags are ours: none is a name of the prototype.
  for (const tag of joined) {
    const leg = legs.get(tag);
    if (leg?.way !== undefined) (dtmf ??= {})[tag] = leg.way;
    if (leg?.security !== undefined) (srtp ??= {})[tag] = leg.security;
  }
  const codecs = codecsOf(legs);
  if (dtmf === undefined) return srtp === undefined ? { codecs } : { codecs, srtp };
  return srtp === undefined ? { codecs, dtmf } : { codecs, dtmf, srtp };
}

/** Codec by leg, as far as it is known. */
function codecsOf(legs: ReadonlyMap<string, LegState>): Readonly<Record<string, string>> {
  const codecs: Record<string, string> = {};
  for (const [tag, { codec }] of legs) {
    if (codec !== undefined) codecs[tag] = formatCodec(codec);
  }
  return codecs;
}

/** What becomes of an offer's video: it goes on when both sides may have it. */
export function videoOfOffer(
  { offerer, answerer }: Exchange,
  description: LegDescription,
  known: BranchState | undefined,
): VideoUse {
  const isWanted = offerer.video === true && answerer.video === true;
  if (isWanted && description.video !== undefined) return "own";
  return known?.hasVideo === true ? "rejected" : "none";
}

/** What becomes of an answer's video: there is none but to an offer with it. */
export function videoOfAnswer(
  { offerer, answerer }: Exchange,
  state: BranchState | undefined,
): VideoUse {
  if (state?.hasVideo !== true) return "none";
  return offerer.video === true && answerer.video === true ? "own" : "rejected";
}

/** A reply whose SDP says this direction. */
export function withDirectionOf(reply: NgReply, direction: MediaDirection | undefined): NgReply {
  const { sdp } = reply;
  if (direction === undefined || typeof sdp !== "string") return reply;
  return { ...reply, sdp: withDirection(sdp, direction) };
}

/**
 * The attempt of a call that has had one only, and that was answered: with one of its two tags
 * rtpengine deletes the call and replies with its statistics, in one command.
 *
 * @param hasCopies whether there are other tags than those two
 */
export function onlyPair(
  branches: ReadonlyMap<string, BranchState>,
  attempts: number,
  hasCopies: boolean,
): BranchState | undefined {
  const [only] = branches.values();
  return attempts === 1 && !hasCopies && only?.isAnswered === true ? only : undefined;
}

/** An `ERR_OFFHOOK_MEDIA_UNAVAILABLE`. */
export function noRtpengine(): MediaError {
  return new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "no rtpengine answers");
}

/**
 * A leg keeps the number of its telephone-event when its sound comes to be transcoded: rtpengine
 * would make up another one for it, and know the old one no more.
 */
export function withEventsOf(
  events: Codec | undefined,
  plan: CodecPlan,
  codecs: readonly Codec[],
): readonly Codec[] {
  if (events === undefined || plan.transcoding?.["transcode"] === undefined) return codecs;
  const isFree = codecs.every(({ payloadType }) => payloadType !== events.payloadType);
  return isFree ? [...codecs, events] : codecs;
}
