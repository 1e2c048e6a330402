import { Metadata } from "libphonenumber-js/core";
import metadata from "libphonenumber-js/max/metadata";

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

/** Short numbers that cost extra, by country: inquiries, voting, content. ITU-T E.129. */
const COSTLY_SHORT_NUMBERS: ReadonlyMap<string, RegExp> = new Map([
  ["AT", /^118[0-9]{2,3}$/],
  ["BE", /^1[0-9]{3}$/],
  ["CH", /^18[0-9]{2}$/],
  ["DE", /^118[0-9]{2,3}$/],
  ["ES", /^(?:118[0-9]{2}|2[0-9]{4,5}|[3-9][0-9]{4,5})$/],
  ["FR", /^(?:118[0-9]{3}|3[0-9]{3}|[4-8][0-9]{4})$/],
  ["GB", /^118[0-9]{3}$/],
  ["IT", /^(?:12[0-9]{2,4}|4[0-9]{4,6}|89[24][0-9]{3})$/],
  ["NL", /^18[0-9]{2}$/],
  ["PL", /^118[0-9]{3}$/],
  ["SE", /^118[0-9]{3}$/],
]);

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
  if (home.country !== undefined) {
    if (COSTLY_SHORT_NUMBERS.get(home.country)?.test(number) === true) {
      return { class: "premium", e164: undefined };
    }
  }
  const [likeliest] = e164Candidates(number, home.country);
  if (likeliest !== undefined && likeliest !== `+${number}` && COSTLY_CODES.test(likeliest)) {
    // Their plans are not published: length and shape prove nothing.
    return { class: "premium", e164: likeliest };
  }
  const isShort = /^[0-9*#]+$/.test(number) && number.length <= MAX_INTERNAL_DIGITS;
  const parsed = tryParseNumber(number, home);
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

interface PlanReader {
  type(name: string): { pattern(): string | undefined } | undefined;
}

interface CodePlan {
  readonly costly: readonly RegExp[];
}

/** Of each calling code, what its costly numbers look like: national significant numbers. */
const plansByCode = new Map<string, CodePlan>();

function planOf(code: string): CodePlan {
  const known = plansByCode.get(code);
  if (known !== undefined) return known;
  const countries = metadata.country_calling_codes as unknown as Readonly<
    Record<string, readonly string[]>
  >;
  const patterns = new Set<string>();
  const reader = new Metadata(metadata);
  for (const country of countries[code] ?? []) {
    try {
      reader.selectNumberingPlan(country as never);
    } catch {
      continue;
    }
    // The library's types leave this method out.
    const plan = reader.numberingPlan as unknown as PlanReader | undefined;
    for (const type of ["PREMIUM_RATE", "SHARED_COST"] as const) {
      const pattern = plan?.type(type)?.pattern();
      if (pattern !== undefined && pattern !== "") patterns.add(pattern);
    }
  }
  const plan = { costly: Array.from(patterns, (pattern) => new RegExp(`^(?:${pattern})$`)) };
  plansByCode.set(code, plan);
  return plan;
}

/**
 * Whether an E.164 number may cost extra, without reading it in full: false is certain, true is
 * for `classify` to confirm.
 */
export function mayBeCostly(e164: string): boolean {
  if (COSTLY_CODES.test(e164)) return true;
  for (let length = 1; length <= 3; length += 1) {
    const code = e164.slice(1, 1 + length);
    if (!Object.hasOwn(metadata.country_calling_codes, code)) continue;
    const national = e164.slice(1 + length);
    // Italy's and others' numbers keep their 0; elsewhere a 0 too many is taken off by carriers.
    return planOf(code).costly.some(
      (pattern) => pattern.test(national) || pattern.test(national.replace(/^0/, "")),
    );
  }
  // No country has this code, so nobody is reached by it.
  return false;
}

/** Whether a short number of this country may cost extra. */
export function isCostlyShort(number: string, country: string | undefined): boolean {
  return country !== undefined && COSTLY_SHORT_NUMBERS.get(country)?.test(number) === true;
}
