import type { Clock, Timer } from "../../core/clock.ts";

/** A REGISTER that waits for its turn. */
export interface PacedRegister {
  /** It answers a challenge, whose nonce grows old: it goes before those that do not. */
  readonly isUrgent: boolean;
  /** Requests that it makes at most. Default 1. */
  readonly weight?: number;
  /** Its turn has come: it sends, and says `done` once. */
  start(): void;
  /** It has waited too long; `done` is not called. */
  giveUp(): void;
}

export interface RegisterPaceOptions {
  readonly clock: Clock;
  /** Requests a second. */
  readonly rate: number;
}

/** A browser gives a REGISTER up after 32 s (Timer F): this and the peer's time are less. */
const MAX_WAIT_MS = 16_000;

interface Waiting {
  readonly register: PacedRegister;
  readonly untilMs: number;
}

/**
 * How fast the REGISTERs of many browsers go to one peer: a token bucket of one, so that between
 * two there is always the whole interval, and never more under way than it takes in a second. A peer
 * that has said nothing gets one at a time until it says something, whoever waits.
 */
export class RegisterPace {
  readonly #clock: Clock;
  readonly #rate: number;
  /** First come, first served, in each. */
  readonly #urgent = new Set<Waiting>();
  readonly #others = new Set<Waiting>();
  #underWay = 0;
  #isSilent = false;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #isRunning = false;

  constructor(options: RegisterPaceOptions) {
    this.#clock = options.clock;
    this.#rate = options.rate;
  }

  get waiting(): number {
    return this.#urgent.size + this.#others.size;
  }

  /** Whether a new one would wait for more than a second, or for a peer that says nothing. */
  get isCongested(): boolean {
    return this.#isSilent || this.waiting > this.#rate;
  }

  /** Milliseconds until everybody has had a turn, if the peer answers. */
  get backlogMs(): number {
    return (this.waiting / this.#rate) * 1000;
  }

  /** @returns a function that takes it out again; undefined when too many wait */
  enter(register: PacedRegister): (() => void) | undefined {
    if (this.backlogMs >= MAX_WAIT_MS) return undefined;
    const queue = register.isUrgent ? this.#urgent : this.#others;
    const entry = { register, untilMs: this.#clock.monotonicMs() + MAX_WAIT_MS };
    queue.add(entry);
    this.#run();
    return () => {
      queue.delete(entry);
    };
  }

  /** One that was started is over. @param isSilent the peer has said nothing to it */
  done(isSilent: boolean): void {
    this.#underWay -= 1;
    this.#isSilent = isSilent;
    this.#run();
  }

  close(): void {
    this.#timer?.cancel();
    this.#urgent.clear();
    this.#others.clear();
  }

  #run(): void {
    // What starts or gives up may come back here.
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#timer?.cancel();
    const nowMs = this.#clock.monotonicMs();
    for (const queue of [this.#urgent, this.#others]) {
      for (const entry of queue) {
        if (entry.untilMs > nowMs) break;
        queue.delete(entry);
        entry.register.giveUp();
      }
    }
    while (this.#mayStart && nowMs >= this.#nextAtMs) {
      const [entry] = this.#urgent.size > 0 ? this.#urgent : this.#others;
      if (entry === undefined) break;
      this.#urgent.delete(entry);
      this.#others.delete(entry);
      this.#underWay += 1;
      this.#nextAtMs = nowMs + (1000 * (entry.register.weight ?? 1)) / this.#rate;
      entry.register.start();
    }
    this.#isRunning = false;
    this.#arm(nowMs);
  }

  get #mayStart(): boolean {
    return this.#underWay < (this.#isSilent ? 1 : Math.max(1, Math.ceil(this.#rate)));
  }

  #arm(nowMs: number): void {
    const [urgent] = this.#urgent;
    const [other] = this.#others;
    if (urgent === undefined && other === undefined) return;
    const oldestMs = Math.min(urgent?.untilMs ?? Infinity, other?.untilMs ?? Infinity);
    const dueMs = this.#mayStart ? Math.min(this.#nextAtMs, oldestMs) : oldestMs;
    this.#timer = this.#clock.after(Math.max(0, dueMs - nowMs), () => this.#run());
  }
}
