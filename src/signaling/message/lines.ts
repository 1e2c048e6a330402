/** What the parser and the salvage of broken messages know of lines (RFC 3261 §7.3.1, §7.5). */
import { isBlank, trimBlanks } from "./syntax.ts";

/**
 * The index of the start line: RFC 3261 §7.5 has streams ignore CRLF before it; elsewhere that is
 * harmless.
 */
export function skipLineBreaks(octets: Buffer): number {
  let index = 0;
  while (octets[index] === 0x0d && octets[index + 1] === 0x0a) index += 2;
  return index;
}

/** Whether there is a line break that is not CRLF, or a control character other than HTAB. */
export function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= 0x20 && code !== 0x7f) continue;
    if (code === 0x0d && text.charCodeAt(index + 1) === 0x0a) index += 1;
    else if (code !== 0x09) return true;
  }
  return false;
}

/** Octets at which a {@link LineScanner} stops. */
const CONTROL = 1;
const COLON = 2;
const STOPS = new Uint8Array(256);
STOPS.fill(CONTROL, 0, 0x20);
STOPS[0x09] = 0;
STOPS[0x7f] = CONTROL;
STOPS[0x3a] = COLON;

/**
 * The lines of a head, one after the other, each octet looked at once. The head must end with
 * CRLF CRLF.
 */
export class LineScanner {
  /** Where the line begins. */
  start = 0;
  /** Of a header line: its first colon; -1 when it has none. */
  colon = -1;
  /** Where the line's last CRLF begins. */
  end = -2;
  /** RFC 3261 §7.3.1: there are CRLFs in it, each before SP or HTAB. */
  isFolded = false;
  /** It has neither a line break that is not CRLF nor a control character other than HTAB. */
  isClean = true;
  readonly #octets: Uint8Array;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** The start line: nothing continues it. */
  startLine(): void {
    this.#begin();
    this.#seekEnd(this.start, false);
  }

  headerLine(): void {
    this.#begin();
    const stop = this.#seek(this.start, CONTROL | COLON);
    const isColon = this.#octets[stop] === 0x3a;
    this.colon = isColon ? stop : -1;
    this.#seekEnd(isColon ? stop + 1 : stop, true);
  }

  #begin(): void {
    this.start = this.end + 2;
    this.isFolded = false;
    this.isClean = true;
  }

  #seekEnd(from: number, isFoldable: boolean): void {
    const octets = this.#octets;
    let index = this.#seek(from, CONTROL);
    while (index < octets.length) {
      if (octets[index] !== 0x0d || octets[index + 1] !== 0x0a) this.isClean = false;
      else if (isFoldable && isBlank(octets[index + 2] ?? 0)) this.isFolded = true;
      else break;
      index = this.#seek(index + 1, CONTROL);
    }
    this.end = index;
  }

  #seek(from: number, stops: number): number {
    const octets = this.#octets;
    let index = from;
    while (((STOPS[octets[index] ?? 0] ?? 0) & stops) === 0) index += 1;
    return index;
  }
}

/**
 * The text of a header value, `end` being where the CRLF of its last line begins.
 *
 * RFC 3261 §7.3.1: "The line break and the whitespace at the beginning of the next line are
 * treated as a single SP character"; so are blanks before the break.
 */
export function unfold(head: string, start: number, end: number): string {
  const parts: string[] = [];
  let index = start;
  while (index <= end) {
    const lineEnd = head.indexOf("\r\n", index);
    const part = trimBlanks(head, index, lineEnd);
    if (part !== "") parts.push(part);
    index = lineEnd + 2;
  }
  return parts.join(" ");
}
