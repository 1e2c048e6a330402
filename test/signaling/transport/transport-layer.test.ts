import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { TransportLayer } from "../../../src/signaling/transport/transport-layer.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordingHandler, UdpPeer } from "./fixtures.ts";

const layers: TransportLayer[] = [];

function layerOf(...hosts: readonly (readonly [host: string, port: number])[]): TransportLayer {
  const layer = new TransportLayer({
    clock: new ManualClock(),
    logger: silentLogger,
    handler: new RecordingHandler(),
    udp: hosts.map(([host, port]) => ({ listen: { host, port } })),
  });
  layers.push(layer);
  return layer;
}

afterEach(async () => {
  for (const layer of layers.splice(0)) await layer.stop();
});

describe("the transport layer", () => {
  it("opens its listeners and says where they are", async () => {
    const layer = layerOf(["127.0.0.1", 0], ["::1", 0]);
    await layer.start();
    expect(layer.listeners.map(({ transport, local }) => `${transport} ${local.host}`)).toEqual([
      "UDP 127.0.0.1",
      "UDP ::1",
    ]);
    expect(layer.listeners.every(({ local }) => local.port > 0)).toBe(true);
    expect(layer.connectionCount).toBe(0);
  });

  it("opens none when one cannot be bound", async () => {
    const peer = await UdpPeer.open();
    const layer = layerOf(["127.0.0.1", 0], ["127.0.0.1", peer.address.port]);
    await expect(layer.start()).rejects.toMatchObject({ code: "ERR_OFFHOOK_TRANSPORT_BIND" });
    const [first] = layer.listeners;
    const taken = layerOf(["127.0.0.1", first?.local.port ?? 0]);
    await taken.start();
    await peer.close();
  });

  it("chooses the listener by family, and loopback for loopback", async () => {
    const layer = layerOf(["192.0.2.10", 5060], ["127.0.0.1", 5060], ["::1", 5060]);
    const localOf = (host: string): string | undefined =>
      layer.flowTo("UDP", { host, port: 5060 })?.local.host;
    expect(localOf("198.51.100.7")).toBe("192.0.2.10");
    expect(localOf("127.0.0.1")).toBe("127.0.0.1");
    expect(localOf("::1")).toBe("::1");
    expect(localOf("2001:db8::7")).toBe("::1");
    expect(layerOf(["192.0.2.10", 5060]).flowTo("UDP", { host: "::1", port: 1 })).toBeUndefined();
  });

  it("has no flow toward a WebSocket client that did not connect", () => {
    const layer = layerOf(["127.0.0.1", 5060]);
    expect(layer.flowTo("WS", { host: "127.0.0.1", port: 5060 })).toBeUndefined();
  });

  it("keeps its socket until it is stopped, and stops twice without harm", async () => {
    const layer = layerOf(["127.0.0.1", 0]);
    await layer.start();
    const flow = layer.flowTo("UDP", { host: "127.0.0.1", port: 9 });
    expect(flow?.isOpen).toBe(true);
    await layer.stop();
    await layer.stop();
    expect(flow?.isOpen).toBe(false);
  });
});
