import { describe, expect, it } from "vitest";
import { Nonces } from "../../../src/signaling/auth/nonces.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

const key = Buffer.alloc(32, 7);

describe("RFC 7616 §3.3, §5.4 nonces without state", () => {
  it("are all different and remembered nowhere until they are used", () => {
    const nonces = new Nonces({ clock: new ManualClock(), realm: "a.test", key });
    const issued = new Set(Array.from({ length: 1000 }, () => nonces.issue()));
    expect(issued.size).toBe(1000);
    expect(nonces.remembered).toBe(0);
  });

  it("are fresh for 60 s and stale afterwards, whatever the wall clock does", () => {
    const clock = new ManualClock();
    const nonces = new Nonces({ clock, realm: "a.test", key });
    clock.advance(1234);
    const nonce = nonces.issue();
    clock.jumpWall(3_600_000);
    expect(nonces.check(nonce)).toBe("fresh");
    clock.advance(60_000);
    expect(nonces.check(nonce)).toBe("fresh");
    clock.advance(1);
    expect(nonces.check(nonce)).toBe("stale");
  });

  it("are forged when any character differs, for another realm and for another key", () => {
    const clock = new ManualClock();
    const nonces = new Nonces({ clock, realm: "a.test", key });
    const nonce = nonces.issue();
    for (let index = 0; index < nonce.length; index += 1) {
      const other = nonce[index] === "A" ? "B" : "A";
      const changed = nonce.slice(0, index) + other + nonce.slice(index + 1);
      expect(nonces.check(changed)).toBe("forged");
    }
    for (const text of ["", "x", nonce.slice(1), `${nonce}A`, "=".repeat(nonce.length)]) {
      expect(nonces.check(text)).toBe("forged");
    }
    expect(new Nonces({ clock, realm: "b.test", key }).check(nonce)).toBe("forged");
    expect(new Nonces({ clock, realm: "a.test" }).check(nonce)).toBe("forged");
  });

  it("can be used with each count once, and only upward", () => {
    const nonces = new Nonces({ clock: new ManualClock(), realm: "a.test", key });
    const nonce = nonces.issue();
    expect(nonces.consume(nonce, 1)).toBe(true);
    expect(nonces.consume(nonce, 1)).toBe(false);
    expect(nonces.consume(nonce, 5)).toBe(true);
    expect(nonces.consume(nonce, 4)).toBe(false);
    expect(nonces.consume(nonce, 6)).toBe(true);
    expect(nonces.remembered).toBe(1);
  });

  it("are forgotten when nobody can use them any more", () => {
    const clock = new ManualClock();
    const nonces = new Nonces({ clock, realm: "a.test", key });
    for (let index = 0; index < 10; index += 1) nonces.consume(nonces.issue(), 1);
    clock.advance(60_001);
    nonces.consume(nonces.issue(), 1);
    expect(nonces.remembered).toBe(1);
  });

  it("become stale when the full table had to forget them: no replay even then", () => {
    const clock = new ManualClock();
    const nonces = new Nonces({ clock, realm: "a.test", key, maxRemembered: 10 });
    const first = nonces.issue();
    expect(nonces.consume(first, 1)).toBe(true);
    for (let index = 0; index < 10; index += 1) {
      clock.advance(1);
      nonces.consume(nonces.issue(), 1);
    }
    expect(nonces.remembered).toBe(10);
    expect(nonces.check(first)).toBe("stale");
    clock.advance(1);
    expect(nonces.check(nonces.issue())).toBe("fresh");
  });
});
