import { createSocket, type Socket } from "node:dgram";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createMediaEngine } from "../../src/media/media-engine.ts";
import type { Exchange, MediaEngine } from "../../src/media/session.ts";
import { freePorts } from "../harness/ports.ts";
import { audioPortOf } from "../harness/rtpengine.ts";
import { waitFor } from "../harness/wait.ts";

/** A telephone of one family that counts what it gets. */
class Telephone {
  readonly #socket: Socket;
  readonly #host: string;
  received = 0;
  #sent = 0;

  static async open(host: "127.0.0.1" | "::1"): Promise<Telephone> {
    const socket = createSocket(host === "::1" ? "udp6" : "udp4");
    await new Promise<void>((resolve) => {
      socket.bind(0, host, resolve);
    });
    return new Telephone(socket, host);
  }

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("message", () => {
      this.received += 1;
    });
  }

  get sdp(): string {
    const address = `IN ${this.#host === "::1" ? "IP6" : "IP4"} ${this.#host}`;
    return [
      "v=0",
      `o=- 1 1 ${address}`,
      "s=-",
      `c=${address}`,
      "t=0 0",
      `m=audio ${this.#socket.address().port} RTP/AVP 0`,
      "a=rtpmap:0 PCMU/8000",
      "",
    ].join("\r\n");
  }

  send(port: number): void {
    this.#sent += 1;
    const packet = Buffer.alloc(172, 0xff);
    packet.writeUInt16BE(0x80_00, 0);
    packet.writeUInt16BE(this.#sent, 2);
    packet.writeUInt32BE(this.#sent * 160, 4);
    packet.writeUInt32BE(0x0ff4_00c1, 8);
    this.#socket.send(packet, port, this.#host);
  }

  close(): void {
    this.#socket.close();
  }
}

describe("IPv4 and IPv6 across a managed rtpengine with an address of each", () => {
  let engine: MediaEngine;

  beforeAll(async () => {
    const min = await freePorts(100);
    engine = createMediaEngine({
      clock: new SystemClock(),
      logger: silentLogger,
      rtpengine: {
        kind: "managed",
        address: "127.0.0.1",
        otherAddresses: ["::1"],
        ports: { min, max: min + 99 },
      },
    });
    await engine.start();
  });
  afterAll(async () => {
    await engine.stop();
  });

  it.each([
    ["127.0.0.1", "::1", "IP6"],
    ["::1", "127.0.0.1", "IP4"],
  ] as const)(
    "a telephone at %s and one at %s hear each other",
    async (from, to, addressFamily) => {
      const caller = await Telephone.open(from);
      const callee = await Telephone.open(to);
      const session = engine.createSession({ policy: "auto" });
      const telephone = { kind: "rtp", codecs: ["PCMU"] } as const;
      const exchange: Exchange = {
        offerer: { tag: "caller", ...telephone },
        answerer: { tag: "callee", ...telephone, addressFamily },
        branch: "b",
      };
      const toCallee = await session.offer(exchange, caller.sdp);
      const toCaller = await session.answer(exchange, callee.sdp);
      expect(toCallee).toContain(`c=IN ${addressFamily} ${to}`);
      expect(toCaller).toContain(`c=IN ${addressFamily === "IP6" ? "IP4" : "IP6"} ${from}`);
      const talk = setInterval(() => {
        caller.send(audioPortOf(toCaller));
        callee.send(audioPortOf(toCallee));
      }, 20);
      try {
        await waitFor(() => (caller.received > 5 && callee.received > 5) || undefined, {
          what: "sound both ways",
          detail: () => `${caller.received} ${callee.received}`,
        });
      } finally {
        clearInterval(talk);
        await session.close();
        caller.close();
        callee.close();
      }
    },
  );
});
