import type { Clock, Timer } from "../../core/clock.ts";

/** When the gateway counts as overloaded. */
export interface OverloadLimits {
  /**
   * The event loop's delay, as its 99th percentile over 5 s, and what other programs keep us waiting
   * in two steps on end. Default 100 ms.
   */
  readonly delayMs: number;
}

export interface OverloadOptions {
  readonly clock: Clock;
  readonly limits?: Partial<OverloadLimits>;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  /** The share of a stretch of time in which the event loop had work; default: Node's own figure. */
  readonly utilization?: () => number;
  /**
   * How long new work waits for other programs, since it was last asked, in milliseconds; default:
   * for none.
   */
  readonly waitMs?: () => number;
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
/** A queue that stands for two steps is none that a burst has left. */
const WAITING_STEPS = 2;
/** A queue that is longer than it should be is to be gone after this time. */
const DRAIN_MS = 500;
const FASTER = 1.1;
/** With a fifth of its time to spare, and next to no queue, the loop can do much more. */
const SPARING_SHARE = 0.8;
/** Of the services of a step, so many go into the mean. */
const SERVED_WEIGHT = 1 / 4;
const MIN_PER_SECOND = 20;
const MIN_RETRY_SECONDS = 2;
const RETRY_SPREAD_SECONDS = 8;

/**
 * Watches how long new work waits, for the event loop and for rtpengine, and rations it while that
 * is too long: as much is taken as was got done a second before, less what is in the queue already,
 * and a little more as long as there is no queue. What is in progress is never asked about.
 */
export class Overload {
  readonly #options: OverloadOptions;
  readonly #delayMs: number;
  readonly #utilization: () => number;
  /** Times of late samples, oldest first: later than the limit, and than half of it. */
  readonly #late: number[] = [];
  readonly #nearlyLate: number[] = [];
  /** How late the samples of this step were. */
  #lateInStep: number[] = [];
  #state: "calm" | "overloaded" = "calm";
  #timer: Timer | undefined;
  #dueMs = 0;
  #stepEndsMs = 0;
  #busySteps = 0;
  #waitingSteps = 0;
  /** New calls and sign-ins that were got done in this step, and per second lately. */
  #servedInStep = 0;
  #servedPerSecond = 0;
  readonly #served = new WeakSet();
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  #perSecond = 0;
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
    return true;
  }

  /**
   * A new call has gone on its way or was answered, or a sign-in was.
   *
   * @param work the call, which counts once
   */
  onServed(work?: object): void {
    if (work !== undefined) {
      if (this.#served.has(work)) return;
      this.#served.add(work);
    }
    this.#servedInStep += 1;
  }

  /** Seconds for Retry-After, spread out so that those who come back do not come back together. */
  retryAfterSeconds(): number {
    return MIN_RETRY_SECONDS + Math.floor(this.#options.random() * (RETRY_SPREAD_SECONDS + 1));
  }

  /** Takes a sample in: how much later than it was due the loop came round. */
  #note(lateMs: number, nowMs: number): void {
    if (lateMs > this.#delayMs) this.#late.push(nowMs);
    if (lateMs > this.#delayMs / 2) this.#nearlyLate.push(nowMs);
    this.#lateInStep.push(lateMs);
    forgetBefore(this.#late, nowMs - WINDOW_MS);
    forgetBefore(this.#nearlyLate, nowMs - WINDOW_MS);
    if (nowMs >= this.#stepEndsMs) this.#step(nowMs);
    if (this.#state === "calm") {
      const isBusy = this.#busySteps >= BUSY_STEPS || this.#waitingSteps >= WAITING_STEPS;
      if (isBusy || this.#late.length >= SAMPLES_THAT_COUNT) this.#enter(nowMs);
    } else if (
      this.#nearlyLate.length < SAMPLES_THAT_COUNT &&
      this.#busySteps === 0 &&
      this.#waitingSteps === 0 &&
      nowMs - this.#refusedAtMs > WINDOW_MS
    ) {
      this.#set("calm");
    }
  }

  #step(nowMs: number): void {
    const stepMs = nowMs - this.#stepEndsMs + STEP_MS;
    const loopShare = this.#utilization();
    const isBusy = loopShare >= BUSY_SHARE;
    this.#busySteps = isBusy ? this.#busySteps + 1 : 0;
    const waitMs = this.#options.waitMs?.() ?? 0;
    this.#waitingSteps = waitMs > this.#delayMs ? this.#waitingSteps + 1 : 0;
    const served = (1000 * this.#servedInStep) / stepMs;
    this.#servedPerSecond += (served - this.#servedPerSecond) * SERVED_WEIGHT;
    if (this.#state === "overloaded") {
      this.#adjust(medianOf(this.#lateInStep) + waitMs, loopShare, nowMs);
    }
    this.#servedInStep = 0;
    this.#lateInStep = [];
    this.#stepEndsMs = nowMs + STEP_MS;
  }

  /** Little's law: what waits so long, at what is got done a second, is the queue. */
  #adjust(queueMs: number, loopShare: number, nowMs: number): void {
    const share = 1 + (this.#delayMs / 2 - queueMs) / DRAIN_MS;
    const perSecond = this.#servedPerSecond * Math.min(FASTER, share);
    if (share < 1) {
      this.#perSecond = Math.max(MIN_PER_SECOND, perSecond);
      return;
    }
    // More is given only to those who ask for it, and only of what there is.
    if (loopShare >= BUSY_SHARE || nowMs - this.#refusedAtMs >= 2 * STEP_MS) return;
    // What gets done follows what is taken a second later: from far below that is slow.
    const isSparing = loopShare < SPARING_SHARE && queueMs < this.#delayMs / 10;
    this.#perSecond = Math.max(this.#perSecond * (isSparing ? FASTER : 1), perSecond);
  }

  #enter(nowMs: number): void {
    this.#perSecond = Math.max(MIN_PER_SECOND, this.#servedPerSecond);
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

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
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
