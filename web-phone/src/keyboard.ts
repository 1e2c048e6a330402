/** The keyboard map: which command a key is, given what is on the screen. Pure. */
import { type KeyMap, type Shortcut, shortcutOf } from "./keys.ts";
import { type PadKey, tryParsePadKey } from "./number.ts";
import { type PhoneState, screenOf } from "./state.ts";

/** What a key can ask for. */
export type Command =
  | { readonly type: "answer" }
  | { readonly type: "end" }
  | { readonly type: "toggle-silence" }
  | { readonly type: "toggle-mute" }
  | { readonly type: "toggle-hold" }
  | { readonly type: "toggle-keypad" }
  | { readonly type: "open-transfer" }
  | { readonly type: "toggle-video" }
  | { readonly type: "swap" }
  | { readonly type: "join" }
  | { readonly type: "answer-waiting"; readonly id: string }
  | { readonly type: "show-help" }
  | { readonly type: "search" }
  | { readonly type: "press"; readonly key: PadKey }
  | { readonly type: "type"; readonly text: string };

/** The part of a KeyboardEvent that decides. */
export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
  /** The focus is in a field that takes text. */
  readonly isInTextField: boolean;
  /** The user wants shortcuts (WCAG 2.1.4). */
  readonly hasShortcuts: boolean;
  /** The user's own map. */
  readonly keys: KeyMap;
}

/**
 * Function keys work everywhere; letters and digits only outside of text fields (WCAG 2.1.4).
 * Escape is no command at all, so that it can never end a call.
 *
 * @returns undefined for a key that means nothing here
 */
export function commandOf(state: PhoneState, press: KeyPress): Command | undefined {
  if (press.ctrlKey || press.altKey || press.metaKey || state.isSettingsOpen) return undefined;
  if (!press.hasShortcuts) return undefined;
  const screen = screenOf(state);
  const isConnected = state.call?.phase === "connected";
  const shortcut = shortcutOf(press.keys, press.key);
  switch (shortcut) {
    case "answer-anywhere":
      return screen === "incoming" ? { type: "answer" } : answerWaiting(state);
    case "end-anywhere":
      return screen === "incoming" || screen === "call" ? { type: "end" } : undefined;
    case "mute-anywhere":
      if (screen === "incoming") return { type: "toggle-silence" };
      return screen === "call" ? { type: "toggle-mute" } : undefined;
    case "hold-anywhere":
      return isConnected ? { type: "toggle-hold" } : undefined;
    default:
      return press.isInTextField ? undefined : characterCommandOf(state, press.key, shortcut);
  }
}

/** The call that waits, when there is one beside the call in the pane. */
function answerWaiting(state: PhoneState): Command | undefined {
  const waiting = state.others.find(({ phase }) => phase === "incoming");
  return waiting === undefined ? undefined : { type: "answer-waiting", id: waiting.id };
}

function characterCommandOf(
  state: PhoneState,
  key: string,
  shortcut: Shortcut | undefined,
): Command | undefined {
  if (key === "?") return { type: "show-help" };
  if (key === "/" && state.signIn.kind === "signed-in") return { type: "search" };
  const padKey = tryParsePadKey(key);
  switch (screenOf(state)) {
    case "incoming":
      return incomingCommandOf(shortcut);
    case "call":
      return padKey === undefined ? callCommandOf(state, shortcut) : { type: "press", key: padKey };
    case "dial":
      return padKey !== undefined || key === "+" ? { type: "type", text: key } : undefined;
    case "sign-in":
    case "problem":
      return undefined;
  }
}

function incomingCommandOf(shortcut: Shortcut | undefined): Command | undefined {
  switch (shortcut) {
    case "answer":
      return { type: "answer" };
    case "decline":
      return { type: "end" };
    case "silence":
      return { type: "toggle-silence" };
    default:
      return undefined;
  }
}

function callCommandOf(state: PhoneState, shortcut: Shortcut | undefined): Command | undefined {
  switch (shortcut) {
    case "mute":
      return { type: "toggle-mute" };
    case "hold":
      return { type: "toggle-hold" };
    case "keypad":
      return { type: "toggle-keypad" };
    case "transfer":
      return { type: "open-transfer" };
    case "video":
      return { type: "toggle-video" };
    case "swap":
      return { type: "swap" };
    case "join":
      return { type: "join" };
    case "answer":
      return answerWaiting(state);
    default:
      return undefined;
  }
}
