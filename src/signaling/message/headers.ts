import { SipFormatError } from "./errors.ts";
import { headerKey, knownHeaderKey } from "./header-names.ts";
import { isToken, splitList, textToOctets, trimBlanks } from "./syntax.ts";

/** One header line: the name as written and the value, unfolded and trimmed, as octet string. */
export type HeaderField = readonly [name: string, value: string];

const NONE: readonly string[] = [];

/**
 * The header fields of a message in their order on the wire. Immutable.
 *
 * Names are compared without case, compact and long forms are the same. Values are octet strings;
 * a value with a character above U+00FF is taken as text and encoded as UTF-8.
 */
export class Headers implements Iterable<HeaderField> {
  readonly #names: readonly string[];
  readonly #keys: readonly string[];
  readonly #values: readonly string[];

  private constructor(
    names: readonly string[],
    keys: readonly string[],
    values: readonly string[],
  ) {
    this.#names = names;
    this.#keys = keys;
    this.#values = values;
  }

  /**
   * @param copied how many of them, from the first on, come out of other Headers: they have been
   *   checked
   * @throws SipFormatError when a name is no token or a value has a line break in it
   */
  static of(fields: Iterable<HeaderField>, copied = 0): Headers {
    const names: string[] = [];
    const keys: string[] = [];
    const values: string[] = [];
    for (const [name, value] of fields) {
      keys.push(checkedKey(name));
      values.push(names.length < copied ? value : checkValue(value));
      names.push(name);
    }
    return new Headers(names, keys, values);
  }

  /**
   * For the message parser, which has checked all of it: three arrays of one length, never changed
   * afterwards.
   */
  static ofChecked(
    names: readonly string[],
    keys: readonly string[],
    values: readonly string[],
  ): Headers {
    return new Headers(names, keys, values);
  }

  /** The number of header lines. */
  get size(): number {
    return this.#names.length;
  }

  /** The value of the first line of that name. */
  get(name: string): string | undefined {
    const index = this.#keys.indexOf(headerKey(name));
    return index < 0 ? undefined : this.#values[index];
  }

  /** The values of all lines of that name, one per line. */
  getAll(name: string): readonly string[] {
    const key = headerKey(name);
    const first = this.#keys.indexOf(key);
    if (first < 0) return NONE;
    // Not an empty array to push into: V8 would make room for seventeen.
    const found = [this.#values[first] ?? ""];
    for (let index = this.#keys.indexOf(key, first + 1); index >= 0;) {
      found.push(this.#values[index] ?? "");
      index = this.#keys.indexOf(key, index + 1);
    }
    return found;
  }

  /** All lines of that name, split at commas outside quotes and brackets; no empty elements. */
  list(name: string): readonly string[] {
    const lines = this.getAll(name);
    if (lines.length === 0) return lines;
    if (lines.length === 1) return splitList(lines[0] ?? "");
    return lines.flatMap((line) => splitList(line));
  }

  has(name: string): boolean {
    return this.#keys.includes(headerKey(name));
  }

  /** The first of these keys (see `headerKey`) that more than one line has. */
  firstRepeated(keys: Iterable<string>): string | undefined {
    for (const key of keys) {
      const first = this.#keys.indexOf(key);
      if (first >= 0 && this.#keys.includes(key, first + 1)) return key;
    }
    return undefined;
  }

  /** How many lines of that name there are. */
  count(name: string): number {
    const key = headerKey(name);
    let count = 0;
    for (const other of this.#keys) if (other === key) count += 1;
    return count;
  }

  /**
   * Replaces all lines of that name: the new ones stand where the first was, else at the end.
   *
   * @throws SipFormatError
   */
  with(name: string, ...values: string[]): Headers {
    const key = checkedKey(name);
    const found = this.#keys.indexOf(key);
    const [value] = values;
    if (
      value !== undefined &&
      values.length === 1 &&
      this.#names[found] === name &&
      !this.#keys.includes(key, found + 1)
    ) {
      // One for one, such as a Via with `received`: the names stay.
      const texts = [...this.#values];
      texts[found] = checkValue(value);
      return new Headers(this.#names, this.#keys, texts);
    }
    const at = found < 0 ? this.#keys.length : found;
    const names = this.#names.slice(0, at);
    const keys = this.#keys.slice(0, at);
    const texts = this.#values.slice(0, at);
    for (const value of values) {
      names.push(name);
      keys.push(key);
      texts.push(checkValue(value));
    }
    for (let index = at; index < this.#keys.length; index += 1) {
      if (this.#keys[index] === key) continue;
      names.push(this.#names[index] ?? "");
      keys.push(this.#keys[index] ?? "");
      texts.push(this.#values[index] ?? "");
    }
    return new Headers(names, keys, texts);
  }

  without(name: string): Headers {
    return this.has(name) ? this.with(name) : this;
  }

  /** Adds a line before all others. @throws SipFormatError */
  prepend(name: string, value: string): Headers {
    return new Headers(
      [name, ...this.#names],
      [checkedKey(name), ...this.#keys],
      [checkValue(value), ...this.#values],
    );
  }

  /** Adds a line after all others. @throws SipFormatError */
  append(name: string, value: string): Headers {
    return new Headers(
      [...this.#names, name],
      [...this.#keys, checkedKey(name)],
      [...this.#values, checkValue(value)],
    );
  }

  *[Symbol.iterator](): Generator<HeaderField, void, undefined> {
    for (let index = 0; index < this.#names.length; index += 1) {
      yield [this.#names[index] ?? "", this.#values[index] ?? ""];
    }
  }

  /** All lines as they go on the wire, each with its CRLF, Content-Length with the value given. */
  format(contentLength: number): string {
    let text = "";
    let hasLength = false;
    for (let index = 0; index < this.#names.length; index += 1) {
      if (this.#keys[index] === "content-length") {
        if (hasLength) continue;
        hasLength = true;
        text += `${this.#names[index]}: ${contentLength}\r\n`;
      } else {
        text += `${this.#names[index]}: ${this.#values[index]}\r\n`;
      }
    }
    // RFC 3261 §20.14
    return hasLength ? text : `${text}Content-Length: ${contentLength}\r\n`;
  }
}

/** @returns the key of the name */
function checkedKey(name: string): string {
  const known = knownHeaderKey(name);
  if (known !== undefined) return known;
  if (!isToken(name)) throw new SipFormatError("A header name must be a token");
  return name.toLowerCase();
}

function checkValue(value: string): string {
  let isWide = false;
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code === 0x0d || code === 0x0a) {
      throw new SipFormatError("A header value must not contain a line break");
    }
    if (code > 0xff) isWide = true;
  }
  return trimBlanks(isWide ? textToOctets(value) : value);
}
