import { SipFormatError, syntaxError } from "./errors.ts";
import type { Headers } from "./headers.ts";
import { findPart, mediaType } from "./multipart.ts";
import { NameAddr } from "./name-addr.ts";
import { isToken, isUriText, skipBlanks, tokenEnd, tryParseDigits } from "./syntax.ts";
import { SipUri } from "./uri.ts";
import { Via } from "./via.ts";

/** A request or a response; `kind` tells which. */
export type SipMessage = SipRequest | SipResponse;

/** The value of CSeq (RFC 3261 §20.16). */
export interface CSeq {
  readonly number: number;
  readonly method: string;
}

const NO_ADDRESSES: readonly NameAddr[] = [];
const NO_BODY = Buffer.alloc(0);
/** RFC 3261 §8.1.1.5: "less than 2**31". */
const MAX_CSEQ = 0x7fff_ffff;
const MAX_SECONDS = 0xffff_ffff;
/** The longest Call-ID, in octets. */
const MAX_CALL_ID_OCTETS = 512;

/**
 * What requests and responses have in common. Immutable; typed values are read at the first
 * access and kept.
 *
 * In a message out of parseMessage every typed value has been checked, and no accessor throws. In
 * one built by hand a value that is missing or malformed throws SipParseError where it is read.
 */
abstract class MessageBase {
  readonly headers: Headers;
  readonly body: Buffer;
  #vias: readonly Via[] | undefined;
  #from: NameAddr | undefined;
  #to: NameAddr | undefined;
  #callId: string | undefined;
  #cseq: CSeq | undefined;
  #contacts: readonly NameAddr[] | "*" | undefined;
  #routes: readonly NameAddr[] | undefined;
  #recordRoutes: readonly NameAddr[] | undefined;
  #sdp: string | undefined;
  #isSdpRead = false;

  protected constructor(headers: Headers, body: Buffer | undefined) {
    this.headers = headers;
    this.body = body ?? NO_BODY;
  }

  /** Takes over what has been read of a message that differs in its Vias alone. */
  protected adopt(other: MessageBase, vias: readonly Via[]): void {
    this.#vias = vias;
    this.#from = other.#from;
    this.#to = other.#to;
    this.#callId = other.#callId;
    this.#cseq = other.#cseq;
    this.#contacts = other.#contacts;
    this.#routes = other.#routes;
    this.#recordRoutes = other.#recordRoutes;
    this.#sdp = other.#sdp;
    this.#isSdpRead = other.#isSdpRead;
  }

  /** All Via values, topmost first. */
  get vias(): readonly Via[] {
    this.#vias ??= readVias(this.headers);
    return this.#vias;
  }

  get topmostVia(): Via {
    const via = this.vias[0];
    if (via === undefined) throw syntaxError("The Via header field is missing");
    return via;
  }

  get from(): NameAddr {
    this.#from ??= NameAddr.parse(required(this.headers, "From"));
    return this.#from;
  }

  get to(): NameAddr {
    this.#to ??= NameAddr.parse(required(this.headers, "To"));
    return this.#to;
  }

  get fromTag(): string | undefined {
    return this.from.tag;
  }

  get toTag(): string | undefined {
    return this.to.tag;
  }

  get callId(): string {
    this.#callId ??= readCallId(required(this.headers, "Call-ID"));
    return this.#callId;
  }

  get cseq(): CSeq {
    this.#cseq ??= readCSeq(required(this.headers, "CSeq"));
    return this.#cseq;
  }

  /** `"*"` only in a REGISTER that removes all bindings (RFC 3261 §10.2.2). */
  get contacts(): readonly NameAddr[] | "*" {
    this.#contacts ??= readContacts(this.headers);
    return this.#contacts;
  }

  /** The first contact. */
  get contact(): NameAddr | undefined {
    const contacts = this.contacts;
    return contacts === "*" ? undefined : contacts[0];
  }

  get routes(): readonly NameAddr[] {
    this.#routes ??= readRoutes(this.headers, "Route");
    return this.#routes;
  }

  get recordRoutes(): readonly NameAddr[] {
    this.#recordRoutes ??= readRoutes(this.headers, "Record-Route");
    return this.#recordRoutes;
  }

  /** 0 to 255; undefined without the header field. */
  get maxForwards(): number | undefined {
    const text = this.headers.get("Max-Forwards");
    if (text === undefined) return undefined;
    const value = tryParseDigits(text, 255);
    if (value === undefined) throw syntaxError("Max-Forwards is not a number from 0 to 255");
    return value;
  }

  /** Seconds. A value that is none reads as absent (RFC 4475 §3.1.2.4). */
  get expires(): number | undefined {
    const text = this.headers.get("Expires");
    return text === undefined ? undefined : tryParseDigits(text, MAX_SECONDS);
  }

  /** `type/subtype` in lower case, without parameters. */
  get contentType(): string | undefined {
    const text = this.headers.get("Content-Type");
    return text === undefined ? undefined : mediaType(text);
  }

  /** The session description: the body, or its part in a multipart body; undefined without one. */
  get sdp(): string | undefined {
    if (!this.#isSdpRead) {
      this.#sdp = readSdp(this.body, this.headers.get("Content-Type"));
      this.#isSdpRead = true;
    }
    return this.#sdp;
  }
}

/** A SIP request (RFC 3261 §7.1). */
export class SipRequest extends MessageBase {
  readonly kind = "request";
  readonly method: string;
  /** As it stands on the wire. */
  readonly requestUri: string;
  #uri: SipUri | undefined;

  /**
   * @throws SipFormatError when the method is no token or the URI has characters that none may have
   */
  constructor(method: string, requestUri: string, headers: Headers, body?: Buffer) {
    super(headers, body);
    if (!isToken(method)) throw new SipFormatError("The method must be a token");
    if (!isUriText(requestUri)) throw new SipFormatError("The Request-URI is malformed");
    this.method = method;
    this.requestUri = requestUri;
  }

  /** The Request-URI, taken apart. */
  get uri(): SipUri {
    this.#uri ??= SipUri.parse(this.requestUri);
    return this.#uri;
  }

  /** The same with another topmost Via; what has been read of it is not read again. */
  withTopmostVia(via: Via): SipRequest {
    const vias = [via, ...this.vias.slice(1)];
    const headers = this.headers.with("Via", ...vias.map((element) => element.toString()));
    const request = new SipRequest(this.method, this.requestUri, headers, this.body);
    request.adopt(this, vias);
    request.#uri = this.#uri;
    return request;
  }

  /** The same without its body: the octets of all that has come with it can go. */
  withoutBody(): SipRequest {
    const request = new SipRequest(this.method, this.requestUri, this.headers);
    request.adopt(this, this.vias);
    request.#uri = this.#uri;
    return request;
  }
}

/** A SIP response (RFC 3261 §7.2). */
export class SipResponse extends MessageBase {
  readonly kind = "response";
  readonly statusCode: number;
  /** Text; line breaks and other control characters become spaces when it is written. */
  readonly reasonPhrase: string;

  /** @throws SipFormatError when the status code is not 100 to 699 */
  constructor(statusCode: number, reasonPhrase: string, headers: Headers, body?: Buffer) {
    super(headers, body);
    if (!Number.isInteger(statusCode) || statusCode < 100 || statusCode > 699) {
      throw new SipFormatError("The status code must be 100 to 699");
    }
    this.statusCode = statusCode;
    this.reasonPhrase = reasonPhrase;
  }
}

function required(headers: Headers, name: string): string {
  const value = headers.get(name);
  if (value === undefined) throw syntaxError(`The ${name} header field is missing`);
  return value;
}

function readVias(headers: Headers): readonly Via[] {
  const lines = headers.getAll("Via");
  const [first] = lines;
  if (first !== undefined && lines.length === 1) return Via.parseList(first);
  return lines.flatMap((line) => Via.parseList(line));
}

// RFC 3261 §25.1 callid; some send other visible characters, which can do no harm.
function readCallId(text: string): string {
  if (text === "") throw syntaxError("The Call-ID is empty");
  if (text.length > MAX_CALL_ID_OCTETS) throw syntaxError("The Call-ID is too long");
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code <= 0x20 || code >= 0x7f) throw syntaxError("The Call-ID is malformed");
  }
  return text;
}

function readCSeq(text: string): CSeq {
  const space = skipDigits(text);
  const number = tryParseDigits(text.slice(0, space), MAX_CSEQ);
  const start = skipBlanks(text, space);
  if (number === undefined || start === space || start === text.length) {
    throw syntaxError("The CSeq is not a number below 2^31 and a method");
  }
  if (tokenEnd(text, start) !== text.length) throw syntaxError("The CSeq's method is malformed");
  return { number, method: text.slice(start) };
}

function skipDigits(text: string): number {
  let index = 0;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) break;
    index += 1;
  }
  return index;
}

function readContacts(headers: Headers): readonly NameAddr[] | "*" {
  const lines = headers.getAll("Contact");
  const [first] = lines;
  if (first === undefined) return NO_ADDRESSES;
  if (lines.length === 1) return first === "*" ? first : NameAddr.parseList(first);
  return lines.flatMap((line) => NameAddr.parseList(line));
}

function readRoutes(headers: Headers, name: string): readonly NameAddr[] {
  const elements = headers.list(name);
  return elements.length === 0 ? NO_ADDRESSES : elements.map((element) => NameAddr.parse(element));
}

function readSdp(body: Buffer, contentType: string | undefined): string | undefined {
  if (contentType === undefined || body.length === 0) return undefined;
  const type = mediaType(contentType);
  if (type === "application/sdp") return body.toString("utf8");
  if (!type.startsWith("multipart/")) return undefined;
  return findPart(body, contentType, "application/sdp")?.toString("utf8");
}
