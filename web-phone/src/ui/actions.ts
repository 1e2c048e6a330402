import type { DeviceRole, Processing } from "../devices.ts";
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
  /** The call in the pane, or the one of that id; a call that is up is held. */
  readonly answer: (id?: string) => void;
  /** Lets it wait without a sound, or ring again: the call in the pane, or the one of that id. */
  readonly toggleSilence: (id?: string) => void;
  readonly clearRecents: () => void;
  readonly restoreRecents: () => void;
  readonly endAndAnswer: (id: string) => void;
  /** What is in the pane, or the call of that id. */
  readonly end: (id?: string) => void;
  readonly activate: (id: string) => void;
  readonly swap: () => void;
  readonly join: () => void;
  readonly split: () => void;
  readonly leaveConference: () => void;
  readonly showAdding: (isAdding: boolean) => void;
  readonly openTransfer: () => void;
  readonly changeTransfer: (text: string) => void;
  readonly closeTransfer: () => void;
  readonly transferNow: (text?: string) => void;
  readonly askFirst: (text?: string) => void;
  readonly completeTransfer: () => void;
  readonly acceptReferral: (id: string) => void;
  readonly refuseReferral: (id: string) => void;
  readonly chooseDevice: (role: DeviceRole, id: string) => void;
  readonly setProcessing: (processing: Processing) => void;
  readonly dismissDeviceLoss: () => void;
  readonly setDoNotDisturb: (isOn: boolean) => void;
  readonly watchLamps: (numbers: readonly string[]) => void;
  readonly sendMessage: (to: string, text: string) => void;
  /** Takes the phone from the tab that has it. */
  readonly useHere: () => void;
  readonly downloadReport: () => void;
  /** The phone in a small window above all others, where the browser has such. */
  readonly openMiniWindow: () => void;
  /** Asks the browser to open `tel:` and `sip:` links with this phone. */
  readonly registerLinks: () => void;
  readonly readMessages: (peer: string) => void;
  readonly toggleMute: () => void;
  readonly toggleHold: () => void;
  readonly toggleKeypad: () => void;
  /** Calls what is in the number field, and shows the camera. */
  readonly dialVideo: () => void;
  /** Takes the call in the pane, and shows the camera. */
  readonly answerVideo: () => void;
  /** Shows the camera in the call in the pane, or no longer. */
  readonly toggleVideo: () => void;
  /** Sees nothing more of what the far end shows. */
  readonly declineVideo: () => void;
  readonly closeVideoNotice: () => void;
  /** Whether calls may have pictures. */
  readonly setHasVideo: (hasVideo: boolean) => void;
  readonly dismiss: () => void;
  readonly followUp: () => void;
  readonly showSettings: (isOpen: boolean) => void;
  readonly setRawAudio: (isRaw: boolean) => void;
}
