import type { Clock, ScopedClock, Timer } from "../../src/core/clock.ts";

interface Pending {
  readonly dueMs: number;
  readonly action: () => void;
  isLive: boolean;
}

const MAX_FIRINGS = 1_000_000;

/**
 * A clock that stands still until the test moves it. Timers fire in the order of their due time,
 * and in the order in which they were set when that is equal; timers set by timers fire in the
 * same `advance` when they fall due in it.
 */
export class ManualClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  /** Sorted by due time, latest first, so that the next one is popped from the end. */
  readonly #pending: Pending[] = [];

  /** @param wallMs Unix milliseconds at the start; default 2026-11-20T10:00:00Z */
  constructor(wallMs = Date.UTC(2026, 10, 20, 10)) {
    this.#wallOffsetMs = wallMs;
  }

  get pendingTimers(): number {
    return this.#pending.length;
  }

  /** Milliseconds until the next timer fires; undefined when none is set. */
  get nextTimerMs(): number | undefined {
    const next = this.#pending.at(-1);
    return next === undefined ? undefined : next.dueMs - this.#monotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#monotonicMs;
  }

  /** Moves the wall clock alone, as an administrator or NTP does. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const pending: Pending = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      action,
      isLive: true,
    };
    this.#pending.splice(this.#placeOf(pending.dueMs), 0, pending);
    return {
      cancel: () => {
        if (!pending.isLive) return;
        pending.isLive = false;
        this.#pending.splice(this.#pending.indexOf(pending), 1);
      },
    };
  }

  scope(onFault: (cause: unknown) => void): ScopedClock {
    const timers = new Set<Timer>();
    return {
      monotonicMs: () => this.monotonicMs(),
      wallMs: () => this.wallMs(),
      scope: (onInnerFault) => this.scope(onInnerFault),
      get pendingTimers() {
        return timers.size;
      },
      after: (delayMs, action) => {
        const pending = this.after(delayMs, () => {
          timers.delete(timer);
          try {
            action();
          } catch (cause) {
            onFault(cause);
          }
        });
        const timer = {
          cancel: () => {
            timers.delete(timer);
            pending.cancel();
          },
        };
        timers.add(timer);
        return timer;
      },
      close: () => {
        for (const timer of timers) timer.cancel();
      },
    };
  }

  /** Moves both clocks on and fires what falls due, each timer at its own time. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms;
    for (let firings = 0; this.#fireNext(untilMs); firings += 1) {
      if (firings === MAX_FIRINGS) throw new Error("timers keep setting timers without end");
    }
    this.#monotonicMs = untilMs;
  }

  /** Like `advance`, and lets promises settle before the start and after every timer. */
  async advanceAsync(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    await settle();
    for (let firings = 0; this.#fireNext(untilMs); firings += 1) {
      if (firings === MAX_FIRINGS) throw new Error("timers keep setting timers without end");
      await settle();
    }
    this.#monotonicMs = untilMs;
  }

  #fireNext(untilMs: number): boolean {
    const next = this.#pending.at(-1);
    if (next === undefined || next.dueMs > untilMs) return false;
    this.#pending.pop();
    next.isLive = false;
    this.#monotonicMs = next.dueMs;
    next.action();
    return true;
  }

  /** Where a new timer belongs: before (to fire after) all that are due at the same time. */
  #placeOf(dueMs: number): number {
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pending[middle]?.dueMs ?? 0) > dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Lets all promise callbacks that are ready, and those that they make ready, run. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
