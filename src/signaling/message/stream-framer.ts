/**
 * Cuts messages out of a stream (RFC 3261 §18.3), whatever pieces it arrives in. Every octet is
 * looked at a fixed number of times, and never more than one message is kept.
 *
 * Where a message ends is decided once, by its only Content-Length. A head that two readers could
 * read differently ends the stream: nothing that follows it is ever taken for a message.
 */
import { PARSER_LIMITS } from "./limits.ts";
import { unfold } from "./lines.ts";
import { isBlank, skipBlanks, tokenEnd, trimBlanks, tryParseDigits } from "./syntax.ts";

/** What a framer cuts out. */
export type StreamPiece =
  /** One whole message; its Content-Length is right. */
  | { readonly kind: "message"; readonly octets: Buffer }
  /** CRLFs between messages: two are a ping, one is a pong (RFC 5626 §3.5.1). */
  | { readonly kind: "line-breaks"; readonly count: number }
  /**
   * The stream cannot be read any further: answer with `status` what `octets` say of a request,
   * then close.
   */
  | {
      readonly kind: "fault";
      readonly octets: Buffer;
      readonly status: number;
      readonly reason: string;
    };

type State = "between" | "head" | "body" | "failed";

const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from("\r\n\r\n", "latin1");
const EMPTY = Buffer.alloc(0);
const FIRST_CAPACITY = 2048;
/** Beyond this a Content-Length is no size of a message but an attack on whoever adds to it. */
const MAX_CONTENT_LENGTH = 0xffff_ffff;

/** One stream's framer: `push` what arrives, then take pieces until `next` has none. */
export class StreamFramer {
  readonly #maxOctets: number;
  #state: State = "between";
  /** What was pushed; before `#index` it has been looked at. */
  #chunk: Buffer = EMPTY;
  #index = 0;
  /** A CR between messages that waits for its LF. */
  #hasCr = false;
  /** The beginning of a message that came in earlier chunks: the first `#length` octets. */
  #partial: Buffer = EMPTY;
  #length = 0;
  /** Octets of the message that is being read, once its head is known. */
  #total = 0;
  #begun = 0;

  /** @param maxOctets a longer message is a fault with 513; default that of the parser */
  constructor(options: { readonly maxOctets?: number } = {}) {
    this.#maxOctets = options.maxOctets ?? PARSER_LIMITS.messageOctets;
  }

  /** Messages whose first octet has come. */
  get begun(): number {
    return this.#begun;
  }

  /** Whether a message has begun and is not complete. */
  get isMidMessage(): boolean {
    return this.#state === "head" || this.#state === "body";
  }

  /** Adds what has arrived. The buffer is the framer's from now on. */
  push(chunk: Buffer): void {
    if (this.#state === "failed") return;
    const rest = this.#chunk.subarray(this.#index);
    this.#chunk = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#index = 0;
  }

  /** The next piece; undefined when more octets are needed, and after a fault. */
  next(): StreamPiece | undefined {
    if (this.#state === "between") {
      const found = this.#skipLineBreaks();
      if (found !== undefined || this.#state === "between") return found;
    }
    if (this.#state === "head") {
      const fault = this.#readHead();
      if (fault !== undefined) return fault;
    }
    return this.#state === "body" ? this.#readBody() : undefined;
  }

  /** Gives a message up that does not come to its end. */
  expire(reason: string): StreamPiece {
    return this.#fault(400, reason);
  }

  /** RFC 3261 §7.5: CRLF before a start line is ignored; here it is counted for RFC 5626. */
  #skipLineBreaks(): StreamPiece | undefined {
    const chunk = this.#chunk;
    let count = 0;
    while (this.#index < chunk.length) {
      const octet = chunk[this.#index] ?? 0;
      if (this.#hasCr) {
        if (octet !== LF) return this.#fault(400, "a line break is broken");
        this.#hasCr = false;
        count += 1;
      } else if (octet === CR) {
        this.#hasCr = true;
      } else if (count > 0) {
        break;
      } else if (octet <= 0x20 || octet >= 0x7f) {
        // No token begins so: TLS on a plain port, garbage, or octets after a wrong length.
        return this.#fault(400, "what follows is no SIP");
      } else {
        this.#state = "head";
        this.#begun += 1;
        return undefined;
      }
      this.#index += 1;
    }
    return count === 0 ? undefined : { kind: "line-breaks", count };
  }

  #readHead(): StreamPiece | undefined {
    const end = this.#findHeadEnd();
    if (end === undefined) {
      const length = this.#length + this.#chunk.length - this.#index;
      this.#keep(Math.min(this.#chunk.length, this.#index + this.#maxOctets - this.#length));
      return length > this.#maxOctets ? this.#fault(513, "the head is too large") : undefined;
    }
    if (this.#length > 0) this.#keep(end);
    const head =
      this.#length > 0
        ? this.#partial.subarray(0, this.#length)
        : this.#chunk.subarray(this.#index, end);
    if (head.length > this.#maxOctets) return this.#fault(513, "the head is too large", head);
    const measured = measureBody(head.toString("latin1"));
    if (typeof measured === "string") return this.#fault(400, measured, head);
    this.#total = head.length + measured;
    if (this.#total > this.#maxOctets) return this.#fault(513, "the message is too large", head);
    this.#state = "body";
    return undefined;
  }

  /** Where in the chunk the head's last octet has passed. */
  #findHeadEnd(): number | undefined {
    const { length } = HEAD_END;
    if (this.#length > 0) {
      // The empty line may lie across the border of two chunks.
      const before = Math.min(length - 1, this.#length);
      const seam = Buffer.concat([
        this.#partial.subarray(this.#length - before, this.#length),
        this.#chunk.subarray(this.#index, this.#index + length - 1),
      ]);
      const found = seam.indexOf(HEAD_END);
      if (found >= 0) return this.#index + found + length - before;
    }
    const found = this.#chunk.indexOf(HEAD_END, this.#index);
    return found < 0 ? undefined : found + length;
  }

  #readBody(): StreamPiece | undefined {
    const missing = this.#total - this.#length;
    const available = this.#chunk.length - this.#index;
    if (this.#length === 0 && available >= missing) {
      const octets = this.#chunk.subarray(this.#index, this.#index + missing);
      this.#index += missing;
      this.#state = "between";
      return { kind: "message", octets };
    }
    this.#keep(this.#index + Math.min(missing, available), this.#total);
    if (this.#length < this.#total) return undefined;
    const octets = this.#partial.subarray(0, this.#total);
    this.#partial = EMPTY;
    this.#length = 0;
    this.#state = "between";
    return { kind: "message", octets };
  }

  /** Moves the chunk up to `end` to the beginning that is kept; its room doubles as it grows. */
  #keep(end: number, capacity = 0): void {
    const length = this.#length + end - this.#index;
    if (length > this.#partial.length || capacity > this.#partial.length) {
      const room = Math.max(length, capacity, this.#partial.length * 2, FIRST_CAPACITY);
      const larger = Buffer.allocUnsafeSlow(room);
      this.#partial.copy(larger, 0, 0, this.#length);
      this.#partial = larger;
    }
    this.#chunk.copy(this.#partial, this.#length, this.#index, end);
    this.#length = length;
    this.#index = end;
  }

  #fault(status: number, reason: string, octets?: Buffer): StreamPiece {
    const known = octets ?? this.#partial.subarray(0, this.#length);
    this.#state = "failed";
    this.#chunk = EMPTY;
    this.#index = 0;
    this.#partial = EMPTY;
    this.#length = 0;
    return { kind: "fault", octets: known, status, reason };
  }
}

/** A CR or LF that is not of a CRLF: some readers end a line there, and others do not. */
const BARE_BREAK = /\r(?!\n)|(?<!\r)\n/;

/** @returns the octets of the body, or what is wrong with the head */
function measureBody(head: string): number | string {
  if (BARE_BREAK.test(head)) return "a line break is broken";
  let length: number | string = "Content-Length is missing";
  let isKnown = false;
  let index = head.indexOf("\r\n") + 2;
  while (index < head.length - 2) {
    const nameEnd = tokenEnd(head, index);
    const colon = skipBlanks(head, nameEnd);
    if (nameEnd === index || head.charCodeAt(colon) !== 0x3a) return "a header line is malformed";
    const start = index;
    const firstEnd = head.indexOf("\r\n", colon);
    let lineEnd = firstEnd;
    // RFC 3261 §7.3.1: a line that begins with SP or HTAB continues the one before.
    while (isBlank(head.charCodeAt(lineEnd + 2))) lineEnd = head.indexOf("\r\n", lineEnd + 2);
    index = lineEnd + 2;
    if (!isContentLength(head, start, nameEnd)) continue;
    if (isKnown) return "there is more than one Content-Length";
    isKnown = true;
    const value =
      lineEnd === firstEnd
        ? trimBlanks(head, colon + 1, lineEnd)
        : unfold(head, colon + 1, lineEnd);
    length = tryParseDigits(value, MAX_CONTENT_LENGTH) ?? "Content-Length is not a number";
  }
  return length;
}

function isContentLength(head: string, start: number, end: number): boolean {
  const size = end - start;
  if (size !== 1 && size !== 14) return false;
  const name = head.slice(start, end).toLowerCase();
  // RFC 3261 §20.14
  return name === "l" || name === "content-length";
}
