import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { SocketAddress } from "../core/address.ts";
import type { Logger } from "../core/logger.ts";
import { MediaError } from "./errors.ts";

/** A session that wants to know of digits. */
export interface DigitListener {
  /** The ng call-id. */
  readonly id: string;
  reportDigit(fromTag: string, digit: string, durationMs: number): void;
}

/** RFC 4733 §3.2. */
const DIGITS = "0123456789*#ABCD";
const MAX_REPORT_OCTETS = 4096;

/**
 * The UDP socket to which rtpengines report the digits that they see in RTP, one JSON object in a
 * datagram (`dtmf-log-dest`).
 *
 * Whoever can reach it can send anything: a report counts only for the random call-id of a live
 * session, and for one of its two legs.
 */
export class DigitEvents {
  readonly #logger: Logger;
  readonly #sessions = new Map<string, DigitListener>();
  #socket: Socket | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Where rtpengine reports to; undefined before `open`. */
  get address(): SocketAddress | undefined {
    if (this.#socket === undefined) return undefined;
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  /**
   * @param wanted default: any port of the loopback
   * @throws MediaError `ERR_OFFHOOK_MEDIA_PORT` when it cannot be bound
   */
  async open(wanted: SocketAddress = { host: "127.0.0.1", port: 0 }): Promise<void> {
    const socket = createSocket({ type: isIPv6(wanted.host) ? "udp6" : "udp4" });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => {
        socket.close();
        const where = `${wanted.host}:${wanted.port}`;
        reject(new MediaError("ERR_OFFHOOK_MEDIA_PORT", `no socket for digits at ${where}`, error));
      });
      socket.bind(wanted.port, wanted.host, resolve);
    });
    socket.removeAllListeners("error");
    socket.on("error", (error) => {
      this.#logger.warn("the socket for rtpengine's digits failed", { detail: error.message });
    });
    socket.on("message", (datagram) => this.#onReport(datagram));
    this.#socket = socket;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#sessions.clear();
  }

  watch(session: DigitListener): void {
    this.#sessions.set(session.id, session);
  }

  forget(id: string): void {
    this.#sessions.delete(id);
  }

  #onReport(datagram: Buffer): void {
    if (datagram.length > MAX_REPORT_OCTETS) return;
    const report = parseReport(datagram.toString("utf8"));
    if (report === undefined) return;
    this.#sessions.get(report.callId)?.reportDigit(report.tag, report.digit, report.durationMs);
  }
}

function parseReport(
  text: string,
): { callId: string; tag: string; digit: string; durationMs: number } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const callId = fields.get("callid");
  const tag = fields.get("source_tag");
  const event = fields.get("event");
  const duration = fields.get("duration");
  if (fields.get("type") !== "DTMF") return undefined;
  if (typeof callId !== "string" || typeof tag !== "string") return undefined;
  if (typeof event !== "number" || typeof duration !== "number") return undefined;
  const digit = DIGITS[event];
  if (digit === undefined || !Number.isFinite(duration)) return undefined;
  return { callId, tag, digit, durationMs: duration };
}
