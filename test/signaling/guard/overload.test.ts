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

function start(clock: LateClock, share: () => number = () => 0.5): Overload {
  const overload = new Overload({
    clock,
    limits: { delayMs: 100 },
    random: () => 0.5,
    utilization: share,
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

describe("new work", () => {
  it("is all taken while nothing is late", () => {
    const clock = new LateClock();
    const overload = start(clock);
    expect(ask(clock, overload, 500, 4)).toBe(2000);
    expect(overload.refused).toBe(0);
  });

  it("is rationed to what the loop can bear, and no less", () => {
    const clock = new LateClock();
    // A gateway that can do 200 a second: above it is late.
    const capacity = 200;
    let taken = 0;
    const overload = start(clock, () => Math.min(1, (4 * taken) / capacity));
    let good = 0;
    const seconds = 40;
    for (let quarter = 0; quarter < 4 * seconds; quarter += 1) {
      taken = ask(clock, overload, 600, 0.25);
      clock.lateMs = 4 * taken > capacity ? 150 : 0;
      if (quarter >= 40) good += Math.min(taken, capacity / 4);
    }
    expect(overload.isOverloaded).toBe(true);
    expect(overload.refused).toBeGreaterThan(1000);
    // Goodput at three times the load.
    expect(good / (seconds - 10)).toBeGreaterThan(0.8 * capacity);
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
