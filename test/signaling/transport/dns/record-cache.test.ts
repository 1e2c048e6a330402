import { describe, expect, it } from "vitest";
import {
  DEFAULT_DNS_LIMITS,
  RecordCache,
} from "../../../../src/signaling/transport/dns/record-cache.ts";
import type { DnsCacheLimits } from "../../../../src/signaling/transport/dns/record-cache.ts";
import type { DnsAnswer } from "../../../../src/signaling/transport/dns/resolver.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

/** A cache over a name server that the test plays. */
class Setup {
  readonly clock = new ManualClock();
  readonly cache: RecordCache<string>;
  /** What is said at once; undefined: nothing until `say`. */
  answer: DnsAnswer<string> | undefined;
  queries = 0;
  readonly #open: ((answer: DnsAnswer<string>) => void)[] = [];

  constructor(limits: Partial<DnsCacheLimits> = {}) {
    this.cache = new RecordCache(this.clock, { ...DEFAULT_DNS_LIMITS, ...limits }, () => {
      this.queries += 1;
      return new Promise((resolve) => {
        if (this.answer === undefined) this.#open.push(resolve);
        else resolve(this.answer);
      });
    });
  }

  say(answer: DnsAnswer<string>): void {
    for (const resolve of this.#open.splice(0)) resolve(answer);
  }
}

function records(ttlMs: number | undefined, ...items: string[]): DnsAnswer<string> {
  return { kind: "records", items, ttlMs };
}

const FAILED: DnsAnswer<string> = { kind: "failed", detail: "ESERVFAIL" };
const NONE: DnsAnswer<string> = { kind: "none", ttlMs: undefined };

describe("answers are kept for their TTL", () => {
  it.each([
    [5000, 5000],
    [0, 1000],
    [86_400_000, 3_600_000],
    [undefined, 60_000],
  ])("a TTL of %s ms is %i ms", async (ttlMs, keptMs) => {
    const setup = new Setup();
    setup.answer = records(ttlMs, "a");
    await setup.cache.get("x.test");
    setup.clock.advance(keptMs - 1);
    expect(await setup.cache.get("X.Test")).toEqual(records(1, "a"));
    expect(setup.queries).toBe(1);
    setup.clock.advance(1);
    await setup.cache.get("x.test");
    expect(setup.queries).toBe(2);
  });

  it("that there is nothing is kept for 30 s, and replaces what there was", async () => {
    const setup = new Setup();
    setup.answer = records(1000, "a");
    await setup.cache.get("x.test");
    setup.clock.advance(1000);
    setup.answer = NONE;
    expect(await setup.cache.get("x.test")).toMatchObject({ kind: "none" });
    setup.clock.advance(29_999);
    expect(await setup.cache.get("x.test")).toEqual({ kind: "none", ttlMs: 1 });
    expect(setup.queries).toBe(2);
  });

  it("equal questions at once are one query", async () => {
    const setup = new Setup();
    const asked = [1, 2, 3].map(() => setup.cache.get("x.test"));
    setup.say(records(undefined, "a"));
    expect(await Promise.all(asked)).toHaveLength(3);
    expect(setup.queries).toBe(1);
  });

  it("names and records are bounded", async () => {
    const setup = new Setup({ maxNames: 3, maxRecords: 2 });
    setup.answer = records(undefined, "a", "b", "c");
    for (const name of ["1", "2", "3", "1", "4", "5"]) await setup.cache.get(name);
    expect(setup.cache.size).toBe(3);
    expect(await setup.cache.get("1")).toMatchObject({ items: ["a", "b"] });
    expect(setup.queries).toBe(5);
  });
});

describe("RFC 8767 stale answers", () => {
  it("are given while name servers fail, for a day", async () => {
    const setup = new Setup();
    setup.answer = records(1000, "a");
    await setup.cache.get("x.test");
    setup.answer = FAILED;
    setup.clock.advance(1000);
    for (let hour = 0; hour < 24; hour += 1) {
      expect(await setup.cache.get("x.test")).toMatchObject({ items: ["a"] });
      setup.clock.advance(3_600_000);
    }
    expect(await setup.cache.get("x.test")).toEqual(FAILED);
  });

  it("come after 2 s without an answer, and at once until it is time to ask again", async () => {
    const setup = new Setup();
    setup.answer = records(1000, "a");
    await setup.cache.get("x.test");
    setup.answer = undefined;
    setup.clock.advance(1000);
    const waiting = setup.cache.get("x.test");
    setup.clock.advance(1999);
    let isOver = false;
    void waiting.then(() => (isOver = true));
    await Promise.resolve();
    expect(isOver).toBe(false);
    setup.clock.advance(1);
    expect(await waiting).toMatchObject({ items: ["a"] });
    expect(await setup.cache.get("x.test")).toMatchObject({ items: ["a"], ttlMs: 1000 });
    expect(setup.queries).toBe(2);
    // What came too late for the one who asked is there for the next.
    setup.say(records(5000, "b"));
    await Promise.resolve();
    expect(await setup.cache.get("x.test")).toMatchObject({ items: ["b"] });
    expect(setup.queries).toBe(2);
    expect(setup.clock.pendingTimers).toBe(0);
  });

  it("a failure is asked about again after 1 s, then 2 s, up to 30 s", async () => {
    const setup = new Setup();
    setup.answer = FAILED;
    const waits: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      expect(await setup.cache.get("x.test")).toEqual(FAILED);
      const before = setup.queries;
      let waitedMs = 0;
      while (setup.queries === before) {
        setup.clock.advance(500);
        waitedMs += 500;
        await setup.cache.get("x.test");
      }
      waits.push(waitedMs);
      // The loop's last question was the next round's first.
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("an answer after failures is an answer like any other", async () => {
    const setup = new Setup();
    setup.answer = FAILED;
    await setup.cache.get("x.test");
    setup.clock.advance(1000);
    setup.answer = records(5000, "a");
    expect(await setup.cache.get("x.test")).toEqual(records(5000, "a"));
  });
});
