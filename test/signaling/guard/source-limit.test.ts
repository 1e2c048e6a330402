import { beforeEach, describe, expect, it } from "vitest";
import { AddressSet } from "../../../src/core/address.ts";
import { SourceLimit } from "../../../src/signaling/guard/source-limit.ts";
import type { SourceLimits } from "../../../src/signaling/guard/source-limit.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

const TRUNK = "198.51.100.1";
const STRANGER = "203.0.113.7";

let clock: ManualClock;
let events: string[];

beforeEach(() => {
  clock = new ManualClock();
  events = [];
});

function make(limits: Partial<SourceLimits> = {}): SourceLimit {
  return new SourceLimit({
    clock,
    limits: { perSecond: 10, burst: 20, banAfter: 50, banMs: 60_000, ...limits },
    exempt: new AddressSet(["10.0.0.0/8"]),
    isTrunk: (host) => host === TRUNK || host === "2001:db8:5::1",
    onBan: ({ network, way }) => events.push(`banned ${network} ${way}`),
    onLifted: ({ network }, by) => events.push(`lifted ${network} by ${by}`),
  });
}

function take(sources: SourceLimit, host: string, times: number): number {
  let taken = 0;
  for (let index = 0; index < times; index += 1) if (sources.admitsDatagram(host)) taken += 1;
  return taken;
}

describe("the rate of one source", () => {
  it("is a burst, then so many a second", () => {
    const sources = make();
    expect(take(sources, STRANGER, 40)).toBe(20);
    clock.advance(1000);
    expect(take(sources, STRANGER, 40)).toBe(10);
    expect(sources.counts.rateLimited).toBe(50);
  });

  it("is its own", () => {
    const sources = make();
    take(sources, STRANGER, 40);
    expect(take(sources, "203.0.113.8", 20)).toBe(20);
  });

  it("is that of an IPv6 /64 together", () => {
    const sources = make();
    let taken = 0;
    for (let index = 1; index <= 40; index += 1) {
      if (sources.admitsDatagram(`2001:db8::${index.toString(16)}`)) taken += 1;
    }
    expect(taken).toBe(20);
    expect(take(sources, "2001:db8:0:1::1", 20)).toBe(20);
  });

  it("holds for no trunk and no exempt address, however much comes", () => {
    const sources = make();
    for (const host of [TRUNK, "2001:db8:5::1", "10.1.2.3"]) {
      expect(take(sources, host, 5000)).toBe(5000);
    }
    expect(sources.banCount).toBe(0);
    // The trunk's neighbours in its /64 are strangers all the same.
    expect(take(sources, "2001:db8:5::2", 40)).toBe(20);
    expect(take(sources, "2001:db8:5::1", 100)).toBe(100);
  });
});

describe("a ban", () => {
  it("comes of sustained excess, lasts its time and is lifted by it", () => {
    const sources = make();
    take(sources, STRANGER, 20 + 51);
    expect(events).toEqual([`banned ${STRANGER} datagram`]);
    clock.advance(59_000);
    expect(take(sources, STRANGER, 3)).toBe(0);
    expect([...sources.bans()]).toMatchObject([{ network: STRANGER, dropped: 3 }]);
    expect(sources.counts.banned).toBe(3);
    clock.advance(1000);
    expect(events.at(-1)).toBe(`lifted ${STRANGER} by time`);
    expect(sources.banCount).toBe(0);
    expect(take(sources, STRANGER, 20)).toBe(20);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not come of one burst that is over at once", () => {
    const sources = make();
    for (let minute = 0; minute < 10; minute += 1) {
      take(sources, STRANGER, 60);
      clock.advance(60_000);
    }
    expect(events).toEqual([]);
  });

  it("comes at last when a source asks twice as much as it may, second after second", () => {
    const sources = make();
    for (let second = 0; second < 60 && events.length === 0; second += 1) {
      for (let index = 0; index < 30; index += 1) take(sources, STRANGER, 1);
      clock.advance(1000);
    }
    expect(events).toHaveLength(1);
  });

  it("is lifted by any address of the network", () => {
    const sources = make();
    take(sources, "2001:db8::1", 100);
    expect([...sources.bans()]).toMatchObject([{ network: "2001:db8::", way: "datagram" }]);
    expect(sources.lift("2001:db8::ffff")).toBe(true);
    expect(events.at(-1)).toBe("lifted 2001:db8:: by operator");
    expect(take(sources, "2001:db8::1", 1)).toBe(1);
    expect(sources.lift("2001:db8::ffff")).toBe(false);
  });

  it("of forged datagrams shuts no connection out", () => {
    const sources = make();
    take(sources, STRANGER, 1000);
    expect(take(sources, STRANGER, 1)).toBe(0);
    expect(sources.admitsConnection(STRANGER)).toBe(true);
    expect(sources.admitRequest(STRANGER)).toBe("taken");
  });

  it("of an address is felt by its new connections, and not by those that have signed in", () => {
    const sources = make();
    const phone = {};
    let verdict = sources.admitRequest(STRANGER);
    while (verdict !== "banned") verdict = sources.admitRequest(STRANGER);
    expect(sources.admitsConnection(STRANGER)).toBe(false);
    expect(sources.admitOfUser(phone)).toBe("taken");
    expect(take(sources, STRANGER, 1)).toBe(1);
  });

  it("is never of an address that has become a trunk's", () => {
    let trunk = "";
    const sources = new SourceLimit({
      clock,
      limits: { burst: 1, banAfter: 1 },
      isTrunk: (host) => host === trunk,
    });
    take(sources, STRANGER, 10);
    expect(sources.banCount).toBe(1);
    trunk = STRANGER;
    clock.advance(1000);
    expect(take(sources, STRANGER, 100)).toBe(100);
    sources.close();
  });
});

describe("a trunk's address", () => {
  it("is looked up once a second, however much comes from it, and no longer trusted a second after", () => {
    let trunk = TRUNK;
    let questions = 0;
    const sources = new SourceLimit({
      clock,
      limits: { burst: 1, perSecond: 1 },
      isTrunk: (host) => {
        questions += 1;
        return host === trunk;
      },
    });
    expect(take(sources, TRUNK, 1000)).toBe(1000);
    clock.advance(999);
    expect(take(sources, TRUNK, 1000)).toBe(1000);
    expect(questions).toBe(1);
    trunk = "198.51.100.2";
    clock.advance(1);
    expect(take(sources, TRUNK, 10)).toBe(1);
    sources.close();
  });

  it("is remembered of a thousand at the most, which are all trusted all the same", () => {
    const sources = make({ burst: 1, perSecond: 1 });
    for (let turn = 0; turn < 2; turn += 1) {
      for (let index = 0; index < 3000; index += 1) {
        expect(sources.admitsDatagram(`10.0.${index >> 8}.${index & 255}`)).toBe(true);
      }
    }
    expect(sources.size).toBe(0);
    expect(sources.counts.strangers).toBe(0);
  });
});

describe("a connection of a user", () => {
  it("answers for itself alone", () => {
    const sources = make({ perUserConnection: 5 });
    const [loud, quiet] = [{}, {}];
    const verdicts = Array.from({ length: 150 }, () => sources.admitOfUser(loud));
    expect(verdicts.filter((verdict) => verdict === "taken")).toHaveLength(50);
    expect(verdicts.at(-1)).toBe("banned");
    expect(sources.admitOfUser(quiet)).toBe("taken");
    expect(sources.banCount).toBe(0);
  });
});

describe("many sources", () => {
  it("share a rate, which no trunk is part of", () => {
    const sources = make({ strangersPerSecond: 100 });
    let taken = 0;
    for (let index = 0; index < 1000; index += 1) {
      if (sources.admitsDatagram(`203.0.${index >> 8}.${index & 255}`)) taken += 1;
    }
    expect(taken).toBe(100);
    expect(sources.counts.strangers).toBe(900);
    expect(take(sources, TRUNK, 100)).toBe(100);
  });

  it("take no more memory than the table allows, bans included", () => {
    const sources = make({ maxSources: 100, strangersPerSecond: 1_000_000, banAfter: 1, burst: 1 });
    for (let index = 0; index < 10_000; index += 1) {
      const host = `203.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
      take(sources, host, index % 2 === 0 ? 1 : 5);
    }
    expect(sources.size).toBeLessThanOrEqual(100);
    expect(sources.banCount).toBe(100);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(60_000);
    expect(sources.banCount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});
