/** What the parser and the salvage of broken messages know of lines (RFC 3261 §7.3.1, §7.5). */
import { trimBlanks } from "./syntax.ts";

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
