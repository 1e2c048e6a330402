import type { SocketAddress } from "../../core/address.ts";
import { tryParseDigits } from "../message/syntax.ts";

/** A frame is `<octets>#<text>`; drachtio-server writes none of this length. */
const MAX_FRAME_OCTETS = 999_999;
const MAX_LENGTH_DIGITS = 6;
const HASH = 0x23;
const CRLF = Buffer.from("\r\n");

/**
 * Cuts what drachtio-server sends into frames. Framing that is broken once stays broken: the
 * connection is of no use then.
 */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void;
  #pending: Buffer = Buffer.alloc(0);
  #isBroken = false;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** @returns false when this can be no frame, now and for ever */
  push(chunk: Buffer): boolean {
    if (this.#isBroken) return false;
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const hash = rest.subarray(0, MAX_LENGTH_DIGITS + 1).indexOf(HASH);
      if (hash < 0) {
        if (rest.length > MAX_LENGTH_DIGITS || !isDigits(rest)) return this.#break();
        break;
      }
      const length = tryParseDigits(rest.toString("latin1", 0, hash), MAX_FRAME_OCTETS);
      if (length === undefined || length === 0) return this.#break();
      const end = hash + 1 + length;
      if (rest.length < end) break;
      this.#onFrame(rest.subarray(hash + 1, end));
      rest = rest.subarray(end);
    }
    // A copy: what is left must not keep the whole chunk alive.
    this.#pending = Buffer.from(rest);
    return true;
  }

  #break(): false {
    this.#isBroken = true;
    this.#pending = Buffer.alloc(0);
    return false;
  }
}

/** A SIP message that has reached drachtio-server, or that it has made up. */
export interface SipEvent {
  readonly kind: "sip";
  /** `application`: the server itself has sent this request, because it has ended the dialog. */
  readonly source: "network" | "application";
  /** Octets on the wire; 0: the server made it up, because nothing came. */
  readonly octets: number;
  readonly protocol: string;
  readonly remote: SocketAddress;
  readonly transactionId: string;
  /** Empty outside a dialog. */
  readonly dialogId: string;
  readonly message: Buffer;
}

/** What became of a command. */
export interface Reply {
  readonly kind: "reply";
  /** The id of the command. */
  readonly id: string;
  readonly isOk: boolean;
  /** What follows `OK`, `NO` or `NOK`. */
  readonly fields: readonly string[];
  /** The SIP message as it was sent; empty for other commands. */
  readonly message: Buffer;
}

/** Reads a frame. @returns undefined for what an application need not know, such as records */
export function readFrame(frame: Buffer): SipEvent | Reply | undefined {
  const end = frame.indexOf(CRLF);
  const fields = frame.toString("latin1", 0, end < 0 ? frame.length : end).split("|");
  const message = end < 0 ? Buffer.alloc(0) : frame.subarray(end + CRLF.length);
  switch (fields[1]) {
    case "response":
      return {
        kind: "reply",
        id: fields[2] ?? "",
        isOk: fields[3] === "OK",
        fields: fields.slice(4),
        message,
      };
    case "sip": {
      const [, , source, octets = "", protocol = "", host = "", port = ""] = fields;
      return {
        kind: "sip",
        source: source === "application" ? "application" : "network",
        octets: tryParseDigits(octets, MAX_FRAME_OCTETS) ?? 0,
        protocol,
        remote: { host, port: tryParseDigits(port, 65_535) ?? 0 },
        transactionId: fields[8] ?? "",
        dialogId: fields[9] ?? "",
        message,
      };
    }
    default:
      return undefined;
  }
}

/** In the fields of the reply to a SIP command. */
const SENT_TRANSACTION_ID = 6;

/** The id that the server gave to the transaction of a command. */
export function transactionIdOf(reply: Reply): string {
  return reply.fields[SENT_TRANSACTION_ID] ?? "";
}

function isDigits(octets: Buffer): boolean {
  for (const octet of octets) if (octet < 0x30 || octet > 0x39) return false;
  return true;
}
