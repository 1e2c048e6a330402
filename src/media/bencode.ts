/** A value of the ng protocol's bencode dictionaries. */
export type NgValue =
  | string
  | number
  | Buffer
  | readonly NgValue[]
  | { readonly [key: string]: NgValue | undefined };

const MAX_WORD = 40;

/**
 * Bencode of a value, for rtpengine's ng protocol: texts in UTF-8, buffers octet by octet (a sound
 * of `play media` is one), dictionary keys sorted, keys without a value left out.
 *
 * It is put together as text: an offer has some forty parts, and a buffer for each of them costs
 * more than all the rest of sending it.
 *
 * @param prefix what stands before it, such as the cookie of a command
 */
export function encodeBencode(value: NgValue, prefix = ""): Buffer {
  const parts: Buffer[] = [];
  const rest = Buffer.from(write(value, prefix, parts), "utf8");
  return parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
}

/**
 * @param parts what is octets already
 * @returns the text behind them, which began as `text`
 */
function write(value: NgValue, text: string, parts: Buffer[]): string {
  if (typeof value === "number") return `${text}i${Math.trunc(value)}e`;
  if (typeof value === "string") return `${text}${octetsOf(value)}:${value}`;
  if (Buffer.isBuffer(value)) {
    parts.push(Buffer.from(`${text}${value.length}:`, "utf8"), value);
    return "";
  }
  let rest: string;
  if (isList(value)) {
    rest = `${text}l`;
    for (const item of value) rest = write(item, rest, parts);
  } else {
    rest = `${text}d`;
    for (const key of Object.keys(value).toSorted()) {
      const entry = value[key];
      if (entry !== undefined) rest = write(entry, write(key, rest, parts), parts);
    }
  }
  return `${rest}e`;
}

/** Most texts are words of some ASCII letters: not worth a call out of JavaScript. */
function octetsOf(text: string): number {
  if (text.length > MAX_WORD) return Buffer.byteLength(text, "utf8");
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text, "utf8");
  }
  return text.length;
}

function isList(value: NgValue): value is readonly NgValue[] {
  return Array.isArray(value);
}
