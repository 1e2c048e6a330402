import { randomToken } from "../core/ids.ts";
import type { BrowserAnchor, BrowserChanges } from "./browser-anchor.ts";
import type { BrowserEndpoint } from "./browser-endpoint.ts";
import type { Codec } from "./codecs.ts";
import { MediaError } from "./errors.ts";
import type { NgCommands } from "./ng-client.ts";
import type { CodecPlan, FlaggedArguments, OfferedTransport } from "./profile.ts";
import type { RtpengineNode } from "./rtpengine-node.ts";
import type { Sdp } from "./sdp.ts";
import { findAttribute, formatSdp, newOriginId } from "./sdp.ts";
import type { LegDescription, LegLayout } from "./sdp-filter.ts";
import type { DtmfWay, MediaLeg } from "./session.ts";
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
  };
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

/** A browser's SDP without its ICE and DTLS: it will be asked for new ones. */
export function withoutTransport(description: LegDescription, leg: MediaLeg): LegDescription {
  if (leg.kind !== "webrtc") return description;
  const { audio } = description;
  const isKept = ({ name }: { readonly name: string }): boolean =>
    !name.startsWith("ice-") && name !== "candidate" && name !== "fingerprint" && name !== "setup";
  return { ...description, audio: { ...audio, attributes: audio.attributes.filter(isKept) } };
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
