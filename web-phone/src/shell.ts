/**
 * What the screens themselves remember, apart from calls: preferences, which view is open, what is
 * typed into a search. Plain data and one function that changes it, like `state.ts`.
 */
import type { Preferences } from "./preferences.ts";

/** See the head of this file. */
export interface Shell {
  /** What is kept from visit to visit. */
  readonly preferences: Preferences;
  readonly forced: Partial<Preferences>;
}

/** What holds: the page around the phone goes before the user. */
export function preferencesOf(shell: Shell): Preferences {
  return { ...shell.preferences, ...shell.forced };
}

/** What can happen to it. */
export type ShellEvent =
  | { readonly type: "preferences-changed"; readonly change: Partial<Preferences> }
  | { readonly type: "preferences-forced"; readonly change: Partial<Preferences> };

/** The shell of a page that was just opened. */
export function initialShell(preferences: Preferences): Shell {
  return { preferences, forced: {} };
}

/** The shell after the event. Pure. */
export function changeShell(shell: Shell, event: ShellEvent): Shell {
  switch (event.type) {
    case "preferences-changed":
      return { ...shell, preferences: { ...shell.preferences, ...event.change } };
    case "preferences-forced":
      return { ...shell, forced: event.change };
  }
}
