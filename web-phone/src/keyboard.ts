/** The keyboard map: which command a key is, given what is on the screen. Pure. */
import { type PadKey, tryParsePadKey } from "./number.ts";
import { type PhoneState, screenOf } from "./state.ts";

/** What a key can ask for. */
export type Command =
  | { readonly type: "answer" }
  | { readonly type: "end" }
  | { readonly type: "toggle-mute" }
  | { readonly type: "toggle-hold" }
  | { readonly type: "toggle-keypad" }
  | { readonly type: "open-transfer" }
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
}

/**
 * F2, F4, F8 and F9 work everywhere; letters and digits only outside of text fields (WCAG 2.1.4).
 * Escape is no command at all, so that it can never end a call.
 *
 * @returns undefined for a key that means nothing here
 */
export function commandOf(state: PhoneState, press: KeyPress): Command | undefined {
  if (press.ctrlKey || press.altKey || press.metaKey || state.isSettingsOpen) return undefined;
  if (!press.hasShortcuts) return undefined;
  const screen = screenOf(state);
  const isConnected = state.call?.phase === "connected";
  switch (press.key) {
    case "F2":
      return screen === "incoming" ? { type: "answer" } : answerWaiting(state);
    case "F4":
      return screen === "incoming" || screen === "call" ? { type: "end" } : undefined;
    case "F8":
      return screen === "call" ? { type: "toggle-mute" } : undefined;
    case "F9":
      return isConnected ? { type: "toggle-hold" } : undefined;
    default:
      return press.isInTextField ? undefined : characterCommandOf(state, press.key);
  }
}

/** The call that waits, when there is one beside the call in the pane. */
function answerWaiting(state: PhoneState): Command | undefined {
  const waiting = state.others.find(({ phase }) => phase === "incoming");
  return waiting === undefined ? undefined : { type: "answer-waiting", id: waiting.id };
}

function characterCommandOf(state: PhoneState, key: string): Command | undefined {
  if (key === "?") return { type: "show-help" };
  if (key === "/" && state.signIn.kind === "signed-in") return { type: "search" };
  switch (screenOf(state)) {
    case "incoming":
      switch (key.toLowerCase()) {
        case "a":
          return { type: "answer" };
        case "d":
          return { type: "end" };
        default:
          return undefined;
      }
    case "call": {
      const padKey = tryParsePadKey(key);
      if (padKey !== undefined) return { type: "press", key: padKey };
      switch (key.toLowerCase()) {
        case "m":
          return { type: "toggle-mute" };
        case "h":
          return { type: "toggle-hold" };
        case "k":
          return { type: "toggle-keypad" };
        case "t":
          return { type: "open-transfer" };
        case "s":
          return { type: "swap" };
        case "j":
          return { type: "join" };
        case "a":
          return answerWaiting(state);
        default:
          return undefined;
      }
    }
    case "dial":
      return tryParsePadKey(key) !== undefined || key === "+"
        ? { type: "type", text: key }
        : undefined;
    case "sign-in":
    case "problem":
      return undefined;
  }
}
