import { reasonPhraseOf } from "./build.ts";
import { octetsToText, tryParseDigits } from "./syntax.ts";

/** The media type of a SIP fragment (RFC 3420). */
export const SIP_FRAGMENT = "message/sipfrag";

const VERSION = "SIP/2.0 ";

/** The status line that tells how a REFER goes (RFC 3515 §2.4.5). */
export function formatStatusFragment(
  status: number,
  reasonPhrase = reasonPhraseOf(status),
): string {
  let phrase = "";
  for (const character of reasonPhrase) phrase += character < " " ? " " : character;
  return `${VERSION}${status} ${phrase}\r\n`;
}

/** Reads the status line of a fragment. @returns undefined when it does not begin with one */
export function tryParseStatusFragment(
  body: Buffer,
): { readonly status: number; readonly reasonPhrase: string } | undefined {
  const lineFeed = body.indexOf(0x0a);
  const line = body.toString("latin1", 0, lineFeed < 0 ? body.length : lineFeed).trimEnd();
  if (!line.toUpperCase().startsWith(VERSION)) return undefined;
  const status = tryParseDigits(line.slice(VERSION.length, VERSION.length + 3), 699);
  if (status === undefined || status < 100) return undefined;
  return { status, reasonPhrase: octetsToText(line.slice(VERSION.length + 4)) };
}
