import { expect, it } from "vitest";

import { reconnect } from "../soak/reconnect.ts";

// With 2,000 of them: npm run soak -- reconnect.
it("500 browsers that come back at once are let in at a pace, and no call is touched", async () => {
  const report = await reconnect({ clients: 500, calls: 5 });
  process.stdout.write(`reconnect: ${JSON.stringify(report)}\n`);
  expect(report.registrations).toBe(501);
  expect(report.callsLeft).toBe(5);
  expect(report.allMs).toBeLessThan(60_000);
  // 20 at once, then 200 a second.
  expect(report.allMs).toBeGreaterThan(2000);
});
