import { describe, expect, it } from "vitest";
import { ManualClock } from "./manual-clock.ts";

describe("the manual clock of the harness", () => {
  it("fires in the order of due time, then of setting", () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push("late"));
    clock.after(10, () => fired.push("first"));
    clock.after(10, () => fired.push("second"));
    clock.advance(9);
    expect(fired).toEqual([]);
    clock.advance(11);
    expect(fired).toEqual(["first", "second", "late"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("fires timers that timers set, each at its own time", () => {
    const clock = new ManualClock();
    const times: number[] = [];
    const repeat = (): void => {
      times.push(clock.monotonicMs());
      clock.after(10, repeat);
    };
    clock.after(10, repeat);
    clock.advance(35);
    expect(times).toEqual([10, 20, 30]);
    expect(clock.monotonicMs()).toBe(35);
    expect(clock.nextTimerMs).toBe(5);
    expect(clock.pendingTimers).toBe(1);
  });

  it("forgets cancelled timers, whenever and however often they are cancelled", () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    const cancelled = clock.after(10, () => fired.push("cancelled"));
    const other = clock.after(10, () => fired.push("other"));
    cancelled.cancel();
    cancelled.cancel();
    expect(clock.pendingTimers).toBe(1);
    clock.advance(10);
    other.cancel();
    expect(fired).toEqual(["other"]);
  });

  it("moves the wall clock along, and alone", () => {
    const clock = new ManualClock(1_000_000);
    clock.advance(500);
    expect(clock.wallMs()).toBe(1_000_500);
    clock.jumpWall(-3_600_000);
    expect(clock.wallMs()).toBe(1_000_500 - 3_600_000);
    expect(clock.monotonicMs()).toBe(500);
  });

  it("lets promises settle between timers", async () => {
    const clock = new ManualClock();
    const times: number[] = [];
    const wait = (ms: number): Promise<void> =>
      new Promise((resolve) => {
        clock.after(ms, resolve);
      });
    const run = async (): Promise<void> => {
      for (let n = 0; n < 3; n += 1) {
        await wait(10);
        times.push(clock.monotonicMs());
      }
    };
    const running = run();
    await clock.advanceAsync(30);
    await running;
    expect(times).toEqual([10, 20, 30]);
  });
});
