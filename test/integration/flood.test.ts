import { expect, it } from "vitest";

import { flood } from "../soak/flood.ts";

// The whole of it, 90 s: npm run soak -- flood.
it("a flood of 2,000 REGISTERs a second from changing sources leaves calls, users, trunk and memory alone", async () => {
  const report = await flood({ perSecond: 2000, seconds: 8, calls: 20 });
  process.stdout.write(`flood: ${JSON.stringify(report)}\n`);
  expect(report.sent).toBe(16_000);
  expect(report.mostKilobytes - report.beforeKilobytes).toBeLessThan(20_000);
  expect(report.callsLeft).toBe(20);
  expect(report.callsHungUp).toBe(20);
  expect(report.registerMs.length).toBeGreaterThan(3);
  expect(Math.max(...report.registerMs)).toBeLessThan(2000);
  expect(Math.max(...report.trunkMs)).toBeLessThan(3000);
  // Most of it was not even read: all strangers together may ask 200 times a second.
  expect(report.dropped).toBeGreaterThan(4000);
});
