import { callTonesOf } from "../../core/call-tones.ts";
import { loadSound } from "../service/playlist.ts";
import {
  synthesizeCallTone,
  synthesizeSilence,
  synthesizeSpecialInformationTone,
} from "./synthesis.ts";

/** What a caller can be told about a call that failed. */
export type FailureAnnouncement = "number-unknown" | "busy" | "congestion" | "unavailable";

/** Countries whose announcements are spoken in German; everywhere else it is English. */
const GERMAN: ReadonlySet<string> = new Set(["DE", "AT", "LI"]);

/** How long the network's own tone sounds after the words. */
const TONE_SECONDS = 3;

const made = new Map<string, Buffer>();

/**
 * An announcement in µ-law: the special information tone where the number is at fault, words in the
 * country's language, and the country's tone.
 *
 * @param country ISO 3166 code; undefined: English, and the tones of ITU-T E.180
 */
export function announcementSound(name: FailureAnnouncement, country: string | undefined): Buffer {
  const key = `${name} ${country ?? ""}`;
  let sound = made.get(key);
  if (sound === undefined) {
    sound = make(name, country);
    made.set(key, sound);
  }
  return sound;
}

/** The language that callers in a country are told things in. */
export function languageOf(country: string | undefined): "de" | "en" {
  return GERMAN.has(country?.toUpperCase() ?? "") ? "de" : "en";
}

function make(name: FailureAnnouncement, country: string | undefined): Buffer {
  const language = languageOf(country);
  const words = loadSound(`${name}.${language}`);
  const tones = callTonesOf(country);
  const pause = synthesizeSilence(0.4);
  switch (name) {
    case "number-unknown":
      return Buffer.concat([synthesizeSpecialInformationTone(), words, pause]);
    case "unavailable":
      return Buffer.concat([words, pause]);
    case "busy":
      return Buffer.concat([words, pause, synthesizeCallTone(tones.busy, TONE_SECONDS)]);
    case "congestion":
      return Buffer.concat([words, pause, synthesizeCallTone(tones.congestion, TONE_SECONDS)]);
  }
}
