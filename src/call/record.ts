import type { EndReason } from "../core/end-reason.ts";
import type { TraceStep } from "../dialplan/decision.ts";
import type { StreamQuality } from "../media/session.ts";
import type { SegmentLoss } from "./loss.ts";
import type { BrowserQuality } from "./quality-info.ts";

/** How a call ended, for statistics and search. */
export type CallResult =
  | "success"
  | "client_error"
  | "server_error"
  | "upstream_error"
  | "indeterminate";

/** One side of a call, as the API shows it. */
export interface LegView {
  /** `caller`, `callee-1`, …: the same tag stands in rtpengine. */
  readonly tag: string;
  readonly kind: "user" | "trunk" | "service";
  /** User id, trunk id, or the service's name. */
  readonly id: string;
  readonly instanceId?: string;
  readonly direction: "in" | "out";
  readonly sipCallId?: string;
  readonly remoteAgent?: string;
  /** Header fields of the caller that went on to this leg, where a trunk's `headers` let them. */
  readonly headers?: readonly HeaderView[];
  readonly state: "trying" | "ringing" | "answered" | "ended";
}

/** A header field. */
export interface HeaderView {
  readonly name: string;
  readonly value: string;
}

/** Something that happened in a call, in order; `atMs` counts from its start. */
export interface TimelineEntry {
  readonly atMs: number;
  readonly event: string;
  readonly detail?: string;
}

/** Digits that the gateway itself carried, in one direction and way. */
export interface DigitsView {
  readonly from: string;
  /** As they came: as events in RTP, in SIP INFO, or as tones in the sound. */
  readonly as: "rfc4733" | "info" | "inband";
  readonly to: string;
  /** As they went on. */
  readonly way: "rfc4733" | "info" | "inband";
  /** Those that rtpengine has played, or that the far end's 200 has taken. */
  readonly count: number;
  /** Those that were not; undefined: none. */
  readonly lost?: number;
}

/** How the sound of a call fares, or fared at last. */
export interface QualityView {
  /** By leg tag: its packets that reached the gateway, and how it says that it hears the other. */
  readonly legs: Readonly<Record<string, StreamQuality>>;
  /** What each browser says, by leg tag, with the lost share of each part of the way, 0 to 1. */
  readonly browsers: Readonly<Record<string, BrowserQuality & { readonly loss?: SegmentLoss }>>;
  /** One sentence that says where packets are lost, when people hear it. */
  readonly problem?: string;
}

/** What is known of a call's media. */
export interface MediaView {
  readonly policy: string;
  /** Who chose the policy; `phone`: the browser asked for Opus within the call. */
  readonly policyBy: "route" | "trunk" | "default" | "phone";
  /** How digits go to each leg, by leg tag. */
  readonly dtmf?: Readonly<Record<string, "rfc4733" | "info" | "inband" | "none">>;
  /** Digits that came or went by SIP INFO, or came as tones. Others cross in RTP, uncounted. */
  readonly digits?: readonly DigitsView[];
  /** How each leg's media is encrypted, by leg tag. */
  readonly srtp?: Readonly<Record<string, "none" | "sdes" | "dtls">>;
  /** Codec by leg tag. */
  readonly codecs: Readonly<Record<string, string>>;
  readonly isTranscoded: boolean;
  readonly packetsFrom: Readonly<Record<string, number>>;
  readonly quality?: QualityView;
  readonly mos?: number;
}

/** A recording of a call. */
export interface RecordingView {
  /** Its name in `recording.directory`; `….part` until it is done. */
  readonly file: string;
  readonly state: "recording" | "done" | "failed";
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Why it failed. */
  readonly detail?: string;
}

/** A transfer that an end of a call has asked for. */
export interface TransferNote {
  /** The leg of the one who asked, and who that is. */
  readonly by: { readonly tag: string; readonly kind: "user" | "trunk"; readonly id: string };
  /** `attended`: to somebody whom the same party was talking to. */
  readonly kind: "blind" | "attended";
  /** The number, or the user. */
  readonly to: string;
  readonly result: "pending" | "done" | "failed";
  readonly sipStatus?: number;
  /** The call that goes on with the transferred party. */
  readonly call?: string;
}

/** A live call: plain JSON, the shape of `GET /api/v1/calls/{id}`. */
export interface CallView {
  readonly id: string;
  readonly state: "setup" | "ringing" | "connected" | "held" | "ended";
  /** User id or trunk id with its kind, and the number that was shown. */
  readonly from: { readonly kind: "user" | "trunk"; readonly id: string; readonly number: string };
  /** What was dialled. */
  readonly to: string;
  /** The route of the dialplan that decided. */
  readonly route?: string;
  /** The rules that were looked at, in order, and what the deciding one did. */
  readonly trace?: readonly TraceStep[];
  /** How many rules before the first of `trace` are not told. */
  readonly rulesOmitted?: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly answeredAt?: string;
  readonly legs: readonly LegView[];
  /** The last ones, in order. */
  readonly transfers?: readonly TransferNote[];
  /** The call that this one was transferred from, and by whom; Replaces has no `by`. */
  readonly transferredFrom?: { readonly call: string; readonly by?: TransferNote["by"] };
  readonly media?: MediaView;
  readonly recordings?: readonly RecordingView[];
  readonly timeline: readonly TimelineEntry[];
}

/** A finished call: the shape of a row of `GET /api/v1/cdrs`. */
export interface CallRecord extends Omit<CallView, "state"> {
  readonly endedAt: string;
  /** Answer to end, milliseconds; 0 for a call that was never answered. */
  readonly durationMs: number;
  /** INVITE to answer or failure, milliseconds. */
  readonly setupMs: number;
  readonly result: CallResult;
  readonly end: EndReason & {
    /** Who ended it. */
    readonly by: "caller" | "callee" | "gateway";
  };
}

/**
 * Whether a call ended only because the PBX that owns the caller asked who it is: the caller calls
 * again at once with the answer, and that is the call.
 */
export function isChallenge({ end }: Pick<CallRecord, "end">): boolean {
  return end.by === "callee" && (end.sipStatus === 401 || end.sipStatus === 407);
}
