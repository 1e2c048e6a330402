import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { StreamFlow } from "./stream-flow.ts";
import type { TlsPeer } from "./tls-contexts.ts";

interface Origin {
  readonly keys: string[];
  readonly peer: TlsPeer | undefined;
}

/**
 * The connections that requests can go out on: those of ours by where they lead, and accepted ones
 * by the address that their caller gave as its own (RFC 5923). Holds open connections alone.
 */
export class ConnectionPool {
  readonly #flows = new Map<string, StreamFlow>();
  readonly #origins = new WeakMap<StreamFlow, Origin>();

  /** @param key see `TlsContexts.keyFor`; empty over TCP */
  find(remote: SocketAddress, key: string): StreamFlow | undefined {
    return this.#open(`${keyOf(remote)}\n${key}`);
  }

  /** @param name with TLS: whom the caller has proved to be */
  findAlias(remote: SocketAddress, name: string | undefined): StreamFlow | undefined {
    return this.#open(aliasKey(remote, name));
  }

  /** A connection of ours. */
  add(flow: StreamFlow, remote: SocketAddress, key: string, peer: TlsPeer | undefined): void {
    const whole = `${keyOf(remote)}\n${key}`;
    this.#flows.set(whole, flow);
    this.#origins.set(flow, { keys: [whole], peer });
  }

  /** The caller's last word counts; a connection has few names, so it adds few keys. */
  addAlias(flow: StreamFlow, remote: SocketAddress, name: string | undefined): void {
    const key = aliasKey(remote, name);
    if (this.#flows.get(key) === flow) return;
    const origin = this.#origins.get(flow) ?? { keys: [], peer: undefined };
    if (origin.keys.length >= MAX_ALIASES) return;
    origin.keys.push(key);
    this.#origins.set(flow, origin);
    this.#flows.set(key, flow);
  }

  /** With what a connection of ours was opened. */
  originOf(flow: StreamFlow): Origin | undefined {
    return this.#origins.get(flow);
  }

  remove(flow: StreamFlow): void {
    for (const key of this.#origins.get(flow)?.keys ?? []) {
      if (this.#flows.get(key) === flow) this.#flows.delete(key);
    }
  }

  #open(key: string): StreamFlow | undefined {
    const flow = this.#flows.get(key);
    return flow?.isOpen === true ? flow : undefined;
  }
}

const MAX_ALIASES = 16;

function keyOf({ host, port }: SocketAddress): string {
  return `${host} ${port}`;
}

function aliasKey(remote: SocketAddress, name: string | undefined): string {
  return `alias ${keyOf(remote)}\n${name ?? ""}`;
}

const REFUSED_MS = 60_000;
const SILENT_MS = 600_000;
const MAX_FAILURES = 1000;

/**
 * Where connections have failed to come up, for those who have another way (RFC 3261 §18.1.1): for
 * a minute after a refusal, longer where nobody said anything, because asking again costs seconds.
 */
export class OpenFailures {
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(remote: SocketAddress, reason: string): void {
    const [oldest] = this.#untilMs.keys();
    if (oldest !== undefined && this.#untilMs.size >= MAX_FAILURES) this.#untilMs.delete(oldest);
    const forMs = reason.includes("ECONNREFUSED") ? REFUSED_MS : SILENT_MS;
    this.#untilMs.set(keyOf(remote), this.#clock.monotonicMs() + forMs);
  }

  forget(remote: SocketAddress): void {
    this.#untilMs.delete(keyOf(remote));
  }

  has(remote: SocketAddress): boolean {
    const untilMs = this.#untilMs.get(keyOf(remote));
    return untilMs !== undefined && this.#clock.monotonicMs() < untilMs;
  }
}
