import { digitSound, loadSound } from "../service/playlist.ts";
import { languageOf } from "./announcements.ts";
import { synthesizeSilence } from "./synthesis.ts";

/** What a caller is told of a setting. */
export interface ToldSetting {
  readonly setting: string;
  readonly isOn: boolean;
  /** Spoken behind the words, digit by digit. */
  readonly number?: string | undefined;
}

const DIGITS = /[0-9*#]/g;

/**
 * Says what was set, in µ-law.
 *
 * @param told undefined: nothing was
 * @param country ISO 3166 code: whose language; undefined: English
 */
export function settingSound(told: ToldSetting | undefined, country: string | undefined): Buffer {
  const language = languageOf(country);
  const words = (name: string): Buffer => loadSound(`${name}.${language}`);
  const pause = synthesizeSilence(0.4);
  if (told === undefined) return Buffer.concat([pause, words("not-set")]);
  const { setting, isOn, number = "" } = told;
  if (setting === "do-not-disturb") {
    return Buffer.concat([pause, words(isOn ? "do-not-disturb-on" : "do-not-disturb-off")]);
  }
  if (!isOn) return Buffer.concat([pause, words("forward-off")]);
  // The digits of the digit test are English.
  const spoken = (number.match(DIGITS) ?? []).map((digit) =>
    loadSound(language === "en" ? digitSound(digit) : `${digitSound(digit)}.de`),
  );
  return Buffer.concat([pause, words("forward-on"), pause, ...spoken]);
}
