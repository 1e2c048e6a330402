import type { Clock, Timer } from "../../core/clock.ts";

export interface PacedQueueOptions<Item> {
  readonly clock: Clock;
  /** Items that are taken in a second. */
  readonly perSecond: number;
  /** Items that may wait. */
  readonly capacity: number;
  /** Works on an item. @returns false when it has gone meanwhile, and costs nothing */
  readonly take: (item: Item) => boolean;
}

/** How often those that wait are looked at. */
const TICK_MS = 20;
/** What may be taken at once after a quiet time: a tenth of a second's worth. */
const BURST_SECONDS = 0.1;

/**
 * A queue that hands its items out no faster than at its pace, in the order in which they came. An
 * item that comes when there is room is handed out at once.
 */
export class PacedQueue<Item> {
  readonly #options: PacedQueueOptions<Item>;
  readonly #burst: number;
  readonly #waiting: Item[] = [];
  #first = 0;
  #tokens: number;
  #filledAtMs: number;
  #timer: Timer | undefined;

  constructor(options: PacedQueueOptions<Item>) {
    this.#options = options;
    this.#burst = Math.max(1, options.perSecond * BURST_SECONDS);
    this.#tokens = this.#burst;
    this.#filledAtMs = options.clock.monotonicMs();
  }

  /** Items that wait. */
  get size(): number {
    return this.#waiting.length - this.#first;
  }

  /** Milliseconds until an item that comes now would be handed out. */
  get waitMs(): number {
    return (1000 * this.size) / this.#options.perSecond;
  }

  /** @returns false when too many wait already */
  offer(item: Item): boolean {
    this.#fill();
    if (this.size === 0 && this.#tokens >= 1) {
      if (this.#options.take(item)) this.#tokens -= 1;
      return true;
    }
    if (this.size >= this.#options.capacity) return false;
    this.#waiting.push(item);
    this.#timer ??= this.#options.clock.after(TICK_MS, () => this.#onTick());
    return true;
  }

  /** Forgets what waits. @returns it */
  close(): readonly Item[] {
    this.#timer?.cancel();
    this.#timer = undefined;
    const left = this.#waiting.slice(this.#first);
    this.#waiting.length = 0;
    this.#first = 0;
    return left;
  }

  #onTick(): void {
    this.#timer = undefined;
    this.#fill();
    while (this.#tokens >= 1 && this.size > 0) {
      const item = this.#waiting[this.#first];
      this.#first += 1;
      if (item !== undefined && this.#options.take(item)) this.#tokens -= 1;
    }
    if (this.size === 0) {
      this.#waiting.length = 0;
      this.#first = 0;
      return;
    }
    // Moved up only when half of it is empty: each item is moved a few times at most.
    if (this.#first > this.#waiting.length / 2) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    this.#timer = this.#options.clock.after(TICK_MS, () => this.#onTick());
  }

  #fill(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const gained = ((nowMs - this.#filledAtMs) / 1000) * this.#options.perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledAtMs = nowMs;
  }
}
