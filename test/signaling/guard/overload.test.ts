import { afterEach, describe, expect, it } from "vitest";
import { SystemClock } from "../../../src/core/clock.ts";
import { Overload } from "../../../src/signaling/guard/overload.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { waitFor } from "../../harness/wait.ts";

/**
 * A clock whose timers come late, as those of a loop that has too much to do: each timer fires
 * `lateMs` after its time.
 */
class LateClock extends ManualClock {
  lateMs = 0;

  override after(delayMs: number, action: () => void) {
    return super.after(delayMs + this.lateMs, action);
  }
}

const made: Overload[] = [];
afterEach(() => {
  for (const overload of made.splice(0)) overload.close();
});

function start(
  clock: LateClock,
  share: () => number = () => 0.5,
  waitMs: () => number = () => 0,
): Overload {
  const overload = new Overload({
    clock,
    limits: { delayMs: 100 },
    random: () => 0.5,
    utilization: share,
    waitMs,
  });
  made.push(overload);
  overload.start();
  return overload;
}

/** Asks at a steady rate for some seconds. @returns how many were taken */
function ask(clock: LateClock, overload: Overload, perSecond: number, seconds: number): number {
  let taken = 0;
  for (let index = 0; index < perSecond * seconds; index += 1) {
    if (overload.admits()) taken += 1;
    clock.advance(1000 / perSecond);
  }
  return taken;
}

describe("an event loop that is late", () => {
  it("is overload when it is later than the limit for more than a hundredth of 5 s", () => {
    const clock = new LateClock();
    const overload = start(clock);
    clock.advance(6000);
    expect(overload.isOverloaded).toBe(false);
    clock.lateMs = 110;
    clock.advance(1000);
    expect(overload.isOverloaded).toBe(true);
  });

  it("is none for a hiccup or two, however long", () => {
    const clock = new LateClock();
    const overload = start(clock);
    for (let second = 0; second < 20; second += 1) {
      clock.lateMs = second % 5 < 2 ? 800 : 0;
      clock.advance(1000);
      clock.lateMs = 0;
      clock.advance(4000);
    }
    expect(overload.isOverloaded).toBe(false);
  });

  it("is overload until it has been less than half as late for 5 s", () => {
    const clock = new LateClock();
    const overload = start(clock);
    clock.lateMs = 200;
    clock.advance(2000);
    expect(overload.isOverloaded).toBe(true);
    clock.lateMs = 60;
    clock.advance(20_000);
    expect(overload.isOverloaded).toBe(true);
    clock.lateMs = 0;
    clock.advance(6000);
    expect(overload.isOverloaded).toBe(false);
  });

  it("is overload too when it has not been idle for a moment in 3 s", () => {
    const clock = new LateClock();
    let share = 1;
    const overload = start(clock, () => share);
    clock.advance(2500);
    expect(overload.isOverloaded).toBe(false);
    clock.advance(1500);
    expect(overload.isOverloaded).toBe(true);
    share = 0.3;
    clock.advance(1000);
    expect(overload.isOverloaded).toBe(false);
  });
});

describe("rtpengine, when it keeps commands waiting", () => {
  it("is overload after two steps, until it no longer does and nobody is refused for 5 s", () => {
    const clock = new LateClock();
    let waitMs = 300;
    const overload = start(
      clock,
      () => 0.5,
      () => waitMs,
    );
    clock.advance(270);
    expect(overload.isOverloaded).toBe(false);
    clock.advance(270);
    expect(overload.isOverloaded).toBe(true);
    waitMs = 5;
    clock.advance(500);
    expect(overload.isOverloaded).toBe(false);
  });

  it("is none for one step", () => {
    const clock = new LateClock();
    let asked = 0;
    const overload = start(
      clock,
      () => 0.5,
      () => (asked++ % 3 === 0 ? 900 : 0),
    );
    clock.advance(20_000);
    expect(overload.isOverloaded).toBe(false);
  });
});

describe("new work", () => {
  it("is all taken while nothing is late", () => {
    const clock = new LateClock();
    const overload = start(clock);
    expect(ask(clock, overload, 500, 4)).toBe(2000);
    expect(overload.refused).toBe(0);
  });

  /**
   * A gateway that gets so many done a second, one after the other: what it takes above that waits.
   *
   * @returns how many were got done a second, from when to when
   */
  function goodput(how: {
    readonly capacity: (second: number) => number;
    readonly perSecond: number;
    readonly fromSecond: number;
    readonly seconds: number;
    /** Where it waits: in the event loop, or at rtpengine. */
    readonly queue: "loop" | "rtpengine";
  }): { readonly done: number; readonly overload: Overload; readonly longestMs: number } {
    const clock = new LateClock();
    const queue: object[] = [];
    let credit = 0;
    let perSecondLately = 0;
    let capacity = how.capacity(0);
    const waitMs = (): number => (1000 * queue.length) / capacity;
    const overload = start(
      clock,
      () => (queue.length > 0 ? 1 : Math.min(1, perSecondLately / capacity)),
      () => (how.queue === "rtpengine" ? waitMs() : 0),
    );
    let done = 0;
    let longestMs = 0;
    const turnMs = 10;
    for (let atMs = 0; atMs < 1000 * how.seconds; atMs += turnMs) {
      capacity = how.capacity(atMs / 1000);
      for (let index = 0; index < (how.perSecond * turnMs) / 1000; index += 1) {
        if (overload.admits()) queue.push({});
      }
      credit = Math.min(credit + (capacity * turnMs) / 1000, queue.length);
      for (; credit >= 1; credit -= 1) {
        overload.onServed(queue.shift() ?? {});
        perSecondLately += 2;
        if (atMs >= 1000 * how.fromSecond) done += 1;
      }
      if (atMs >= 1000 * how.fromSecond) longestMs = Math.max(longestMs, waitMs());
      // A mean over half a second.
      perSecondLately *= 1 - turnMs / 500;
      if (how.queue === "loop") clock.lateMs = Math.round(waitMs());
      clock.advance(turnMs);
    }
    return { done: done / (how.seconds - how.fromSecond), overload, longestMs };
  }

  it.each(["loop", "rtpengine"] as const)(
    "is rationed to what gets done when three times as much comes, and no less, with a queue at the %s",
    (queue) => {
      const { done, overload } = goodput({
        capacity: () => 200,
        perSecond: 600,
        fromSecond: 0,
        seconds: 20,
        queue,
      });
      expect(overload.isOverloaded).toBe(true);
      expect(overload.refused).toBeGreaterThan(1000);
      expect(done).toBeGreaterThan(0.8 * 200);
    },
  );

  it("waits no longer than 0.3 s once it is rationed", () => {
    const { longestMs } = goodput({
      capacity: () => 200,
      perSecond: 600,
      fromSecond: 8,
      seconds: 30,
      queue: "rtpengine",
    });
    expect(longestMs).toBeLessThan(300);
  });

  it("is rationed anew when less gets done than before, and when more does", () => {
    const how = { perSecond: 900, queue: "rtpengine" } as const;
    const less = goodput({
      ...how,
      capacity: (second) => (second < 10 ? 300 : 100),
      fromSecond: 10,
      seconds: 20,
    });
    expect(less.done).toBeGreaterThan(0.9 * 100);
    const more = goodput({
      ...how,
      capacity: (second) => (second < 10 ? 100 : 200),
      fromSecond: 25,
      seconds: 35,
    });
    expect(more.done).toBeGreaterThan(0.8 * 200);
  });

  it("is taken again in a few seconds after something else has held the machine up", () => {
    const { done } = goodput({
      capacity: (second) => (second < 12 ? 60 : 500),
      perSecond: 300,
      fromSecond: 20,
      seconds: 25,
      queue: "rtpengine",
    });
    expect(done).toBeGreaterThan(0.95 * 300);
  });

  it("counts once, however often it is served", () => {
    const clock = new LateClock();
    let waitMs = 0;
    const overload = start(
      clock,
      () => 0.5,
      () => waitMs,
    );
    for (let second = 0; second < 5; second += 1) {
      for (let index = 0; index < 50; index += 1) {
        const call = {};
        for (let fork = 0; fork < 10; fork += 1) overload.onServed(call);
        clock.advance(20);
      }
    }
    waitMs = 150;
    clock.advance(600);
    expect(overload.isOverloaded).toBe(true);
    // 50 a second were served, not 500.
    expect(ask(clock, overload, 500, 1)).toBeLessThan(60);
  });

  it("is taken without limit again within 10 s after the load has gone", () => {
    const clock = new LateClock();
    const overload = start(clock);
    clock.lateMs = 150;
    ask(clock, overload, 600, 5);
    expect(overload.isOverloaded).toBe(true);
    clock.lateMs = 0;
    ask(clock, overload, 5, 10);
    expect(overload.isOverloaded).toBe(false);
    expect(ask(clock, overload, 50, 1)).toBe(50);
  });

  it("is refused with a Retry-After that is spread out", () => {
    const clock = new LateClock();
    const values = new Set<number>();
    for (let index = 0; index < 100; index += 1) {
      const overload = new Overload({ clock, random: () => index / 100 });
      values.add(overload.retryAfterSeconds());
    }
    expect(values.size).toBe(9);
    expect(Math.min(...values)).toBe(2);
    expect(Math.max(...values)).toBe(10);
  });
});

describe("the real event loop", () => {
  it("is watched: work that holds it up is seen, and its end too", async () => {
    const clock = new SystemClock();
    const changes: boolean[] = [];
    const overload = new Overload({
      clock,
      limits: { delayMs: 30 },
      random: Math.random,
      utilization: () => 0.5,
      onChange: (isOverloaded) => changes.push(isOverloaded),
    });
    made.push(overload);
    overload.start();
    await waitFor(
      () => {
        const endMs = performance.now() + 80;
        while (performance.now() < endMs);
        return overload.isOverloaded;
      },
      { what: "the overload to be seen", intervalMs: 1 },
    );
    expect(changes).toEqual([true]);
    overload.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
