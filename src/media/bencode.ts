/** A value of the ng protocol's bencode dictionaries. */
export type NgValue =
  | string
  | number
  | Buffer
  | readonly NgValue[]
  | { readonly [key: string]: NgValue | undefined };

/**
 * Bencode of a value, for rtpengine's ng protocol: texts in UTF-8, buffers octet by octet (a sound
 * of `play media` is one), dictionary keys sorted, keys without a value left out.
 */
export function encodeBencode(value: NgValue): Buffer {
  const parts: Buffer[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: NgValue, parts: Buffer[]): void {
  if (typeof value === "number") {
    parts.push(Buffer.from(`i${Math.trunc(value)}e`));
  } else if (typeof value === "string" || Buffer.isBuffer(value)) {
    const octets = typeof value === "string" ? Buffer.from(value) : value;
    parts.push(Buffer.from(`${octets.length}:`), octets);
  } else if (isList(value)) {
    parts.push(Buffer.from("l"));
    for (const item of value) write(item, parts);
    parts.push(Buffer.from("e"));
  } else {
    parts.push(Buffer.from("d"));
    for (const key of Object.keys(value).toSorted()) {
      const entry = value[key];
      if (entry === undefined) continue;
      write(key, parts);
      write(entry, parts);
    }
    parts.push(Buffer.from("e"));
  }
}

function isList(value: NgValue): value is readonly NgValue[] {
  return Array.isArray(value);
}
