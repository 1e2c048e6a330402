import { beginsCostly, isCostlyShort } from "./costly-numbers.ts";
import { emergencyNumbers } from "./emergency.ts";
import { COSTLY_CODES, tryParseNumber } from "./e164.ts";
import type { Home } from "./e164.ts";
import { e164Candidates } from "./number.ts";

/** What a number costs and whom it reaches, as far as permissions go. */
export const NUMBER_CLASSES = [
  "internal",
  "national",
  "mobile",
  "international",
  "premium",
  "emergency",
  "unknown",
] as const;

export type NumberClass = (typeof NUMBER_CLASSES)[number];

export interface Classified {
  readonly class: NumberClass;
  /** When the number is one of a country's plan. */
  readonly e164: string | undefined;
}

/** A number that is this short and no emergency is one of the house or of a PBX. */
const MAX_INTERNAL_DIGITS = 6;

/**
 * The class of a number.
 *
 * @param dialled what the user dialled; an access code may stand in front
 * @param number what goes out, after all rewriting: it decides, where it can be read
 */
export function classify(dialled: string, number: string, home: Home): Classified {
  if (emergencyNumbers(home.country).has(number)) return { class: "emergency", e164: undefined };
  const sent = classOf(number, home);
  if (sent.class === "premium") return sent;
  const wanted = dialled === number ? sent : classOf(dialled, home);
  if (wanted.class === "premium" || sent.class === "unknown") return wanted;
  return sent;
}

function classOf(number: string, home: Home): Classified {
  if (isCostlyShort(number, home.country)) return { class: "premium", e164: undefined };
  const candidates = e164Candidates(number, home.country);
  const [likeliest] = candidates;
  if (likeliest !== undefined && likeliest !== `+${number}` && COSTLY_CODES.test(likeliest)) {
    // Their plans are not published: length and shape prove nothing.
    return { class: "premium", e164: likeliest };
  }
  const isShort = /^[0-9*#]+$/.test(number) && number.length <= MAX_INTERNAL_DIGITS;
  const parsed = tryParseNumber(number, home);
  const isKnown = parsed !== undefined && parsed.line !== "unknown";
  // An extension may begin with any digit but the 0 that leads out of the house.
  const isExtension = isShort && !number.startsWith("0");
  // A lone candidate without its plus is but a guess.
  const isRead = number.startsWith("+") || candidates.length > 1;
  if (!isKnown && !isExtension && isRead && likeliest !== undefined && beginsCostly(likeliest)) {
    return { class: "premium", e164: likeliest };
  }
  if (parsed === undefined) return { class: isShort ? "internal" : "unknown", e164: undefined };
  const { e164, country, line } = parsed;
  switch (line) {
    case "premium":
      return { class: "premium", e164 };
    case "unknown":
      return { class: isShort ? "internal" : "unknown", e164: isShort ? undefined : e164 };
    case "mobile":
      return { class: isAt(home, country) ? "mobile" : "international", e164 };
    case "fixed":
    case "free":
    case "other":
      return { class: isAt(home, country) ? "national" : "international", e164 };
  }
}

function isAt(home: Home, country: string | undefined): boolean {
  return home.country !== undefined && home.country === country;
}
