/**
 * Texts of the phone, by key, in the language that was chosen last. Another language is one more
 * file beside `en.ts`, and a line in `languages.ts`.
 */
import { signal } from "@preact/signals";
import { en, enPlurals } from "./en.ts";

/** The key of a text. */
export type TextKey = keyof typeof en;

/** The key of a text that depends on a number. */
export type PluralKey = keyof typeof enPlurals;

/** A text for every key. */
export type Catalogue = Readonly<Record<TextKey, string>>;

/** One text for each category of `Intl.PluralRules` that the language has. */
export type PluralForms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> & {
  readonly other: string;
};

/** All texts of a language. */
export interface LanguageTexts {
  readonly texts: Catalogue;
  readonly plurals: Readonly<Record<PluralKey, PluralForms>>;
}

/** The names in braces of a text. */
type ParameterOf<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;

/** What `t` wants beside the key: nothing, or a value for each name in braces. */
export type TextParameters<Key extends TextKey> = [ParameterOf<(typeof en)[Key]>] extends [never]
  ? []
  : [Readonly<Record<ParameterOf<(typeof en)[Key]>, string | number>>];

/** English, which is always there. */
export const ENGLISH: LanguageTexts = { texts: en, plurals: enPlurals };

// Components that read it in `t` are drawn anew when the language changes.
const current = signal<{ readonly tag: string; readonly language: LanguageTexts }>({
  tag: "en",
  language: ENGLISH,
});

/** @param tag BCP 47, for `Intl` and the `lang` attribute */
export function setLanguage(tag: string, language: LanguageTexts): void {
  current.value = { tag, language };
}

/** BCP 47 tag of the language in use. */
export function languageTag(): string {
  return current.value.tag;
}

/** Writing direction of the language in use. */
export function languageDirection(): "ltr" | "rtl" {
  return ["ar", "fa", "he", "ur"].includes(current.value.tag.split("-", 1)[0] ?? "")
    ? "rtl"
    : "ltr";
}

/**
 * The tag for `Intl`: telephone numbers, timers and keys have Latin digits everywhere, so counts
 * and times beside them have them too.
 */
export function formatTag(): string {
  return `${languageTag()}-u-nu-latn`;
}

/** Puts the values into the text's braces; a name without a value stays as it is. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  const parts = text.split("{");
  const filled = parts.slice(1).map((part) => {
    const end = part.indexOf("}");
    const value = end < 0 ? undefined : values[part.slice(0, end)];
    return value === undefined ? `{${part}` : `${value}${part.slice(end + 1)}`;
  });
  return [parts[0], ...filled].join("");
}

/** The text for a key, in the phone's language, with its values filled in. */
export function t<Key extends TextKey>(key: Key, ...parameters: TextParameters<Key>): string {
  const [values] = parameters;
  const text = current.value.language.texts[key];
  return values === undefined ? text : fill(text, values);
}

/** The text for a key and a number, which stands at `{count}` as the language writes it. */
export function plural(key: PluralKey, count: number): string {
  const forms: PluralForms = current.value.language.plurals[key];
  const category = new Intl.PluralRules(languageTag()).select(count);
  return fill(forms[category] ?? forms.other, {
    count: new Intl.NumberFormat(formatTag()).format(count),
  });
}
