import type { UsageCount } from "./facts.ts";

interface Count {
  concurrent: number;
  /** When calls began, oldest first; those before `head` are more than a minute old. */
  starts: number[];
  head: number;
  day: string;
  milliseconds: number;
  spent: number;
}

/** Keys of users, trunks and routes come from the configuration; this is a net below them. */
const MAX_KEYS = 200_000;
/** More calls a minute than any limit can ask for. */
const MAX_STARTS = 10_000;
const MINUTE_MS = 60_000;

/**
 * What users, routes and trunks have used of their limits: bounded, and pure: whoever calls brings
 * the time.
 */
export class UsageStore {
  readonly #counts = new Map<string, Count>();
  readonly #dayOf: (at: Date) => string;

  /** @param dayOf the date that a moment counts for, in the dialplan's time zone */
  constructor(dayOf: (at: Date) => string) {
    this.#dayOf = dayOf;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** What is used of a key now. */
  usage(key: string, at: Date): UsageCount {
    const count = this.#counts.get(key);
    if (count === undefined) {
      return { concurrent: 0, lastMinute: 0, minutesToday: 0, spentToday: 0 };
    }
    const isToday = count.day === this.#dayOf(at);
    forgetOld(count, at);
    return {
      concurrent: count.concurrent,
      lastMinute: count.starts.length - count.head,
      minutesToday: isToday ? count.milliseconds / MINUTE_MS : 0,
      spentToday: isToday ? count.spent : 0,
    };
  }

  /** A call that counts under these keys begins. @returns what ends it, once */
  begin(keys: readonly string[], at: Date): (talkedMs: number, cost: number, end: Date) => void {
    const counts = keys.map((key) => this.#at(key, at));
    for (const count of counts) {
      count.concurrent += 1;
      forgetOld(count, at);
      if (count.starts.length - count.head < MAX_STARTS) count.starts.push(at.getTime());
    }
    let isOver = false;
    return (talkedMs, cost, end) => {
      if (isOver) return;
      isOver = true;
      const day = this.#dayOf(end);
      for (const count of counts) {
        count.concurrent -= 1;
        if (count.day !== day) {
          count.day = day;
          count.milliseconds = 0;
          count.spent = 0;
        }
        count.milliseconds += talkedMs;
        count.spent += cost;
      }
    };
  }

  #at(key: string, at: Date): Count {
    let count = this.#counts.get(key);
    if (count === undefined) {
      if (this.#counts.size >= MAX_KEYS) this.#forgetIdle();
      count = {
        concurrent: 0,
        starts: [],
        head: 0,
        day: this.#dayOf(at),
        milliseconds: 0,
        spent: 0,
      };
      this.#counts.set(key, count);
    }
    return count;
  }

  #forgetIdle(): void {
    for (const [key, { concurrent }] of this.#counts) {
      if (concurrent === 0) this.#counts.delete(key);
      if (this.#counts.size < MAX_KEYS) return;
    }
  }
}

/** Moves past what is more than a minute old; the room is given back now and then. */
function forgetOld(count: Count, at: Date): void {
  const since = at.getTime() - MINUTE_MS;
  while (count.head < count.starts.length && (count.starts[count.head] ?? 0) <= since) {
    count.head += 1;
  }
  if (count.head > 64 && count.head * 2 > count.starts.length) {
    count.starts.splice(0, count.head);
    count.head = 0;
  }
}
