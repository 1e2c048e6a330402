import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import type { CountryCode } from "libphonenumber-js/max";

/** Where a caller dials from: it decides what a number without its country means. */
export interface Home {
  /** ISO 3166 code, upper case; undefined: only `+…` is understood. */
  readonly country: string | undefined;
  /** Dialled before a local number that has neither trunk prefix nor area: `30` in Berlin. */
  readonly areaCode: string | undefined;
}

/** What kind of line a number is, as its country's numbering plan says. */
export type LineType = "fixed" | "mobile" | "premium" | "free" | "other" | "unknown";

/** A number that the numbering plan of its country knows. */
export interface TelephoneNumber {
  /** `+493012345601` */
  readonly e164: string;
  /** ISO 3166 code; undefined for numbers of no country, such as +883. */
  readonly country: string | undefined;
  /** As dialled inside its country, digits only: `03012345601`. */
  readonly national: string;
  readonly line: LineType;
}

/** ITU-T E.164 has 15 digits; access codes and separators come on top. */
const MAX_LENGTH = 40;
/** Parsing costs more than the rest of a decision: who called one number calls it again. */
const MAX_CACHED = 20_000;
const cache = new Map<string, TelephoneNumber | undefined>();

/**
 * The number that somebody at `home` reaches by dialling this text. Digits are ASCII; letters, a
 * second plus sign and digits of other scripts make it no number.
 *
 * @returns undefined when it is none, or none that the country's plan has room for
 */
export function tryParseNumber(dialled: string, home: Home): TelephoneNumber | undefined {
  if (dialled.length > MAX_LENGTH) return undefined;
  // RFC 3966 §3: visual separators carry no meaning.
  const plain = dialled.replace(/[-.() /]/g, "");
  if (!/^\+?[0-9]{3,}$/.test(plain)) return undefined;
  const key = `${home.country ?? ""} ${home.areaCode ?? ""} ${plain}`;
  if (cache.has(key)) return cache.get(key);
  const number = parse(plain, home);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(key, number);
  return number;
}

function parse(plain: string, { country, areaCode }: Home): TelephoneNumber | undefined {
  if (plain.startsWith("+") || country === undefined) {
    return plain.startsWith("+") ? read(plain, undefined) : undefined;
  }
  const number = read(plain, country);
  if (number !== undefined && number.line !== "unknown") return number;
  if (areaCode !== undefined) {
    const local = read(`${trunkPrefixOf(country)}${areaCode}${plain}`, country);
    if (local !== undefined && local.line !== "unknown") return local;
  }
  return number;
}

function read(plain: string, country: string | undefined): TelephoneNumber | undefined {
  const parsed = parsePhoneNumberFromString(plain, {
    extract: false,
    // What the library does not know it says so itself, by finding no number.
    ...(country === undefined ? {} : { defaultCountry: country as CountryCode }),
  });
  if (parsed === undefined || !parsed.isPossible()) return undefined;
  const e164: string = parsed.number;
  if (e164.length > 16) return undefined;
  return {
    e164,
    country: parsed.country,
    national: parsed.formatNational().replace(/[^0-9]/g, ""),
    line: lineOf(parsed.getType(), e164),
  };
}

/** ITU-T E.164 §6: satellite telephones, networks of no country and shared premium services. */
export const COSTLY_CODES = /^\+(?:870|878|88[1-8]|979)/;

function lineOf(type: string | undefined, e164: string): LineType {
  if (COSTLY_CODES.test(e164)) return "premium";
  switch (type) {
    case "PREMIUM_RATE":
    case "SHARED_COST":
      return "premium";
    case "MOBILE":
      return "mobile";
    case "FIXED_LINE":
    case "FIXED_LINE_OR_MOBILE":
      return "fixed";
    case "TOLL_FREE":
      return "free";
    case undefined:
      return "unknown";
    default:
      return "other";
  }
}

/** Countries whose numbers carry no 0 when dialled inside them. */
const NO_TRUNK_PREFIX = new Set(
  "CL CO CY CZ DK EE ES GR HK IS IT LU LV MC MT MX NO PL PT SG US CA".split(" "),
);

function trunkPrefixOf(country: string): string {
  if (country === "HU") return "06";
  return NO_TRUNK_PREFIX.has(country) ? "" : "0";
}
