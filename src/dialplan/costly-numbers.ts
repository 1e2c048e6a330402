import { Metadata } from "libphonenumber-js/core";
import metadata from "libphonenumber-js/max/metadata";

import { COSTLY_CODES } from "./e164.ts";

/**
 * Which numbers cost extra, by what they begin with: a number that is too short or too long is
 * dialled by carriers all the same.
 */

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

/**
 * Ranges that regulators keep for numbers that cost extra, by calling code: national significant
 * numbers, those included that nobody has yet.
 */
const RANGES: ReadonlyMap<string, RegExp> = new Map([
  ["1", /^1?900/],
  ["31", /^0?90[069]/],
  ["32", /^0?90/],
  ["33", /^0?89/],
  ["34", /^(?:80[367]|905)/],
  ["36", /^(?:06)?9[01]/],
  ["39", /^89/],
  ["41", /^0?90[016]/],
  ["43", /^0?(?:90[01]|93[019])/],
  ["44", /^0?9[018]/],
  ["46", /^0?(?:900|939|944)/],
  ["48", /^70/],
  ["49", /^0?(?:900|190|180|137)/],
  ["353", /^0?15[1-9]/],
  ["420", /^90/],
  ["421", /^0?900/],
]);

interface PlanReader {
  type(name: string): { pattern(): string | undefined } | undefined;
}

/** What national significant numbers of one calling code look like. */
interface CodePlan {
  /** Costs extra, or may become one that does, or begins with one. */
  readonly costlyStart: RegExp | undefined;
  /** Is one of another kind, or may become one. */
  readonly otherStart: RegExp | undefined;
}

const COSTLY_TYPES = ["PREMIUM_RATE", "SHARED_COST"] as const;
const OTHER_TYPES = [
  "FIXED_LINE",
  "MOBILE",
  "TOLL_FREE",
  "PERSONAL_NUMBER",
  "VOIP",
  "UAN",
  "PAGER",
  "VOICEMAIL",
] as const;

const COUNTRIES_BY_CODE: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(metadata.country_calling_codes),
);
const plansByCode = new Map<string, CodePlan>();

function planOf(code: string, countries: readonly string[]): CodePlan {
  const known = plansByCode.get(code);
  if (known !== undefined) return known;
  const costly = new Set<string>();
  const other = new Set<string>();
  const reader = new Metadata(metadata);
  for (const country of countries) {
    try {
      reader.selectNumberingPlan(country as never);
    } catch {
      continue;
    }
    // The library's types leave this method out.
    const plan = reader.numberingPlan as unknown as PlanReader | undefined;
    const add = (types: readonly string[], patterns: Set<string>): void => {
      for (const type of types) {
        const pattern = plan?.type(type)?.pattern();
        if (pattern !== undefined && pattern !== "") patterns.add(pattern);
      }
    };
    add(COSTLY_TYPES, costly);
    add(OTHER_TYPES, other);
  }
  // Italy's and others' numbers keep their 0; elsewhere a 0 too many is taken off by carriers.
  const begun = (patterns: ReadonlySet<string>): string =>
    `(?:${Array.from(patterns, begunPattern).join("|")})$`;
  const plan: CodePlan = {
    costlyStart:
      costly.size === 0
        ? undefined
        : new RegExp(`^0?(?:${begun(costly)}|(?:${[...costly].join("|")}))`),
    otherStart: other.size === 0 ? undefined : new RegExp(`^0?${begun(other)}`),
  };
  plansByCode.set(code, plan);
  return plan;
}

/** The pattern of everything that numbers of a pattern begin with: each place may be the end. */
function begunPattern(pattern: string): string {
  return pattern.replace(/\{[^}]*\}|\\d|\[[^\]]*\]|[0-9]/g, (part) =>
    part.startsWith("{") ? part : `(?:${part}|$)`,
  );
}

interface DividedNumber {
  readonly code: string;
  readonly national: string;
  readonly plan: CodePlan;
}

/** An E.164 number as calling code and the rest; undefined when no country has the code. */
function divided(e164: string): DividedNumber | undefined {
  for (let length = 1; length <= 3; length += 1) {
    const code = e164.slice(1, 1 + length);
    const countries = COUNTRIES_BY_CODE.get(code);
    if (countries === undefined) continue;
    return { code, national: e164.slice(1 + length), plan: planOf(code, countries) };
  }
  return undefined;
}

/**
 * Whether an E.164 number, complete or not, may cost extra, without reading it in full: false is
 * certain, true is for `classify` to confirm.
 */
export function mayBeCostly(e164: string): boolean {
  if (COSTLY_CODES.test(e164)) return true;
  const parts = divided(e164);
  if (parts === undefined) return false;
  const { code, national, plan } = parts;
  return RANGES.get(code)?.test(national) === true || plan.costlyStart?.test(national) === true;
}

/**
 * Whether a number that is none of its country's plan, for it has too few or too many digits, can
 * only be meant as one that costs extra: `0900`, or one with a digit too many.
 */
export function beginsCostly(e164: string): boolean {
  const parts = divided(e164);
  if (parts === undefined) return false;
  const { code, national, plan } = parts;
  if (RANGES.get(code)?.test(national) === true) return true;
  return (
    national !== "" &&
    plan.costlyStart?.test(national) === true &&
    plan.otherStart?.test(national) !== true
  );
}

/** Whether a short number of this country costs extra. */
export function isCostlyShort(number: string, country: string | undefined): boolean {
  return country !== undefined && COSTLY_SHORT_NUMBERS.get(country)?.test(number) === true;
}
