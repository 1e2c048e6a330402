import { randomToken } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import { buildResponse } from "../message/build.ts";
import { SipFormatError, SipParseError } from "../message/errors.ts";
import type { SipMessage, SipRequest } from "../message/message.ts";
import type { ParserLimits } from "../message/limits.ts";
import { SipMessageError, tryParseMessage } from "../message/parser.ts";
import type { ParseOptions } from "../message/parser.ts";
import { salvageRequest } from "../message/salvage.ts";
import { Via } from "../message/via.ts";
import { dropFacts, messageFacts } from "./channels.ts";
import type { DropReason } from "./channels.ts";
import type { Flow, TransportHandler } from "./flow.ts";
import { responseFlow, sendMessage } from "./outbound.ts";

/**
 * The one way from octets to the layers above, the same for every transport: drops what is no SIP,
 * answers a faulty request without state, stamps the Via and hands the message up. Nothing is ever
 * thrown out of it, whatever arrives.
 */
export class MessageReceiver {
  readonly #handler: TransportHandler;
  readonly #logger: Logger;
  readonly #maxOctets: number;
  readonly #parse: ParseOptions;

  /**
   * @param maxOctets a larger message is answered with 513 or dropped
   * @param isStream what comes was cut out of a stream by its Content-Length
   * @param parser bounds of a message; default those of the parser
   */
  constructor(options: {
    readonly handler: TransportHandler;
    readonly logger: Logger;
    readonly maxOctets: number;
    readonly isStream?: boolean;
    readonly parser?: ParserLimits | undefined;
  }) {
    this.#handler = options.handler;
    this.#logger = options.logger;
    this.#maxOctets = options.maxOctets;
    this.#parse = { stream: options.isStream ?? false, limits: options.parser };
  }

  /**
   * Takes one message: a datagram, a WebSocket message, or what a stream's framer has cut out.
   *
   * @returns true when it was a message and was handed up
   */
  receive(octets: Buffer, flow: Flow): boolean {
    try {
      return this.#receive(octets, flow);
    } catch (cause) {
      // A fault of ours above or below must not take the socket down with it.
      this.#logger.error("a SIP message could not be handled", { flow: flow.id, cause });
      return false;
    }
  }

  /** Answers what a stream's framer has given up on; the connection closes after it. */
  refuse(octets: Buffer, status: number, flow: Flow): void {
    try {
      this.#refuse(salvageRequest(octets, this.#parse.limits), status, octets, flow);
    } catch (cause) {
      this.#logger.error("a broken stream could not be answered", { flow: flow.id, cause });
    }
  }

  #receive(octets: Buffer, flow: Flow): boolean {
    // RFC 5764 §5.1.2: the first octet of STUN is 0 or 1; no SIP message begins so.
    if ((octets[0] ?? 0) < 2 && octets.length >= 20) return this.#drop("stun", octets, flow);
    // RFC 5626 §4.4.1: over UDP there is no answer to CRLF; streams answer before they come here.
    if (isKeepAlive(octets)) return this.#drop("keep-alive", octets, flow);

    const parsed = tryParseMessage(octets, this.#parse);
    if (parsed instanceof SipMessageError) {
      return this.#refuse(parsed.partial, parsed.status, octets, flow);
    }
    const isTooLarge = octets.length > this.#maxOctets;
    if (parsed.kind === "response") {
      return isTooLarge
        ? this.#drop("too-large", octets, flow)
        : this.#handUp(parsed, octets, flow);
    }
    // RFC 3261 §21.5.7
    if (isTooLarge) return this.#refuse(parsed, 513, octets, flow);
    return this.#handUp(stampVia(parsed, flow), octets, flow);
  }

  #handUp(message: SipMessage, octets: Buffer, flow: Flow): true {
    if (messageFacts.hasSubscribers) {
      messageFacts.publish({ direction: "in", message, flow, octets: octets.length });
    }
    this.#handler.onMessage(message, flow);
    return true;
  }

  /** Answers a faulty request without state, when it says enough for that. */
  #refuse(request: SipRequest | undefined, status: number, octets: Buffer, flow: Flow): false {
    // RFC 3261 §17.1.1.3: an ACK has no response.
    if (request === undefined || request.method === "ACK") {
      return this.#drop("malformed", octets, flow);
    }
    try {
      const response = buildResponse(stampVia(request, flow), status, { toTag: randomToken(8) });
      const via = Via.parse(response.headers.list("Via")[0] ?? "");
      sendMessage(response, responseFlow(via, flow));
    } catch (error) {
      // What can be read of it is not enough to answer.
      if (!(error instanceof SipParseError || error instanceof SipFormatError)) throw error;
      return this.#drop("malformed", octets, flow);
    }
    return this.#drop("answered", octets, flow);
  }

  #drop(reason: DropReason, octets: Buffer, flow: Flow): false {
    if (dropFacts.hasSubscribers) dropFacts.publish({ reason, flow, octets: octets.length });
    if (reason === "malformed" || reason === "too-large" || reason === "answered") {
      this.#handler.onFault?.(flow);
    }
    if (reason === "malformed" || reason === "too-large") {
      this.#logger.debug("received octets that are no SIP message to work on", {
        flow: flow.id,
        reason,
        octets: octets.length,
      });
    }
    return false;
  }
}

/**
 * Adds `received`, and `rport` where the client asked for it, to the topmost Via (RFC 3261 §18.2.1,
 * RFC 3581 §4). What a client wrote there itself is replaced: responses go by it.
 */
function stampVia(request: SipRequest, flow: Flow): SipRequest {
  const via = request.topmostVia;
  return request.withTopmostVia(
    via.withParams({
      received: flow.remote.host,
      ...(via.rport === undefined ? {} : { rport: flow.remote.port }),
    }),
  );
}

const NUL = 0;
const LF = 10;
const CR = 13;
const SPACE = 32;

/** True when there is nothing but line ends, spaces and NULs. */
export function isKeepAlive(octets: Buffer): boolean {
  for (let index = 0; index < octets.length; index += 1) {
    const octet = octets[index];
    if (octet !== CR && octet !== LF && octet !== NUL && octet !== SPACE) return false;
  }
  return true;
}
