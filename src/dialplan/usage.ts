import type { UsageCount } from "./facts.ts";

interface Count {
  concurrent: number;
  /** When calls began, oldest first; those before `head` are more than a minute old. */
  starts: number[];
  head: number;
  day: string;
  /** Of calls that are over. */
  milliseconds: number;
  spent: number;
  /** Calls in which people talk now, and the sums of when they began. */
  talking: number;
  sinceMs: number;
  /** The sums of what a minute of those costs, and of the same times when they began. */
  price: number;
  pricedSinceMs: number;
}

/** A call that counts. */
export interface Use {
  /** It has been answered. @param price of one minute */
  answered(at: Date, price: number): void;
  /** It is over; only the first time counts. */
  end(talkedMs: number, cost: number, at: Date): void;
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
    // A long call counts while it lasts, not only when it is over; no sum grows with the calls.
    const nowMs = at.getTime();
    const liveMs = Math.max(0, count.talking * nowMs - count.sinceMs);
    const liveSpent = Math.max(0, count.price * nowMs - count.pricedSinceMs) / MINUTE_MS;
    return {
      concurrent: count.concurrent,
      lastMinute: count.starts.length - count.head,
      minutesToday: ((isToday ? count.milliseconds : 0) + liveMs) / MINUTE_MS,
      spentToday: (isToday ? count.spent : 0) + liveSpent,
    };
  }

  /** A call that counts under these keys begins. */
  begin(keys: readonly string[], at: Date): Use {
    const counts = keys.map((key) => this.#at(key, at));
    for (const count of counts) {
      count.concurrent += 1;
      forgetOld(count, at);
      if (count.starts.length - count.head < MAX_STARTS) count.starts.push(at.getTime());
    }
    let isOver = false;
    let talk: { readonly sinceMs: number; readonly price: number } | undefined;
    const shift = (sign: 1 | -1, { sinceMs, price }: NonNullable<typeof talk>): void => {
      for (const count of counts) {
        count.talking += sign;
        count.sinceMs += sign * sinceMs;
        count.price += sign * price;
        count.pricedSinceMs += sign * price * sinceMs;
        // What rounding has left of sums of nothing would count for ever.
        if (count.talking === 0) {
          count.price = 0;
          count.pricedSinceMs = 0;
        }
      }
    };
    const answered = (when: Date, price: number): void => {
      if (isOver || talk !== undefined) return;
      talk = { sinceMs: when.getTime(), price };
      shift(1, talk);
    };
    const end = (talkedMs: number, cost: number, when: Date): void => {
      if (isOver) return;
      isOver = true;
      if (talk !== undefined) shift(-1, talk);
      const day = this.#dayOf(when);
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
    return { answered, end };
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
        talking: 0,
        sinceMs: 0,
        price: 0,
        pricedSinceMs: 0,
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
