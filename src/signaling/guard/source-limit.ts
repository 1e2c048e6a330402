import { networkOf } from "../../core/address.ts";
import type { AddressSet } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { ownCopy } from "../../core/own-copy.ts";

/**
 * How much each source may ask, and who is not heard any more. A source is an IPv4 address or an
 * IPv6 /64. Datagrams and connections are counted apart: the source of a datagram can be forged, so
 * nobody may shut a phone's connection out with datagrams (docs/adr/0007). Every message costs one
 * look-up, and all tables are bounded.
 */

/** How requests of a source come: only a connection proves that the source is real. */
export type SourceWay = "datagram" | "connection";

export interface SourceLimits {
  /** Requests a second of one source that has not signed in. Default 30. */
  readonly perSecond: number;
  /** Requests that may come at once after a quiet time. Default 500. */
  readonly burst: number;
  /** Requests beyond both after which the source is banned; they are forgotten at the same rate. Default 1000. */
  readonly banAfter: number;
  /** How long a ban lasts. Default 5 minutes. */
  readonly banMs: number;
  /** Datagrams a second of all sources together that are no trunk's. Default 200. */
  readonly strangersPerSecond: number;
  /** Requests a second on one connection that a user has signed in on; ten times that at once. Default 100. */
  readonly perUserConnection: number;
  /** Sources, and as many bans, that are remembered. Default 2,000. */
  readonly maxSources: number;
}

export const DEFAULT_SOURCE_LIMITS: SourceLimits = {
  perSecond: 30,
  burst: 500,
  banAfter: 1000,
  banMs: 300_000,
  strangersPerSecond: 200,
  perUserConnection: 100,
  maxSources: 2000,
};

/** A source that is not heard. */
export interface Ban {
  /** `192.0.2.1`, or the first address of an IPv6 /64: `2001:db8:1:2::`. */
  readonly network: string;
  readonly way: SourceWay;
  /** Unix milliseconds. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** What came since and was dropped. */
  readonly dropped: number;
}

/** What becomes of what came on a connection. */
export type SourceVerdict =
  | "taken"
  /** Too much: to be refused. */
  | "excess"
  /** Far too much: the connection is to be closed. */
  | "banned";

/** What was dropped or refused since the start. */
export interface SourceCounts {
  /** Above the rate of the source. */
  rateLimited: number;
  /** From a banned source. */
  banned: number;
  /** Datagrams above the rate of all strangers together. */
  strangers: number;
  /** Bans that were made. */
  bans: number;
}

export interface SourceLimitOptions {
  readonly clock: Clock;
  readonly limits?: Partial<SourceLimits>;
  /** Addresses that are not limited. */
  readonly exempt?: AddressSet;
  /** Whether this address is a trunk's: it is not limited. */
  isTrunk(host: string): boolean;
  onBan?(ban: Ban): void;
  onLifted?(ban: Ban, by: "time" | "operator"): void;
}

interface Bucket {
  tokens: number;
  /** Requests beyond the rate, less those that have been forgotten. */
  excess: number;
  filledAtMs: number;
}

interface Source extends Bucket {
  isTrusted: boolean;
  trustEndsAtMs: number;
}

interface StandingBan {
  readonly network: string;
  readonly way: SourceWay;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly endsAtMs: number;
  dropped: number;
}

/** Trunks move when the DNS says so. */
const TRUST_MS = 1000;
/** Who may be trusted is a matter of the configuration, but it may name whole networks. */
const MAX_TRUSTED = 1000;

export class SourceLimit {
  readonly counts: SourceCounts = { rateLimited: 0, banned: 0, strangers: 0, bans: 0 };
  readonly #options: SourceLimitOptions;
  readonly #limits: SourceLimits;
  /** By network; the one that was seen first goes first. */
  readonly #sources: Readonly<Record<SourceWay, Map<string, Source>>> = {
    datagram: new Map(),
    connection: new Map(),
  };
  /** All last equally long, so the first of each ends first. */
  readonly #bans: Readonly<Record<SourceWay, Map<string, StandingBan>>> = {
    datagram: new Map(),
    connection: new Map(),
  };
  /** Trusted senders of datagrams, and when to look again. */
  readonly #trusted = new Map<string, number>();
  /** Connections that somebody has signed in on. */
  readonly #users = new WeakMap<object, Bucket>();
  readonly #strangers: Bucket;
  #timer: Timer | undefined;

  constructor(options: SourceLimitOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_SOURCE_LIMITS, ...options.limits };
    this.#strangers = {
      tokens: this.#limits.strangersPerSecond,
      excess: 0,
      filledAtMs: options.clock.monotonicMs(),
    };
  }

  /** Sources that are remembered now. */
  get size(): number {
    return this.#sources.datagram.size + this.#sources.connection.size;
  }

  /** Bans in force. */
  get banCount(): number {
    return this.#bans.datagram.size + this.#bans.connection.size;
  }

  /** Whether a datagram from this address is looked at at all. */
  admitsDatagram(host: string): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const network = networkOf(host);
    const known = this.#sources.datagram.get(network);
    const isTrusted =
      known === undefined ? this.#isTrustedHost(host, nowMs) : this.#isTrusted(known, host, nowMs);
    if (isTrusted) return true;
    // Nothing is made for a source that will not be heard: a flood of forged ones would leave
    // thousands a second behind for the collector of the old generation.
    if (known === undefined && this.#isBanned("datagram", network, nowMs)) return false;
    if (known !== undefined && this.#charge("datagram", network, known, nowMs) !== "taken") {
      return false;
    }
    const { strangersPerSecond } = this.#limits;
    if (!spend(this.#strangers, nowMs, strangersPerSecond, strangersPerSecond)) {
      this.counts.strangers += 1;
      return false;
    }
    if (known !== undefined) return true;
    const source = this.#sourceOf("datagram", network, nowMs);
    return this.#charge("datagram", network, source, nowMs) === "taken";
  }

  /** Whether this address may open a connection now; to open one counts as a request. */
  admitsConnection(host: string): boolean {
    return this.admitRequest(host) === "taken";
  }

  /** Counts what came on a connection that nobody has signed in on. */
  admitRequest(host: string): SourceVerdict {
    const nowMs = this.#options.clock.monotonicMs();
    const network = networkOf(host);
    const source = this.#sourceOf("connection", network, nowMs);
    if (this.#isTrusted(source, host, nowMs)) return "taken";
    return this.#charge("connection", network, source, nowMs);
  }

  /**
   * Counts what came on a connection that somebody has signed in on. It alone answers for it, not
   * the address, which others behind the same NAT share.
   */
  admitOfUser(connection: object): SourceVerdict {
    const { perUserConnection: rate, banAfter } = this.#limits;
    const nowMs = this.#options.clock.monotonicMs();
    let bucket = this.#users.get(connection);
    if (bucket === undefined) {
      bucket = { tokens: 10 * rate, excess: 0, filledAtMs: nowMs };
      this.#users.set(connection, bucket);
    }
    if (spend(bucket, nowMs, rate, 10 * rate)) return "taken";
    this.counts.rateLimited += 1;
    return bucket.excess > banAfter ? "banned" : "excess";
  }

  /** Bans in force, those of datagrams first, the oldest first. */
  *bans(): Iterable<Ban> {
    this.#liftExpired();
    yield* this.#bans.datagram.values();
    yield* this.#bans.connection.values();
  }

  /**
   * Lifts the bans of an address, or of the IPv6 /64 that it is in.
   *
   * @returns whether there was one
   */
  lift(host: string): boolean {
    const network = networkOf(host);
    let isLifted = false;
    for (const way of ["datagram", "connection"] as const) {
      // It begins anew: what it did before is forgotten.
      this.#sources[way].delete(network);
      const ban = this.#bans[way].get(network);
      if (ban === undefined) continue;
      this.#bans[way].delete(network);
      this.#options.onLifted?.(ban, "operator");
      isLifted = true;
    }
    return isLifted;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sourceOf(way: SourceWay, network: string, nowMs: number): Source {
    const table = this.#sources[way];
    const known = table.get(network);
    if (known !== undefined) return known;
    if (table.size >= this.#limits.maxSources) deleteFirst(table);
    const source: Source = {
      tokens: this.#limits.burst,
      excess: 0,
      filledAtMs: nowMs,
      isTrusted: false,
      trustEndsAtMs: 0,
    };
    table.set(ownCopy(network), source);
    return source;
  }

  #isTrusted(source: Source, host: string, nowMs: number): boolean {
    if (nowMs < source.trustEndsAtMs) return source.isTrusted;
    const isTrusted = this.#isTrustedNow(host);
    // Of an IPv6 /64 one address may be a trunk's, and the others strangers'.
    if (!host.includes(":")) {
      source.isTrusted = isTrusted;
      source.trustEndsAtMs = nowMs + TRUST_MS;
    }
    return isTrusted;
  }

  /** Of a source that nothing is counted of: a trunk sends thousands of datagrams a second. */
  #isTrustedHost(host: string, nowMs: number): boolean {
    const endsAtMs = this.#trusted.get(host);
    if (endsAtMs !== undefined && nowMs < endsAtMs) return true;
    const isTrusted = this.#isTrustedNow(host);
    if (!isTrusted) {
      this.#trusted.delete(host);
      return false;
    }
    if (this.#trusted.size >= MAX_TRUSTED) deleteFirst(this.#trusted);
    this.#trusted.set(ownCopy(host), nowMs + TRUST_MS);
    return true;
  }

  #isTrustedNow(host: string): boolean {
    return this.#options.exempt?.has(host) === true || this.#options.isTrunk(host);
  }

  #isBanned(way: SourceWay, network: string, nowMs: number): boolean {
    const bans = this.#bans[way];
    const ban = bans.size === 0 ? undefined : bans.get(network);
    if (ban === undefined || nowMs >= ban.endsAtMs) return false;
    ban.dropped += 1;
    this.counts.banned += 1;
    return true;
  }

  #charge(way: SourceWay, network: string, source: Source, nowMs: number): SourceVerdict {
    if (this.#isBanned(way, network, nowMs)) return "banned";
    const { perSecond, burst, banAfter } = this.#limits;
    if (spend(source, nowMs, perSecond, burst)) return "taken";
    this.counts.rateLimited += 1;
    if (source.excess <= banAfter) return "excess";
    this.#ban(way, network, nowMs);
    return "banned";
  }

  #ban(way: SourceWay, network: string, nowMs: number): void {
    const { clock } = this.#options;
    const { banMs, maxSources } = this.#limits;
    const bans = this.#bans[way];
    bans.delete(network);
    if (bans.size >= maxSources) deleteFirst(bans);
    const sinceMs = clock.wallMs();
    const ban: StandingBan = {
      network: ownCopy(network),
      way,
      sinceMs,
      untilMs: sinceMs + banMs,
      endsAtMs: nowMs + banMs,
      dropped: 0,
    };
    bans.set(ban.network, ban);
    this.#sources[way].delete(network);
    this.counts.bans += 1;
    this.#timer ??= clock.after(banMs, () => this.#onTimer());
    this.#options.onBan?.(ban);
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#liftExpired();
    const ends = Object.values(this.#bans).flatMap((bans) => {
      const [first] = bans.values();
      return first === undefined ? [] : [first.endsAtMs];
    });
    if (ends.length === 0) return;
    const { clock } = this.#options;
    const waitMs = Math.max(0, Math.min(...ends) - clock.monotonicMs());
    this.#timer = clock.after(waitMs, () => this.#onTimer());
  }

  #liftExpired(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const bans of Object.values(this.#bans)) {
      for (const ban of bans.values()) {
        if (nowMs < ban.endsAtMs) break;
        bans.delete(ban.network);
        this.#options.onLifted?.(ban, "time");
      }
    }
  }
}

/** Takes one token. @returns false, and counts the excess, when there is none */
function spend(bucket: Bucket, nowMs: number, perSecond: number, burst: number): boolean {
  const gained = ((nowMs - bucket.filledAtMs) / 1000) * perSecond;
  bucket.filledAtMs = nowMs;
  const tokens = Math.min(burst, bucket.tokens + gained);
  const excess = Math.max(0, bucket.excess - gained);
  if (tokens >= 1) {
    bucket.tokens = tokens - 1;
    bucket.excess = excess;
    return true;
  }
  bucket.tokens = tokens;
  bucket.excess = excess + 1;
  return false;
}

function deleteFirst(table: Map<string, unknown>): void {
  for (const key of table.keys()) {
    table.delete(key);
    return;
  }
}
