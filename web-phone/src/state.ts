/**
 * Everything that the screens show, as plain data, and the one function that changes it. No DOM, no
 * timer, no socket: what happens comes in as an event, with its time where time matters. An event
 * that makes no sense in a state leaves the state as it is.
 */
import type { LossSegment } from "./agent/phone-agent.ts";
import { type Around, type AroundEvent, NOTHING_AROUND, reduceAround } from "./around.ts";
import {
  type Call,
  type CallPhase,
  type MediaState,
  type MicrophoneProblem,
  newCall,
} from "./call.ts";
import { type CallEnd, isQuietEnd } from "./call-end.ts";
import { type DeviceEvent, type Devices, NO_DEVICES, reduceDevices } from "./devices.ts";
import {
  activate,
  callsOf,
  changeCall,
  findCall,
  liveCallsOf,
  removeCall,
  type Lines,
} from "./lines.ts";
import { type QualityReading, READINGS_KEPT, warningsOf } from "./quality.ts";
import {
  type Memory,
  NO_RECENTS,
  type RecentCall,
  type Recents,
  type RecentsEvent,
  reduceRecents,
  withRecent,
} from "./recents.ts";
import { reduceVideo, type VideoEvent } from "./video.ts";

export type { Call, CallPhase, MediaState, MicrophoneProblem } from "./call.ts";
export { callStateOf } from "./call.ts";
export type { Memory, RecentCall } from "./recents.ts";

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
  | {
      readonly kind: "signed-in";
      readonly userId: string;
      readonly name: string;
      /** False where the gateway lets no pictures through. */
      readonly hasVideo?: boolean | undefined;
    };

/**
 * Whether this tab has the phone. A user's other tabs show what the leading one does and send it
 * what their user wants.
 */
export type TabRole = "leader" | "follower";

/** The whole phone. */
export interface PhoneState extends Lines, Recents {
  readonly tab: TabRole;
  readonly signIn: SignIn;
  readonly link: Link;
  /** The session has run out; sign-in is asked for as soon as no call is up. */
  readonly isExpired: boolean;
  readonly draft: string;
  /** The user looks for somebody to call beside the calls that are up. */
  readonly isAddingCall: boolean;
  /** The name or number of another caller who just got a busy tone. */
  readonly turnedAway: string | undefined;
  readonly isSettingsOpen: boolean;
  readonly isRawAudio: boolean;
  readonly devices: Devices;
  readonly around: Around;
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
      readonly hasVideo?: boolean | undefined;
    }
  | { readonly type: "signed-out"; readonly problem?: SignInProblem | undefined }
  | { readonly type: "session-expired" }
  | { readonly type: "tab-changed"; readonly tab: TabRole }
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
      /** The call that is to be transferred to this one, when its target is asked first. */
      readonly consultsFor?: string | undefined;
    }
  | {
      readonly type: "call-arrived";
      readonly id: string;
      readonly number: string;
      readonly name: string | undefined;
      readonly at: number;
      readonly hasVideo?: boolean | undefined;
    }
  /** Got a busy tone: all lines are taken, or the user wants to be left alone. */
  | {
      readonly type: "caller-turned-away";
      readonly id: string;
      readonly number: string;
      readonly name: string | undefined;
      readonly at: number;
    }
  | { readonly type: "microphone-slow"; readonly id: string }
  | { readonly type: "microphone-failed"; readonly id: string; readonly problem: MicrophoneProblem }
  | { readonly type: "invite-sent"; readonly id: string }
  | { readonly type: "ringing"; readonly id: string }
  | { readonly type: "early-media"; readonly id: string }
  | { readonly type: "answer-started"; readonly id: string }
  | { readonly type: "ring-silenced"; readonly id: string; readonly isSilenced: boolean }
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
  | { readonly type: "call-activated"; readonly id: string }
  | { readonly type: "adding-toggled"; readonly isAdding: boolean }
  | { readonly type: "calls-joined"; readonly ids: readonly string[] }
  | { readonly type: "transfer-picking"; readonly id: string; readonly text: string }
  | { readonly type: "transfer-started"; readonly id: string; readonly target: string }
  | { readonly type: "transfer-progressed"; readonly id: string; readonly status: number }
  | {
      readonly type: "transfer-failed";
      readonly id: string;
      readonly status: number;
      readonly reasonPhrase: string;
    }
  | { readonly type: "transfer-closed"; readonly id: string }
  | { readonly type: "referral-changed"; readonly id: string; readonly target: string | undefined }
  | VideoEvent
  | { readonly type: "quality-read"; readonly id: string; readonly reading: QualityReading }
  | DeviceEvent
  | AroundEvent
  | RecentsEvent
  | { readonly type: "settings-toggled"; readonly isOpen: boolean }
  | { readonly type: "raw-audio-changed"; readonly isRawAudio: boolean };

const WITH_VIDEO: readonly CallPhase[] = [
  "calling",
  "ringing",
  "early-media",
  "answering",
  "connected",
];
const DIGITS_SHOWN = 32;
/** Calls at once, ringing ones included. */
export const LINES_LIMIT = 6;

/** The phone before anything happened. */
export const initialState: PhoneState = {
  signIn: { kind: "signed-out", problem: undefined },
  link: { kind: "idle" },
  isExpired: false,
  draft: "",
  isAddingCall: false,
  tab: "leader",
  call: undefined,
  others: [],
  ...NO_RECENTS,
  turnedAway: undefined,
  isSettingsOpen: false,
  isRawAudio: false,
  devices: NO_DEVICES,
  around: NOTHING_AROUND,
};

/** Whether a call holds a line now; an ended one that is still on the screen does not. */
export function isInCall(state: PhoneState): boolean {
  return liveCallsOf(state).length > 0;
}

/** Whether calls may have pictures: the user wants them, and the gateway lets them through. */
export function hasVideo({ signIn, devices }: PhoneState): boolean {
  return signIn.kind === "signed-in" && signIn.hasVideo !== false && devices.chosen.hasVideo;
}

/** Whether a call that we place waits for its answer. */
function isPlacing(call: Call): boolean {
  return ["preparing", "calling", "ringing", "early-media"].includes(call.phase);
}

/** Whether a call can be placed now; beside others only where the user has asked for one more. */
export function canCall(state: PhoneState): boolean {
  const live = liveCallsOf(state);
  if (state.link.kind !== "ready" || live.some(isPlacing)) return false;
  return live.length === 0 || (state.isAddingCall && live.length < LINES_LIMIT);
}

/** Whether the target of a transfer can be asked first now. */
export function canConsult(state: PhoneState): boolean {
  return canCall({ ...state, isAddingCall: true });
}

/** Changes the call of that id if it is in one of the phases; anything else leaves the state. */
function withCall(
  state: PhoneState,
  id: string,
  phases: readonly CallPhase[],
  change: (call: Call) => Partial<Call> | undefined,
): PhoneState {
  return changeCall(state, id, (call) => (phases.includes(call.phase) ? change(call) : undefined));
}

/** What a setting or the world around the calls is survives a sign-out in this. */
function fresh(state: PhoneState): PhoneState {
  const { isDoNotDisturb } = state.around;
  return {
    ...initialState,
    isRawAudio: state.isRawAudio,
    devices: state.devices,
    around: { ...NOTHING_AROUND, isDoNotDisturb },
  };
}

function started(
  state: PhoneState,
  event: Extract<PhoneEvent, { readonly type: "call-started" }>,
): PhoneState {
  const isConsultation = event.consultsFor !== undefined;
  if (!(isConsultation ? canConsult(state) : canCall(state))) return state;
  const next = activate(state, newCall("outgoing", "preparing", event));
  if (event.consultsFor === undefined) {
    return { ...next, lastNumber: event.number, draft: "", isAddingCall: false };
  }
  return changeCall(next, event.consultsFor, () => ({
    transfer: { kind: "consulting", callId: event.id },
  }));
}

function arrived(
  state: PhoneState,
  event: Extract<PhoneEvent, { readonly type: "call-arrived" }>,
): PhoneState {
  if (state.signIn.kind !== "signed-in" || liveCallsOf(state).length >= LINES_LIMIT) return state;
  const call = newCall("incoming", "incoming", event);
  if (isInCall(state)) return { ...state, others: [...state.others, call] };
  return { ...activate(state, call), isSettingsOpen: false };
}

function withLink(state: PhoneState, link: Link): PhoneState {
  return state.signIn.kind === "signed-in" ? { ...state, link } : state;
}

function lost(state: PhoneState, attempt: number, retryAt: number): PhoneState {
  const before = state.link.kind;
  const wasUp = before === "ready" || before === "reconnecting";
  return withLink(state, { kind: wasUp ? "reconnecting" : "unreachable", attempt, retryAt });
}

function meanScoreOf({ quality }: Call): Pick<RecentCall, "mos"> {
  if (quality.length === 0) return {};
  const sum = quality.reduce((total, { mos }) => total + mos, 0);
  return { mos: Math.round((100 * sum) / quality.length) / 100 };
}

function turnedAway(
  state: PhoneState,
  event: Extract<PhoneEvent, { readonly type: "caller-turned-away" }>,
): PhoneState {
  if (state.signIn.kind !== "signed-in") return state;
  const { id, number, name, at } = event;
  const record: RecentCall = {
    id,
    direction: "incoming",
    number,
    name,
    startedAt: at,
    durationMs: 0,
    kind: "missed",
  };
  return {
    ...state,
    ...withRecent(state, record),
    turnedAway: isInCall(state) ? (name ?? number) : undefined,
  };
}

function ended(state: PhoneState, id: string, end: CallEnd, at: number): PhoneState {
  const call = findCall(state, id);
  if (call === undefined || call.phase === "ended") return state;
  const record: RecentCall = {
    id: call.id,
    direction: call.direction,
    number: call.number,
    name: call.name,
    startedAt: call.startedAt,
    durationMs: call.answeredAt === undefined ? 0 : Math.max(0, at - call.answeredAt),
    kind: end.kind,
    ...(end.details.status === undefined ? {} : { status: end.details.status }),
    ...meanScoreOf(call),
  };
  const isOver = (one: Call): boolean => one.id === id;
  const isLast = callsOf(state).every((one) => isOver(one) || one.phase === "ended");
  // A question before a transfer leaves no screen of its own: the call that waits says what came.
  const staysOnScreen =
    state.call?.id === id && call.consultsFor === undefined && (isLast || !isQuietEnd(end.kind));
  const left = staysOnScreen
    ? changeCall(state, id, () => ({ phase: "ended", end, endedAt: at, isKeypadOpen: false }))
    : removeCall(state, id, call.consultsFor);
  const next: PhoneState = {
    ...consultationOver(left, call, end),
    ...withRecent(state, record),
  };
  return isLast ? { ...next, turnedAway: undefined, isAddingCall: false } : splitIfAlone(next);
}

/** The call that waited for the question to its target is back, and says why it was not taken. */
function consultationOver(state: PhoneState, over: Call, end: CallEnd): PhoneState {
  if (over.consultsFor === undefined) return state;
  return changeCall(state, over.consultsFor, ({ transfer }) => {
    if (transfer?.kind !== "consulting" || transfer.callId !== over.id) return undefined;
    if (isQuietEnd(end.kind)) return { transfer: undefined };
    const { status = 0, reasonPhrase = "" } = end.details;
    const target = over.name ?? over.number;
    return { transfer: { kind: "failed", target, status, reasonPhrase } };
  });
}

/** One alone is no conference. */
function splitIfAlone(state: PhoneState): PhoneState {
  const joined = liveCallsOf(state).filter(({ isJoined }) => isJoined);
  const [only] = joined;
  return joined.length === 1 && only !== undefined
    ? changeCall(state, only.id, () => ({ isJoined: false }))
    : state;
}

/** A microphone that comes clears the screen that asked for one. */
function devicesListed(
  state: PhoneState,
  event: Extract<PhoneEvent, { readonly type: "devices-listed" }>,
): PhoneState {
  const next = { ...state, devices: reduceDevices(state.devices, event) };
  const { call } = state;
  const hasCome = state.devices.microphones.length === 0 && event.microphones.length > 0;
  const wasMissed = call?.phase === "ended" && call.end?.kind === "microphone-missing";
  return hasCome && wasMissed && call !== undefined
    ? { ...removeCall(next, call.id), draft: call.number }
    : next;
}

function qualityRead(state: PhoneState, id: string, reading: QualityReading): PhoneState {
  return withCall(state, id, ["connected"], (call) => {
    const quality = [...call.quality, reading].slice(-READINGS_KEPT);
    const warnings = warningsOf(quality, call.warnings, {
      received: call.isHeld || call.isHeldByPeer,
      sent: call.isHeld || call.isHeldByPeer || call.isMuted,
    });
    return { quality, warnings };
  });
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
        ...fresh(state),
        signIn: {
          kind: "signed-in",
          userId: event.userId,
          name: event.name,
          hasVideo: event.hasVideo,
        },
        link: { kind: "connecting" },
        recent: event.memory.recent,
        lastNumber: event.memory.lastNumber,
      };
    case "signed-out":
      return {
        ...fresh(state),
        signIn: { kind: "signed-out", problem: event.problem },
      };
    case "tab-changed":
      return { ...state, tab: event.tab };
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
      const left = state.call?.phase === "ended" ? removeCall(state, state.call.id) : state;
      return { ...left, draft: event.text };
    }
    case "call-started":
      return started(state, event);
    case "call-arrived":
      return arrived(state, event);
    case "caller-turned-away":
      return turnedAway(state, event);

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
    case "ring-silenced":
      return withCall(state, event.id, ["incoming"], () => ({ isSilenced: event.isSilenced }));
    case "answer-started":
      return activateById(
        withCall(state, event.id, ["incoming"], () => ({
          phase: "answering",
          microphoneProblem: undefined,
        })),
        event.id,
        ["answering"],
      );
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
      return state.call?.phase === "ended" ? removeCall(state, state.call.id) : state;
    case "call-activated":
      return activateById(state, event.id, ["connected", "incoming"]);
    case "adding-toggled":
      return { ...state, isAddingCall: event.isAdding && isInCall(state) };
    case "calls-joined":
      return event.ids.length === 1
        ? state
        : callsOf(state).reduce(
            (next, { id }) =>
              withCall(next, id, ["connected"], () => ({ isJoined: event.ids.includes(id) })),
            state,
          );

    case "transfer-picking":
      return withCall(state, event.id, ["connected"], ({ transfer }) =>
        transfer?.kind === "transferring" || transfer?.kind === "consulting"
          ? undefined
          : { transfer: { kind: "picking", text: event.text }, isKeypadOpen: false },
      );
    case "transfer-started":
      return withCall(state, event.id, ["connected"], ({ transfer }) =>
        transfer?.kind === "transferring"
          ? undefined
          : { transfer: { kind: "transferring", target: event.target, status: 0 } },
      );
    case "transfer-progressed":
      return withCall(state, event.id, ["connected"], ({ transfer }) =>
        transfer?.kind === "transferring"
          ? { transfer: { ...transfer, status: event.status } }
          : undefined,
      );
    case "transfer-failed":
      return withCall(state, event.id, ["connected"], ({ transfer }) => {
        if (transfer?.kind !== "transferring") return undefined;
        const { target } = transfer;
        const { status, reasonPhrase } = event;
        return { transfer: { kind: "failed", target, status, reasonPhrase } };
      });
    case "transfer-closed":
      return withCall(state, event.id, ["connected"], ({ transfer }) =>
        transfer?.kind === "picking" || transfer?.kind === "failed"
          ? { transfer: undefined }
          : undefined,
      );
    case "referral-changed":
      return withCall(state, event.id, ["connected"], () => ({ referral: event.target }));

    case "video-asked":
    case "video-changed":
    case "video-failed":
    case "video-notice-closed":
      return withCall(state, event.id, WITH_VIDEO, ({ video }) => ({
        video: reduceVideo(video, event),
      }));
    case "quality-read":
      return qualityRead(state, event.id, event.reading);

    case "recents-cleared":
    case "recents-restored": {
      const { recent, lastNumber, cleared } = state;
      return { ...state, ...reduceRecents({ recent, lastNumber, cleared }, event) };
    }

    case "settings-toggled":
      return { ...state, isSettingsOpen: event.isOpen };
    case "raw-audio-changed":
      return { ...state, isRawAudio: event.isRawAudio };

    case "devices-listed":
      return devicesListed(state, event);
    case "device-chosen":
    case "processing-changed":
    case "video-use-changed":
    case "device-lost":
    case "device-loss-dismissed":
      return { ...state, devices: reduceDevices(state.devices, event) };
    case "do-not-disturb-changed":
    case "voicemail-changed":
    case "lamps-wanted":
    case "lamp-changed":
    case "message-written":
    case "message-settled":
    case "message-arrived":
    case "messages-read":
      return { ...state, around: reduceAround(state.around, event) };
  }
}

function activateById(state: PhoneState, id: string, phases: readonly CallPhase[]): PhoneState {
  const call = findCall(state, id);
  if (state.call === call && !state.isAddingCall) return state;
  if (call === undefined || !phases.includes(call.phase)) return state;
  return { ...activate(state, call), isAddingCall: false };
}

/** Which screen fills the phone's pane. */
export type Screen = "sign-in" | "dial" | "incoming" | "call" | "problem";

/** The one screen for a state. A quiet end shows as a line on the dial screen. */
export function screenOf(state: PhoneState): Screen {
  if (state.signIn.kind !== "signed-in") return "sign-in";
  const call = state.call;
  if (call === undefined || state.isAddingCall) return "dial";
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
