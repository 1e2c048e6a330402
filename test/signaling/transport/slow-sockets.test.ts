import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { SystemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { sendMessage } from "../../../src/signaling/transport/outbound.ts";
import { StreamTransport } from "../../../src/signaling/transport/stream-transport.ts";
import { connectPeer } from "../../harness/stream-peer.ts";
import { waitFor } from "../../harness/wait.ts";

const ATTACKERS = 1000;
const CAP = 100;
const QUESTIONS = 100;

const sockets: Socket[] = [];
let transport: StreamTransport;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await transport.stop();
});

describe("many slow sockets", () => {
  it("are capped by their address, and another client is served within 100 ms", async () => {
    transport = new StreamTransport({
      transport: "TCP",
      listen: [{ listen: { host: "0.0.0.0", port: 0 } }],
      substitute: () => undefined,
      clock: new SystemClock(),
      logger: silentLogger,
      handler: {
        onMessage(message, flow) {
          if (message.kind !== "request") return;
          sendMessage(buildResponse(message, 200, { toTag: "x" }), flow);
        },
        onFlowOpen() {},
        onFlowClosed() {},
      },
      maxConnectionsPerAddress: CAP,
    });
    await transport.start();
    const port = transport.locals[0]?.port ?? 0;
    let closed = 0;
    let next = 0;
    for (let n = 0; n < ATTACKERS; n += 1) {
      const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
      socket.on("error", () => {});
      socket.once("close", () => {
        closed += 1;
      });
      sockets.push(socket);
    }
    // One octet of each of them every second, spread over it.
    const drip = setInterval(() => {
      for (let n = 0; n < ATTACKERS / 100; n += 1) {
        const socket = sockets[next % ATTACKERS];
        if (socket?.destroyed === false) socket.write("O");
        next += 1;
      }
    }, 10);
    try {
      await waitFor(() => closed >= ATTACKERS - CAP, { what: "those above the cap to be closed" });
      expect(transport.flowCount).toBe(CAP);
      const { peer } = await connectPeer({ host: "127.0.0.1", port });
      const times: number[] = [];
      for (let n = 0; n < QUESTIONS; n += 1) {
        const start = performance.now();
        peer.request("OPTIONS", { uri: "sip:a@b", from: "<sip:a@b>;tag=1", to: "<sip:a@b>" });
        await peer.expectResponse(200);
        times.push(performance.now() - start);
      }
      await peer.close();
      const p99 = times.toSorted((a, b) => a - b)[Math.floor(QUESTIONS * 0.99) - 1] ?? Infinity;
      expect(p99).toBeLessThan(100);
      expect(transport.flowCount).toBeLessThanOrEqual(CAP + 1);
    } finally {
      clearInterval(drip);
    }
    const [survivor] = sockets.filter((socket) => !socket.destroyed);
    if (survivor !== undefined) {
      survivor.destroy();
      await once(survivor, "close");
    }
  });
});
