/** A timer that has been set. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the rooms see it. Injected, never global, so that a test can own it.
 *
 * Timers and intervals are measured on the monotonic clock: a jump of the wall clock moves none.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch. */
  wallMs(): number;
  /** Runs `action` once, `delayMs` milliseconds from now. */
  after(delayMs: number, action: () => void): Timer;
  /** Timers set and neither fired nor cancelled: 0 when nothing is going on. */
  readonly pendingTimers: number;
}

/** The machine's clock. Its timers keep the process alive only as long as sockets do. */
export class SystemClock implements Clock {
  readonly #live = { count: 0 };

  get pendingTimers(): number {
    return this.#live.count;
  }

  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, action: () => void): Timer {
    return new SystemTimer(this.#live, delayMs, action);
  }
}

/** Lets go of all that it has as soon as it is over: a cancelled timer must keep nothing alive. */
class SystemTimer implements Timer {
  readonly #live: { count: number };
  #handle: NodeJS.Timeout | undefined;
  #action: (() => void) | undefined;

  constructor(live: { count: number }, delayMs: number, action: () => void) {
    this.#live = live;
    this.#action = action;
    live.count += 1;
    this.#handle = setTimeout(SystemTimer.#fire, delayMs, this);
  }

  cancel(): void {
    const handle = this.#handle;
    if (this.#settle() !== undefined) clearTimeout(handle);
  }

  static #fire(this: void, timer: SystemTimer): void {
    timer.#settle()?.();
  }

  /** @returns the action when the timer was still live */
  #settle(): (() => void) | undefined {
    const action = this.#action;
    if (action === undefined) return undefined;
    this.#action = undefined;
    this.#handle = undefined;
    this.#live.count -= 1;
    return action;
  }
}
