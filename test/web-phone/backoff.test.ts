import { expect, it } from "vitest";
import { retryAfterMs, retryDelayMs } from "../../web-phone/src/agent/backoff.ts";

it("waits longer and longer, each time as long as chance says", () => {
  expect(retryDelayMs(1, 0.999)).toBe(500);
  expect(retryDelayMs(5, 0.5)).toBeGreaterThan(3000);
  expect(retryDelayMs(50, 0.999)).toBeLessThanOrEqual(30_000);
  expect(retryDelayMs(50, 0)).toBe(250);
});

it.each([
  [undefined, 0],
  ["", 0],
  ["soon", 0],
  ["7", 7000],
  ["120 (I'm in a meeting)", 120_000],
  ["18000;duration=3600", 600_000],
])("reads a Retry-After of %s as %i ms (RFC 3261 §20.33)", (value, expected) => {
  expect(retryAfterMs(value)).toBe(expected);
});
