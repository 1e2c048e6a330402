/** Which languages there are, which one a user gets, and loading it: each is a file of its own. */
import { ENGLISH, type LanguageTexts, setLanguage } from "./text.ts";

/** Languages with a catalogue, with their own names for themselves. */
export const LANGUAGES = {
  en: "English",
  de: "Deutsch",
  fr: "Français",
  es: "Español",
  ar: "العربية",
} as const;

/** A language with a catalogue. */
export type Language = keyof typeof LANGUAGES;

/** A language, or what the browser's user prefers. */
export type LanguageChoice = Language | "auto";

/** @returns undefined for a language that has no catalogue */
export function tryParseLanguage(text: string): Language | undefined {
  const primary = text.toLowerCase().split("-", 1)[0] ?? "";
  return Object.hasOwn(LANGUAGES, primary) ? (primary as Language) : undefined;
}

/** The first of these languages that has a catalogue; English when none has. */
export function chooseLanguage(choice: LanguageChoice, preferred: readonly string[]): Language {
  if (choice !== "auto") return choice;
  for (const tag of preferred) {
    const language = tryParseLanguage(tag);
    if (language !== undefined) return language;
  }
  return "en";
}

/** The catalogue of a language. */
export async function loadLanguage(language: Language): Promise<LanguageTexts> {
  switch (language) {
    case "en":
      return ENGLISH;
    case "de":
      return (await import("./de.ts")).de;
    case "fr":
      return (await import("./fr.ts")).fr;
    case "es":
      return (await import("./es.ts")).es;
    case "ar":
      return (await import("./ar.ts")).ar;
  }
}

let wanted: Language = "en";

/**
 * Makes this the phone's language. Of two calls the later one wins, whichever file comes first.
 * A catalogue that cannot be loaded leaves the language as it is.
 */
export async function useLanguage(language: Language): Promise<void> {
  wanted = language;
  try {
    const texts = await loadLanguage(language);
    if (wanted === language) setLanguage(language, texts);
  } catch {
    // Offline before the language was ever loaded: the phone speaks what it spoke.
  }
}
