import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { StunLimit, isStun, stunAnswer } from "../../../src/signaling/transport/stun.ts";
import { UdpTransport } from "../../../src/signaling/transport/udp.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordingHandler, UdpPeer, textOf } from "./fixtures.ts";

/** RFC 5769 §2.2 and §2.3: the transaction id and the addresses of the samples. */
const ID = "b7e7a701bc34d686fa87dfae";
const REQUEST = Buffer.from(`000100002112a442${ID}`, "hex");

describe("RFC 5389 a binding request", () => {
  it("is answered with the XOR of an IPv4 address (RFC 5769 §2.2)", () => {
    const answer = stunAnswer(REQUEST, { host: "192.0.2.1", port: 32853 });
    expect(answer?.toString("hex")).toBe(`0101000c2112a442${ID}002000080001a147e112a643`);
  });

  it("is answered with the XOR of an IPv6 address (RFC 5769 §2.3)", () => {
    const host = "2001:db8:1234:5678:11:2233:4455:6677";
    const answer = stunAnswer(REQUEST, { host, port: 32853 });
    expect(answer?.toString("hex")).toBe(
      `010100182112a442${ID}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9`,
    );
  });

  it("gains a sender little: at most 24 octets", () => {
    for (const host of ["192.0.2.1", "::1", "fe80::1%eth0"]) {
      expect(stunAnswer(REQUEST, { host, port: 1 })?.length).toBeLessThanOrEqual(
        REQUEST.length + 24,
      );
    }
  });

  it.each([
    ["another type", `000300002112a442${ID}`],
    ["an indication", `001100002112a442${ID}`],
    ["a response", `010100002112a442${ID}`],
    ["no magic cookie", `0001000021120000${ID}`],
    ["a wrong length", `000100042112a442${ID}`],
    ["too short", "000100002112a442"],
  ])("gets no answer: %s", (_what, hex) => {
    expect(stunAnswer(Buffer.from(hex, "hex"), { host: "192.0.2.1", port: 1 })).toBeUndefined();
  });

  it("is told from SIP by its first octet", () => {
    expect(isStun(REQUEST)).toBe(true);
    expect(isStun(Buffer.from("OPTIONS sip:a@b SIP/2.0\r\n"))).toBe(false);
    expect(isStun(Buffer.alloc(4))).toBe(false);
  });
});

describe("the rate of answers", () => {
  it("is ten a second and address, in a table that ends", () => {
    const clock = new ManualClock();
    const limit = new StunLimit(clock);
    const taken = Array.from({ length: 20 }, () => limit.tryTake("192.0.2.1"));
    expect(taken.filter(Boolean)).toHaveLength(10);
    let others = 0;
    for (let n = 0; n < 10_000; n += 1) {
      if (limit.tryTake(`10.0.${n >> 8}.${n & 255}`)) others += 1;
    }
    expect(others).toBe(4095);
    clock.advance(1000);
    expect(limit.tryTake("192.0.2.1")).toBe(true);
  });
});

describe("STUN on the SIP port", () => {
  let transport: UdpTransport;
  let peer: UdpPeer;

  afterEach(async () => {
    await Promise.all([transport.stop(), peer.close()]);
  });

  it.each(["127.0.0.1", "::1"])("answers between SIP messages on %s", async (host) => {
    const handler = new RecordingHandler();
    peer = await UdpPeer.open(host);
    transport = new UdpTransport({
      listen: { host, port: 0 },
      handler,
      logger: silentLogger,
      clock: new ManualClock(),
    });
    await transport.start();
    peer.send(REQUEST, transport.local);
    const via = `SIP/2.0/UDP ${host.includes(":") ? `[${host}]` : host};branch=z9hG4bK1;rport`;
    peer.send(textOf("OPTIONS", via), transport.local);
    await handler.until(({ messages }) => messages[0]);
    const answer = await peer.receiveOctets();
    expect(answer.equals(stunAnswer(REQUEST, peer.address) ?? Buffer.alloc(0))).toBe(true);
  });
});
