/**
 * Everything that the screens show, as plain data, and the one function that changes it. No DOM, no
 * timer, no socket: what happens comes in as an event, with its time where time matters. An event
 * that makes no sense in a state leaves the state as it is.
 */
import type { LossSegment } from "./agent/phone-agent.ts";
import { type CallEnd, type EndKind, isQuietEnd } from "./call-end.ts";

/** The connection to the gateway. */
export type Link =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting" }
  | { readonly kind: "registering" }
  | { readonly kind: "ready" }
  /** Was up before; `attempt` counts from 1, `retryAt` is the time of the next one (ms). */
  | { readonly kind: "reconnecting"; readonly attempt: number; readonly retryAt: number }
  /** Never came up since the sign-in. */
  | { readonly kind: "unreachable"; readonly attempt: number; readonly retryAt: number }
  /** The gateway does not want this user; nothing is tried again by itself. */
  | { readonly kind: "refused"; readonly status: number; readonly reasonPhrase: string };

/** Why a sign-in did not work, or why one is asked for again. */
export type SignInProblem =
  | "wrong-password"
  | "too-many"
  | "unreachable"
  | "server-failed"
  | "expired"
  | "insecure-page";

/** The signed-in user, or the way there. */
export type SignIn =
  | { readonly kind: "signed-out"; readonly problem: SignInProblem | undefined }
  | { readonly kind: "signing-in" }
  | { readonly kind: "signed-in"; readonly userId: string; readonly name: string };

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
  /** Set while an incoming call waits for a microphone that cannot be had. */
  readonly microphoneProblem: MicrophoneProblem | undefined;
}

/** A line of the list of recent calls. */
export interface RecentCall {
  readonly id: string;
  readonly direction: "outgoing" | "incoming";
  readonly number: string;
  readonly name: string | undefined;
  readonly startedAt: number;
  /** 0 when nobody answered. */
  readonly durationMs: number;
  readonly kind: EndKind;
}

/** What the phone remembers between two visits of the same user. */
export interface Memory {
  readonly recent: readonly RecentCall[];
  readonly lastNumber: string;
}

/** The whole phone. */
export interface PhoneState {
  readonly signIn: SignIn;
  readonly link: Link;
  /** The session has run out; sign-in is asked for as soon as no call is up. */
  readonly isExpired: boolean;
  readonly draft: string;
  readonly call: Call | undefined;
  readonly recent: readonly RecentCall[];
  readonly lastNumber: string;
  /** The number of a second caller who just got a busy tone. */
  readonly turnedAway: string | undefined;
  readonly isSettingsOpen: boolean;
  readonly isRawAudio: boolean;
}

/** What can happen to the phone. */
export type PhoneEvent =
  | { readonly type: "sign-in-started" }
  | { readonly type: "sign-in-failed"; readonly problem: SignInProblem }
  | {
      readonly type: "signed-in";
      readonly userId: string;
      readonly name: string;
      readonly memory: Memory;
    }
  | { readonly type: "signed-out"; readonly problem?: SignInProblem | undefined }
  | { readonly type: "session-expired" }
  | { readonly type: "link-connecting" }
  | { readonly type: "link-registering" }
  | { readonly type: "link-ready" }
  | { readonly type: "link-lost"; readonly attempt: number; readonly retryAt: number }
  | { readonly type: "link-refused"; readonly status: number; readonly reasonPhrase: string }
  | { readonly type: "draft-changed"; readonly text: string }
  | {
      readonly type: "call-started";
      readonly id: string;
      readonly number: string;
      readonly at: number;
    }
  | {
      readonly type: "call-arrived";
      readonly id: string;
      readonly number: string;
      readonly name: string | undefined;
      readonly at: number;
    }
  | { readonly type: "caller-turned-away"; readonly number: string }
  | { readonly type: "microphone-slow"; readonly id: string }
  | { readonly type: "microphone-failed"; readonly id: string; readonly problem: MicrophoneProblem }
  | { readonly type: "invite-sent"; readonly id: string }
  | { readonly type: "ringing"; readonly id: string }
  | { readonly type: "early-media"; readonly id: string }
  | { readonly type: "answer-started"; readonly id: string }
  | {
      readonly type: "connected";
      readonly id: string;
      readonly at: number;
      readonly name: string | undefined;
    }
  | { readonly type: "hold-started"; readonly id: string }
  | { readonly type: "hold-changed"; readonly id: string; readonly isHeld: boolean }
  | { readonly type: "peer-hold-changed"; readonly id: string; readonly isHeld: boolean }
  | { readonly type: "mute-changed"; readonly id: string; readonly isMuted: boolean }
  | { readonly type: "keypad-toggled"; readonly id: string }
  | { readonly type: "digit-sent"; readonly id: string; readonly digit: string }
  | { readonly type: "media-changed"; readonly id: string; readonly media: MediaState }
  | {
      readonly type: "loss-changed";
      readonly id: string;
      readonly segment: LossSegment | undefined;
    }
  | { readonly type: "call-ended"; readonly id: string; readonly end: CallEnd; readonly at: number }
  | { readonly type: "call-dismissed" }
  | { readonly type: "settings-toggled"; readonly isOpen: boolean }
  | { readonly type: "raw-audio-changed"; readonly isRawAudio: boolean };

const RECENT_LIMIT = 30;
const DIGITS_SHOWN = 32;

/** The phone before anything happened. */
export const initialState: PhoneState = {
  signIn: { kind: "signed-out", problem: undefined },
  link: { kind: "idle" },
  isExpired: false,
  draft: "",
  call: undefined,
  recent: [],
  lastNumber: "",
  turnedAway: undefined,
  isSettingsOpen: false,
  isRawAudio: false,
};

/** Whether a call holds the line now; an ended one that is still on the screen does not. */
export function isInCall(state: PhoneState): boolean {
  return state.call !== undefined && state.call.phase !== "ended";
}

/** Whether a call can be placed now. */
export function canCall(state: PhoneState): boolean {
  return state.link.kind === "ready" && !isInCall(state);
}

/** One word for a call's state, holding included: what the screen's `data-state` says. */
export function callStateOf(call: Call): CallPhase | "local-hold" | "remote-hold" {
  if (call.phase !== "connected") return call.phase;
  if (call.isHeld) return "local-hold";
  return call.isHeldByPeer ? "remote-hold" : "connected";
}

function newCall(
  direction: Call["direction"],
  phase: CallPhase,
  event: {
    readonly id: string;
    readonly number: string;
    readonly at: number;
    readonly name?: string | undefined;
  },
): Call {
  return {
    id: event.id,
    direction,
    number: event.number,
    name: event.name,
    phase,
    startedAt: event.at,
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
    microphoneProblem: undefined,
  };
}

/** Changes the call of that id if it is in one of the phases; anything else leaves the state. */
function withCall(
  state: PhoneState,
  id: string,
  phases: readonly CallPhase[],
  change: (call: Call) => Partial<Call>,
): PhoneState {
  const call = state.call;
  if (call === undefined || call.id !== id || !phases.includes(call.phase)) return state;
  return { ...state, call: { ...call, ...change(call) } };
}

function withLink(state: PhoneState, link: Link): PhoneState {
  return state.signIn.kind === "signed-in" ? { ...state, link } : state;
}

function lost(state: PhoneState, attempt: number, retryAt: number): PhoneState {
  const before = state.link.kind;
  const wasUp = before === "ready" || before === "reconnecting";
  return withLink(state, { kind: wasUp ? "reconnecting" : "unreachable", attempt, retryAt });
}

function ended(state: PhoneState, id: string, end: CallEnd, at: number): PhoneState {
  const call = state.call;
  if (call === undefined || call.id !== id || call.phase === "ended") return state;
  const record: RecentCall = {
    id: call.id,
    direction: call.direction,
    number: call.number,
    name: call.name,
    startedAt: call.startedAt,
    durationMs: call.answeredAt === undefined ? 0 : Math.max(0, at - call.answeredAt),
    kind: end.kind,
  };
  return {
    ...state,
    call: { ...call, phase: "ended", end, endedAt: at, isKeypadOpen: false },
    recent: [record, ...state.recent].slice(0, RECENT_LIMIT),
    turnedAway: undefined,
  };
}

/** The state after the event. Pure. */
export function reduce(state: PhoneState, event: PhoneEvent): PhoneState {
  switch (event.type) {
    case "sign-in-started":
      return state.signIn.kind === "signed-out"
        ? { ...state, signIn: { kind: "signing-in" } }
        : state;
    case "sign-in-failed":
      return state.signIn.kind === "signing-in"
        ? { ...state, signIn: { kind: "signed-out", problem: event.problem } }
        : state;
    case "signed-in":
      return {
        ...initialState,
        isRawAudio: state.isRawAudio,
        signIn: { kind: "signed-in", userId: event.userId, name: event.name },
        link: { kind: "connecting" },
        recent: event.memory.recent,
        lastNumber: event.memory.lastNumber,
      };
    case "signed-out":
      return {
        ...initialState,
        isRawAudio: state.isRawAudio,
        signIn: { kind: "signed-out", problem: event.problem },
      };
    case "session-expired":
      return state.signIn.kind === "signed-in" ? { ...state, isExpired: true } : state;

    case "link-connecting":
      // A new attempt of a lost link keeps its word and its count on the screen.
      return state.link.kind === "reconnecting" || state.link.kind === "unreachable"
        ? state
        : withLink(state, { kind: "connecting" });
    case "link-registering":
      return state.link.kind === "reconnecting" || state.link.kind === "ready"
        ? state
        : withLink(state, { kind: "registering" });
    case "link-ready":
      return withLink(state, { kind: "ready" });
    case "link-lost":
      return lost(state, event.attempt, event.retryAt);
    case "link-refused":
      return withLink(state, {
        kind: "refused",
        status: event.status,
        reasonPhrase: event.reasonPhrase,
      });

    case "draft-changed": {
      // Typing is the next thing: what the last call's end said has been read.
      const call = state.call?.phase === "ended" ? undefined : state.call;
      return { ...state, draft: event.text, call };
    }
    case "call-started":
      return canCall(state)
        ? {
            ...state,
            call: newCall("outgoing", "preparing", event),
            lastNumber: event.number,
            draft: "",
          }
        : state;
    case "call-arrived":
      return isInCall(state) || state.signIn.kind !== "signed-in"
        ? state
        : {
            ...state,
            call: newCall("incoming", "incoming", event),
            isSettingsOpen: false,
          };
    case "caller-turned-away":
      return isInCall(state) ? { ...state, turnedAway: event.number } : state;

    case "microphone-slow":
      return withCall(state, event.id, ["preparing", "answering"], () => ({
        isAskingForMicrophone: true,
      }));
    case "microphone-failed":
      return withCall(state, event.id, ["answering"], () => ({
        phase: "incoming",
        isAskingForMicrophone: false,
        microphoneProblem: event.problem,
      }));
    case "invite-sent":
      return withCall(state, event.id, ["preparing"], () => ({
        phase: "calling",
        isAskingForMicrophone: false,
      }));
    case "ringing":
      return withCall(state, event.id, ["calling", "ringing"], () => ({ phase: "ringing" }));
    case "early-media":
      return withCall(state, event.id, ["calling", "ringing"], () => ({ phase: "early-media" }));
    case "answer-started":
      return withCall(state, event.id, ["incoming"], () => ({
        phase: "answering",
        microphoneProblem: undefined,
      }));
    case "connected":
      return withCall(
        state,
        event.id,
        ["calling", "ringing", "early-media", "answering"],
        (call) => ({
          phase: "connected",
          answeredAt: event.at,
          isAskingForMicrophone: false,
          name: event.name ?? call.name,
        }),
      );
    case "hold-started":
      return withCall(state, event.id, ["connected"], () => ({ isHoldPending: true }));
    case "hold-changed":
      return withCall(state, event.id, ["connected"], () => ({
        isHoldPending: false,
        isHeld: event.isHeld,
      }));
    case "peer-hold-changed":
      return withCall(state, event.id, ["connected"], () => ({ isHeldByPeer: event.isHeld }));
    case "mute-changed":
      return withCall(state, event.id, ["calling", "ringing", "early-media", "connected"], () => ({
        isMuted: event.isMuted,
      }));
    case "keypad-toggled":
      return withCall(state, event.id, ["early-media", "connected"], (call) => ({
        isKeypadOpen: !call.isKeypadOpen,
      }));
    case "digit-sent":
      return withCall(state, event.id, ["early-media", "connected"], (call) => ({
        digits: `${call.digits}${event.digit}`.slice(-DIGITS_SHOWN),
      }));
    case "media-changed":
      return withCall(
        state,
        event.id,
        ["calling", "ringing", "early-media", "answering", "connected"],
        () => ({ media: event.media }),
      );
    case "loss-changed":
      return withCall(state, event.id, ["connected"], () => ({ loss: event.segment }));
    case "call-ended":
      return ended(state, event.id, event.end, event.at);
    case "call-dismissed":
      return state.call?.phase === "ended" ? { ...state, call: undefined } : state;

    case "settings-toggled":
      return { ...state, isSettingsOpen: event.isOpen };
    case "raw-audio-changed":
      return { ...state, isRawAudio: event.isRawAudio };
  }
}

/** Which screen fills the phone's pane. */
export type Screen = "sign-in" | "dial" | "incoming" | "call" | "problem";

/** The one screen for a state. A quiet end shows as a line on the dial screen. */
export function screenOf(state: PhoneState): Screen {
  if (state.signIn.kind !== "signed-in") return "sign-in";
  const call = state.call;
  if (call === undefined) return "dial";
  switch (call.phase) {
    case "incoming":
    case "answering":
      return "incoming";
    case "ended":
      return call.end === undefined || isQuietEnd(call.end.kind) ? "dial" : "problem";
    case "preparing":
    case "calling":
    case "ringing":
    case "early-media":
    case "connected":
      return "call";
  }
}
