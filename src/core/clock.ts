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
  #pending = 0;

  get pendingTimers(): number {
    return this.#pending;
  }

  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, action: () => void): Timer {
    let isLive = true;
    this.#pending += 1;
    const settle = (): boolean => {
      if (!isLive) return false;
      isLive = false;
      this.#pending -= 1;
      return true;
    };
    const handle = setTimeout(() => {
      if (settle()) action();
    }, delayMs);
    return {
      cancel: () => {
        if (settle()) clearTimeout(handle);
      },
    };
  }
}
