import { isIPv6 } from "node:net";
import type { Clock } from "../../core/clock.ts";

/**
 * Counts failed sign-ins by source address and by account, and says who has to wait. One instance
 * serves the SIP side and the HTTP sign-in. Both tables are bounded: the entry that was touched
 * longest ago goes first.
 */

export interface AttemptLimitOptions {
  readonly clock: Clock;
  /** Failures allowed within the window; default 20. */
  readonly maxFailures?: number;
  /** Default 60 s. */
  readonly windowMs?: number;
  /** How long the source or the account is refused; default 300 s. */
  readonly blockMs?: number;
  /** Entries of each of the two tables; default 10,000. */
  readonly maxEntries?: number;
}

interface Entry {
  failures: number;
  windowEndsAtMs: number;
  blockedUntilMs: number;
}

/** An IPv6 attacker owns a /64, not one address. */
function sourceKey(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const zone = address.indexOf("%");
  const plain = zone < 0 ? address : address.slice(0, zone);
  const gap = plain.indexOf("::");
  if (gap < 0) return plain.split(":").slice(0, 4).join(":");
  const head = plain
    .slice(0, gap)
    .split(":")
    .filter((group) => group !== "");
  const tail = plain
    .slice(gap + 2)
    .split(":")
    .filter((group) => group !== "");
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0");
  return [...head, ...zeros, ...tail].slice(0, 4).join(":");
}

export class AttemptLimit {
  readonly #clock: Clock;
  readonly #maxFailures: number;
  readonly #windowMs: number;
  readonly #blockMs: number;
  readonly #maxEntries: number;
  readonly #sources = new Map<string, Entry>();
  readonly #accounts = new Map<string, Entry>();

  constructor(options: AttemptLimitOptions) {
    this.#clock = options.clock;
    this.#maxFailures = options.maxFailures ?? 20;
    this.#windowMs = options.windowMs ?? 60_000;
    this.#blockMs = options.blockMs ?? 300_000;
    this.#maxEntries = options.maxEntries ?? 10_000;
  }

  /** Whether anything from this address is refused now. */
  isSourceBlocked(address: string): boolean {
    return this.#isBlocked(this.#sources, sourceKey(address));
  }

  /** Whether sign-ins as this user are refused now. */
  isAccountBlocked(user: string): boolean {
    return this.#isBlocked(this.#accounts, user);
  }

  /** A wrong password, or a user that does not exist: both count alike. */
  failed(address: string, user: string): void {
    this.#count(this.#sources, sourceKey(address));
    this.#count(this.#accounts, user);
  }

  /** A right password clears the account's count; the source keeps its own. */
  succeeded(user: string): void {
    this.#accounts.delete(user);
  }

  #isBlocked(table: ReadonlyMap<string, Entry>, key: string): boolean {
    const entry = table.get(key);
    return entry !== undefined && this.#clock.monotonicMs() < entry.blockedUntilMs;
  }

  #count(table: Map<string, Entry>, key: string): void {
    const nowMs = this.#clock.monotonicMs();
    const known = table.get(key);
    const entry =
      known !== undefined && nowMs < Math.max(known.windowEndsAtMs, known.blockedUntilMs)
        ? known
        : { failures: 0, windowEndsAtMs: nowMs + this.#windowMs, blockedUntilMs: 0 };
    entry.failures += 1;
    if (entry.failures >= this.#maxFailures) {
      entry.failures = 0;
      entry.blockedUntilMs = nowMs + this.#blockMs;
    }
    table.delete(key);
    if (table.size >= this.#maxEntries) {
      const oldest = table.keys().next().value;
      if (oldest !== undefined) table.delete(oldest);
    }
    table.set(key, entry);
  }
}
