import { describe, expect, it } from "vitest";

import { MediaPace } from "../../src/call/media-pace.ts";

function paceOf(timeoutMs: number, calls: number): MediaPace {
  const pace = new MediaPace(timeoutMs);
  for (let call = 0; call < calls; call += 1) pace.watch();
  return pace;
}

describe("how often the media of calls is looked at", () => {
  it.each([
    // A quarter of the timeout, from a second to fifteen.
    [60_000, 1, 15_000],
    [3_600_000, 1, 15_000],
    [20_000, 1, 5_000],
    [3_000, 1, 1_000],
    // A hundred calls a second, whatever their number,
    [60_000, 1_500, 15_000],
    [60_000, 5_000, 50_000],
    // but each of them once in the timeout.
    [60_000, 50_000, 60_000],
    [3_000, 5_000, 3_000],
  ])("with a timeout of %d ms and %d calls: each after %d ms", (timeoutMs, calls, pollMs) => {
    expect(paceOf(timeoutMs, calls).pollMs).toBe(pollMs);
  });

  it("is faster again when calls have ended", () => {
    const pace = paceOf(60_000, 1_500);
    const ends = Array.from({ length: 3_500 }, () => pace.watch());
    expect(pace.pollMs).toBe(50_000);
    for (const end of ends) end();
    expect(pace.pollMs).toBe(15_000);
  });
});
