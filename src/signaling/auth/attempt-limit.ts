import { createHash } from "node:crypto";
import { networkOf } from "../../core/address.ts";
import type { AddressSet } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { ownCopy } from "../../core/own-copy.ts";

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
  /** Addresses that are never refused as a source, such as a reverse proxy's. */
  readonly exempt?: AddressSet;
}

interface Entry {
  failures: number;
  windowEndsAtMs: number;
  blockedUntilMs: number;
}

const MAX_KEY_LENGTH = 64;

/** A stranger chooses the name, and up to 8 kB of it: what is kept of it is short. */
function accountKey(user: string): string {
  return user.length <= MAX_KEY_LENGTH ? user : createHash("sha256").update(user).digest("base64");
}

export class AttemptLimit {
  readonly #clock: Clock;
  readonly #maxFailures: number;
  readonly #windowMs: number;
  readonly #blockMs: number;
  readonly #maxEntries: number;
  readonly #exempt: AddressSet | undefined;
  readonly #sources = new Map<string, Entry>();
  readonly #accounts = new Map<string, Entry>();

  constructor(options: AttemptLimitOptions) {
    this.#clock = options.clock;
    this.#maxFailures = options.maxFailures ?? 20;
    this.#windowMs = options.windowMs ?? 60_000;
    this.#blockMs = options.blockMs ?? 300_000;
    this.#maxEntries = options.maxEntries ?? 10_000;
    this.#exempt = options.exempt;
  }

  /** Whether anything from this address is refused now. */
  isSourceBlocked(address: string): boolean {
    return this.#isBlocked(this.#sources, networkOf(address));
  }

  /** Whether sign-ins as this user are refused now. */
  isAccountBlocked(user: string): boolean {
    return this.#isBlocked(this.#accounts, accountKey(user));
  }

  /** The addresses that are refused now, and for how many milliseconds more. */
  *blockedSources(): Iterable<{ readonly network: string; readonly leftMs: number }> {
    const nowMs = this.#clock.monotonicMs();
    for (const [network, { blockedUntilMs }] of this.#sources) {
      if (nowMs < blockedUntilMs) yield { network, leftMs: blockedUntilMs - nowMs };
    }
  }

  /** Lets an address in again. @returns whether it was refused */
  liftSource(address: string): boolean {
    const isBlocked = this.isSourceBlocked(address);
    this.#sources.delete(networkOf(address));
    return isBlocked;
  }

  /** How long a source or an account is refused. */
  get blockMs(): number {
    return this.#blockMs;
  }

  /** A wrong password, or a user that does not exist: both count alike. */
  failed(address: string, user: string): void {
    if (this.#exempt?.has(address) !== true) this.#count(this.#sources, networkOf(address));
    this.#count(this.#accounts, accountKey(user));
  }

  /** A right password clears the account's count; the source keeps its own. */
  succeeded(user: string): void {
    this.#accounts.delete(accountKey(user));
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
    table.set(ownCopy(key), entry);
  }
}
