import { afterEach, describe, expect, it, vi } from "vitest";
import { UdpPeer } from "../signaling/transport/fixtures.ts";
import { seededRandom, UdpRelay } from "./udp-relay.ts";
import type { UdpRelayOptions } from "./udp-relay.ts";

const open: { stop(): Promise<void> }[] = [];

async function setUp(options: Partial<UdpRelayOptions>) {
  const server = await UdpPeer.open();
  const client = await UdpPeer.open();
  const relay = await UdpRelay.start({ target: server.address, ...options });
  open.push(relay, { stop: () => server.close() }, { stop: () => client.close() });
  return { server, client, relay };
}

afterEach(async () => {
  for (const part of open.splice(0)) await part.stop();
});

describe("the UDP relay of the harness", () => {
  it("brings what the client sends to the target", async () => {
    const { server, client, relay } = await setUp({ delayMs: 1 });
    client.send("one", relay.address);
    await vi.waitFor(() => {
      expect(server.received.map(String)).toEqual(["one"]);
    });
  });

  it("loses and doubles as the seed says", async () => {
    const { server, client, relay } = await setUp({ loss: 0.5, duplicate: 0.5, seed: 3 });
    for (let n = 0; n < 100; n += 1) client.send(String(n), relay.address);
    await vi.waitFor(() => {
      expect(relay.counts.received).toBe(100);
      expect(server.received).toHaveLength(
        relay.counts.received - relay.counts.lost + relay.counts.duplicated,
      );
    });
    expect(relay.counts.lost).toBeGreaterThan(25);
    expect(relay.counts.lost).toBeLessThan(75);
    expect(relay.counts.duplicated).toBeGreaterThan(5);
  });

  it("has random numbers that a seed repeats", () => {
    const one = seededRandom(42);
    const other = seededRandom(42);
    const numbers = Array.from({ length: 1000 }, () => one());
    expect(numbers).toEqual(Array.from({ length: 1000 }, () => other()));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    expect(mean).toBeCloseTo(0.5, 1);
  });
});
