import type { Clock } from "../core/clock.ts";
import type { CallFacts, UserState } from "../dialplan/facts.ts";
import type { UserSettings } from "../dialplan/user-settings.ts";
import { UsageStore } from "../dialplan/usage.ts";

/** What the facts of live calls are made of. */
export interface LiveFactsOptions {
  readonly clock: Clock;
  readonly isRegistered: (userId: string) => boolean;
  readonly trunkState: (trunkId: string) => "up" | "down" | "unknown";
  /** The date that a moment counts for, in the dialplan's time zone. */
  readonly dayOf: (at: Date) => string;
  /** What users have set; missing: nothing. */
  readonly settingsOf?: (userId: string) => UserSettings | undefined;
}

/** More rings in turn than a plan can hold. */
const MAX_TURNS = 100_000;

/**
 * What is known of users, trunks and limits while calls live: the dialplan asks it, calls tell it.
 * Users and keys come from the configuration, so its tables are as large as that.
 */
export class LiveFacts {
  readonly usage: UsageStore;
  readonly #options: LiveFactsOptions;
  readonly #talking = new Map<string, number>();
  readonly #idleSinceMs = new Map<string, number>();
  readonly #turns = new Map<string, number>();

  constructor(options: LiveFactsOptions) {
    this.#options = options;
    this.usage = new UsageStore(options.dayOf);
  }

  /** The facts for one decision. */
  now(chance: number = Math.random()): CallFacts {
    const at = new Date(this.#options.clock.wallMs());
    return {
      userState: (id) => this.userState(id),
      idleSinceMs: (id) => this.#idleSinceMs.get(id) ?? 0,
      turn: (key) => this.#turns.get(key) ?? 0,
      chance,
      usage: (key) => this.usage.usage(key, at),
      trunkState: this.#options.trunkState,
      settingsOf: this.#options.settingsOf,
    };
  }

  userState(userId: string): UserState {
    if ((this.#talking.get(userId) ?? 0) > 0) return "busy";
    return this.#options.isRegistered(userId) ? "idle" : "offline";
  }

  /** A ring in turn has begun: the next one begins with the next user. */
  tookTurn(key: string): void {
    if (this.#turns.size >= MAX_TURNS && !this.#turns.has(key)) return;
    this.#turns.set(key, ((this.#turns.get(key) ?? 0) + 1) % Number.MAX_SAFE_INTEGER);
  }

  /** A user takes part in a call. @returns what ends it, once */
  enter(userId: string): () => void {
    this.#talking.set(userId, (this.#talking.get(userId) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#talking.get(userId) ?? 1) - 1;
      if (left === 0) this.#talking.delete(userId);
      else this.#talking.set(userId, left);
      this.#idleSinceMs.set(userId, this.#options.clock.monotonicMs());
    };
  }
}
