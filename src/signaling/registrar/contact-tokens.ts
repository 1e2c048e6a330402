import { createHmac } from "node:crypto";
import type { Clock, Timer } from "../../core/clock.ts";
import { ownCopy } from "../../core/own-copy.ts";
import type { CalledInstance } from "../engine.ts";

/** 128 bits: nobody who has not seen one can name one. */
const TOKEN_OCTETS = 16;

interface Entry extends CalledInstance {
  readonly expiry: Timer;
}

export interface ContactTokensOptions {
  readonly clock: Clock;
  /** At least 32 random octets; with the same one a browser keeps its contact over a restart. */
  readonly key: Buffer;
  /** Contacts of one user; the oldest goes for a new one. */
  readonly maxPerUser: number;
}

/**
 * The contacts of browsers at a PBX that owns the users: the user part of the URI, or of the Path,
 * that leads the PBX's calls back to one browser.
 *
 * A browser has the same token on every connection: the PBX sees one contact for it however often
 * its connection changes. A token is known for as long as the PBX may use it.
 */
export class ContactTokens {
  readonly #options: ContactTokensOptions;
  readonly #entries = new Map<string, Entry>();
  /** By user, oldest first. */
  readonly #byUser = new Map<string, Set<string>>();

  constructor(options: ContactTokensOptions) {
    this.#options = options;
  }

  /** Contacts that are known. */
  get size(): number {
    return this.#entries.size;
  }

  /** The token of a browser; the same at each call. */
  of(userId: string, instanceId: string): string {
    // No URN and no flow id holds a line feed, so it can separate.
    return createHmac("sha256", this.#options.key)
      .update(`${userId}\n${instanceId}`, "utf8")
      .digest()
      .subarray(0, TOKEN_OCTETS)
      .toString("base64url");
  }

  /** The PBX holds this contact for so long. */
  bind(token: string, { userId, instanceId }: CalledInstance, seconds: number): void {
    const { clock, maxPerUser } = this.#options;
    this.unbind(token);
    const own = this.#byUser.get(userId) ?? new Set();
    const [oldest] = own;
    if (own.size >= maxPerUser && oldest !== undefined) this.unbind(oldest);
    const expiry = clock.after(seconds * 1000, () => this.unbind(token));
    this.#entries.set(token, {
      userId: ownCopy(userId),
      instanceId: ownCopy(instanceId),
      expiry,
    });
    own.add(token);
    this.#byUser.set(userId, own);
  }

  unbind(token: string): void {
    const entry = this.#entries.get(token);
    if (entry === undefined) return;
    entry.expiry.cancel();
    this.#entries.delete(token);
    const own = this.#byUser.get(entry.userId);
    own?.delete(token);
    if (own?.size === 0) this.#byUser.delete(entry.userId);
  }

  /** The PBX has removed every contact of a user. */
  unbindUser(userId: string): void {
    for (const token of this.#byUser.get(userId) ?? []) this.unbind(token);
  }

  /** Whose contact it is; undefined when the PBX can have none of that name from us. */
  find(token: string): CalledInstance | undefined {
    const entry = this.#entries.get(token);
    return entry && { userId: entry.userId, instanceId: entry.instanceId };
  }

  close(): void {
    for (const { expiry } of this.#entries.values()) expiry.cancel();
    this.#entries.clear();
    this.#byUser.clear();
  }
}
