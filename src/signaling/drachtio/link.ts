import type { Socket } from "node:net";
import { randomUUID } from "node:crypto";
import WireProtocol from "drachtio-srf/lib/wire-protocol.js";
import { formatSocketAddress, tryParseSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { FrameReader, readFrame } from "./frames.ts";
import type { Reply, SipEvent } from "./frames.ts";
import type { DrachtioServer } from "./options.ts";

/** A transport that drachtio-server may listen on for us. */
export type CarriedTransport = "UDP" | "TCP" | "TLS";

/** What a link tells. */
export interface LinkHandler {
  /** The server knows us and sends us requests. */
  onUp(link: Link): void;
  /** An attempt to connect came to nothing. */
  onTried(): void;
  /** The connection has gone, or was of no use any more; every command that was open has failed. */
  onDown(link: Link, reason: string): void;
  onSip(link: Link, event: SipEvent): void;
}

export interface LinkOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly server: DrachtioServer;
  readonly handler: LinkHandler;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** What became of a command: the server's reply, or nothing because the connection has gone. */
export type OnReply = (reply: Reply | undefined) => void;

interface Command {
  readonly text: string;
  readonly octets: number;
  readonly onReply: OnReply;
}

/** A command that waits for its reply. */
interface Sent {
  readonly onReply: OnReply;
  readonly isLarge: boolean;
  readonly atMs: number;
}

/** Measured: frames of 12.2 KB and more are never answered, and the connection is dead then. */
export const MAX_COMMAND_OCTETS = 11_500;
/** Measured: the server loses its place when longer frames come one upon the other. */
const LARGE_OCTETS = 3500;
/** Around the text of a frame: its length, `#`, its id. */
const FRAME_OVERHEAD = 48;
const MAX_WAITING = 10_000;
const REPLY_MS = 8000;
const PING_MS = 15_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
/** Requests of these methods come to us; whatever else arrives there is refused by the server. */
const METHODS = [
  "invite",
  "options",
  "message",
  "subscribe",
  "notify",
  "refer",
  "info",
  "update",
  "publish",
  "register",
] as const;

/** drachtio-srf's connection, but that it cannot throw, and leaves it to the link to come again. */
class Wire extends WireProtocol {
  readonly #reader: FrameReader;

  constructor(onFrame: (frame: Buffer) => void) {
    super({});
    this.#reader = new FrameReader(onFrame);
  }

  protected override _onData(socket: Socket, chunk: Buffer): void {
    if (!this.#reader.push(chunk)) socket.destroy();
  }

  protected override _onConnectionGone(): void {}
}

type State =
  | { readonly name: "stopped" }
  | { readonly name: "waiting"; readonly retry: Timer }
  | { readonly name: "connecting" | "up"; readonly wire: Wire; readonly socket?: Socket };

/**
 * The connection to one drachtio-server: authentication, routes, liveness, and coming again after
 * it was lost. It keeps the limits of the server's reader: a long frame travels alone, a longer one
 * not at all.
 */
export class Link {
  /** `host:port`. */
  readonly name: string;
  readonly #options: LinkOptions;
  readonly #sent = new Map<string, Sent>();
  #waiting: Command[] = [];
  #state: State = { name: "stopped" };
  #listens: ReadonlyMap<CarriedTransport, SocketAddress> = new Map();
  #version = "";
  #attempts = 0;
  #watch: Timer | undefined;
  #lastHeardMs = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.name = formatSocketAddress(options.server);
  }

  /** Whether the first attempt to connect has had its outcome. */
  get hasTried(): boolean {
    return this.isUp || this.#attempts > 0;
  }

  get isUp(): boolean {
    return this.#state.name === "up";
  }

  /** What the server says of itself, such as `v0.9.10`. */
  get version(): string {
    return this.#version;
  }

  /** Where the server listens, as others reach it. */
  get listens(): ReadonlyMap<CarriedTransport, SocketAddress> {
    return this.#listens;
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    const state = this.#state;
    this.#state = { name: "stopped" };
    this.#watch?.cancel();
    if (state.name === "waiting") state.retry.cancel();
    else if (state.name !== "stopped") state.socket?.destroy();
    this.#failAll();
  }

  /**
   * Sends a command; the reply comes later, never from inside. The caller has seen to its length.
   *
   * @returns false when the server cannot be asked now
   */
  send(text: string, onReply: OnReply = ignore): boolean {
    if (this.#state.name !== "up" || this.#waiting.length >= MAX_WAITING) return false;
    this.#enqueue(text, onReply);
    return true;
  }

  #enqueue(text: string, onReply: OnReply): void {
    this.#waiting.push({ text, octets: Buffer.byteLength(text) + FRAME_OVERHEAD, onReply });
    this.#flush();
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      const { wire, socket } = this.#connection();
      const [command] = this.#waiting;
      if (command === undefined || wire === undefined || socket === undefined) return;
      const isLarge = command.octets > LARGE_OCTETS;
      if (this.#sent.size > 0 && (isLarge || this.#isLargeOpen())) return;
      this.#waiting.shift();
      const id = wire.send(socket, command.text);
      this.#remember(id, command.onReply, isLarge);
    }
  }

  /** A large frame is always alone, so it is the first one. */
  #isLargeOpen(): boolean {
    for (const { isLarge } of this.#sent.values()) return isLarge;
    return false;
  }

  #remember(id: string, onReply: OnReply, isLarge: boolean): void {
    this.#sent.set(id, { onReply, isLarge, atMs: this.#options.clock.monotonicMs() });
  }

  #connection(): { readonly wire?: Wire; readonly socket?: Socket | undefined } {
    const state = this.#state;
    return state.name === "connecting" || state.name === "up" ? state : {};
  }

  #connect(): void {
    const { host, port } = this.#options.server;
    const wire = new Wire((frame) => this.#onFrame(wire, frame));
    this.#state = { name: "connecting", wire };
    this.#lastHeardMs = this.#options.clock.monotonicMs();
    let cause = "the connection was closed";
    wire.on("connect", (socket: Socket) => this.#onConnect(wire, socket));
    wire.on("error", (error: Error) => {
      cause = error.message;
    });
    wire.on("close", () => this.#onClosed(wire, cause));
    wire.connect({ host, port });
  }

  #onConnect(wire: Wire, socket: Socket): void {
    if (this.#connection().wire !== wire) {
      socket.destroy();
      return;
    }
    this.#state = { name: "connecting", wire, socket };
    // Not through drachtio-srf: with DEBUG set it prints what it sends.
    const id = randomUUID();
    const frame = `${id}|authenticate|${this.#options.server.secret}|`;
    socket.write(`${Buffer.byteLength(frame)}#${frame}`);
    this.#remember(id, (reply) => this.#onAuthenticated(wire, reply), false);
    this.#keepWatch();
  }

  #onAuthenticated(wire: Wire, reply: Reply | undefined): void {
    const state = this.#state;
    if (reply === undefined || state.name !== "connecting" || state.wire !== wire) return;
    if (!reply.isOk) {
      this.#drop("drachtio-server refuses the secret");
      return;
    }
    const [hostPorts = "", version = ""] = reply.fields;
    this.#listens = readHostPorts(hostPorts);
    this.#version = version;
    if (this.#listens.size === 0) {
      // A server that has just started may not have its transports yet.
      this.#drop("drachtio-server listens nowhere yet");
      return;
    }
    this.#state = { ...state, name: "up" };
    this.#attempts = 0;
    for (const method of METHODS) this.#enqueue(`route|${method}`, ignore);
    this.#options.logger.info("drachtio-server is connected", {
      server: this.name,
      version,
      listens: hostPorts,
    });
    this.#options.handler.onUp(this);
  }

  #onFrame(wire: Wire, frame: Buffer): void {
    if (this.#connection().wire !== wire) return;
    this.#lastHeardMs = this.#options.clock.monotonicMs();
    const event = readFrame(frame);
    if (event === undefined) return;
    try {
      if (event.kind === "sip") this.#options.handler.onSip(this, event);
      else this.#onReply(event);
    } catch (cause) {
      this.#options.logger.error("a frame of drachtio-server could not be worked on", { cause });
    }
  }

  #onReply(reply: Reply): void {
    const sent = this.#sent.get(reply.id);
    this.#sent.delete(reply.id);
    this.#flush();
    sent?.onReply(reply);
  }

  /** Asks a quiet server whether it lives, and gives up one that leaves a command unanswered. */
  #keepWatch(): void {
    this.#watch?.cancel();
    this.#watch = this.#options.clock.after(REPLY_MS / 2, () => {
      const now = this.#options.clock.monotonicMs();
      const [oldest] = this.#sent.values();
      if (oldest !== undefined && now - oldest.atMs >= REPLY_MS) {
        this.#drop("drachtio-server does not answer");
        return;
      }
      const isQuiet = now - this.#lastHeardMs >= PING_MS;
      if (this.isUp && isQuiet && this.#sent.size === 0) this.#enqueue("ping", ignore);
      this.#keepWatch();
    });
  }

  #drop(reason: string): void {
    const { wire, socket } = this.#connection();
    socket?.destroy();
    if (wire !== undefined) this.#onClosed(wire, reason);
  }

  #onClosed(wire: Wire, reason: string): void {
    const state = this.#state;
    if (this.#connection().wire !== wire) return;
    this.#watch?.cancel();
    const delayMs = this.#backoffMs();
    this.#state = {
      name: "waiting",
      retry: this.#options.clock.after(delayMs, () => this.#connect()),
    };
    if (this.#attempts === 1 || state.name === "up") {
      this.#options.logger.warn("drachtio-server cannot be reached", {
        server: this.name,
        reason,
      });
    }
    this.#failAll();
    if (state.name === "up") this.#options.handler.onDown(this, reason);
    else this.#options.handler.onTried();
  }

  #backoffMs(): number {
    const most = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(this.#attempts, 10));
    this.#attempts += 1;
    // Several gateways must not come back in step.
    return most / 2 + (this.#options.random() * most) / 2;
  }

  #failAll(): void {
    const open = [...this.#sent.values(), ...this.#waiting];
    this.#sent.clear();
    this.#waiting = [];
    for (const { onReply } of open) onReply(undefined);
  }
}

function ignore(): void {}

/** Reads `udp/192.0.2.1:5060,tcp/192.0.2.1:5060`; of several of a transport the first counts. */
function readHostPorts(text: string): ReadonlyMap<CarriedTransport, SocketAddress> {
  const found = new Map<CarriedTransport, SocketAddress>();
  for (const part of text.split(",")) {
    const [name = "", where = ""] = part.split("/");
    const transport = name.trim().toUpperCase();
    const address = tryParseSocketAddress(where.trim());
    if (address === undefined || found.has(transport as CarriedTransport)) continue;
    if (transport === "UDP" || transport === "TCP" || transport === "TLS") {
      found.set(transport, address);
    }
  }
  return found;
}
