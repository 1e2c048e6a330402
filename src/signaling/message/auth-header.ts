import { syntaxError } from "./errors.ts";
import {
  closingQuote,
  isBlank,
  isToken,
  octetsToText,
  quote,
  skipBlanks,
  tokenEnd,
  tryParseDigits,
  unquote,
} from "./syntax.ts";

/** More parameters than any scheme has. */
const MAX_PARAMS = 32;

/**
 * The value of WWW-Authenticate, Proxy-Authenticate, Authorization or Proxy-Authorization
 * (RFC 3261 §25.1 challenge and credentials). One value stands on one header line.
 */
export interface AuthHeader {
  /** In lower case: `digest`. */
  readonly scheme: string;
  /** Names in lower case; values as text, without quotes. */
  readonly params: ReadonlyMap<string, string>;
}

/**
 * Reads a challenge or credentials of any scheme. A parameter given twice is an error: two readers
 * would take two different ones.
 *
 * @throws SipParseError
 */
export function parseAuthHeader(value: string): AuthHeader {
  const schemeEnd = tokenEnd(value, 0);
  if (schemeEnd === 0) throw syntaxError("The authentication scheme is missing");
  const scheme = value.slice(0, schemeEnd).toLowerCase();
  const params = new Map<string, string>();
  let index = skipBlanks(value, schemeEnd);
  if (index < value.length && index === schemeEnd) {
    throw syntaxError("The authentication scheme is malformed");
  }
  while (index < value.length) {
    const nameEnd = tokenEnd(value, index);
    const name = value.slice(index, nameEnd).toLowerCase();
    index = skipBlanks(value, nameEnd);
    if (name === "" || value.charCodeAt(index) !== 0x3d) {
      throw syntaxError("An authentication parameter is malformed");
    }
    index = skipBlanks(value, index + 1);
    if (params.has(name)) throw syntaxError("An authentication parameter is given twice");
    if (params.size === MAX_PARAMS)
      throw syntaxError("There are too many authentication parameters");
    const { text, end } = readValue(value, index);
    // What we are given in a challenge we must give back octet by octet, and we write no controls.
    if (hasAnyControl(text)) {
      throw syntaxError("An authentication parameter has a control character");
    }
    params.set(name, text);
    index = nextParam(value, end);
  }
  return { scheme, params };
}

/** The same, undefined instead of an error. */
export function tryParseAuthHeader(value: string): AuthHeader | undefined {
  try {
    return parseAuthHeader(value);
  } catch {
    return undefined;
  }
}

function readValue(value: string, start: number): { readonly text: string; readonly end: number } {
  if (value.charCodeAt(start) === 0x22) {
    const close = closingQuote(value, start);
    if (close < 0) throw syntaxError("A quoted authentication parameter has no end");
    return { text: octetsToText(unquote(value.slice(start + 1, close))), end: close + 1 };
  }
  let end = start;
  while (end < value.length) {
    const code = value.charCodeAt(end);
    if (code === 0x2c || isBlank(code)) break;
    if (code === 0x22) throw syntaxError("An authentication parameter is malformed");
    end += 1;
  }
  return { text: octetsToText(value.slice(start, end)), end };
}

function hasAnyControl(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function nextParam(value: string, start: number): number {
  const comma = skipBlanks(value, start);
  if (comma === value.length) return comma;
  if (value.charCodeAt(comma) !== 0x2c) {
    throw syntaxError("A comma must stand between authentication parameters");
  }
  // Empty elements are let pass, as in every list (RFC 9110 §5.6.1).
  let index = comma;
  while (value.charCodeAt(index) === 0x2c) index = skipBlanks(value, index + 1);
  return index;
}

/** The parameters of a digest challenge (RFC 3261 §22.4, RFC 7616 §3.3, RFC 8760). */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  /** `MD5`, `SHA-256` and so on; absent means MD5. */
  readonly algorithm?: string | undefined;
  /** Such as `["auth"]`. */
  readonly qop?: readonly string[] | undefined;
  readonly opaque?: string | undefined;
  readonly isStale?: boolean | undefined;
}

/** The parameters of digest credentials (RFC 3261 §22.4, RFC 7616 §3.4). */
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm?: string | undefined;
  readonly cnonce?: string | undefined;
  readonly opaque?: string | undefined;
  readonly qop?: string | undefined;
  /** The nonce count as eight hexadecimal digits. */
  readonly nc?: string | undefined;
}

/** The value of a WWW-Authenticate or Proxy-Authenticate header field. */
export function formatDigestChallenge(challenge: DigestChallenge): string {
  let text = `Digest realm=${quote(challenge.realm)}, nonce=${quote(challenge.nonce)}`;
  if (challenge.opaque !== undefined) text += `, opaque=${quote(challenge.opaque)}`;
  if (challenge.isStale === true) text += ", stale=true";
  if (challenge.algorithm !== undefined) text += `, algorithm=${plain(challenge.algorithm)}`;
  // RFC 7616 §3.3: a quoted list.
  if (challenge.qop !== undefined) text += `, qop=${quote(challenge.qop.join(","))}`;
  return text;
}

/** The value of an Authorization or Proxy-Authorization header field. */
export function formatDigestCredentials(credentials: DigestCredentials): string {
  const { username, realm, nonce, uri, response } = credentials;
  let text =
    `Digest username=${quote(username)}, realm=${quote(realm)}, nonce=${quote(nonce)}, ` +
    `uri=${quote(uri)}, response=${quote(response)}`;
  if (credentials.algorithm !== undefined) text += `, algorithm=${plain(credentials.algorithm)}`;
  if (credentials.cnonce !== undefined) text += `, cnonce=${quote(credentials.cnonce)}`;
  if (credentials.opaque !== undefined) text += `, opaque=${quote(credentials.opaque)}`;
  // RFC 7616 §3.4: not quoted.
  if (credentials.qop !== undefined) text += `, qop=${plain(credentials.qop)}`;
  if (credentials.nc !== undefined) text += `, nc=${plain(credentials.nc)}`;
  return text;
}

function plain(text: string): string {
  return isToken(text) ? text : quote(text);
}

/**
 * The digest challenge in a value of WWW-Authenticate or Proxy-Authenticate.
 *
 * @returns undefined for another scheme or when realm or nonce is missing
 */
export function tryParseDigestChallenge(value: string): DigestChallenge | undefined {
  const header = tryParseAuthHeader(value);
  if (header?.scheme !== "digest") return undefined;
  const { params } = header;
  const realm = params.get("realm");
  const nonce = params.get("nonce");
  if (realm === undefined || nonce === undefined || nonce === "") return undefined;
  const qop = params.get("qop");
  return {
    realm,
    nonce,
    algorithm: params.get("algorithm"),
    qop: qop === undefined ? undefined : splitPlain(qop),
    opaque: params.get("opaque"),
    isStale: params.get("stale")?.toLowerCase() === "true",
  };
}

function splitPlain(list: string): readonly string[] {
  return list
    .split(",")
    .map((element) => element.trim().toLowerCase())
    .filter((element) => element !== "");
}

/**
 * The digest credentials in a value of Authorization or Proxy-Authorization.
 *
 * @returns undefined for another scheme, when a parameter that must be there is missing or empty,
 *   or when `nc` is not eight hexadecimal digits
 */
export function tryParseDigestCredentials(value: string): DigestCredentials | undefined {
  const header = tryParseAuthHeader(value);
  if (header?.scheme !== "digest") return undefined;
  const { params } = header;
  const username = params.get("username");
  const realm = params.get("realm");
  const nonce = params.get("nonce");
  const uri = params.get("uri");
  const response = params.get("response");
  const nc = params.get("nc");
  if (username === undefined || realm === undefined || nonce === undefined) return undefined;
  if (uri === undefined || response === undefined || nonce === "" || response === "") {
    return undefined;
  }
  if (nc !== undefined && !isNonceCount(nc)) return undefined;
  return {
    username,
    realm,
    nonce,
    uri,
    response,
    algorithm: params.get("algorithm"),
    cnonce: params.get("cnonce"),
    opaque: params.get("opaque"),
    qop: params.get("qop"),
    nc,
  };
}

// RFC 7616 §3.4: nc-value = 8LHEX
function isNonceCount(text: string): boolean {
  if (text.length !== 8) return false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    const lower = text.charCodeAt(index) | 0x20;
    const isHex = lower >= 0x61 && lower <= 0x66;
    if (!isHex && tryParseDigits(character, 9) === undefined) return false;
  }
  return true;
}
