import { createHmac, randomBytes } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { ownCopy } from "../../core/own-copy.ts";
import { equalInConstantTime } from "./digest.ts";

/**
 * Nonces that need no memory before authentication: time, randomness and a MAC over both and the
 * realm. What is remembered, bounded, is the highest nonce count of each nonce that has been used
 * in a request that verified (RFC 7616 §3.4, `nc`).
 */

const SEED_OCTETS = 18; // 6 of time, 12 random
const MAC_OCTETS = 18;
const NONCE_LENGTH = ((SEED_OCTETS + MAC_OCTETS) / 3) * 4;

/** What a nonce that came back is worth. */
export type NonceVerdict = "fresh" | "stale" | "forged";

export interface NonceOptions {
  readonly clock: Clock;
  readonly realm: string;
  /** How long a nonce can be used; default 60 s. */
  readonly lifeMs?: number;
  /** How many used nonces are remembered; default 50,000. */
  readonly maxRemembered?: number;
  /** The MAC's key; default random for each process. */
  readonly key?: Buffer;
}

export class Nonces {
  readonly #clock: Clock;
  readonly #realm: string;
  readonly #lifeMs: number;
  readonly #maxRemembered: number;
  readonly #key: Buffer;
  /** Highest count by nonce, in the order of first use, which is the order of expiry. */
  readonly #counts = new Map<string, { count: number; readonly expiresAtMs: number }>();
  /** Nonces issued at or before this moment are stale: set when the table had to forget one. */
  #forgottenBeforeMs = -1;

  constructor(options: NonceOptions) {
    this.#clock = options.clock;
    this.#realm = options.realm;
    this.#lifeMs = options.lifeMs ?? 60_000;
    this.#maxRemembered = options.maxRemembered ?? 50_000;
    this.#key = options.key ?? randomBytes(32);
  }

  /** Used nonces that are remembered now. */
  get remembered(): number {
    return this.#counts.size;
  }

  issue(): string {
    const seed = Buffer.alloc(SEED_OCTETS);
    // The monotonic clock: a jump of the wall clock must not make all nonces stale or eternal.
    seed.writeUIntBE(Math.floor(this.#clock.monotonicMs()), 0, 6);
    randomBytes(SEED_OCTETS - 6).copy(seed, 6);
    return seed.toString("base64url") + this.#mac(seed);
  }

  /** Says whether `nonce` is ours and young enough. Changes nothing. */
  check(nonce: string): NonceVerdict {
    if (nonce.length !== NONCE_LENGTH) return "forged";
    const seed = Buffer.from(nonce.slice(0, (SEED_OCTETS / 3) * 4), "base64url");
    if (seed.length !== SEED_OCTETS) return "forged";
    if (!equalInConstantTime(seed.toString("base64url") + this.#mac(seed), nonce)) return "forged";
    const issuedAtMs = seed.readUIntBE(0, 6);
    const ageMs = this.#clock.monotonicMs() - issuedAtMs;
    return ageMs <= this.#lifeMs && issuedAtMs > this.#forgottenBeforeMs ? "fresh" : "stale";
  }

  /**
   * Uses up one count of a nonce that is fresh and whose response has verified.
   *
   * @returns false when this count, or a higher one, has been used before: a replay
   */
  consume(nonce: string, count: number): boolean {
    const known = this.#counts.get(nonce);
    if (known !== undefined && count <= known.count) return false;
    const nowMs = this.#clock.monotonicMs();
    if (known !== undefined) {
      known.count = count;
      return true;
    }
    this.#forget(nowMs);
    this.#counts.set(ownCopy(nonce), { count, expiresAtMs: nowMs + this.#lifeMs });
    return true;
  }

  #forget(nowMs: number): void {
    for (const [nonce, entry] of this.#counts) {
      const isFull = this.#counts.size >= this.#maxRemembered;
      if (entry.expiresAtMs > nowMs && !isFull) return;
      if (entry.expiresAtMs > nowMs) {
        // A live nonce is forgotten only together with all that are as old: none can be replayed.
        this.#forgottenBeforeMs = Math.max(
          this.#forgottenBeforeMs,
          Buffer.from(nonce, "base64url").readUIntBE(0, 6),
        );
      }
      this.#counts.delete(nonce);
    }
  }

  #mac(seed: Buffer): string {
    const mac = createHmac("sha256", this.#key).update(seed).update(this.#realm, "utf8").digest();
    return mac.subarray(0, MAC_OCTETS).toString("base64url");
  }
}
