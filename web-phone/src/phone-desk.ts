/** What the parts of the phone share: the state, the agent, and the way to the microphone. */
import type { OutgoingAudio, PhoneAgent } from "./agent/phone-agent.ts";
import type { MicrophoneProblem } from "./call.ts";
import type { CallEnd } from "./call-end.ts";
import type { PhoneEvent, PhoneState } from "./state.ts";

/** What becomes of a microphone that was asked for. */
export interface MicrophoneUse<Audio> {
  /** Whether there is still a use for it when the browser has answered. */
  readonly isWanted: () => boolean;
  readonly open: (audio: Audio) => void;
  readonly failed: (problem: MicrophoneProblem) => void;
}

/** See the head of this file. */
export interface PhoneDesk<Audio extends OutgoingAudio> {
  readonly state: () => PhoneState;
  readonly dispatch: (event: PhoneEvent) => void;
  readonly agent: () => PhoneAgent<Audio> | undefined;
  readonly newId: () => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Asks for the microphone as it is chosen. */
  readonly withMicrophone: (id: string, use: MicrophoneUse<Audio>) => void;
  /** Calls the number; the calls that are up are put on hold. */
  readonly place: (number: string, consultsFor?: string) => void;
  readonly setHeld: (id: string, isHeld: boolean) => void;
  readonly end: (id: string, end: CallEnd) => void;
}
