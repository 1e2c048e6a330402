import { SipFormatError, syntaxError } from "./errors.ts";
import {
  NO_PARAMS,
  addParam,
  isHostName,
  isPasswordText,
  isUriParamText,
  isUriText,
  isUserText,
  parseHostPort,
  toLower,
} from "./syntax.ts";
import type { Params } from "./syntax.ts";

interface UriParts {
  readonly scheme: string;
  readonly rawUser?: string | undefined;
  readonly rawPassword?: string | undefined;
  readonly host: string;
  readonly port?: number | undefined;
  readonly params: Params;
  readonly headers?: string | undefined;
}

/**
 * A URI as SIP meets it (RFC 3261 §19.1): `sip` and `sips` taken apart, `tel` (RFC 3966) with its
 * number as `user`, any other scheme with nothing but its text.
 */
export class SipUri {
  /** In lower case. */
  readonly scheme: "sip" | "sips" | "tel" | (string & {});
  /** Unescaped once, as text; an escape that does not make UTF-8 stays an escape. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** In lower case, an IPv6 address in brackets; empty when the scheme has none. */
  readonly host: string;
  readonly port: number | undefined;
  /** Names in lower case, names and values unescaped. */
  readonly params: Params;
  /** What follows the `?`, as written. Never to be made header fields of ours. */
  readonly headers: string | undefined;
  readonly #text: string;
  readonly #rawUser: string | undefined;
  readonly #rawPassword: string | undefined;

  private constructor(text: string, parts: UriParts) {
    this.#text = text;
    this.#rawUser = parts.rawUser;
    this.#rawPassword = parts.rawPassword;
    this.scheme = parts.scheme;
    this.user = parts.rawUser === undefined ? undefined : unescape(parts.rawUser);
    this.password = parts.rawPassword === undefined ? undefined : unescape(parts.rawPassword);
    this.host = parts.host;
    this.port = parts.port;
    this.params = parts.params;
    this.headers = parts.headers;
  }

  /** @throws SipParseError */
  static parse(text: string): SipUri {
    const colon = text.indexOf(":");
    const scheme = colon > 0 ? parseScheme(text, colon) : undefined;
    if (scheme === undefined) throw syntaxError("The URI has no scheme");
    if (scheme === "sip" || scheme === "sips") return SipUri.#parseSip(text, scheme, colon + 1);
    if (!isUriText(text, colon + 1)) throw syntaxError("The URI has characters that none may have");
    if (scheme === "tel") return SipUri.#parseTel(text, colon + 1);
    return new SipUri(text, { scheme, host: "", params: NO_PARAMS });
  }

  /** @returns undefined instead of throwing */
  static tryParse(text: string): SipUri | undefined {
    try {
      return SipUri.parse(text);
    } catch {
      return undefined;
    }
  }

  static #parseSip(text: string, scheme: string, start: number): SipUri {
    const at = text.indexOf("@", start);
    let rawUser: string | undefined;
    let rawPassword: string | undefined;
    let index = start;
    if (at >= 0) {
      const colon = text.indexOf(":", start);
      const userEnd = colon >= 0 && colon < at ? colon : at;
      if (userEnd === start) throw syntaxError("The URI has an empty user part");
      rawUser = text.slice(start, userEnd);
      if (!isUserText(text, start, userEnd)) throw syntaxError("The URI's user part is malformed");
      if (userEnd < at) {
        rawPassword = text.slice(userEnd + 1, at);
        if (!isPasswordText(text, userEnd + 1, at)) {
          throw syntaxError("The URI's password is malformed");
        }
      }
      index = at + 1;
    }
    const { host, port, end } = parseHostPort(text, index, false);
    const question = text.indexOf("?", end);
    const paramsEnd = question < 0 ? text.length : question;
    const params = end === paramsEnd ? NO_PARAMS : parseUriParams(text, end, paramsEnd);
    if (question >= 0 && !isUriText(text, question + 1)) {
      throw syntaxError("The URI's header part is malformed");
    }
    checkEscapes(text);
    return new SipUri(text, {
      scheme,
      rawUser,
      rawPassword,
      host: toLower(host),
      port,
      params,
      headers: question < 0 ? undefined : text.slice(question + 1),
    });
  }

  static #parseTel(text: string, start: number): SipUri {
    const semicolon = text.indexOf(";", start);
    const numberEnd = semicolon < 0 ? text.length : semicolon;
    if (numberEnd === start) throw syntaxError("The tel URI has no number");
    checkEscapes(text);
    return new SipUri(text, {
      scheme: "tel",
      rawUser: text.slice(start, numberEnd),
      host: "",
      params: semicolon < 0 ? NO_PARAMS : parseUriParams(text, semicolon, text.length),
    });
  }

  /** As it was written. */
  toString(): string {
    return this.#text;
  }

  /** RFC 3261 §19.1.4 for SIP and SIPS URIs; others are equal when their text is. */
  equals(other: SipUri): boolean {
    if (this.scheme !== other.scheme) return false;
    if (this.scheme !== "sip" && this.scheme !== "sips") return this.#text === other.#text;
    return (
      canonical(this.#rawUser) === canonical(other.#rawUser) &&
      canonical(this.#rawPassword) === canonical(other.#rawPassword) &&
      this.host === other.host &&
      this.port === other.port &&
      hasEqualParams(this.params, other.params) &&
      hasEqualHeaders(this.headers, other.headers)
    );
  }
}

/** Parts of a new SIP URI; all of them as text, not escaped. */
export interface SipUriParts {
  /** Default "sip". */
  readonly scheme?: "sip" | "sips";
  readonly user?: string | undefined;
  /** A host name or an address, an IPv6 one with or without brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  readonly params?: Iterable<readonly [string, string | undefined]> | undefined;
}

const USER_PLAIN = "-_.!~*'()&=+$,;?/";
const PARAM_PLAIN = "-_.!~*'()[]/:&+$";

/** Builds a SIP URI, escaping whatever needs it. @throws SipFormatError when the host is none */
export function buildSipUri(parts: SipUriParts): string {
  const host =
    parts.host.includes(":") && !parts.host.startsWith("[") ? `[${parts.host}]` : parts.host;
  let text = `${parts.scheme ?? "sip"}:`;
  if (parts.user !== undefined && parts.user !== "") text += `${escape(parts.user, USER_PLAIN)}@`;
  text += host;
  // What is plainly a URI need not be read again: each message of ours has some.
  let isSure = isHostName(host);
  if (parts.port !== undefined) {
    text += `:${parts.port}`;
    isSure &&= Number.isInteger(parts.port) && parts.port >= 0 && parts.port <= 65535;
  }
  const names: string[] = [];
  for (const [name, value] of parts.params ?? []) {
    text += `;${escape(name, PARAM_PLAIN)}`;
    if (value !== undefined) text += `=${escape(value, PARAM_PLAIN)}`;
    isSure &&= name !== "" && value !== "" && !names.includes(name.toLowerCase());
    names.push(name.toLowerCase());
  }
  // A host such as "a;b" would make a good URI, of another host.
  if (!isSure && SipUri.tryParse(text)?.host !== host.toLowerCase()) {
    throw new SipFormatError("The host of a SIP URI must be a name or an address");
  }
  return text;
}

function parseScheme(text: string, end: number): string | undefined {
  // The usual two first; the rest of RFC 3986 §3.1 after.
  if (end === 3 && text.startsWith("sip:")) return "sip";
  if (end === 4 && text.startsWith("sips:")) return "sips";
  for (let index = 0; index < end; index += 1) {
    const code = text.charCodeAt(index);
    const lower = code | 0x20;
    const isAlpha = lower >= 0x61 && lower <= 0x7a;
    const isOther =
      (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e;
    if (!isAlpha && !(isOther && index > 0)) return undefined;
  }
  return text.slice(0, end).toLowerCase();
}

function parseUriParams(text: string, start: number, end: number): Params {
  const params = new Map<string, string | undefined>();
  let index = start;
  // Searched again only when passed, so that a text without "=" is searched once.
  let equals = start;
  while (index < end) {
    if (text.charCodeAt(index) !== 0x3b) throw syntaxError("The URI's host or port is malformed");
    const semicolon = text.indexOf(";", index + 1);
    const paramEnd = semicolon < 0 || semicolon > end ? end : semicolon;
    if (equals >= 0 && equals <= index) equals = text.indexOf("=", index + 1);
    const nameEnd = equals < 0 || equals > paramEnd ? paramEnd : equals;
    if (!isUriParamText(text, index + 1, nameEnd))
      throw syntaxError("A URI parameter is malformed");
    const name = unescape(text.slice(index + 1, nameEnd)).toLowerCase();
    if (nameEnd === paramEnd) {
      addParam(params, name, undefined);
    } else {
      if (!isUriParamText(text, nameEnd + 1, paramEnd)) {
        throw syntaxError("A URI parameter's value is malformed");
      }
      addParam(params, name, unescape(text.slice(nameEnd + 1, paramEnd)));
    }
    index = paramEnd;
  }
  return params;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function checkEscapes(text: string): void {
  for (let index = text.indexOf("%"); index >= 0; index = text.indexOf("%", index + 3)) {
    if (hexValue(text.charCodeAt(index + 1)) < 0 || hexValue(text.charCodeAt(index + 2)) < 0) {
      throw syntaxError("The URI has a '%' without two hexadecimal digits");
    }
  }
}

function unescape(text: string): string {
  if (!text.includes("%")) return text;
  const octets = unescapeWhere(text, () => true);
  const decoded = Buffer.from(octets, "latin1").toString("utf8");
  if (!decoded.includes("\uFFFD")) return decoded;
  return unescapeWhere(text, (octet) => octet < 0x80);
}

function unescapeWhere(text: string, isWanted: (octet: number) => boolean): string {
  let result = "";
  let from = 0;
  for (let index = text.indexOf("%"); index >= 0; index = text.indexOf("%", index + 3)) {
    const high = hexValue(text.charCodeAt(index + 1));
    const low = hexValue(text.charCodeAt(index + 2));
    const octet = high * 16 + low;
    result += text.slice(from, index);
    from = index + 3;
    const isEscape = high >= 0 && low >= 0;
    result +=
      isEscape && isWanted(octet)
        ? String.fromCharCode(octet)
        : text.slice(index, from).toUpperCase();
  }
  return result + text.slice(from);
}

function escape(text: string, plain: string): string {
  if (isPlain(text, plain)) return text;
  let result = "";
  for (const octet of Buffer.from(text, "utf8")) {
    const character = String.fromCharCode(octet);
    const lower = octet | 0x20;
    const isAlphanum = (octet >= 0x30 && octet <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
    result +=
      octet < 0x80 && (isAlphanum || plain.includes(character))
        ? character
        : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return result;
}

/** Whether nothing in it needs an escape: so it is with nearly every number and name. */
function isPlain(text: string, plain: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const lower = code | 0x20;
    const isAlphanum = (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
    if (code >= 0x80 || !(isAlphanum || plain.includes(text.charAt(index)))) return false;
  }
  return true;
}

const RESERVED = ";/?:@&=+$,";

// RFC 3261 §19.1.4: characters outside the reserved set are equal to their escapes.
function canonical(raw: string | undefined): string | undefined {
  if (raw === undefined || !raw.includes("%")) return raw;
  return unescapeWhere(
    raw,
    (octet) => octet < 0x80 && !RESERVED.includes(String.fromCharCode(octet)),
  );
}

const ALWAYS_COMPARED = ["user", "ttl", "method", "maddr", "transport"];

function hasEqualParams(left: Params, right: Params): boolean {
  for (const name of ALWAYS_COMPARED) {
    if (left.has(name) !== right.has(name)) return false;
  }
  for (const [name, value] of left) {
    if (right.has(name) && right.get(name)?.toLowerCase() !== value?.toLowerCase()) return false;
  }
  return true;
}

function hasEqualHeaders(left: string | undefined, right: string | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  const normalise = (headers: string): string =>
    headers
      .split("&")
      .map((header) => (canonical(header) ?? "").toLowerCase())
      .sort()
      .join("&");
  return normalise(left) === normalise(right);
}
