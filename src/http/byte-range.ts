/** Both ends included, within the file. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a Range field with one range of bytes (RFC 9110 §14.1.2).
 *
 * @returns undefined when the field is to be ignored (§14.2): missing, of another unit, malformed,
 *   or with several ranges
 */
export function tryParseRange(
  range: string | undefined,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const match = range === undefined ? null : /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range);
  if (match === null) return undefined;
  const [, from = "", to = ""] = match;
  if (from === "" && to === "") return undefined;
  if (from === "") {
    const length = Number(to);
    if (length === 0 || size === 0) return "unsatisfiable";
    return { first: Math.max(0, size - length), last: size - 1 };
  }
  const first = Number(from);
  if (to !== "" && Number(to) < first) return undefined;
  if (first >= size) return "unsatisfiable";
  return { first, last: to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}
