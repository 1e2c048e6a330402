import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { HeapGrowth } from "../../src/core/heap-growth.ts";
import { ManualClock } from "../harness/manual-clock.ts";

const MB = 1024 * 1024;
const GB = 1024 * MB;

interface World {
  calls: number;
  usedOctets: number;
}

function growth(world: World, memoryOctets = 16 * GB) {
  const clock = new ManualClock();
  const told: number[] = [];
  const watchers = new Set<() => void>();
  const subject = new HeapGrowth({
    clock,
    liveCalls: () => world.calls,
    usedOctets: () => world.usedOctets,
    memoryOctets,
    watchMarks: (onMarked) => {
      watchers.add(onMarked);
      return () => watchers.delete(onMarked);
    },
    apply: (percent) => told.push(percent),
  });
  subject.start();
  /** V8 has marked the heap: so much lives. */
  const mark = (octets: number): void => {
    world.usedOctets = octets;
    for (const onMarked of watchers) onMarked();
  };
  return { clock, told, subject, watchers, mark };
}

describe("how far the heap may grow", () => {
  it.each([
    ["no call", { calls: 0, usedOctets: 50 * MB }, 16 * GB, 60],
    ["few calls", { calls: 49, usedOctets: 50 * MB }, 16 * GB, 60],
    ["calls to carry", { calls: 50, usedOctets: 50 * MB }, 16 * GB, 300],
    ["thousands of them, within 256 MB", { calls: 5000, usedOctets: 256 * MB }, 16 * GB, 100],
    ["so many that the room is small", { calls: 9000, usedOctets: 900 * MB }, 16 * GB, 60],
    ["a machine of 1 GB, within a sixteenth", { calls: 100, usedOctets: 64 * MB }, GB, 100],
    ["a machine of 512 MB", { calls: 100, usedOctets: 64 * MB }, GB / 2, 60],
  ])("%s", (_what, world, memoryOctets, expected) => {
    const { clock, subject } = growth(world, memoryOctets);
    expect(subject.percent).toBe(60);
    clock.advance(1000);
    expect(subject.percent).toBe(expected);
  });

  it("goes by what lives, not by the garbage that waits", () => {
    const world = { calls: 100, usedOctets: 128 * MB };
    const { clock, subject, mark } = growth(world);
    clock.advance(1000);
    world.usedOctets = 384 * MB;
    clock.advance(600_000);
    expect(subject.percent).toBe(200);
    mark(384 * MB);
    clock.advance(1000);
    expect(subject.percent).toBe(67);
    mark(100 * MB);
    clock.advance(1000);
    expect(subject.percent).toBe(256);
  });

  it("goes back a minute after the calls, and does not speak of trifles", () => {
    const world = { calls: 100, usedOctets: 200 * MB };
    const { clock, told, mark } = growth(world);
    clock.advance(1000);
    mark(195 * MB);
    clock.advance(5000);
    world.calls = 3;
    clock.advance(59_000);
    world.calls = 50;
    clock.advance(1000);
    world.calls = 3;
    clock.advance(59_000);
    expect(told).toEqual([128]);
    clock.advance(1000);
    expect(told).toEqual([128, 60]);
  });

  it("ends with the gateway", () => {
    const { clock, subject, watchers } = growth({ calls: 100, usedOctets: MB });
    clock.advance(1000);
    subject.close();
    expect(clock.pendingTimers).toBe(0);
    expect(watchers.size).toBe(0);
  });

  it("is what V8 goes by: with calls it marks the heap less often", async () => {
    const module = (name: string): string =>
      JSON.stringify(new URL(`../../src/core/${name}.ts`, import.meta.url).href);
    const script = `
      import { PerformanceObserver, constants } from "node:perf_hooks";
      import { HeapGrowth } from ${module("heap-growth")};
      import { SystemClock } from ${module("clock")};
      const world = { calls: 0, marks: 0 };
      new PerformanceObserver((list) => {
        for (const { detail } of list.getEntries())
          if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) world.marks += 1;
      }).observe({ entryTypes: ["gc"] });
      const kept = Array.from({ length: 300_000 }, (_, number) => ({ number, list: [number] }));
      const queue = new Array(20_000).fill(undefined);
      const work = async (rounds) => {
        world.marks = 0;
        for (let round = 0; round < rounds; round += 1) {
          for (let at = 0; at < queue.length; at += 1) queue[at] = { a: [at], b: { at } };
          await new Promise(setImmediate);
        }
        return world.marks;
      };
      const growth = new HeapGrowth({ clock: new SystemClock(), liveCalls: () => world.calls });
      growth.start();
      await work(100);
      const idle = await work(1000);
      world.calls = 100;
      while (growth.percent === 60) await work(1);
      await work(100);
      const busy = await work(1000);
      // 200 MB more that live: of them it hears by the next marks.
      const more = Array.from({ length: 2_000_000 }, (_, number) => ({ number, list: [number] }));
      while (growth.percent > 200) await work(1);
      growth.close();
      console.log(JSON.stringify({ idle, busy, kept: kept.length + more.length }));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        "--max-semi-space-size=1",
        "--heap-growing-percent=60",
        "--v8-pool-size=1",
        "--input-type=module-typescript",
        "--eval",
        script,
      ],
      { timeout: 30_000 },
    );
    const { idle, busy } = JSON.parse(stdout) as { idle: number; busy: number };
    expect(idle).toBeGreaterThan(12);
    expect(busy).toBeLessThan(idle * 0.8);
  }, 30_000);
});
