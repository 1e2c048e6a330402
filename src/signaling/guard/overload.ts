import type { Clock, Timer } from "../../core/clock.ts";

/** When the gateway counts as overloaded. */
export interface OverloadLimits {
  /** The event loop's delay, as its 99th percentile over 5 s. Default 100 ms. */
  readonly delayMs: number;
}

export interface OverloadOptions {
  readonly clock: Clock;
  readonly limits?: Partial<OverloadLimits>;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  /** The share of a stretch of time in which the event loop had work; default: Node's own figure. */
  readonly utilization?: () => number;
  onChange?(isOverloaded: boolean): void;
}

export const DEFAULT_OVERLOAD_LIMITS: OverloadLimits = { delayMs: 100 };

const SAMPLE_MS = 20;
const WINDOW_MS = 5000;
/** More than one in a hundred of the samples of a whole window. */
const SAMPLES_THAT_COUNT = 3;
/** How often the rate is set anew. */
const STEP_MS = 250;
/** A loop that has not had a moment for itself for 3 s is at its end, however evenly it turns. */
const BUSY_SHARE = 0.98;
const BUSY_STEPS = 12;
const NEARLY_BUSY_SHARE = 0.93;
/** With a third of its time to spare the loop is late for other reasons than what is rationed. */
const WORKING_SHARE = 0.67;
const SLOWER = 0.85;
const FASTER = 1.1;
const FIRST_SHARE = 0.7;
const MIN_PER_SECOND = 20;
/** For so long what was found the last time is a better guess than a rate that was too much. */
const MEMORY_MS = 60_000;
const MIN_RETRY_SECONDS = 2;
const RETRY_SPREAD_SECONDS = 8;

/**
 * Watches how late the event loop is, and rations new work while it is too late: as many new calls
 * and sign-ins are taken as the loop can bear, found by taking less while it is late and more while
 * it is not. What is in progress is never asked about.
 */
export class Overload {
  readonly #options: OverloadOptions;
  readonly #delayMs: number;
  readonly #utilization: () => number;
  /** Times of late samples, oldest first: later than the limit, and than half of it. */
  readonly #late: number[] = [];
  readonly #nearlyLate: number[] = [];
  #state: "calm" | "overloaded" = "calm";
  #timer: Timer | undefined;
  #dueMs = 0;
  #stepEndsMs = 0;
  #busySteps = 0;
  /** Late in this step? */
  #isStepLate = false;
  /** New work in this step, and per second lately. */
  #takenInStep = 0;
  #takenPerSecond = 0;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  #perSecond = 0;
  #calmSinceMs = Number.NEGATIVE_INFINITY;
  #tokens = 0;
  #filledAtMs = 0;
  #refused = 0;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.#delayMs = options.limits?.delayMs ?? DEFAULT_OVERLOAD_LIMITS.delayMs;
    this.#utilization = options.utilization ?? loopUtilization();
  }

  get isOverloaded(): boolean {
    return this.#state === "overloaded";
  }

  /** New calls and sign-ins that were refused. */
  get refused(): number {
    return this.#refused;
  }

  start(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#stepEndsMs = nowMs + STEP_MS;
    this.#utilization();
    this.#schedule(nowMs);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Whether one new call or sign-in can be taken now. */
  admits(): boolean {
    if (this.#state === "overloaded") {
      const nowMs = this.#options.clock.monotonicMs();
      const gained = ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond;
      this.#filledAtMs = nowMs;
      // At most a fifth of a second's worth at once.
      this.#tokens = Math.min(Math.max(1, this.#perSecond / 5), this.#tokens + gained);
      if (this.#tokens < 1) {
        this.#refused += 1;
        this.#refusedAtMs = nowMs;
        return false;
      }
      this.#tokens -= 1;
    }
    this.#takenInStep += 1;
    return true;
  }

  /** Seconds for Retry-After, spread out so that those who come back do not come back together. */
  retryAfterSeconds(): number {
    return MIN_RETRY_SECONDS + Math.floor(this.#options.random() * (RETRY_SPREAD_SECONDS + 1));
  }

  /** Takes a sample in: how much later than it was due the loop came round. */
  #note(lateMs: number, nowMs: number): void {
    if (lateMs > this.#delayMs) this.#late.push(nowMs);
    if (lateMs > this.#delayMs / 2) {
      this.#nearlyLate.push(nowMs);
      this.#isStepLate = true;
    }
    forgetBefore(this.#late, nowMs - WINDOW_MS);
    forgetBefore(this.#nearlyLate, nowMs - WINDOW_MS);
    if (nowMs >= this.#stepEndsMs) this.#step(nowMs);
    if (this.#state === "calm") {
      const isBusy = this.#busySteps >= BUSY_STEPS;
      if (isBusy || this.#late.length >= SAMPLES_THAT_COUNT) this.#enter(nowMs);
    } else if (
      this.#nearlyLate.length < SAMPLES_THAT_COUNT &&
      this.#busySteps === 0 &&
      nowMs - this.#refusedAtMs > WINDOW_MS
    ) {
      this.#calmSinceMs = nowMs;
      this.#set("calm");
    }
  }

  #step(nowMs: number): void {
    const stepMs = nowMs - this.#stepEndsMs + STEP_MS;
    const share = this.#utilization();
    this.#busySteps = share >= BUSY_SHARE ? this.#busySteps + 1 : 0;
    const taken = (1000 * this.#takenInStep) / stepMs;
    this.#takenPerSecond += (taken - this.#takenPerSecond) / 4;
    if (this.#state === "overloaded") {
      const isStrained = share > NEARLY_BUSY_SHARE || (this.#isStepLate && share > WORKING_SHARE);
      // More is given only to those who ask for it.
      if (isStrained) this.#perSecond = Math.max(MIN_PER_SECOND, this.#perSecond * SLOWER);
      else if (nowMs - this.#refusedAtMs < 2 * STEP_MS) this.#perSecond *= FASTER;
    }
    this.#takenInStep = 0;
    this.#isStepLate = false;
    this.#stepEndsMs = nowMs + STEP_MS;
  }

  #enter(nowMs: number): void {
    const start = Math.max(MIN_PER_SECOND, this.#takenPerSecond * FIRST_SHARE);
    const isFresh = nowMs - this.#calmSinceMs < MEMORY_MS;
    this.#perSecond = isFresh ? Math.min(this.#perSecond, start) : start;
    this.#tokens = 1;
    this.#filledAtMs = nowMs;
    this.#set("overloaded");
  }

  #set(state: "calm" | "overloaded"): void {
    this.#state = state;
    this.#options.onChange?.(state === "overloaded");
  }

  #schedule(nowMs: number): void {
    this.#dueMs = nowMs + SAMPLE_MS;
    this.#timer = this.#options.clock.after(SAMPLE_MS, () => {
      const nowMs = this.#options.clock.monotonicMs();
      this.#note(nowMs - this.#dueMs, nowMs);
      this.#schedule(nowMs);
    });
  }
}

function forgetBefore(times: number[], ms: number): void {
  let count = 0;
  while (count < times.length && (times[count] ?? 0) < ms) count += 1;
  if (count > 0) times.splice(0, count);
}

/** Each call gives the share since the one before. */
function loopUtilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
