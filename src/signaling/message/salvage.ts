/**
 * What can be saved of a request that is refused, so that it can be answered (RFC 3261 §8.2.6.2).
 * As linear as the parser, and never throws: whatever cannot be read is left out.
 */
import { headerKey } from "./header-names.ts";
import { Headers } from "./headers.ts";
import type { HeaderField } from "./headers.ts";
import { PARSER_LIMITS } from "./limits.ts";
import type { ParserLimits } from "./limits.ts";
import { hasControl, skipLineBreaks, unfold } from "./lines.ts";
import { SipRequest } from "./message.ts";
import { isBlank, isToken, isUriText, skipBlanks, splitList, trimBlanks } from "./syntax.ts";
import { Via } from "./via.ts";

/**
 * The request with every header line that is one, the first of each that may come once, and a
 * topmost Via that can be read.
 *
 * @returns undefined when no answer may be sent: a response, an ACK, no SIP at all, no Via
 */
export function salvageRequest(
  octets: Buffer,
  limits: ParserLimits = PARSER_LIMITS,
): SipRequest | undefined {
  const start = skipLineBreaks(octets);
  const limit = Math.min(octets.length, start + limits.messageOctets);
  const found = octets.indexOf("\r\n\r\n", start, "latin1");
  const head = octets.toString("latin1", start, found < 0 || found > limit ? limit : found + 2);
  const lineEnd = head.indexOf("\r\n");
  const methodEnd = head.indexOf(" ");
  const method = head.slice(0, Math.max(0, methodEnd));
  // RFC 3261 §17.1.1.3: nothing answers an ACK.
  if (lineEnd < methodEnd || !isToken(method) || method === "ACK") return undefined;
  const fields = salvageFields(head, lineEnd + 2, limits);
  const vias = fields.filter(([name]) => headerKey(name) === "via").map(([, value]) => value);
  const topmost = salvageVia(vias[0]);
  if (topmost === undefined) return undefined;
  const others = vias.slice(1, limits.vias).filter((value) => isViaList(value));
  const headers = Headers.of(fields).with("Via", topmost, ...others);
  const uri = head.slice(skipBlanks(head, methodEnd), lineEnd).split(" ", 1)[0] ?? "";
  const isUsable = uri.length <= limits.requestUriOctets && isUriText(uri);
  return new SipRequest(method, isUsable ? uri : "sip:invalid.invalid", headers);
}

const COME_ONCE: ReadonlySet<string> = new Set(["from", "to", "call-id", "cseq"]);

function salvageFields(head: string, start: number, limits: ParserLimits): HeaderField[] {
  const fields: HeaderField[] = [];
  const seen = new Set<string>();
  let index = start;
  let colon = -1;
  while (index < head.length && fields.length < limits.headerLines) {
    let lineEnd = head.indexOf("\r\n", index);
    if (lineEnd < 0) break;
    while (isBlank(head.charCodeAt(lineEnd + 2))) {
      const next = head.indexOf("\r\n", lineEnd + 2);
      if (next < 0) return fields;
      lineEnd = next;
    }
    // Searched again only when passed: a text without colons is not searched once per line.
    if (colon < index) colon = head.indexOf(":", index);
    if (colon < 0) break;
    if (colon < lineEnd && lineEnd - index <= limits.headerOctets) {
      const name = trimBlanks(head, index, colon);
      const key = headerKey(name);
      const value = unfold(head, colon + 1, lineEnd);
      if (isToken(name) && !hasControl(value) && !(COME_ONCE.has(key) && seen.has(key))) {
        seen.add(key);
        fields.push([name, value]);
      } else if (key === "via") {
        // Without this line the answer would go to the wrong hop.
        return [];
      }
    }
    index = lineEnd + 2;
  }
  return fields;
}

function isViaList(value: string): boolean {
  try {
    return Via.parseList(value).length > 0;
  } catch {
    return false;
  }
}

/** A line of Via as it is, or its first element up to the first parameter that is malformed. */
function salvageVia(line: string | undefined): string | undefined {
  if (line === undefined) return undefined;
  if (isViaList(line)) return line;
  const [sentBy = "", ...params] = (splitList(line)[0] ?? "").split(";");
  if (!isViaList(sentBy)) return undefined;
  let text = trimBlanks(sentBy);
  const names = new Set<string>();
  for (const param of params) {
    const [name = "", value] = param.split("=", 2).map((part) => trimBlanks(part));
    const isPlain = isToken(name) && (value === undefined || isToken(value));
    if (!isPlain || names.has(name.toLowerCase())) break;
    names.add(name.toLowerCase());
    text += value === undefined ? `;${name}` : `;${name}=${value}`;
  }
  return isViaList(text) ? text : trimBlanks(sentBy);
}
