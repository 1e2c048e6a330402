import { isUtf8 } from "node:buffer";
import type { WebSocket } from "ws";
import { formatSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { TransportError } from "./errors.ts";
import type { Flow } from "./flow.ts";
import { isKeepAlive } from "./message-receiver.ts";

/** The limits of one WebSocket connection. */
export interface WebSocketLimits {
  /**
   * Milliseconds from one look at the connection to the next: nothing heard in between, and a ping
   * goes. Default 7400.
   */
  readonly pingIntervalMs: number;
  /**
   * Unanswered pings after which the connection counts as dead. Default 2: at the fourth look after the
   * last sign of life, within 30 s.
   */
  readonly maxMissedPings: number;
  /** Milliseconds until the first frame must have come; 0 waits for ever. Default 10 000. */
  readonly firstMessageMs: number;
  /** Octets that may wait for a slow reader. Default 1 048 576. */
  readonly maxBufferedOctets: number;
  /** Milliseconds that the far end has to answer our close. Default 1000. */
  readonly closeMs: number;
}

/** What a flow tells the transport that owns it. */
export interface WebSocketFlowOwner {
  readonly clock: Clock;
  readonly limits: WebSocketLimits;
  onFrame(octets: Buffer, flow: WebSocketFlow): void;
  /** Called once; nothing follows. */
  onClosed(flow: WebSocketFlow, reason: string): void;
}

/** What is known of a connection from its upgrade request. */
export interface WebSocketFlowAddresses {
  readonly isSecure: boolean;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** See `Flow.sentBy`. */
  readonly sentBy: string;
}

const CLOSE_NORMAL = 1000;
const CLOSE_POLICY = 1008;
const PONG = "\r\n";

/**
 * One browser's connection (RFC 7118). Watches that the far end is alive, reads and lets itself be
 * heard of; ends exactly once, whoever begins.
 */
export class WebSocketFlow implements Flow {
  readonly transport: "WS" | "WSS";
  readonly isReliable = true;
  readonly id: string;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly #socket: WebSocket;
  readonly #owner: WebSocketFlowOwner;
  /** `ended`: the owner has been told, the TCP connection may live a little longer. */
  #state: "open" | "ended" | "gone" = "open";
  /** Looks since anything has come: who talks need not be asked. */
  #silentLooks = 0;
  #pingTimer: Timer | undefined;
  /** Waits for the first frame; later for the answer to our close. */
  #deadline: Timer | undefined;

  constructor(socket: WebSocket, addresses: WebSocketFlowAddresses, owner: WebSocketFlowOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.transport = addresses.isSecure ? "WSS" : "WS";
    this.local = addresses.local;
    this.remote = addresses.remote;
    this.sentBy = addresses.sentBy;
    sequence += 1;
    this.id = `${this.transport.toLowerCase()}:${sequence}:${formatSocketAddress(this.remote)}`;
    socket.on("message", (data) => {
      this.#onFrame(data);
    });
    socket.on("pong", () => {
      this.#silentLooks = 0;
    });
    socket.on("error", (cause) => {
      // ws has answered a protocol fault with its close code (1002, 1007, 1009) already.
      this.#end(`WebSocket error: ${cause.message}`);
      this.#terminateLater();
    });
    socket.on("close", (code, reason) => {
      const text = reason.toString("utf8");
      this.#end(text === "" ? `closed with ${code}` : `closed with ${code}: ${text}`);
      this.#state = "gone";
      this.#deadline?.cancel();
    });
    this.#schedulePing();
    const { firstMessageMs } = owner.limits;
    if (firstMessageMs > 0) {
      this.#deadline = owner.clock.after(firstMessageMs, () => {
        this.close("no message in time", CLOSE_POLICY);
      });
    }
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  send(octets: Buffer, onError?: (error: TransportError) => void): void {
    if (this.#state !== "open") {
      fail(onError, "ERR_OFFHOOK_TRANSPORT_CLOSED", `The connection ${this.id} is closed.`);
      return;
    }
    if (this.#socket.bufferedAmount > this.#owner.limits.maxBufferedOctets) {
      fail(
        onError,
        "ERR_OFFHOOK_TRANSPORT_SLOW_READER",
        `The far end of ${this.id} does not read: ${this.#socket.bufferedAmount} octets wait.`,
      );
      // Not from inside send: the caller may be in the middle of its own work.
      queueMicrotask(() => {
        this.#end("slow reader");
        this.#socket.terminate();
      });
      return;
    }
    // RFC 7118 §5: text only for valid UTF-8; a browser closes on anything else (RFC 6455 §8.1).
    this.#socket.send(octets, { binary: !isUtf8(octets) }, (cause) => {
      if (cause == null) return;
      fail(onError, "ERR_OFFHOOK_TRANSPORT_SEND", `Sending on ${this.id} failed.`, cause);
    });
  }

  toward(): Flow {
    return this;
  }

  close(reason: string, code = CLOSE_NORMAL): void {
    if (this.#state !== "open") return;
    this.#end(reason);
    // RFC 6455 §5.5.1: the reason takes at most 123 octets; ours are short ASCII.
    this.#socket.close(code, reason.slice(0, 123));
    this.#terminateLater();
  }

  #onFrame(data: Buffer | ArrayBuffer | Buffer[]): void {
    if (this.#state !== "open") return;
    this.#silentLooks = 0;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    const octets = Buffer.isBuffer(data)
      ? data
      : Array.isArray(data)
        ? Buffer.concat(data)
        : Buffer.from(data);
    if (isKeepAlive(octets)) {
      // RFC 5626 §3.5.1: a double CRLF is a ping, a single one is a pong and gets no answer.
      if (octets.length >= 4) this.#socket.send(PONG, noop);
      return;
    }
    this.#owner.onFrame(octets, this);
  }

  #schedulePing(): void {
    const { clock, limits } = this.#owner;
    this.#pingTimer = clock.after(limits.pingIntervalMs, () => {
      // It may have come just after the look before.
      const unanswered = this.#silentLooks - 1;
      this.#silentLooks += 1;
      if (unanswered >= limits.maxMissedPings) {
        this.#end("no answer to pings");
        this.#socket.terminate();
        return;
      }
      if (unanswered >= 0) this.#socket.ping(noop);
      this.#schedulePing();
    });
  }

  /** Tells the owner once and stops the watch. */
  #end(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#pingTimer?.cancel();
    this.#deadline?.cancel();
    this.#owner.onClosed(this, reason);
  }

  /** Gives the far end a moment to answer our close frame. */
  #terminateLater(): void {
    if (this.#state === "gone") return;
    this.#deadline?.cancel();
    this.#deadline = this.#owner.clock.after(this.#owner.limits.closeMs, () => {
      this.#socket.terminate();
    });
  }
}

let sequence = 0;

function noop(): void {
  // A frame that could not be written shows in the socket's close event.
}

function fail(
  onError: ((error: TransportError) => void) | undefined,
  code: TransportError["code"],
  message: string,
  cause?: unknown,
): void {
  if (onError === undefined) return;
  queueMicrotask(() => {
    onError(new TransportError(code, message, cause));
  });
}
