import type { Socket } from "node:net";
import { formatSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { StreamFramer } from "../message/stream-framer.ts";
import type { StreamPiece } from "../message/stream-framer.ts";
import { TransportError } from "./errors.ts";
import type { Flow } from "./flow.ts";

/** The limits of one TCP or TLS connection. */
export interface StreamLimits {
  /** Milliseconds until the first message must have come on an accepted connection. Default 10 000. */
  readonly firstMessageMs: number;
  /** Milliseconds that a message may take from its first octet to its last. Default 10 000. */
  readonly messageMs: number;
  /** Milliseconds until a connection of ours must be up, TLS included. Default 4000. */
  readonly connectMs: number;
  /** Milliseconds without a word from the far end until it is pinged. Default 20 000. */
  readonly pingIdleMs: number;
  /** Milliseconds that the far end has to answer a ping. Default 10 000 (RFC 5626 §4.4.1). */
  readonly pongMs: number;
  /** Octets that wait for the far end until we stop to read from it. Default 262 144. */
  readonly maxUnreadOctets: number;
  /** Octets that may wait for a slow reader. Default 1 048 576. */
  readonly maxBufferedOctets: number;
  /** Messages that are taken in one go before others get their turn. Default 32. */
  readonly messagesATurn: number;
  /** Milliseconds that the far end has to take what we sent before we closed. Default 1000. */
  readonly closeMs: number;
}

/** What a flow tells the transport that owns it. */
export interface StreamFlowOwner {
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly maxMessageOctets: number;
  onMessage(octets: Buffer, flow: StreamFlow): void;
  /** The stream is broken; the flow closes after this. */
  onFault(octets: Buffer, status: number, flow: StreamFlow): void;
  /** The connection has come up. */
  onEstablished(flow: StreamFlow): void;
  /** Called once; nothing follows but `onSocketGone`. */
  onClosed(flow: StreamFlow, reason: string): void;
  onSocketGone(flow: StreamFlow): void;
  /** A connection to this address of the same host, for a response (RFC 3261 §18.2.2). */
  toward(flow: StreamFlow, remote: SocketAddress): Flow;
  reopen(flow: StreamFlow): Flow | undefined;
}

/** What is known of a connection from the start. */
export interface StreamFlowOptions {
  readonly transport: "TCP" | "TLS";
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** See `Flow.sentBy`. */
  readonly sentBy: string;
  /** `accepted` is up already; `ours` is not. */
  readonly origin: "accepted" | "ours";
  readonly offersAlias: boolean;
  readonly peerNames: readonly string[] | undefined;
  readonly scheme?: "sips" | undefined;
}

const PING = Buffer.from("\r\n\r\n", "latin1");
const PONG = Buffer.from("\r\n", "latin1");

/**
 * One TCP or TLS connection (RFC 3261 §18). Watches that messages come whole and in time, that the
 * far end lives and that it reads; ends exactly once, whoever begins.
 */
export class StreamFlow implements Flow {
  readonly transport: "TCP" | "TLS";
  readonly isReliable = true;
  readonly id: string;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly offersAlias: boolean;
  readonly isOurs: boolean;
  readonly scheme: "sips" | undefined;
  readonly #socket: Socket;
  readonly #owner: StreamFlowOwner;
  readonly #framer: StreamFramer;
  /** `failed` never came up; `ended` did. */
  #state: "connecting" | "open" | "ended" | "failed";
  #local: SocketAddress;
  #peerNames: readonly string[] | undefined;
  /** What waits for the connection to come up, and not a moment less: TLS has to be checked. */
  #queue: { readonly octets: Buffer; readonly onError: OnError }[] = [];
  #queuedOctets = 0;
  /** `turn`: others are let through first; `reader`: the far end has to read first. */
  #reading: "flowing" | "turn" | "reader" = "flowing";
  #readerDeadline: Timer | undefined;
  /** Of the connection, then of the first message, then of the message that has begun. */
  #deadline: Timer | undefined;
  /** The message that the deadline is for. */
  #deadlineOf = 0;
  #liveness: Timer | undefined;
  /** When the connection came up, or later octets of the far end. */
  #lastHeardMs: number;
  #hasHeard = false;
  #pingSentMs: number | undefined;
  /** Whether this far end has ever answered a ping: only then a missing answer says something. */
  #answersPings = false;
  #lineBreaks = 0;

  constructor(socket: Socket, options: StreamFlowOptions, owner: StreamFlowOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#framer = new StreamFramer({ maxOctets: owner.maxMessageOctets });
    this.transport = options.transport;
    this.remote = options.remote;
    this.sentBy = options.sentBy;
    this.offersAlias = options.offersAlias;
    this.scheme = options.scheme;
    this.isOurs = options.origin === "ours";
    this.#local = options.local;
    this.#peerNames = options.peerNames;
    this.#state = this.isOurs ? "connecting" : "open";
    this.#lastHeardMs = owner.clock.monotonicMs();
    sequence += 1;
    this.id = `${this.transport.toLowerCase()}:${sequence}:${formatSocketAddress(this.remote)}`;
    socket.on("data", (chunk: Buffer) => {
      this.#onData(chunk);
    });
    socket.on("drain", () => {
      this.#onDrain();
    });
    socket.on("end", () => {
      this.#end("closed by the far end");
      this.#destroyLater();
    });
    socket.on("error", (cause) => {
      this.#end(cause.message);
    });
    socket.on("close", () => {
      this.#end("closed");
      this.#deadline?.cancel();
      owner.onSocketGone(this);
    });
    const { connectMs, firstMessageMs } = owner.limits;
    if (this.isOurs) {
      this.#deadline = owner.clock.after(connectMs, () => {
        this.destroy("no connection in time");
      });
    } else {
      if (firstMessageMs > 0) {
        this.#deadline = owner.clock.after(firstMessageMs, () => {
          this.close("no message in time");
        });
      }
      this.#watchLiveness(owner.limits.pingIdleMs);
    }
  }

  get isOpen(): boolean {
    return this.#state === "connecting" || this.#state === "open";
  }

  get hasConnected(): boolean {
    return this.#state === "open" || this.#state === "ended";
  }

  get local(): SocketAddress {
    return this.#local;
  }

  get peerNames(): readonly string[] | undefined {
    return this.#peerNames;
  }

  /** Tells that a connection of ours is up, and for TLS that the far end is the right one. */
  established(local: SocketAddress, peerNames: readonly string[] | undefined): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#local = local;
    this.#peerNames = peerNames;
    this.#lastHeardMs = this.#owner.clock.monotonicMs();
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#watchLiveness(this.#owner.limits.pingIdleMs);
    this.#owner.onEstablished(this);
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedOctets = 0;
    for (const { octets, onError } of queue) this.#write(octets, onError);
  }

  send(octets: Buffer, onError?: (error: TransportError) => void): void {
    if (!this.isOpen) {
      fail(onError, "ERR_OFFHOOK_TRANSPORT_CLOSED", `The connection ${this.id} is closed.`);
      return;
    }
    const waiting = this.#socket.writableLength + this.#queuedOctets;
    if (waiting > this.#owner.limits.maxBufferedOctets) {
      fail(
        onError,
        "ERR_OFFHOOK_TRANSPORT_SLOW_READER",
        `The far end of ${this.id} does not read: ${waiting} octets wait.`,
      );
      // Not from inside send: the caller may be in the middle of its own work.
      queueMicrotask(() => {
        this.destroy("slow reader");
      });
      return;
    }
    if (this.#state === "open") {
      this.#write(octets, onError);
      return;
    }
    this.#queue.push({ octets, onError });
    this.#queuedOctets += octets.length;
  }

  toward(remote: SocketAddress): Flow {
    return this.#owner.toward(this, remote);
  }

  reopen(): Flow | undefined {
    return this.isOurs && this.#state === "ended" ? this.#owner.reopen(this) : undefined;
  }

  unanswered(sinceMonotonicMs: number): void {
    if (this.#state !== "open") return;
    if (!this.#hasHeard || this.#lastHeardMs < sinceMonotonicMs) {
      this.destroy("nothing heard since a request");
    }
  }

  /** Sends what waits, then closes. */
  close(reason: string): void {
    if (!this.isOpen) return;
    if (this.#state === "connecting") {
      this.destroy(reason);
      return;
    }
    this.#end(reason);
    this.#socket.end();
    this.#destroyLater();
  }

  /** Closes at once. */
  destroy(reason: string): void {
    this.#end(reason);
    this.#socket.destroy();
  }

  #write(octets: Buffer, onError: OnError): void {
    this.#socket.write(octets, (cause) => {
      if (cause == null) return;
      fail(onError, "ERR_OFFHOOK_TRANSPORT_SEND", `Sending on ${this.id} failed.`, cause);
    });
    if (this.#socket.writableLength > this.#owner.limits.maxUnreadOctets) this.#awaitReader();
  }

  #onData(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.#lastHeardMs = this.#owner.clock.monotonicMs();
    this.#hasHeard = true;
    this.#framer.push(chunk);
    this.#take();
  }

  /** Takes what has arrived, but not more in one go than others can wait for. */
  #take(): void {
    for (let taken = 0; this.#state === "open"; taken += 1) {
      if (this.#reading === "reader") return;
      if (taken === this.#owner.limits.messagesATurn) {
        this.#yieldTurn();
        return;
      }
      const piece = this.#framer.next();
      if (piece === undefined) break;
      this.#takePiece(piece);
    }
    if (this.#state === "open") this.#watchMessage();
  }

  #takePiece(piece: StreamPiece): void {
    switch (piece.kind) {
      case "message":
        this.#lineBreaks = 0;
        this.#deadline?.cancel();
        this.#deadline = undefined;
        this.#owner.onMessage(piece.octets, this);
        return;
      case "line-breaks":
        this.#takeLineBreaks(piece.count);
        return;
      case "fault":
        this.#owner.onFault(piece.octets, piece.status, this);
        this.close(piece.reason);
        return;
    }
  }

  #takeLineBreaks(count: number): void {
    if (this.#pingSentMs !== undefined) {
      this.#pingSentMs = undefined;
      this.#answersPings = true;
      this.#lineBreaks = 0;
      if (count < 2) return;
    }
    this.#lineBreaks += count;
    if (this.#lineBreaks < 2) return;
    this.#lineBreaks = 0;
    // RFC 5626 §3.5.1: a double CRLF is a ping, a single one its answer.
    if (this.#socket.writableLength === 0) this.#socket.write(PONG, noop);
  }

  /** Each message has its own time, from its first octet. */
  #watchMessage(): void {
    if (!this.#framer.isMidMessage || this.#deadlineOf === this.#framer.begun) return;
    this.#deadlineOf = this.#framer.begun;
    this.#deadline?.cancel();
    this.#deadline = this.#owner.clock.after(this.#owner.limits.messageMs, () => {
      this.#takePiece(this.#framer.expire("a message did not come to its end in time"));
    });
  }

  #yieldTurn(): void {
    this.#reading = "turn";
    this.#socket.pause();
    setImmediate(() => {
      if (this.#reading !== "turn") return;
      this.#reading = "flowing";
      this.#take();
      if (this.#isFlowing()) this.#socket.resume();
    });
  }

  /** Whoever does not read our answers is not given more of them. */
  #awaitReader(): void {
    if (this.#reading === "reader") return;
    this.#reading = "reader";
    this.#socket.pause();
    this.#readerDeadline = this.#owner.clock.after(this.#owner.limits.messageMs, () => {
      this.destroy("slow reader");
    });
  }

  #onDrain(): void {
    if (this.#reading !== "reader") return;
    this.#readerDeadline?.cancel();
    this.#reading = "flowing";
    this.#take();
    if (this.#isFlowing()) this.#socket.resume();
  }

  /** Taking messages may have stopped the reading again. */
  #isFlowing(): boolean {
    return this.#reading === "flowing";
  }

  /**
   * RFC 5626 §4.4.1: an idle connection is pinged with a double CRLF. Many far ends do not know
   * that, so only one that has answered before counts as dead when it does not; the others are
   * found by TCP's own probes and by requests without an answer (`unanswered`).
   */
  #watchLiveness(delayMs: number): void {
    const { clock, limits } = this.#owner;
    this.#liveness = clock.after(delayMs, () => {
      const idleMs = clock.monotonicMs() - this.#lastHeardMs;
      if (this.#pingSentMs !== undefined && this.#lastHeardMs < this.#pingSentMs) {
        if (this.#answersPings) {
          this.destroy("no answer to pings");
          return;
        }
        this.#pingSentMs = undefined;
        this.#watchLiveness(limits.pingIdleMs);
      } else if (idleMs < limits.pingIdleMs) {
        this.#pingSentMs = undefined;
        this.#watchLiveness(limits.pingIdleMs - idleMs);
      } else {
        this.#pingSentMs = clock.monotonicMs();
        this.#socket.write(PING, noop);
        this.#watchLiveness(limits.pongMs);
      }
    });
  }

  /** Gives the far end a moment to take what is on its way. */
  #destroyLater(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
    if (this.#socket.destroyed) return;
    this.#deadline = this.#owner.clock.after(this.#owner.limits.closeMs, () => {
      this.#socket.destroy();
    });
  }

  /** Tells the owner once and stops the watch. */
  #end(reason: string): void {
    if (!this.isOpen) return;
    this.#state = this.#state === "connecting" ? "failed" : "ended";
    this.#deadline?.cancel();
    this.#readerDeadline?.cancel();
    this.#liveness?.cancel();
    const queue = this.#queue;
    this.#queue = [];
    this.#owner.onClosed(this, reason);
    for (const { onError } of queue) {
      fail(onError, "ERR_OFFHOOK_TRANSPORT_SEND", `${this.id} could not be opened: ${reason}`);
    }
  }
}

type OnError = ((error: TransportError) => void) | undefined;

let sequence = 0;

function noop(): void {
  // What could not be written shows in the socket's close event.
}

function fail(
  onError: OnError,
  code: TransportError["code"],
  message: string,
  cause?: unknown,
): void {
  if (onError === undefined) return;
  queueMicrotask(() => {
    onError(new TransportError(code, message, cause));
  });
}
