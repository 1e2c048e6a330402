/** Texts of the phone, by key. Another language is one more file beside `en.ts`. */
import { en } from "./en.ts";

/** The key of a text. */
export type TextKey = keyof typeof en;

/** A language: a text for every key. */
export type Catalogue = Readonly<Record<TextKey, string>>;

/** The names in braces of a text. */
type ParameterOf<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;

/** What `t` wants beside the key: nothing, or a value for each name in braces. */
export type TextParameters<Key extends TextKey> = [ParameterOf<(typeof en)[Key]>] extends [never]
  ? []
  : [Readonly<Record<ParameterOf<(typeof en)[Key]>, string | number>>];

const catalogue: Catalogue = en;

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
  return values === undefined ? catalogue[key] : fill(catalogue[key], values);
}
