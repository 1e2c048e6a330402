/**
 * Octets to a message (RFC 3261 §7 and §25). The head is decoded once, one char per octet, and
 * scanned line by line; nothing here looks at an octet more often than a fixed number of times.
 * A message that leaves this file has been checked: its typed values do not throw.
 */
import { SipFormatError, SipParseError, syntaxError } from "./errors.ts";
import { findKnownHeader, headerKey } from "./header-names.ts";
import type { HeaderName } from "./header-names.ts";
import { Headers } from "./headers.ts";
import { SipRequest, SipResponse } from "./message.ts";
import type { SipMessage } from "./message.ts";
import { PARSER_LIMITS } from "./limits.ts";
import type { ParserLimits } from "./limits.ts";
import { LineScanner, skipLineBreaks, unfold } from "./lines.ts";
import { salvageRequest } from "./salvage.ts";
import {
  closingQuote,
  isBlank,
  isToken,
  octetsToText,
  tokenEnd,
  tryParseDigits,
} from "./syntax.ts";

/** How a message is to be read. */
export interface ParseOptions {
  /**
   * The message was cut out of a stream, by its Content-Length: the header field must be there
   * and right (RFC 3261 §20.14). Default false: a datagram or a WebSocket message.
   */
  readonly stream?: boolean;
  /** Default {@link PARSER_LIMITS}. */
  readonly limits?: ParserLimits | undefined;
}

/** Why octets are no message that we take. */
export class SipMessageError extends SipParseError {
  /**
   * What could be read of a request, for `buildResponse` with this error's `status`: it has a
   * well-formed topmost Via, and other header fields are as they came. Undefined when no answer
   * may be sent: a response, an ACK, no SIP at all, no Via.
   */
  readonly partial: SipRequest | undefined;

  constructor(cause: SipParseError, partial: SipRequest | undefined) {
    super(cause.code, cause.message, cause.status, { cause });
    this.partial = partial;
  }
}

/**
 * Reads one message: a datagram, a WebSocket message or what a stream framer cut out.
 *
 * @throws SipMessageError, and nothing else
 */
export function parseMessage(octets: Buffer, options?: ParseOptions): SipMessage {
  const result = tryParseMessage(octets, options);
  if (result instanceof SipMessageError) throw result;
  return result;
}

/** The same, with the error as a value. */
export function tryParseMessage(
  octets: Buffer,
  options?: ParseOptions,
): SipMessage | SipMessageError {
  try {
    return parse(octets, options?.stream ?? false, options?.limits ?? PARSER_LIMITS);
  } catch (error) {
    if (!(error instanceof SipParseError)) throw error;
    return new SipMessageError(error, salvageRequest(octets, options?.limits));
  }
}

function tooLarge(message: string): SipParseError {
  return new SipParseError("ERR_OFFHOOK_SIP_TOO_LARGE", message, 513);
}

function parse(octets: Buffer, isStream: boolean, limits: ParserLimits): SipMessage {
  const message = scanMessage(octets, isStream, limits);
  checkMessage(message, limits);
  return message;
}

/**
 * Reads the first line, the header lines and the body, and looks into no header value. For tools
 * that show or test what others would refuse; the gateway itself uses {@link parseMessage}.
 *
 * @throws SipParseError
 */
export function scanMessage(
  octets: Buffer,
  isStream = false,
  limits: ParserLimits = PARSER_LIMITS,
): SipMessage {
  if (octets.length > limits.messageOctets) throw tooLarge("The message is too large");
  const start = skipLineBreaks(octets);
  if (start > 0) return scanMessage(octets.subarray(start), isStream, limits);
  const headEnd = findEmptyLine(octets);
  if (headEnd < 0) throw syntaxError("The empty line after the header fields is missing");
  // With the CRLF of the last line; an index into it is one into the octets.
  const head = octets.toString("latin1", 0, headEnd + 2);
  const lines = new LineScanner(octets);
  lines.startLine();
  const startLine = head.slice(0, lines.end);
  if (!lines.isClean) checkControls(startLine);
  const headers = parseHeaders(octets, head, lines, limits);
  const body = takeBody(octets, headEnd + 4, headers, isStream);
  // A method has no "/" in it.
  return octets[3] === SLASH && startLine.slice(0, 4).toUpperCase() === "SIP/"
    ? parseStatusLine(startLine, headers, body)
    : parseRequestLine(startLine, headers, body, limits);
}

const SLASH = 0x2f;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Where the first CRLF CRLF begins; negative without one. Of four octets one lies at each fourth
 * place, so that most need not be looked at.
 */
function findEmptyLine(octets: Buffer): number {
  for (let probe = 3; probe < octets.length; probe += 4) {
    const octet = octets[probe];
    if (octet !== CR && octet !== LF) continue;
    for (let first = probe - 3; first <= probe; first += 1) {
      const isFound =
        octets[first] === CR &&
        octets[first + 1] === LF &&
        octets[first + 2] === CR &&
        octets[first + 3] === LF;
      if (isFound) return first;
    }
  }
  return -1;
}

// RFC 3261 §25.1: a quoted pair, and nothing else, may hold a control character other than CR, LF.
function checkControls(text: string): void {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) {
      throw syntaxError("A control character stands where none may");
    }
    if (code === 0x22) {
      const close = closingQuote(text, index);
      if (close < 0) continue;
      checkQuoted(text, index + 1, close);
      index = close;
    }
  }
}

function checkQuoted(text: string, start: number, end: number): void {
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    const isEscaped = code === 0x5c;
    if (isEscaped) index += 1;
    const octet = isEscaped ? text.charCodeAt(index) : code;
    const isControl = octet < 0x20 || octet === 0x7f;
    const isLineBreak = octet === 0x0d || octet === 0x0a;
    if (isLineBreak || (isControl && octet !== 0x09 && !isEscaped)) {
      throw syntaxError("A control character stands where none may");
    }
  }
}

const TOO_MANY_VIAS = "There are too many Via values";

function parseHeaders(
  octets: Buffer,
  head: string,
  lines: LineScanner,
  limits: ParserLimits,
): Headers {
  const names: string[] = [];
  const keys: string[] = [];
  const values: string[] = [];
  let viaLines = 0;
  while (lines.end + 2 < head.length) {
    lines.headerLine();
    const { start, colon, end } = lines;
    if (end - start > limits.headerOctets) throw tooLarge("A header field is too long");
    if (names.length === limits.headerLines) throw tooLarge("There are too many header fields");
    if (colon < 0) throw syntaxError("A header line does not begin with a name and a colon");
    // RFC 3261 §25.1 HCOLON: blanks may stand before the colon.
    let nameEnd = colon;
    while (nameEnd > start && isBlank(octets[nameEnd - 1] ?? 0)) nameEnd -= 1;
    const { name, key } =
      findKnownHeader(octets, start, nameEnd) ?? otherHeader(head, start, nameEnd);
    if (key === "via" && ++viaLines > limits.vias) throw syntaxError(TOO_MANY_VIAS);
    const value = lines.isFolded
      ? unfold(head, colon + 1, end)
      : trimmed(octets, head, colon + 1, end);
    if (!lines.isClean) checkControls(value);
    names.push(name);
    keys.push(key);
    values.push(value);
  }
  return Headers.ofChecked(names, keys, values);
}

/** trimBlanks, with an octet of a buffer read in a fraction of the time of a text's character. */
function trimmed(octets: Buffer, head: string, start: number, end: number): string {
  let first = start;
  let last = end;
  while (first < last && isBlank(octets[first] ?? 0)) first += 1;
  while (last > first && isBlank(octets[last - 1] ?? 0)) last -= 1;
  return head.slice(first, last);
}

function otherHeader(head: string, start: number, end: number): HeaderName {
  const name = head.slice(start, end);
  if (!isToken(name)) throw syntaxError("A header name is malformed");
  return { name, key: headerKey(name) };
}

/** @param start where the body begins */
function takeBody(octets: Buffer, start: number, headers: Headers, isStream: boolean): Buffer {
  const count = headers.count("Content-Length");
  if (count === 0) {
    if (isStream) throw lengthError("Content-Length is missing");
    return octets.subarray(start);
  }
  const text = headers.get("Content-Length") ?? "";
  const length = tryParseDigits(text, Number.MAX_SAFE_INTEGER);
  if (count > 1) throw lengthError("There is more than one Content-Length");
  if (length === undefined) throw lengthError("Content-Length is not a number");
  const rest = octets.length - start;
  // RFC 3261 §18.3: octets beyond the length are dropped; too few make the message an error.
  if (length > rest) throw lengthError("The body is shorter than Content-Length says");
  if (isStream && length < rest) throw lengthError("The body is longer than Content-Length says");
  return octets.subarray(start, start + length);
}

function lengthError(message: string): SipParseError {
  return new SipParseError("ERR_OFFHOOK_SIP_CONTENT_LENGTH", message);
}

function parseRequestLine(
  line: string,
  headers: Headers,
  body: Buffer,
  limits: ParserLimits,
): SipRequest {
  const methodEnd = line.indexOf(" ");
  const uriEnd = line.indexOf(" ", methodEnd + 1);
  if (methodEnd <= 0 || uriEnd < 0 || tokenEnd(line, 0, methodEnd) !== methodEnd) {
    throw syntaxError("The first line is not that of a SIP message");
  }
  checkVersion(line, uriEnd + 1);
  const uriOctets = uriEnd - methodEnd - 1;
  if (uriOctets > limits.requestUriOctets) {
    throw new SipParseError("ERR_OFFHOOK_SIP_URI_TOO_LONG", "The Request-URI is too long", 414);
  }
  try {
    return new SipRequest(
      line.slice(0, methodEnd),
      line.slice(methodEnd + 1, uriEnd),
      headers,
      body,
    );
  } catch (error) {
    if (!(error instanceof SipFormatError)) throw error;
    throw syntaxError(error.message);
  }
}

function checkVersion(line: string, start: number): void {
  if (line.length === start + 7 && line.startsWith("SIP/2.0", start)) return;
  const version = line.slice(start, start + 16).toUpperCase();
  // RFC 3261 §7.1: "The SIP-Version string is case-insensitive".
  if (version === "SIP/2.0") return;
  const dot = version.indexOf(".");
  const isVersion =
    version.startsWith("SIP/") &&
    line.length === start + version.length &&
    tryParseDigits(version.slice(4, dot), 9_999_999) !== undefined &&
    tryParseDigits(version.slice(dot + 1), 9_999_999) !== undefined;
  if (!isVersion) throw syntaxError("The first line is not that of a SIP message");
  throw new SipParseError("ERR_OFFHOOK_SIP_VERSION", "The SIP version is not 2.0", 505);
}

function parseStatusLine(line: string, headers: Headers, body: Buffer): SipResponse {
  const isVersion = line.startsWith("SIP/2.0 ") || line.slice(0, 8).toUpperCase() === "SIP/2.0 ";
  if (!isVersion || line.charCodeAt(11) !== 0x20) {
    throw syntaxError("The status line is malformed");
  }
  const status = tryParseDigits(line.slice(8, 11), 699);
  if (status === undefined || status < 100) throw syntaxError("The status code is not 100 to 699");
  return new SipResponse(status, octetsToText(line.slice(12)), headers, body);
}

// RFC 3261 §7.3.1: only fields whose value is a list may come more than once.
const AT_MOST_ONCE = ["from", "to", "call-id", "cseq", "max-forwards", "content-type"];

function checkMessage(message: SipMessage, limits: ParserLimits): void {
  const { headers } = message;
  const repeated = headers.firstRepeated(AT_MOST_ONCE);
  if (repeated !== undefined) throw syntaxError(`There is more than one ${repeated}`);
  if (message.vias.length > limits.vias) throw syntaxError(TOO_MANY_VIAS);
  if (message.topmostVia.protocol !== "SIP/2.0")
    throw syntaxError("The Via's protocol is not SIP/2.0");
  void message.from;
  void message.to;
  void message.callId;
  void message.routes;
  void message.recordRoutes;
  void message.maxForwards;
  checkContacts(message);
  const { method } = message.cseq;
  if (message.kind === "response") return;
  // RFC 3261 §8.1.1.5
  if (method !== message.method) throw syntaxError("The CSeq's method is not that of the request");
  // RFC 3261 §19.1.1: a Request-URI has no header part.
  if (message.uri.headers !== undefined) throw syntaxError("The Request-URI has header fields");
}

function checkContacts(message: SipMessage): void {
  if (message.contacts !== "*") return;
  // RFC 3261 §10.2.2: "*" only in a REGISTER with "Expires: 0".
  const isRemoval =
    message.kind === "request" && message.method === "REGISTER" && message.expires === 0;
  if (!isRemoval) throw syntaxError("A Contact of '*' needs a REGISTER with an Expires of 0");
}
