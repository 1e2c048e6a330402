import type { PadKey } from "../number.ts";

/** What the screens can ask for; functions that need no `this`. */
export interface PhoneActions {
  readonly signIn: (user: string, password: string) => Promise<void>;
  readonly signOut: () => void;
  readonly reconnectNow: () => void;
  readonly changeDraft: (text: string) => void;
  readonly dial: (text?: string) => void;
  readonly redial: () => void;
  readonly press: (key: PadKey) => void;
  readonly answer: () => void;
  readonly end: () => void;
  readonly toggleMute: () => void;
  readonly toggleHold: () => void;
  readonly toggleKeypad: () => void;
  readonly dismiss: () => void;
  readonly followUp: () => void;
  readonly showSettings: (isOpen: boolean) => void;
  readonly setRawAudio: (isRaw: boolean) => void;
}
