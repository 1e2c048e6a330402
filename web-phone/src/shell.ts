/**
 * What the screens themselves remember, apart from calls: preferences, contacts, which view is open,
 * how far the check of the sound is. Plain data and one function that changes it, like `state.ts`.
 */
import type { MicrophoneProblem } from "./call.ts";
import type { Contact } from "./contacts/contacts.ts";
import {
  changeOwnCalls,
  NO_OWN_CALLS,
  type OwnCallsEvent,
  type OwnCallsState,
} from "./own-calls.ts";
import type { Preferences } from "./preferences.ts";

/** What stands beside the pane. */
export type View = "recent" | "contacts" | "messages";

/** The check of the sound, step by step. */
export interface Check {
  readonly step: "microphone" | "speaker" | "echo";
  /** Set while the browser gives no microphone. */
  readonly problem: MicrophoneProblem | undefined;
  readonly isListening: boolean;
  readonly hasHeard: boolean;
  /** The user heard no tone. */
  readonly isSilent: boolean;
  /** The echo call of this check has run. */
  readonly hasCalled: boolean;
}

/** What the last import came to. */
export type ContactNotice =
  | { readonly kind: "imported"; readonly count: number }
  | { readonly kind: "import-failed" }
  | { readonly kind: "full" };

/** See the head of this file. */
export interface Shell {
  /** What is kept from visit to visit. */
  readonly preferences: Preferences;
  readonly forced: Partial<Preferences>;
  readonly view: View;
  readonly isMissedOnly: boolean;
  readonly contacts: readonly Contact[];
  readonly query: string;
  /** The contact in the form; its id is new for a contact that is not there yet. */
  readonly editing: Contact | undefined;
  readonly contactNotice: ContactNotice | undefined;
  /** The conversation that is open; `""` while a new one has no addressee yet. */
  readonly chatWith: string | undefined;
  readonly check: Check | undefined;
  readonly isQualityOpen: boolean;
  readonly ownCalls: OwnCallsState;
}

/** What holds: the page around the phone goes before the user. */
export function preferencesOf(shell: Shell): Preferences {
  return { ...shell.preferences, ...shell.forced };
}

/** What can happen to it. */
export type ShellEvent =
  | { readonly type: "preferences-changed"; readonly change: Partial<Preferences> }
  | { readonly type: "preferences-forced"; readonly change: Partial<Preferences> }
  | { readonly type: "view-chosen"; readonly view: View }
  | { readonly type: "missed-only-changed"; readonly isMissedOnly: boolean }
  | { readonly type: "contacts-loaded"; readonly contacts: readonly Contact[] }
  | { readonly type: "contacts-changed"; readonly contacts: readonly Contact[] }
  | { readonly type: "query-changed"; readonly query: string }
  | { readonly type: "contact-edited"; readonly contact: Contact | undefined }
  | { readonly type: "contact-notice"; readonly notice: ContactNotice | undefined }
  | { readonly type: "chat-opened"; readonly peer: string | undefined }
  | { readonly type: "check-opened" }
  | { readonly type: "check-closed" }
  | { readonly type: "check-changed"; readonly change: Partial<Check> }
  | { readonly type: "quality-toggled"; readonly isOpen: boolean }
  | { readonly type: "own-calls"; readonly event: OwnCallsEvent };

const FIRST_STEP: Check = {
  step: "microphone",
  problem: undefined,
  isListening: false,
  hasHeard: false,
  isSilent: false,
  hasCalled: false,
};

/** The shell of a page that was just opened. */
export function initialShell(preferences: Preferences): Shell {
  return {
    preferences,
    forced: {},
    view: "recent",
    isMissedOnly: false,
    contacts: [],
    query: "",
    editing: undefined,
    contactNotice: undefined,
    chatWith: undefined,
    check: undefined,
    isQualityOpen: false,
    ownCalls: NO_OWN_CALLS,
  };
}

/** The shell after the event. Pure. */
export function changeShell(shell: Shell, event: ShellEvent): Shell {
  switch (event.type) {
    case "preferences-changed":
      return { ...shell, preferences: { ...shell.preferences, ...event.change } };
    case "preferences-forced":
      return { ...shell, forced: event.change };
    case "view-chosen":
      return { ...shell, view: event.view, editing: undefined, contactNotice: undefined };
    case "missed-only-changed":
      return { ...shell, isMissedOnly: event.isMissedOnly };
    case "contacts-loaded":
      return { ...shell, contacts: event.contacts, editing: undefined, query: "" };
    case "contacts-changed":
      return { ...shell, contacts: event.contacts, editing: undefined };
    case "query-changed":
      return { ...shell, query: event.query, contactNotice: undefined };
    case "contact-edited":
      return {
        ...shell,
        editing: event.contact,
        contactNotice: undefined,
        view: event.contact === undefined ? shell.view : "contacts",
      };
    case "contact-notice":
      return { ...shell, contactNotice: event.notice };
    case "chat-opened":
      return { ...shell, view: "messages", chatWith: event.peer };
    case "check-opened":
      return { ...shell, check: FIRST_STEP };
    case "check-closed":
      return {
        ...shell,
        check: undefined,
        preferences: { ...shell.preferences, isCheckDone: true },
      };
    case "check-changed":
      return shell.check === undefined
        ? shell
        : { ...shell, check: { ...shell.check, ...event.change } };
    case "quality-toggled":
      return { ...shell, isQualityOpen: event.isOpen };
    case "own-calls":
      return { ...shell, ownCalls: changeOwnCalls(shell.ownCalls, event.event) };
  }
}
