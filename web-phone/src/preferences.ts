/** How this browser's user wants the phone: plain data, kept from visit to visit. */
import { LANGUAGES, type LanguageChoice } from "./i18n/languages.ts";
import { DEFAULT_KEYS, type KeyMap, parseKeys } from "./keys.ts";

/** Colours of the phone; `auto` follows the system. */
export type Theme = "auto" | "light" | "dark";

/** See the head of this file. */
export interface Preferences {
  readonly language: LanguageChoice;
  readonly theme: Theme;
  /** Off: no key but those of the browser does anything (WCAG 2.1.4). */
  readonly hasShortcuts: boolean;
  readonly keys: KeyMap;
  /** Whether an incoming call is shown by the system while the page is behind another. */
  readonly hasNotifications: boolean;
  /** The check of microphone, speaker and echo was done or skipped. */
  readonly isCheckDone: boolean;
}

/** Of a first visit. */
export const DEFAULT_PREFERENCES: Preferences = {
  language: "auto",
  theme: "auto",
  hasShortcuts: true,
  keys: DEFAULT_KEYS,
  hasNotifications: false,
  isCheckDone: false,
};

function isTheme(value: unknown): value is Theme {
  return value === "auto" || value === "light" || value === "dark";
}

function isLanguageChoice(value: unknown): value is LanguageChoice {
  return typeof value === "string" && (value === "auto" || Object.hasOwn(LANGUAGES, value));
}

/** What was kept, with the default for all that is missing or unknown. */
export function parsePreferences(value: unknown): Preferences {
  if (typeof value !== "object" || value === null) return DEFAULT_PREFERENCES;
  const kept: Partial<Record<keyof Preferences, unknown>> = value;
  const flag = (key: "hasShortcuts" | "hasNotifications" | "isCheckDone"): boolean => {
    const one = kept[key];
    return typeof one === "boolean" ? one : DEFAULT_PREFERENCES[key];
  };
  return {
    language: isLanguageChoice(kept.language) ? kept.language : DEFAULT_PREFERENCES.language,
    theme: isTheme(kept.theme) ? kept.theme : DEFAULT_PREFERENCES.theme,
    hasShortcuts: flag("hasShortcuts"),
    keys: parseKeys(kept.keys),
    hasNotifications: flag("hasNotifications"),
    isCheckDone: flag("isCheckDone"),
  };
}
