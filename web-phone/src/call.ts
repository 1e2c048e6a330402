/** One call as plain data, as the screens show it. Who changes it is `state.ts`. */
import type { LossSegment } from "./agent/phone-agent.ts";
import type { CallEnd } from "./call-end.ts";
import type { QualityReading, QualityWarning } from "./quality.ts";
import { NO_VIDEO, type Video } from "./video.ts";

/** Steps of a call's life; holding and muting are beside it. */
export type CallPhase =
  | "preparing"
  | "calling"
  | "ringing"
  | "early-media"
  | "incoming"
  | "answering"
  | "connected"
  | "ended";

/** Whether sound can flow. */
export type MediaState = "new" | "flowing" | "interrupted";

/** Why the microphone cannot be used. */
export type MicrophoneProblem = "microphone-blocked" | "microphone-missing" | "microphone-busy";

/** How far a transfer of a call has come. */
export type Transfer =
  /** The user looks for a target; digits go into `text` and nowhere else. */
  | { readonly kind: "picking"; readonly text: string }
  /** The user asks the target first, in the call of that id. */
  | { readonly kind: "consulting"; readonly callId: string }
  /** Asked for; `status` is the last that the far end told of the new call (RFC 3515 §2.4.5). */
  | { readonly kind: "transferring"; readonly target: string; readonly status: number }
  /** Did not come off, and the call is back. */
  | {
      readonly kind: "failed";
      readonly target: string;
      readonly status: number;
      readonly reasonPhrase: string;
    };

/** One call. Times are milliseconds since the epoch. */
export interface Call {
  readonly id: string;
  readonly direction: "outgoing" | "incoming";
  readonly number: string;
  readonly name: string | undefined;
  readonly phase: CallPhase;
  readonly startedAt: number;
  readonly answeredAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly end: CallEnd | undefined;
  readonly isHeld: boolean;
  readonly isHeldByPeer: boolean;
  readonly isHoldPending: boolean;
  readonly isMuted: boolean;
  readonly isKeypadOpen: boolean;
  /** The digits sent in this call, for the display. */
  readonly digits: string;
  readonly media: MediaState;
  /** Where packets are lost that people miss. */
  readonly loss: LossSegment | undefined;
  /** The browser has been asking for the microphone for a while. */
  readonly isAskingForMicrophone: boolean;
  /** The user wants to hear it ring no more; it still waits for an answer. */
  readonly isSilenced: boolean;
  /** Set while an incoming call waits for a microphone that cannot be had. */
  readonly microphoneProblem: MicrophoneProblem | undefined;
  /** One conversation with the other joined calls: everybody hears everybody. */
  readonly isJoined: boolean;
  readonly transfer: Transfer | undefined;
  /** Set on the call that asks the target of a transfer first: the call that is to be transferred. */
  readonly consultsFor: string | undefined;
  /** Whom the far end asks us to call instead (REFER); nobody is called before the user says so. */
  readonly referral: string | undefined;
  readonly video: Video;
  /** The last minutes of the sound, one reading a second, the newest last. */
  readonly quality: readonly QualityReading[];
  readonly warnings: readonly QualityWarning[];
}

/** A call at its begin. */
export function newCall(
  direction: Call["direction"],
  phase: CallPhase,
  begin: {
    readonly id: string;
    readonly number: string;
    readonly at: number;
    readonly name?: string | undefined;
    readonly consultsFor?: string | undefined;
    readonly hasVideo?: boolean | undefined;
  },
): Call {
  return {
    id: begin.id,
    direction,
    number: begin.number,
    name: begin.name,
    phase,
    startedAt: begin.at,
    answeredAt: undefined,
    endedAt: undefined,
    end: undefined,
    isHeld: false,
    isHeldByPeer: false,
    isHoldPending: false,
    isMuted: false,
    isKeypadOpen: false,
    digits: "",
    media: "new",
    loss: undefined,
    isAskingForMicrophone: false,
    isSilenced: false,
    microphoneProblem: undefined,
    isJoined: false,
    transfer: undefined,
    consultsFor: begin.consultsFor,
    referral: undefined,
    video: { ...NO_VIDEO, isOffered: direction === "incoming" && begin.hasVideo === true },
    quality: [],
    warnings: [],
  };
}

/** One word for a call's state, holding included: what the screen's `data-state` says. */
export function callStateOf(call: Call): CallPhase | "local-hold" | "remote-hold" {
  if (call.phase !== "connected") return call.phase;
  if (call.isHeld) return "local-hold";
  return call.isHeldByPeer ? "remote-hold" : "connected";
}
