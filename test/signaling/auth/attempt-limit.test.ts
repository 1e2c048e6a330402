import { describe, expect, it } from "vitest";
import { AttemptLimit } from "../../../src/signaling/auth/attempt-limit.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

describe("failed sign-ins", () => {
  it("block the source after 20 within a minute, for 300 s, and nobody else", () => {
    const clock = new ManualClock();
    const limit = new AttemptLimit({ clock });
    for (let index = 0; index < 19; index += 1) limit.failed("192.0.2.1", `user${index}`);
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(false);
    limit.failed("192.0.2.1", "user19");
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(true);
    expect(limit.isSourceBlocked("192.0.2.2")).toBe(false);
    expect(limit.isAccountBlocked("user19")).toBe(false);
    clock.advance(299_999);
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(true);
    clock.advance(1);
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(false);
  });

  it("block the account across sources", () => {
    const limit = new AttemptLimit({ clock: new ManualClock() });
    for (let index = 0; index < 20; index += 1) limit.failed(`192.0.2.${index}`, "1001");
    expect(limit.isAccountBlocked("1001")).toBe(true);
    expect(limit.isAccountBlocked("1002")).toBe(false);
    expect(limit.isSourceBlocked("192.0.2.3")).toBe(false);
  });

  it("are forgotten a minute after the first, and by a success of the account", () => {
    const clock = new ManualClock();
    const limit = new AttemptLimit({ clock });
    for (let index = 0; index < 19; index += 1) limit.failed("192.0.2.1", "1001");
    clock.advance(60_000);
    for (let index = 0; index < 19; index += 1) limit.failed("192.0.2.1", "1001");
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(false);
    expect(limit.isAccountBlocked("1001")).toBe(false);
    limit.succeeded("1001");
    limit.failed("192.0.2.9", "1001");
    expect(limit.isAccountBlocked("1001")).toBe(false);
  });

  it("count an IPv6 /64 as one source", () => {
    const limit = new AttemptLimit({ clock: new ManualClock() });
    for (let index = 0; index < 20; index += 1) {
      limit.failed(`2001:db8:1:2::${index.toString(16)}`, `user${index}`);
    }
    expect(limit.isSourceBlocked("2001:db8:1:2:ffff:ffff:ffff:ffff")).toBe(true);
    expect(limit.isSourceBlocked("2001:db8:1:3::1")).toBe(false);
    for (let index = 0; index < 20; index += 1) limit.failed("::1", `other${index}`);
    expect(limit.isSourceBlocked("::2")).toBe(true);
    expect(limit.isSourceBlocked("fe80::1")).toBe(false);
  });

  it("are kept for a bounded number of sources", () => {
    const limit = new AttemptLimit({ clock: new ManualClock(), maxEntries: 100 });
    for (let index = 0; index < 20; index += 1) limit.failed("192.0.2.1", "1001");
    for (let index = 0; index < 99; index += 1) limit.failed(`10.0.0.${index}`, `u${index}`);
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(true);
    limit.failed("10.0.1.1", "one more");
    expect(limit.isSourceBlocked("192.0.2.1")).toBe(false);
  });
});
