import { SipFormatError, syntaxError } from "./errors.ts";
import {
  NO_PARAMS,
  closingQuote,
  formatParams,
  isBlank,
  isUriText,
  octetsToText,
  parseParams,
  quote,
  skipBlanks,
  splitList,
  tokenEnd,
  trimBlanks,
  unquote,
} from "./syntax.ts";
import type { Params } from "./syntax.ts";
import { SipUri } from "./uri.ts";

/** The longest URI that a header field may carry, in octets. */
const MAX_URI_OCTETS = 1024;
/** The longest tag, in octets; RFC 4475 §3.1.1.7 sends one of 200. */
const MAX_TAG_OCTETS = 512;

/**
 * The value of From, To, Contact, Route, Record-Route, Refer-To and their like:
 * `( name-addr / addr-spec ) *( SEMI param )` (RFC 3261 §20.10).
 */
export class NameAddr {
  /** As written, without angle brackets. */
  readonly uri: string;
  /** The header parameters; names in lower case, quoted values without their quotes. */
  readonly params: Params;
  readonly #text: string;
  readonly #displayOctets: string;
  #sipUri: SipUri | undefined;

  private constructor(text: string, displayOctets: string, uri: string, params: Params) {
    this.#text = text;
    this.#displayOctets = displayOctets;
    this.uri = uri;
    this.params = params;
  }

  /** @throws SipParseError */
  static parse(text: string): NameAddr {
    const start = skipBlanks(text, 0);
    let open = start;
    let display = "";
    if (text.charCodeAt(start) === 0x22) {
      const close = closingQuote(text, start);
      if (close < 0) throw syntaxError("The display name's quoted string has no end");
      display = unquote(text.slice(start + 1, close));
      open = skipBlanks(text, close + 1);
      if (text.charCodeAt(open) !== 0x3c) throw syntaxError("A '<' must follow the display name");
    } else if (text.charCodeAt(start) !== 0x3c) {
      open = text.indexOf("<", start);
      const semicolon = text.indexOf(";", start);
      if (open < 0 || (semicolon >= 0 && semicolon < open)) {
        return NameAddr.#parseAddrSpec(text, start, semicolon);
      }
      checkDisplayTokens(text, start, open);
      display = trimBlanks(text, start, open);
    }
    const close = text.indexOf(">", open);
    if (close < 0) throw syntaxError("The '<' before the URI has no '>'");
    const params = close + 1 === text.length ? NO_PARAMS : parseParams(text, close + 1);
    const uri = text.slice(open + 1, close);
    if (!uri.includes(" ")) return NameAddr.#checked(text, display, uri, params);
    // Deviates from RFC 3261 §25.1: RFC 7118 §8.2 itself folds a URI before a ";".
    const joined = joinBeforeSemicolons(uri);
    const rewritten = `${text.slice(0, open + 1)}${joined}${text.slice(close)}`;
    return NameAddr.#checked(rewritten, display, joined, params);
  }

  // RFC 3261 §20: without brackets, what follows a ";" belongs to the header, and the URI may
  // have neither "," nor "?".
  static #parseAddrSpec(text: string, start: number, semicolon: number): NameAddr {
    const end = semicolon < 0 ? text.length : semicolon;
    const uri = trimBlanks(text, start, end);
    if (uri.includes(",") || uri.includes("?")) {
      throw syntaxError("A URI with ',' or '?' must stand in angle brackets");
    }
    return NameAddr.#checked(text, "", uri, semicolon < 0 ? NO_PARAMS : parseParams(text, end));
  }

  static #checked(text: string, displayOctets: string, uri: string, params: Params): NameAddr {
    if (uri.length > MAX_URI_OCTETS) throw syntaxError("A URI is longer than we take");
    const tag = params.get("tag");
    if (params.has("tag") && (tag === undefined || tag === ""))
      throw syntaxError("The tag is empty");
    if (tag !== undefined && tag.length > MAX_TAG_OCTETS) throw syntaxError("The tag is too long");
    const value = new NameAddr(text, displayOctets, uri, params);
    value.#sipUri = SipUri.parse(uri);
    return value;
  }

  /** Reads a comma list. @throws SipParseError, also for an empty element */
  static parseList(text: string): readonly NameAddr[] {
    if (!text.includes(",")) return [NameAddr.parse(trimBlanks(text))];
    return splitList(text, true).map((element) => NameAddr.parse(element));
  }

  /** As text, without quotes; undefined when there is none or it is empty. */
  get displayName(): string | undefined {
    return this.#displayOctets === "" ? undefined : octetsToText(this.#displayOctets);
  }

  get sipUri(): SipUri {
    this.#sipUri ??= SipUri.parse(this.uri);
    return this.#sipUri;
  }

  /** RFC 3261 §19.3 */
  get tag(): string | undefined {
    return this.params.get("tag");
  }

  /** As it was written. */
  toString(): string {
    return this.#text;
  }
}

function checkDisplayTokens(text: string, start: number, end: number): void {
  let index = skipBlanks(text, start, end);
  while (index < end) {
    // Octets above 127 belong in quotes; many send them bare, and they can break nothing.
    let stop = tokenEnd(text, index, end);
    while (stop < end && text.charCodeAt(stop) > 0x7f) stop = tokenEnd(text, stop + 1, end);
    if (stop === index) throw syntaxError("The display name must be tokens or a quoted string");
    index = skipBlanks(text, stop, end);
  }
}

function joinBeforeSemicolons(uri: string): string {
  const parts = uri.split(";");
  const last = parts.pop() ?? "";
  return [...parts.map((part) => trimEndBlanks(part)), last].join(";");
}

function trimEndBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** Parts of a new name-addr. */
export interface NameAddrParts {
  /** Text; control characters become spaces. */
  readonly displayName?: string | undefined;
  /** A URI as it goes on the wire. */
  readonly uri: string;
  readonly params?: Iterable<readonly [string, string | undefined]> | undefined;
}

/**
 * `"Display" <uri>;param=value`, quoted and escaped.
 *
 * @throws SipFormatError when the URI has a character that no URI may have, such as a line break
 */
export function formatNameAddr(parts: NameAddrParts): string {
  if (!isUriText(parts.uri)) throw new SipFormatError("The URI has a character that none may have");
  const display =
    parts.displayName === undefined || parts.displayName === ""
      ? ""
      : `${quote(parts.displayName)} `;
  return `${display}<${parts.uri}>${formatParams(parts.params ?? [])}`;
}
