/**
 * Character classes and small scanners of RFC 3261 §25.1, shared by the parsers of this room.
 *
 * All of them work on octet strings (one char per octet, 0 to 255), look at each octet a fixed
 * number of times, and know no line folding: the message parser has replaced it by a space.
 */
import { isIPv4, isIPv6 } from "node:net";
import { SipFormatError, syntaxError } from "./errors.ts";

/** Header or URI parameters: names in lower case; undefined for a parameter without a value. */
export type Params = ReadonlyMap<string, string | undefined>;

/** The parameters of a value that has none. */
export const NO_PARAMS: Params = new Map();

const TOKEN = 1;
const PARAM_VALUE = 2;
const HOST = 4;
const DIGIT = 8;
const USER = 16;
const PASSWORD = 32;
const URI_PARAM = 64;
const URI_ANY = 128;

const CLASSES = new Uint8Array(256);

function mark(bit: number, characters: string): void {
  for (let index = 0; index < characters.length; index += 1) {
    const code = characters.charCodeAt(index);
    CLASSES[code] = (CLASSES[code] ?? 0) | bit;
  }
}

const DIGITS = "0123456789";
const ALPHANUM = `${DIGITS}abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ`;
const UNRESERVED = `${ALPHANUM}-_.!~*'()`;

mark(TOKEN, `${ALPHANUM}-.!%*_+\`'~`);
mark(DIGIT, DIGITS);
// An underscore is no part of a host name, but container networks use it all the time.
mark(HOST, `${ALPHANUM}-._`);
// "#" has to be escaped; telephones that send it as it is are many, and nothing hangs on it.
mark(USER, `${UNRESERVED}&=+$,;?/#%`);
mark(PASSWORD, `${UNRESERVED}&=+$,%`);
mark(URI_PARAM, `${UNRESERVED}[]/:&+$%`);
for (let code = 0x21; code < 0x7f; code += 1) {
  const character = String.fromCharCode(code);
  if (!'<>"'.includes(character)) mark(URI_ANY, character);
  // gen-value is a token, a host or a quoted string; branches with "=" or "/" do occur.
  if (!'<>",;\\'.includes(character)) mark(PARAM_VALUE, character);
}
for (let code = 0x80; code <= 0xff; code += 1) mark(PARAM_VALUE, String.fromCharCode(code));

function indexOutside(bit: number, text: string, start: number, end: number): number {
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 255 || ((CLASSES[code] ?? 0) & bit) === 0) return index;
  }
  return end;
}

/** @returns the index of the first character at or after `start` that is not of a token. */
export function tokenEnd(text: string, start: number, end = text.length): number {
  return indexOutside(TOKEN, text, start, end);
}

/** Whether the text is a `token`. */
export function isToken(text: string): boolean {
  return text !== "" && tokenEnd(text, 0) === text.length;
}

/** Whether all of text[start, end) may stand in a URI of any scheme; escapes are not looked at. */
export function isUriText(text: string, start = 0, end = text.length): boolean {
  return start < end && indexOutside(URI_ANY, text, start, end) === end;
}

/** Whether all of text[start, end) may stand in the `user` of a SIP URI. */
export function isUserText(text: string, start: number, end: number): boolean {
  return indexOutside(USER, text, start, end) === end;
}

/** Whether all of text[start, end) may stand in the `password` of a SIP URI. */
export function isPasswordText(text: string, start: number, end: number): boolean {
  return indexOutside(PASSWORD, text, start, end) === end;
}

/** Whether all of text[start, end) is `1*paramchar` of a SIP URI. */
export function isUriParamText(text: string, start: number, end: number): boolean {
  return start < end && indexOutside(URI_PARAM, text, start, end) === end;
}

/** Whether the character is SP or HTAB. */
export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** @returns the index of the first character at or after `start` that is neither SP nor HTAB. */
export function skipBlanks(text: string, start: number, end = text.length): number {
  let index = start;
  while (index < end && isBlank(text.charCodeAt(index))) index += 1;
  return index;
}

/** text[start, end) without SP and HTAB on both sides. */
export function trimBlanks(text: string, start = 0, end = text.length): string {
  let first = start;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first += 1;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last -= 1;
  return text.slice(first, last);
}

/**
 * Reads `1*DIGIT`. No sign, no exponent, no blank.
 *
 * @returns undefined for anything else, or when it is more than `max`.
 */
export function tryParseDigits(text: string, max: number): number | undefined {
  if (text === "") return undefined;
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > max) return undefined;
  }
  return value;
}

/** Octet string to text: UTF-8, with U+FFFD for what is not UTF-8. */
export function octetsToText(octets: string): string {
  for (let index = 0; index < octets.length; index += 1) {
    if (octets.charCodeAt(index) > 0x7f) return Buffer.from(octets, "latin1").toString("utf8");
  }
  return octets;
}

/** Text to octet string: the UTF-8 octets, one char each. */
export function textToOctets(text: string): string {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.from(text, "utf8").toString("latin1");
  }
  return text;
}

/**
 * @param start the index of the opening quote
 * @returns the index of the closing quote, or -1
 */
export function closingQuote(text: string, start: number, end = text.length): number {
  for (let index = start + 1; index < end; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0x22) return index;
    if (code === 0x5c) index += 1;
  }
  return -1;
}

/** What stands between the quotes, with quoted pairs resolved. */
export function unquote(inner: string): string {
  let from = inner.indexOf("\\");
  if (from < 0) return inner;
  let result = inner.slice(0, from);
  while (from >= 0) {
    const next = inner.indexOf("\\", from + 2);
    result += inner.slice(from + 1, next < 0 ? inner.length : next);
    from = next;
  }
  return result;
}

/**
 * A `quoted-string` of the text's UTF-8 octets. Control characters become spaces: some may stand
 * in a quoted pair, but nobody is served by them.
 */
export function quote(text: string): string {
  const octets = textToOctets(text);
  let result = '"';
  for (let index = 0; index < octets.length; index += 1) {
    const code = octets.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) result += " ";
    else if (code === 0x22 || code === 0x5c) result += `\\${octets.charAt(index)}`;
    else result += octets.charAt(index);
  }
  return `${result}"`;
}

/**
 * Splits at the commas that stand outside quotes and angle brackets; elements are trimmed.
 *
 * @param keepEmpty otherwise empty elements are left out: RFC 7118 §8.2 itself prints one
 */
export function splitList(text: string, keepEmpty = false): string[] {
  if (!text.includes(",")) {
    const only = trimBlanks(text);
    return keepEmpty || only !== "" ? [only] : [];
  }
  const elements: string[] = [];
  const add = (start: number, end: number): void => {
    const element = trimBlanks(text, start, end);
    if (keepEmpty || element !== "") elements.push(element);
  };
  let start = 0;
  let isBracketed = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0x22 && !isBracketed) {
      const close = closingQuote(text, index);
      if (close < 0) break;
      index = close;
    } else if (code === 0x3c) {
      isBracketed = true;
    } else if (code === 0x3e) {
      isBracketed = false;
    } else if (code === 0x2c && !isBracketed) {
      add(start, index);
      start = index + 1;
    }
  }
  add(start, text.length);
  return elements;
}

/** Adds a parameter. @throws SipParseError when it is there already with another value */
export function addParam(
  params: Map<string, string | undefined>,
  name: string,
  value: string | undefined,
): void {
  // RFC 3261 §7.3.1: "any given parameter-name MUST NOT appear more than once"; saying the same
  // thing twice is harmless and does occur.
  if (params.has(name)) {
    if (params.get(name) !== value) throw syntaxError(`Parameter given twice with two values`);
    return;
  }
  params.set(name, value);
}

/**
 * Reads `*( SEMI generic-param )` from `start` to the end of the text. Quoted values come without
 * their quotes.
 *
 * @throws SipParseError
 */
export function parseParams(text: string, start: number): Params {
  const end = text.length;
  let index = skipBlanks(text, start);
  if (index === end) return NO_PARAMS;
  const params = new Map<string, string | undefined>();
  while (index < end) {
    if (text.charCodeAt(index) !== 0x3b) throw syntaxError("A parameter must begin with ';'");
    index = skipBlanks(text, index + 1);
    const nameEnd = tokenEnd(text, index);
    if (nameEnd === index) throw syntaxError("A parameter has no name");
    const name = text.slice(index, nameEnd).toLowerCase();
    index = skipBlanks(text, nameEnd);
    if (index === end || text.charCodeAt(index) !== 0x3d) {
      addParam(params, name, undefined);
      continue;
    }
    index = skipBlanks(text, index + 1);
    if (text.charCodeAt(index) === 0x22) {
      const close = closingQuote(text, index);
      if (close < 0) throw syntaxError("A quoted parameter value has no end");
      addParam(params, name, unquote(text.slice(index + 1, close)));
      index = skipBlanks(text, close + 1);
    } else {
      const valueEnd = indexOutside(PARAM_VALUE, text, index, end);
      addParam(params, name, text.slice(index, valueEnd));
      index = skipBlanks(text, valueEnd);
    }
  }
  return params;
}

/**
 * `;name=value` for each; a value that is not made of plain characters is quoted.
 *
 * @throws SipFormatError when a name is no token
 */
export function formatParams(params: Iterable<readonly [string, string | undefined]>): string {
  let result = "";
  for (const [name, value] of params) {
    if (!isToken(name)) throw new SipFormatError("A parameter's name must be a token");
    result += `;${name}`;
    if (value !== undefined) {
      const isPlain = indexOutside(PARAM_VALUE, value, 0, value.length) === value.length;
      result += isPlain && value !== "" ? `=${value}` : `=${quoteOctets(value)}`;
    }
  }
  return result;
}

function quoteOctets(octets: string): string {
  let result = '"';
  for (let index = 0; index < octets.length; index += 1) {
    const code = octets.charCodeAt(index);
    if (code > 255) return quote(octets);
    if (code < 0x20 || code === 0x7f) result += " ";
    else if (code === 0x22 || code === 0x5c) result += `\\${octets.charAt(index)}`;
    else result += octets.charAt(index);
  }
  return `${result}"`;
}

/** A host and a port as they stand in a URI or a Via. */
export interface HostPort {
  /** As written; an IPv6 address in its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** The index after it. */
  readonly end: number;
}

/**
 * Reads `host [ ":" port ]` at `start`.
 *
 * @param allowBlanks whether blanks may stand around the colon, as in a Via
 * @throws SipParseError
 */
export function parseHostPort(text: string, start: number, allowBlanks: boolean): HostPort {
  let hostEnd: number;
  let host: string;
  if (text.charCodeAt(start) === 0x5b) {
    hostEnd = text.indexOf("]", start) + 1;
    const address = hostEnd === 0 ? undefined : readIPv6(text.slice(start + 1, hostEnd - 1));
    if (address === undefined) throw syntaxError("The text in brackets is not an IPv6 address");
    host = `[${address}]`;
  } else {
    hostEnd = indexOutside(HOST, text, start, text.length);
    if (hostEnd === start) throw syntaxError("The host is missing");
    host = text.slice(start, hostEnd);
  }
  let index = allowBlanks ? skipBlanks(text, hostEnd) : hostEnd;
  if (text.charCodeAt(index) !== 0x3a) return { host, port: undefined, end: hostEnd };
  index = allowBlanks ? skipBlanks(text, index + 1) : index + 1;
  const portEnd = indexOutside(DIGIT, text, index, text.length);
  const port = tryParseDigits(text.slice(index, portEnd), 65535);
  if (port === undefined) throw syntaxError("The port is not a number from 0 to 65535");
  return { host, port, end: portEnd };
}

/** Whether the text is a host that is no IPv6 address (RFC 3261 §25.1, as loosely as it is read). */
export function isHostName(text: string): boolean {
  return text !== "" && indexOutside(HOST, text, 0, text.length) === text.length;
}

/** The longest text of an IPv6 address, and room for the third colon. */
const MAX_ADDRESS_LENGTH = 46;

function readIPv6(text: string): string | undefined {
  if (text.length > MAX_ADDRESS_LENGTH || text.includes("%")) return undefined;
  if (isIPv6(text)) return text;
  // RFC 5118 §4.10: the grammar of RFC 3261 makes three colons before an IPv4 part, and "an
  // implementation must tolerate" them.
  const colons = text.indexOf(":::");
  if (colons < 0 || !isIPv4(text.slice(colons + 3))) return undefined;
  const corrected = `${text.slice(0, colons)}${text.slice(colons + 1)}`;
  return isIPv6(corrected) ? corrected : undefined;
}

/** Whether the text is an IP address, an IPv6 one with or without brackets. */
export function isIpAddress(text: string): boolean {
  if (text.length > MAX_ADDRESS_LENGTH) return false;
  return isIPv4(text) || readIPv6(stripBrackets(text)) !== undefined;
}

/** `toLowerCase` without a copy of what is in lower case already, as hosts of messages are. */
export function toLower(text: string): string {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if ((code >= 0x41 && code <= 0x5a) || code >= 0x80) return text.toLowerCase();
  }
  return text;
}

/** `[::1]` to `::1`; anything else as it is. */
export function stripBrackets(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
