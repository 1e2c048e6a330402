import type { Clock } from "../core/clock.ts";
import type { EndReason } from "../core/end-reason.ts";

export interface CallLimitsOptions {
  /** Calls of the whole gateway. */
  readonly maxCalls: number;
  /** New calls a second of the whole gateway; undefined: no limit. */
  readonly perSecond?: { readonly calls: number; readonly clock: Clock };
  /** Calls in which one web user takes part as the caller. */
  readonly maxCallsPerUser: number;
  /** Calls of a trunk, both directions; undefined: no limit of its own. */
  maxCallsOfTrunk(trunkId: string): number | undefined;
}

/**
 * Counts calls against their limits. It owns the counters and nothing else: whoever takes a place
 * gives it back once.
 */
export class CallLimits {
  readonly #options: CallLimitsOptions;
  readonly #byUser = new Map<string, number>();
  readonly #byTrunk = new Map<string, number>();
  /** Calls that go on without the user who has transferred them. */
  readonly #transferred = new Map<string, number>();
  #total = 0;
  /** New calls that may begin now: at most those of a second. */
  #fresh: number;
  #freshAtMs: number;

  constructor(options: CallLimitsOptions) {
    this.#options = options;
    const { perSecond } = options;
    this.#fresh = perSecond?.calls ?? 0;
    this.#freshAtMs = perSecond?.clock.monotonicMs() ?? 0;
  }

  get total(): number {
    return this.#total;
  }

  callsOfTrunk(trunkId: string): number {
    return this.#byTrunk.get(trunkId) ?? 0;
  }

  /** Takes a place for a new call of the gateway, or says why there is none. */
  takeCall(): { readonly release: () => void } | { readonly refused: EndReason } {
    if (this.#total >= this.#options.maxCalls) {
      return {
        refused: { sipStatus: 503, q850: 42, text: "The gateway has reached its call limit" },
      };
    }
    if (!this.#mayBegin()) {
      return { refused: { sipStatus: 503, q850: 42, text: "Too many new calls at once" } };
    }
    this.#total += 1;
    return {
      release: once(() => {
        this.#total -= 1;
      }),
    };
  }

  #mayBegin(): boolean {
    const { perSecond } = this.#options;
    if (perSecond === undefined) return true;
    const nowMs = perSecond.clock.monotonicMs();
    const gained = ((nowMs - this.#freshAtMs) / 1000) * perSecond.calls;
    this.#fresh = Math.min(perSecond.calls, this.#fresh + gained);
    this.#freshAtMs = nowMs;
    if (this.#fresh < 1) return false;
    this.#fresh -= 1;
    return true;
  }

  takeUser(userId: string): { readonly release: () => void } | { readonly refused: EndReason } {
    return take(this.#byUser, userId, this.#options.maxCallsPerUser, {
      sipStatus: 403,
      q850: 55,
      text: "This user has reached its call limit",
    });
  }

  /**
   * Takes a place for a call that a user makes by transferring or forwarding another one. It counts beside the
   * user's own calls, to the same limit: nobody places more calls by leaving them one by one.
   */
  takeTransfer(userId: string): { readonly release: () => void } | { readonly refused: EndReason } {
    return take(this.#transferred, userId, this.#options.maxCallsPerUser, {
      sipStatus: 403,
      q850: 55,
      text: "This user has sent on as many calls as it may have",
    });
  }

  takeTrunk(trunkId: string): { readonly release: () => void } | { readonly refused: EndReason } {
    const limit = this.#options.maxCallsOfTrunk(trunkId) ?? Number.POSITIVE_INFINITY;
    return take(this.#byTrunk, trunkId, limit, {
      sipStatus: 503,
      q850: 34,
      text: `Trunk ${trunkId} has reached its call limit`,
    });
  }
}

function take(
  counts: Map<string, number>,
  key: string,
  limit: number,
  refused: EndReason,
): { readonly release: () => void } | { readonly refused: EndReason } {
  const count = counts.get(key) ?? 0;
  if (count >= limit) return { refused };
  counts.set(key, count + 1);
  return {
    release: once(() => {
      const left = (counts.get(key) ?? 1) - 1;
      if (left === 0) counts.delete(key);
      else counts.set(key, left);
    }),
  };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
