import { parseParams, trimBlanks } from "./syntax.ts";

/** The longest boundary (RFC 2046 §5.1.1). */
const MAX_BOUNDARY_OCTETS = 70;
/** How deep a multipart may stand in a multipart. */
const MAX_DEPTH = 3;
/** How many parts are looked at. */
const MAX_PARTS = 32;

/** The `type/subtype` of a Content-Type value in lower case, without parameters. */
export function mediaType(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  const text = trimBlanks(contentType, 0, semicolon < 0 ? contentType.length : semicolon);
  return text.toLowerCase();
}

/**
 * The first part of a multipart body (RFC 5621, RFC 2046 §5.1) whose type is `wanted`.
 *
 * Never throws: a broken body has no such part.
 *
 * @param contentType the whole Content-Type value
 */
export function findPart(body: Buffer, contentType: string, wanted: string): Buffer | undefined {
  return findPartAt(body, contentType, wanted, 1);
}

function findPartAt(
  body: Buffer,
  contentType: string,
  wanted: string,
  depth: number,
): Buffer | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined || depth > MAX_DEPTH) return undefined;
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  let at = startsWithDelimiter(body, delimiter) ? -2 : body.indexOf(delimiter);
  if (at === -1) return undefined;
  for (let count = 0; count < MAX_PARTS; count += 1) {
    const lineEnd = body.indexOf("\r\n", at + delimiter.length);
    // "--" after the delimiter closes the body.
    if (
      lineEnd < 0 ||
      body.toString("latin1", at + delimiter.length, at + delimiter.length + 2) === "--"
    ) {
      return undefined;
    }
    const next = body.indexOf(delimiter, lineEnd);
    if (next < 0) return undefined;
    const part = readPart(body, lineEnd + 2, next);
    if (part !== undefined) {
      const type = mediaType(part.contentType);
      if (type === wanted) return part.content;
      if (type.startsWith("multipart/")) {
        const inner = findPartAt(part.content, part.contentType, wanted, depth + 1);
        if (inner !== undefined) return inner;
      }
    }
    at = next;
  }
  return undefined;
}

function startsWithDelimiter(body: Buffer, delimiter: Buffer): boolean {
  const length = delimiter.length - 2;
  return body.length >= length && delimiter.compare(body, 0, length, 2) === 0;
}

function boundaryOf(contentType: string): string | undefined {
  const semicolon = contentType.indexOf(";");
  if (semicolon < 0) return undefined;
  try {
    const boundary = parseParams(contentType, semicolon).get("boundary");
    if (boundary === undefined || boundary === "" || boundary.length > MAX_BOUNDARY_OCTETS) {
      return undefined;
    }
    return boundary;
  } catch {
    return undefined;
  }
}

interface Part {
  readonly contentType: string;
  readonly content: Buffer;
}

function readPart(body: Buffer, start: number, end: number): Part | undefined {
  let contentType = "text/plain";
  let index = start;
  while (index < end) {
    const found = body.indexOf("\r\n", index);
    const lineEnd = found < 0 || found > end ? end : found;
    if (lineEnd === index) break;
    const line = body.toString("latin1", index, lineEnd);
    const colon = line.indexOf(":");
    if (colon > 0) {
      const name = trimBlanks(line, 0, colon).toLowerCase();
      if (name === "content-type" || name === "c") contentType = trimBlanks(line, colon + 1);
    }
    index = lineEnd + 2;
  }
  // The CRLF of the empty line may be that of the delimiter, in a part without content.
  const contentStart = Math.min(index + 2, end);
  return index > end ? undefined : { contentType, content: body.subarray(contentStart, end) };
}
