import { Chain, Link } from "./chain.ts";

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
  /** Runs `action` once, `delayMs` milliseconds from now or a little later, never before. */
  after(delayMs: number, action: () => void): Timer;
  /** Timers set and neither fired nor cancelled: 0 when nothing is going on. */
  readonly pendingTimers: number;
  /**
   * The same clock with timers of its own.
   *
   * @param onFault takes what one of them throws, which would end the process otherwise
   */
  scope(onFault: (cause: unknown) => void): ScopedClock;
}

/** The share that one part of the program has of a clock: `pendingTimers` counts its own. */
export interface ScopedClock extends Clock {
  /** Cancels every timer that is left. */
  close(): void;
}

/** What `setTimeout` takes at most, in milliseconds. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/**
 * So many queues go on when their last timer is cancelled: the next message wants them again. There
 * might be one for every millisecond of an hour.
 */
const MAX_IDLE_QUEUES = 64;
/**
 * A queue looks at its timers no sooner than this after the last time, so that one of Node's serves
 * those of many messages: they may come later than asked for by a fiftieth, 50 ms at the most.
 */
const PAUSE_SHARE = 1 / 50;
const MAX_PAUSE_MS = 50;

/**
 * The machine's clock. Its timers keep the process alive; cancelled ones do not.
 *
 * A call sets twenty timers, nearly all of them for one of a handful of durations (RFC 3261 Table
 * 4), and cancels most. So timers of one duration wait in one queue, in the order in which they
 * were set, and only the first of them costs one of Node's.
 */
export class SystemClock implements ScopedClock {
  readonly #queues: TimerQueues;

  /** @param onFault see `scope`; without it what a timer throws is an uncaught exception */
  constructor(onFault?: (cause: unknown) => void) {
    this.#queues = new TimerQueues(onFault);
  }

  get pendingTimers(): number {
    return this.#queues.pendingTimers;
  }

  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, action: () => void): Timer {
    // Not a number, or nothing at all: as soon as can be, as `setTimeout` has it.
    return this.#queues.of(delayMs >= 1 ? Math.ceil(delayMs) : 1).add(action);
  }

  scope(onFault: (cause: unknown) => void): ScopedClock {
    return new SystemClock(onFault);
  }

  close(): void {
    this.#queues.close();
  }
}

/** The queues of a clock by their duration. */
class TimerQueues {
  readonly onFault: ((cause: unknown) => void) | undefined;
  readonly #all = new Map<number, TimerQueue>();
  /** Those without a timer; the one that has been so for longest is first. */
  readonly #idle = new Chain<TimerQueue>();
  #idleCount = 0;
  pendingTimers = 0;

  constructor(onFault: ((cause: unknown) => void) | undefined) {
    this.onFault = onFault;
  }

  of(durationMs: number): TimerQueue {
    let queue = this.#all.get(durationMs);
    if (queue === undefined) {
      queue = new TimerQueue(durationMs, this);
      this.#all.set(durationMs, queue);
    }
    return queue;
  }

  onIdle(queue: TimerQueue): void {
    this.#idle.add(queue);
    this.#idleCount += 1;
    if (this.#idleCount > MAX_IDLE_QUEUES) this.#idle.first?.end();
  }

  onBusy(queue: TimerQueue): void {
    if (this.#idle.delete(queue)) this.#idleCount -= 1;
  }

  forget(queue: TimerQueue): void {
    this.onBusy(queue);
    this.#all.delete(queue.durationMs);
  }

  close(): void {
    for (const queue of this.#all.values()) queue.close();
  }
}

/** Lets go of its action as soon as it is over: a cancelled timer must keep nothing alive. */
class SystemTimer extends Link implements Timer {
  readonly atMs: number;
  readonly #queue: TimerQueue;
  #action: (() => void) | undefined;

  constructor(queue: TimerQueue, atMs: number, action: () => void) {
    super();
    this.atMs = atMs;
    this.#queue = queue;
    this.#action = action;
  }

  cancel(): void {
    if (this.settle() !== undefined) this.#queue.onCancelled();
  }

  /** Takes it out of its queue. @returns the action when it was still to come */
  settle(): (() => void) | undefined {
    const action = this.#action;
    if (action === undefined) return undefined;
    this.#action = undefined;
    this.#queue.remove(this);
    return action;
  }
}

/** Timers of one duration: who was set first is due first. */
class TimerQueue extends Link {
  readonly durationMs: number;
  readonly #pauseMs: number;
  readonly #queues: TimerQueues;
  readonly #timers = new Chain<SystemTimer>();
  #handle: NodeJS.Timeout | undefined;
  #isFiring = false;

  constructor(durationMs: number, queues: TimerQueues) {
    super();
    this.durationMs = durationMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, durationMs * PAUSE_SHARE);
    this.#queues = queues;
  }

  add(action: () => void): SystemTimer {
    const wasEmpty = this.#timers.first === undefined;
    const timer = new SystemTimer(this, performance.now() + this.durationMs, action);
    this.#timers.add(timer);
    this.#queues.pendingTimers += 1;
    if (this.#handle === undefined) this.#arm(this.durationMs);
    else if (wasEmpty) {
      this.#handle.ref();
      this.#queues.onBusy(this);
    }
    return timer;
  }

  remove(timer: SystemTimer): void {
    this.#timers.delete(timer);
    this.#queues.pendingTimers -= 1;
  }

  onCancelled(): void {
    if (this.#timers.first !== undefined || this.#isFiring) return;
    // Node's timer goes on, for whoever comes next; but no process stays for it.
    this.#handle?.unref();
    this.#queues.onIdle(this);
  }

  /** Cancels all of them. */
  close(): void {
    for (let timer = this.#timers.first; timer !== undefined; timer = this.#timers.first) {
      timer.settle();
    }
    // While it fires it ends by itself.
    if (!this.#isFiring) this.end();
  }

  /** There is no timer in it. */
  end(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#queues.forget(this);
  }

  #arm(delayMs: number): void {
    if (this.#isFiring) return;
    // Node counts from when this turn of its loop began, in whole milliseconds: too soon by one.
    const wholeMs = Math.min(MAX_TIMEOUT_MS, Math.ceil(delayMs) + 1);
    this.#handle = setTimeout(() => this.#fire(), wholeMs);
  }

  #fire(): void {
    this.#handle = undefined;
    this.#isFiring = true;
    try {
      const nowMs = performance.now();
      let timer = this.#timers.first;
      while (timer !== undefined && timer.atMs <= nowMs) {
        this.#run(timer.settle());
        timer = this.#timers.first;
      }
    } finally {
      // Also when an action has thrown: the others must come.
      this.#isFiring = false;
      const next = this.#timers.first;
      if (next === undefined) this.end();
      else this.#arm(Math.max(this.#pauseMs, next.atMs - performance.now()));
    }
  }

  #run(action: (() => void) | undefined): void {
    try {
      action?.();
    } catch (cause) {
      const { onFault } = this.#queues;
      if (onFault === undefined) throw cause;
      onFault(cause);
    }
  }
}
