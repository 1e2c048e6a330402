import { describe, expect, it } from "vitest";
import type { Server, Tier } from "../../../../src/signaling/transport/dns/locate.ts";
import { byWeight, orderTargets } from "../../../../src/signaling/transport/dns/order.ts";

function server(name: string, weight: number): Server {
  return { weight, port: 5060, addresses: [name] };
}

/** Numbers that look random and are the same at each run (a linear congruential generator). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function shares(servers: readonly Server[], draws = 20_000): ReadonlyMap<string, number> {
  const random = dice(4711);
  const counts = new Map<string, number>();
  for (let draw = 0; draw < draws; draw += 1) {
    const first = byWeight(servers, random)[0]?.addresses[0] ?? "";
    counts.set(first, (counts.get(first) ?? 0) + 1 / draws);
  }
  return counts;
}

describe("RFC 2782 weights", () => {
  it("share the calls in proportion", () => {
    const found = shares([server("a", 60), server("b", 30), server("c", 10)]);
    expect(found.get("a")).toBeCloseTo(0.6, 1);
    expect(found.get("b")).toBeCloseTo(0.3, 1);
    expect(found.get("c")).toBeCloseTo(0.1, 1);
  });

  it("0 beside others is chosen hardly ever, but it is", () => {
    const found = shares([server("a", 50), server("b", 0), server("c", 49)]);
    expect(found.get("b")).toBeGreaterThan(0.004);
    expect(found.get("b")).toBeLessThan(0.02);
  });

  it("0 alone keeps the order of the zone", () => {
    const servers = [server("a", 0), server("b", 0), server("c", 0)];
    for (let draw = 0; draw < 10; draw += 1) {
      expect(byWeight(servers, dice(draw))).toEqual(servers);
    }
  });

  it("share what is left when the first one fails", () => {
    const random = dice(7);
    const servers = [server("a", 1000), server("b", 30), server("c", 10)];
    let seconds = 0;
    let ofB = 0;
    for (let draw = 0; draw < 20_000; draw += 1) {
      const [first, second] = byWeight(servers, random);
      if (first?.addresses[0] !== "a") continue;
      seconds += 1;
      if (second?.addresses[0] === "b") ofB += 1;
    }
    expect(ofB / seconds).toBeCloseTo(0.75, 1);
  });

  it("the ends of the dice give everyone once", () => {
    for (const random of [() => 0, () => 0.999_999_999]) {
      const ordered = byWeight([server("a", 1), server("b", 65_535), server("c", 0)], random);
      expect(ordered).toHaveLength(3);
      expect(new Set(ordered.map(({ addresses }) => addresses[0]))).toEqual(
        new Set(["a", "b", "c"]),
      );
    }
  });
});

describe("RFC 3263 §4.2 the order of targets", () => {
  it("tier by tier, all addresses of a server together, each once", () => {
    const tiers: readonly Tier[] = [
      { transport: "UDP", servers: [{ weight: 1, port: 5060, addresses: ["192.0.2.1", "::1"] }] },
      {
        transport: "UDP",
        servers: [
          { weight: 0, port: 5060, addresses: ["192.0.2.1"] },
          { weight: 0, port: 5062, addresses: ["192.0.2.1"] },
        ],
      },
      { transport: "TCP", servers: [{ weight: 0, port: 5060, addresses: ["192.0.2.1"] }] },
    ];
    const targets = orderTargets(tiers, "x.test", () => 0);
    expect(targets.map(({ transport, remote }) => [transport, remote.host, remote.port])).toEqual([
      ["UDP", "192.0.2.1", 5060],
      ["UDP", "::1", 5060],
      ["UDP", "192.0.2.1", 5062],
      ["TCP", "192.0.2.1", 5060],
    ]);
    expect(targets.every(({ domain }) => domain === "x.test")).toBe(true);
  });
});
