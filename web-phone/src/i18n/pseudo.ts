/**
 * A language for eyes and tests: English with accents, in brackets and 1.4 times as long, which is
 * what a translation may come to. A text that is cut, or that is no text of the catalogue, shows.
 */
import { ENGLISH, type LanguageTexts, type PluralForms } from "./text.ts";

const PLAIN = "aceinosuyACEINOSUY";
const ACCENTED = "áçéîñöšûýÁÇÉÎÑÖŠÛÝ";
const GROWTH = 0.4;
const WORD = 7;

function stretch(text: string): string {
  let depth = 0;
  const letters = Array.from(text, (character) => {
    if (character === "{") depth += 1;
    if (character === "}") depth -= 1;
    const at = depth > 0 ? -1 : PLAIN.indexOf(character);
    return at < 0 ? character : (ACCENTED[at] ?? character);
  });
  // In words, as a translation would be, so that it can break across lines.
  const more = Array.from({ length: Math.max(0, Math.ceil(text.length * GROWTH) - 2) }, (_, at) =>
    at % WORD === WORD - 1 ? " " : "~",
  );
  return `[${letters.join("")}${more.join("")}]`;
}

function mapValues<Key extends string, From, To>(
  record: Readonly<Record<Key, From>>,
  change: (value: From) => To,
): Record<Key, To> {
  const entries = (Object.entries(record) as [Key, From][]).map(
    ([key, value]) => [key, change(value)] as const,
  );
  return Object.fromEntries(entries) as Record<Key, To>;
}

/** See the head of this file. */
export const pseudo: LanguageTexts = {
  texts: mapValues(ENGLISH.texts, stretch),
  plurals: mapValues(ENGLISH.plurals, (forms: PluralForms) => ({
    ...(forms.one === undefined ? {} : { one: stretch(forms.one) }),
    other: stretch(forms.other),
  })),
};
