import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

/**
 * The engine's own share of a clock: knows its timers, so that stopping clears all of them, and
 * keeps what a timer throws from ending the process.
 */
export class ScopedClock implements Clock {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timers = new Set<Timer>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  after(delayMs: number, action: () => void): Timer {
    return new ScopedTimer(this.#clock, this.#timers, delayMs, action, this.#logger);
  }

  /** Cancels every timer that is left. */
  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}

class ScopedTimer implements Timer {
  readonly #timers: Set<Timer>;
  /** Undefined once it is over: who keeps this keeps no timer of Node's. */
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    timers: Set<Timer>,
    delayMs: number,
    action: () => void,
    logger: Logger,
  ) {
    this.#timers = timers;
    timers.add(this);
    // One closure for each timer: there are twenty of them in a call.
    this.#timer = clock.after(delayMs, () => {
      timers.delete(this);
      this.#timer = undefined;
      try {
        action();
      } catch (cause) {
        logger.error("a timer of the SIP engine failed", { cause });
      }
    });
  }

  cancel(): void {
    if (!this.#timers.delete(this)) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
