import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { SystemClock } from "../../src/core/clock.ts";

/** Resolves with the monotonic time at which the timer came. */
function fired(clock: SystemClock, delayMs: number): Promise<number> {
  return new Promise((resolve) => {
    clock.after(delayMs, () => resolve(clock.monotonicMs()));
  });
}

const COUNT =
  "const count = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;";

/** Runs lines in a process of their own, with a `clock`; how long it takes is a matter of them. */
async function runAlone(...lines: readonly string[]): Promise<string> {
  const module = new URL("../../src/core/clock.ts", import.meta.url).href;
  const script = [`import { SystemClock } from ${JSON.stringify(module)};`];
  script.push("const clock = new SystemClock();", ...lines);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module-typescript", "--eval", script.join("\n")],
    { timeout: 20_000 },
  );
  return stdout;
}

describe("the machine's clock", () => {
  it.each([0, 1, 7.2, 30])("runs what is due after %d ms, and never before", async (delayMs) => {
    const clock = new SystemClock();
    const startMs = clock.monotonicMs();
    expect((await fired(clock, delayMs)) - startMs).toBeGreaterThanOrEqual(delayMs);
    expect(clock.pendingTimers).toBe(0);
  });

  it("takes a time that is none for one that has come", async () => {
    const clock = new SystemClock();
    await Promise.all([fired(clock, Number.NaN), fired(clock, -5)]);
    expect(clock.pendingTimers).toBe(0);
  });

  // Of two durations the shorter may come last when both are due: each waits for its own timer.
  it("keeps the order of one duration, and goes by time between several", async () => {
    const clock = new SystemClock();
    const order: string[] = [];
    for (const name of ["a", "b", "c"]) clock.after(300, () => order.push(name));
    clock.after(10, () => order.push("first"));
    await fired(clock, 300);
    expect(order).toEqual(["first", "a", "b", "c"]);
  });

  it("runs no timer that was cancelled, the first, the last, or one between", async () => {
    const clock = new SystemClock();
    const order: number[] = [];
    const timers = [0, 1, 2, 3, 4].map((number) => clock.after(20, () => order.push(number)));
    for (const number of [0, 2, 4]) timers[number]?.cancel();
    timers[2]?.cancel();
    expect(clock.pendingTimers).toBe(2);
    await fired(clock, 20);
    expect(order).toEqual([1, 3]);
    timers[1]?.cancel();
    expect(clock.pendingTimers).toBe(0);
  });

  it("is used again after all timers of a duration were cancelled", async () => {
    const clock = new SystemClock();
    clock.after(20, () => expect.unreachable()).cancel();
    const startMs = clock.monotonicMs();
    expect((await fired(clock, 20)) - startMs).toBeGreaterThanOrEqual(20);
  });

  it("waits anew for what a timer's action sets for the same duration", async () => {
    const clock = new SystemClock();
    const firstMs = await fired(clock, 15);
    const again = await new Promise<number>((resolve) => {
      clock.after(15, () => void fired(clock, 15).then(resolve));
    });
    expect(again - firstMs).toBeGreaterThanOrEqual(30);
  });

  it("lets an action cancel another that is due with it", async () => {
    const clock = new SystemClock();
    const order: string[] = [];
    clock.after(10, () => {
      order.push("canceller");
      cancelled.cancel();
    });
    const cancelled = clock.after(10, () => order.push("cancelled"));
    await fired(clock, 10);
    expect(order).toEqual(["canceller"]);
  });

  it("costs one timer of Node's for all of one duration, and none afterwards", async () => {
    const stdout = await runAlone(
      COUNT,
      "for (let left = 999; left > 0; left -= 1) clock.after(20, () => {});",
      "clock.after(20, () => setImmediate(() => console.log(count())));",
      "console.log(count());",
    );
    expect(stdout).toBe("1\n0\n");
  });

  it("looks once at the timers of many messages, and is late by a fiftieth at the most", async () => {
    const stdout = await runAlone(
      "import { createHook } from 'node:async_hooks';",
      "let made = 0;",
      "createHook({ init: (id, type) => { if (type === 'Timeout') made += 1; } }).enable();",
      // Messages that come within 150 ms, one by one, and then nothing but their timers.
      "const startMs = performance.now();",
      "const early = []; let late = 0;",
      "const message = () => {",
      "  const dueMs = performance.now() + 500;",
      "  clock.after(500, () => {",
      "    const now = performance.now();",
      "    if (now < dueMs) early.push(now);",
      "    if (now > dueMs + 60) late += 1;",
      "  });",
      "  const next = performance.now() + 1;",
      "  while (performance.now() < next) {}",
      "  if (performance.now() - startMs < 150) setImmediate(message);",
      "  else made = 0;",
      "};",
      "message();",
      "process.on('exit', () => console.log(made <= 16, early.length, late));",
    );
    expect(stdout).toBe("true 0 0\n");
  });

  it("has little left of thousands of durations whose timers were cancelled", async () => {
    const stdout = await runAlone(
      COUNT,
      "import { createHook } from 'node:async_hooks';",
      "const left = new Set();",
      "const init = (id, type) => { if (type === 'Timeout') left.add(id); };",
      "createHook({ init, destroy: (id) => left.delete(id) }).enable();",
      "for (let ms = 1; ms < 20_000; ms += 1) clock.after(ms * 1000, () => {}).cancel();",
      "setImmediate(() => console.log(left.size, count(), clock.pendingTimers));",
    );
    expect(stdout).toBe("64 0 0\n");
  });

  it("makes no timer of Node's for each message that sets one and cancels it", async () => {
    const stdout = await runAlone(
      "import { createHook } from 'node:async_hooks';",
      "let made = 0;",
      "createHook({ init: (id, type) => { if (type === 'Timeout') made += 1; } }).enable();",
      "for (let message = 0; message < 1000; message += 1) clock.after(180_000, () => {}).cancel();",
      "console.log(made);",
      "const startMs = performance.now();",
      "clock.after(30, () => {}).cancel();",
      "clock.after(30, () => console.log(performance.now() - startMs >= 30));",
    );
    expect(stdout).toBe("1\ntrue\n");
  });

  it("keeps a process alive until its timers have come, and not for cancelled ones", async () => {
    const stdout = await runAlone(
      "clock.after(600_000, () => {}).cancel();",
      "clock.after(50, () => console.log('came'));",
      // Set, cancelled and set again: what counts is that one waits.
      "clock.after(80, () => {}).cancel();",
      "clock.after(80, () => console.log('came too'));",
    );
    expect(stdout).toBe("came\ncame too\n");
  });

  it("runs the others when an action throws", async () => {
    const stdout = await runAlone(
      "process.on('uncaughtException', (error) => console.log(error.message));",
      "clock.after(20, () => { throw new Error('thrown'); });",
      "clock.after(20, () => console.log('came'));",
    );
    expect(stdout).toBe("thrown\ncame\n");
  });
});

describe("a scope of the machine's clock", () => {
  it("counts its own timers, and cancels what is left of them at its close", async () => {
    const clock = new SystemClock();
    const scope = clock.scope(() => expect.unreachable());
    const came: string[] = [];
    clock.after(20, () => came.push("of the clock"));
    for (const delayMs of [10, 20, 20]) scope.after(delayMs, () => came.push("of the scope"));
    expect([clock.pendingTimers, scope.pendingTimers]).toEqual([1, 3]);
    scope.close();
    expect(scope.pendingTimers).toBe(0);
    await fired(clock, 20);
    expect(came).toEqual(["of the clock"]);
  });

  it("is closed by a timer of its own, with those that are due beside it", async () => {
    const scope = new SystemClock().scope(() => expect.unreachable());
    const closed = new Promise<void>((resolve) => {
      scope.after(10, () => {
        scope.close();
        resolve();
      });
    });
    scope.after(10, () => expect.unreachable());
    await closed;
    expect(scope.pendingTimers).toBe(0);
  });

  it("hands over what an action throws, and goes on", async () => {
    const faults: unknown[] = [];
    const scope = new SystemClock().scope((cause) => faults.push(cause));
    const fault = new Error("thrown");
    scope.after(10, () => {
      throw fault;
    });
    await new Promise<void>((resolve) => {
      scope.after(10, resolve);
    });
    expect(faults).toEqual([fault]);
  });
});
