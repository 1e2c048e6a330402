import { Chain, Link } from "../core/chain.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

/**
 * The engine's own share of a clock: knows its timers, so that stopping clears all of them, and
 * keeps what a timer throws from ending the process.
 */
export class ScopedClock implements Clock {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timers = new Chain<ScopedTimer>();
  #count = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  get pendingTimers(): number {
    return this.#count;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = new ScopedTimer(this, action);
    this.#timers.add(timer);
    this.#count += 1;
    timer.start(this.#clock, delayMs);
    return timer;
  }

  /** Cancels every timer that is left. */
  close(): void {
    for (let timer = this.#timers.first; timer !== undefined; timer = this.#timers.first) {
      timer.cancel();
    }
  }

  remove(timer: ScopedTimer): void {
    this.#timers.delete(timer);
    this.#count -= 1;
  }

  failed(cause: unknown): void {
    this.#logger.error("a timer of the SIP engine failed", { cause });
  }
}

class ScopedTimer extends Link implements Timer {
  readonly #scope: ScopedClock;
  /** Undefined once it is over: who keeps this keeps nothing else. */
  #action: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(scope: ScopedClock, action: () => void) {
    super();
    this.#scope = scope;
    this.#action = action;
  }

  start(clock: Clock, delayMs: number): void {
    this.#timer = clock.after(delayMs, () => this.#fire());
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#settle();
  }

  #fire(): void {
    const action = this.#settle();
    try {
      action?.();
    } catch (cause) {
      this.#scope.failed(cause);
    }
  }

  #settle(): (() => void) | undefined {
    const action = this.#action;
    if (action === undefined) return undefined;
    this.#action = undefined;
    this.#timer = undefined;
    this.#scope.remove(this);
    return action;
  }
}
