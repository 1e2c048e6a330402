/**
 * What people type, paste or click as a number, and what is dialled. Pure text work: which numbers
 * exist is the gateway's business.
 */

/** The keys of a telephone's pad, in the order in which they are shown. */
export const PAD_KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"] as const;

/** One key of a telephone's pad. */
export type PadKey = (typeof PAD_KEYS)[number];

const LETTERS: ReadonlyMap<PadKey, string> = new Map([
  ["2", "ABC"],
  ["3", "DEF"],
  ["4", "GHI"],
  ["5", "JKL"],
  ["6", "MNO"],
  ["7", "PQRS"],
  ["8", "TUV"],
  ["9", "WXYZ"],
  ["0", "+"],
]);

/** The small print of a pad key, `""` where it has none. */
export function lettersOf(key: PadKey): string {
  return LETTERS.get(key) ?? "";
}

/** @returns the pad key that this character is, undefined for any other text */
export function tryParsePadKey(text: string): PadKey | undefined {
  return PAD_KEYS.find((key) => key === text);
}

/** Characters that people write between digits, and the invisible ones that pages and mails add. */
const SEPARATORS = new Set(
  " \t\r\n\u00a0\u2007\u2009\u202f-\u2010\u2011\u2012\u2013\u2014\u2212./()[]",
);
const LETTER = /\p{L}/u;

/** First digit of each decimal range that a pasted number may use beside ASCII. */
const DIGIT_RANGES = [0x0660, 0x06f0, 0x0966, 0xff10];

function isInvisible(code: number): boolean {
  return (
    code < 0x20 ||
    code === 0xfeff ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x2069)
  );
}

function toAscii(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const start = DIGIT_RANGES.find((range) => code >= range && code <= range + 9);
  if (start !== undefined) return String(code - start);
  if (character === "\uff0b") return "+";
  return isInvisible(code) ? "" : character;
}

/**
 * Makes what was typed or pasted diallable: `tel:+49 (0)30 123-456` → `+4930123456`. Text with
 * letters or an `@` is a name or an address and only loses its scheme and its edges.
 *
 * @returns the number, or `""` when nothing diallable is left
 */
export function cleanNumber(text: string): string {
  let rest = Array.from(text.trim(), toAscii).join("").trim();
  const scheme = ["tel:", "sip:", "sips:", "callto:"].find((prefix) =>
    rest.toLowerCase().startsWith(prefix),
  );
  if (scheme !== undefined) {
    rest = rest.slice(scheme.length);
    // RFC 3966 §3: what follows the first ";" are parameters, not digits.
    rest = (rest.split(";", 1)[0] ?? "").trim();
  }
  if (rest.includes("@") || LETTER.test(rest)) return rest.replaceAll(" ", "");
  // "+49 (0)30": the zero in brackets is for callers at home, who leave out the +49.
  if (rest.startsWith("+")) rest = rest.replace("(0)", "");
  return Array.from(rest)
    .filter((character) => !SEPARATORS.has(character))
    .join("");
}

/** Letters for the round picture of a caller: `Ann Lee` → `AL`, `1001` → `""`. */
export function initialsOf(name: string): string {
  const words = name.split(" ").filter((word) => LETTER.test(word.charAt(0)));
  const first = words[0];
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  return `${first === undefined ? "" : Array.from(first)[0]}${last === undefined ? "" : Array.from(last)[0]}`.toUpperCase();
}

/** Duration of a call: `1:05`, or `1:02:03` from one hour on. */
export function formatDuration(milliseconds: number): string {
  const total = Math.max(0, Math.floor(milliseconds / 1000));
  const seconds = String(total % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours === 0
    ? `${String(minutes).padStart(2, "0")}:${seconds}`
    : `${hours}:${String(minutes).padStart(2, "0")}:${seconds}`;
}
