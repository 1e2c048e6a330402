import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { SocketAddress } from "../../src/core/address.ts";

/** How a relay treats what passes through it; the same in both directions. */
export interface UdpRelayOptions {
  /** Where everything that clients send goes. */
  readonly target: SocketAddress;
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: SocketAddress;
  /** Probability that a datagram is lost. Default 0. */
  readonly loss?: number;
  /** Probability that a datagram arrives twice. Default 0. */
  readonly duplicate?: number;
  /** Probability that a datagram is held back behind the next one. Default 0. */
  readonly reorder?: number;
  /** Time on the way, in milliseconds. Default 0. */
  readonly delayMs?: number;
  /** Of the random numbers; the same seed and traffic give the same fate. Default 1. */
  readonly seed?: number;
  /** Sees what clients send, before anything happens to it. */
  readonly watch?: (octets: Buffer) => void;
}

/** What a relay has done so far, in datagrams. */
export interface UdpRelayCounts {
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
}

const MAX_CLIENTS = 1000;
/** A datagram that is held back goes on after this even when no other follows. */
const HELD_BACK_MS = 20;

/**
 * A bad network between SIP clients and one server: each client address gets a socket of its own
 * toward the target, so that answers find their way back.
 */
export class UdpRelay {
  readonly #options: UdpRelayOptions;
  readonly #listener: Socket;
  readonly #clients = new Map<string, Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #random: () => number;
  readonly #counts = { received: 0, lost: 0, duplicated: 0, reordered: 0 };
  #isClosed = false;

  private constructor(options: UdpRelayOptions) {
    this.#options = options;
    this.#listener = createSocket(familyOf(options.listen ?? options.target));
    this.#random = seededRandom(options.seed ?? 1);
  }

  static async start(options: UdpRelayOptions): Promise<UdpRelay> {
    const relay = new UdpRelay(options);
    const { host, port } = options.listen ?? { host: "127.0.0.1", port: 0 };
    await bind(relay.#listener, host, port);
    relay.#listener.on("message", (octets, { address, port: clientPort }) => {
      options.watch?.(octets);
      relay.#fromClient(octets, { host: address, port: clientPort });
    });
    return relay;
  }

  /** What clients send to. */
  get address(): SocketAddress {
    const { address, port } = this.#listener.address();
    return { host: address, port };
  }

  get counts(): UdpRelayCounts {
    return { ...this.#counts };
  }

  async stop(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all([this.#listener, ...this.#clients.values()].map((socket) => close(socket)));
    this.#clients.clear();
  }

  #fromClient(octets: Buffer, client: SocketAddress): void {
    const key = `${client.host} ${client.port}`;
    let upstream = this.#clients.get(key);
    if (upstream === undefined) {
      if (this.#clients.size >= MAX_CLIENTS) return;
      upstream = createSocket(familyOf(this.#options.target));
      // A port that nobody listens on shows here as ECONNREFUSED: that is loss as well.
      upstream.on("error", () => {});
      upstream.on("message", (answer) => {
        this.#pass(answer, this.#listener, client);
      });
      this.#clients.set(key, upstream);
    }
    this.#pass(octets, upstream, this.#options.target);
  }

  #pass(octets: Buffer, socket: Socket, to: SocketAddress): void {
    const { loss = 0, duplicate = 0, reorder = 0, delayMs = 0 } = this.#options;
    this.#counts.received += 1;
    if (this.#random() < loss) {
      this.#counts.lost += 1;
      return;
    }
    const isHeldBack = this.#random() < reorder;
    if (isHeldBack) this.#counts.reordered += 1;
    this.#sendAfter(delayMs + (isHeldBack ? HELD_BACK_MS : 0), octets, socket, to);
    if (this.#random() < duplicate) {
      this.#counts.duplicated += 1;
      this.#sendAfter(delayMs, octets, socket, to);
    }
  }

  #sendAfter(delayMs: number, octets: Buffer, socket: Socket, to: SocketAddress): void {
    if (delayMs === 0) {
      socket.send(octets, to.port, to.host);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      socket.send(octets, to.port, to.host);
    }, delayMs);
    this.#timers.add(timer);
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function familyOf(address: SocketAddress): "udp4" | "udp6" {
  return isIPv6(address.host) ? "udp6" : "udp4";
}

function bind(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, host, () => {
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve();
    });
  });
}

function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(() => {
      resolve();
    });
  });
}
