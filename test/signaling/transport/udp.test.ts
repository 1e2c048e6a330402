import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { dropFacts, messageFacts } from "../../../src/signaling/transport/channels.ts";
import type { TransportError } from "../../../src/signaling/transport/errors.ts";
import { responseFlow, sendMessage } from "../../../src/signaling/transport/outbound.ts";
import { UdpTransport } from "../../../src/signaling/transport/udp.ts";
import { seededRandom } from "../../harness/udp-relay.ts";
import { RecordingHandler, textOf, UdpPeer } from "./fixtures.ts";

let handler: RecordingHandler;
let transport: UdpTransport;
let peer: UdpPeer;

beforeEach(async () => {
  handler = new RecordingHandler();
  transport = new UdpTransport({
    listen: { host: "127.0.0.1", port: 0 },
    handler,
    logger: silentLogger,
  });
  await transport.start();
  peer = await UdpPeer.open();
});

afterEach(async () => {
  await transport.stop();
  await peer.close();
});

/** The next request that the transport handed up, and its flow. */
async function nextRequest() {
  const { message, flow } = await handler.until(({ messages }) => messages.shift());
  if (message.kind !== "request") throw new Error("a request was expected");
  return { request: message, flow };
}

describe("RFC 3261 §18.2.1 and RFC 3581 received and rport", () => {
  it("stamps received always, and rport where it was asked for", async () => {
    const { port } = peer.address;
    peer.send(textOf("OPTIONS", "SIP/2.0/UDP host.invalid;branch=z9hG4bK1;rport"), transport.local);
    const { request, flow } = await nextRequest();
    expect(request.topmostVia.received).toBe("127.0.0.1");
    expect(request.topmostVia.rport).toBe(port);
    expect(flow.remote).toEqual({ host: "127.0.0.1", port });

    peer.send(textOf("OPTIONS", "SIP/2.0/UDP host.invalid:5070;branch=z9hG4bK2"), transport.local);
    const second = await nextRequest();
    expect(second.request.topmostVia.received).toBe("127.0.0.1");
    expect(second.request.topmostVia.rport).toBeUndefined();
  });

  it("replaces what a client wrote there itself", async () => {
    peer.send(
      textOf(
        "OPTIONS",
        "SIP/2.0/UDP victim.example.com;branch=z9hG4bK1;received=203.0.113.66;rport=53",
      ),
      transport.local,
    );
    const { request } = await nextRequest();
    expect(request.topmostVia.received).toBe("127.0.0.1");
    expect(request.topmostVia.rport).toBe(peer.address.port);
  });

  it("leaves the Vias below alone, on one line or several", async () => {
    const lower = "SIP/2.0/UDP a.example.com;branch=z9hG4bKa, SIP/2.0/TCP b.example.com";
    const fields = ["Via: SIP/2.0/UDP c.example.com;branch=z9hG4bKc"];
    peer.send(
      textOf("OPTIONS", `SIP/2.0/UDP t.example.com;branch=z9hG4bKt, ${lower}`, fields),
      transport.local,
    );
    const { request } = await nextRequest();
    expect(request.vias.map((via) => via.toString())).toEqual([
      "SIP/2.0/UDP t.example.com;branch=z9hG4bKt;received=127.0.0.1",
      "SIP/2.0/UDP a.example.com;branch=z9hG4bKa",
      "SIP/2.0/TCP b.example.com",
      "SIP/2.0/UDP c.example.com;branch=z9hG4bKc",
    ]);
  });
});

describe("RFC 3261 §18.2.2 where a response goes", () => {
  it("is the source port with rport", async () => {
    peer.send(textOf("OPTIONS", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;rport"), transport.local);
    const { request, flow } = await nextRequest();
    expect(responseFlow(request.topmostVia, flow)).toBe(flow);
    sendMessage(buildResponse(request, 200, { toTag: "us" }), flow);
    expect(await peer.receive()).toMatchObject({ statusCode: 200 });
  });

  it("is the sent-by port at the source address without rport", async () => {
    const listening = await UdpPeer.open();
    const { port } = listening.address;
    peer.send(textOf("OPTIONS", `SIP/2.0/UDP 10.0.0.9:${port};branch=z9hG4bK1`), transport.local);
    const { request, flow } = await nextRequest();
    sendMessage(buildResponse(request, 200), responseFlow(request.topmostVia, flow));
    expect(await listening.receive()).toMatchObject({ statusCode: 200 });
    await listening.close();
  });

  it("is 5060 when the Via names no port, and never where maddr points", async () => {
    peer.send(
      textOf("OPTIONS", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;maddr=203.0.113.66"),
      transport.local,
    );
    const { request, flow } = await nextRequest();
    expect(responseFlow(request.topmostVia, flow).remote).toEqual({
      host: "127.0.0.1",
      port: 5060,
    });
  });
});

describe("what is no message to work on", () => {
  const REFUSED: readonly (readonly [what: string, text: string, status: number])[] = [
    [
      "a CSeq of another method",
      textOf("OPTIONS", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport").replace(
        "CSeq: 1 OPTIONS",
        "CSeq: 1 INFO",
      ),
      400,
    ],
    [
      "a Content-Length beyond the datagram",
      textOf("INVITE", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport", ["Content-Length: 99"]),
      400,
    ],
    [
      "another version",
      textOf("OPTIONS", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport").replace(
        "SIP/2.0\r\n",
        "SIP/7.0\r\n",
      ),
      505,
    ],
    [
      "more than 16 KiB",
      textOf("MESSAGE", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport", [], "x".repeat(17_000)),
      513,
    ],
  ];

  it.each(REFUSED)("is answered without state: %s", async (_what, text, status) => {
    peer.send(text, transport.local);
    const response = await peer.receive();
    expect(response).toMatchObject({ kind: "response", statusCode: status });
    expect(response.topmostVia.rport).toBe(peer.address.port);
    expect(handler.messages).toEqual([]);
  });

  const via = "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport";
  const IGNORED: readonly (readonly [what: string, octets: string | Buffer, reason: string])[] = [
    ["an ACK with a fault", textOf("ACK", via).replace(/To: .*\r\n/, ""), "malformed"],
    ["a response with a fault", `SIP/2.0 200 OK\r\nVia: ${via}\r\n\r\n`, "malformed"],
    [
      "a large response",
      `SIP/2.0 200 OK\r\n${textOf("INVITE", via, [], "x".repeat(17_000)).split("\r\n").slice(1).join("\r\n")}`,
      "too-large",
    ],
    ["garbage", Buffer.from([0xff, 0x00, 0x93, 0x0d, 0x0a, 0x41]), "malformed"],
    ["HTTP", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "malformed"],
    ["a CRLF keep-alive", "\r\n\r\n", "keep-alive"],
    ["a NUL keep-alive", Buffer.alloc(4), "keep-alive"],
    ["an empty datagram", "", "keep-alive"],
    ["STUN", Buffer.from("000100002112a442000102030405060708090a0b", "hex"), "stun"],
  ];

  it.each(IGNORED)("is dropped in silence: %s", async (_what, octets, reason) => {
    const reasons: string[] = [];
    const end = dropFacts.subscribe((fact) => reasons.push(fact.reason));
    peer.send(octets, transport.local);
    peer.send(textOf("OPTIONS", via), transport.local);
    await nextRequest();
    end();
    expect(reasons).toEqual([reason]);
    expect(handler.messages).toEqual([]);
    expect(peer.received).toEqual([]);
  });

  it("never takes the socket down: random octets, truncated and mangled messages", async () => {
    const random = seededRandom(7);
    const good = Buffer.from(textOf("INVITE", via, ["Contact: <sip:a@127.0.0.1>"], "v=0\r\n"));
    for (let n = 0; n < 300; n += 1) {
      const octets = Buffer.from(good);
      for (let m = 0; m < 4; m += 1) {
        octets[Math.floor(random() * octets.length)] = Math.floor(random() * 256);
      }
      peer.send(octets.subarray(0, Math.floor(random() * octets.length)), transport.local);
      if (n % 50 === 0) {
        peer.send(textOf("BYE", via), transport.local);
        await handler.until(({ messages }) =>
          messages.find(({ message }) => message.kind === "request" && message.method === "BYE"),
        );
        handler.messages.length = 0;
      }
    }
    peer.send(textOf("OPTIONS", via), transport.local);
    const found = await handler.until(({ messages }) =>
      messages.find(({ message }) => message.kind === "request" && message.method === "OPTIONS"),
    );
    expect(found.flow.isOpen).toBe(true);
  });

  it("survives a handler that throws", async () => {
    handler.onMessage = () => {
      handler.onMessage = RecordingHandler.prototype.onMessage.bind(handler);
      throw new Error("a fault of ours");
    };
    peer.send(textOf("INFO", via), transport.local);
    peer.send(textOf("OPTIONS", via), transport.local);
    expect((await nextRequest()).request.method).toBe("OPTIONS");
  });
});

describe("flows of a UDP socket", () => {
  it("are the same object for the same address, and bounded", async () => {
    const small = new UdpTransport({
      listen: { host: "127.0.0.1", port: 0 },
      handler,
      logger: silentLogger,
      maxFlows: 3,
    });
    await small.start();
    const first = small.flowTo({ host: "127.0.0.1", port: 1001 });
    expect(small.flowTo({ host: "127.0.0.1", port: 1001 })).toBe(first);
    for (let port = 1002; port < 1010; port += 1) small.flowTo({ host: "127.0.0.1", port });
    expect(small.flowCount).toBe(3);
    expect(small.flowTo({ host: "127.0.0.1", port: 1001 })).not.toBe(first);
    expect(first.isOpen).toBe(true);
    await small.stop();
    expect(first.isOpen).toBe(false);
  });

  it("name the bound address in sent-by, or the advertised one", async () => {
    const remote = { host: "127.0.0.1", port: 9 };
    const { port } = transport.local;
    expect(transport.flowTo(remote).sentBy).toBe(`127.0.0.1:${port}`);
    for (const [advertise, expected] of [
      ["192.0.2.10", "192.0.2.10:5999"],
      ["sip.example.com", "sip.example.com:5999"],
      ["192.0.2.10:5080", "192.0.2.10:5080"],
      ["2001:db8::1", "[2001:db8::1]:5999"],
      ["[2001:db8::1]", "[2001:db8::1]:5999"],
      ["[2001:db8::1]:5080", "[2001:db8::1]:5080"],
    ] as const) {
      const listen = { host: "127.0.0.1", port: 5999 };
      const other = new UdpTransport({ listen, advertise, handler, logger: silentLogger });
      expect(other.flowTo(remote).sentBy).toBe(expected);
      await other.stop();
    }
  });

  it("never name a wildcard in sent-by", async () => {
    const any = new UdpTransport({
      listen: { host: "0.0.0.0", port: 0 },
      handler,
      logger: silentLogger,
    });
    await any.start();
    const { port } = any.local;
    expect(any.flowTo({ host: "127.0.0.1", port: 9 }).sentBy).toBe(`127.0.0.1:${port}`);
    expect(any.flowTo({ host: "192.0.2.77", port: 9 }).sentBy).not.toContain("0.0.0.0");
    await any.stop();
  });

  it("speak IPv6", async () => {
    const six = new UdpTransport({
      listen: { host: "::1", port: 0 },
      handler,
      logger: silentLogger,
    });
    await six.start();
    const peer6 = await UdpPeer.open("::1");
    peer6.send(textOf("OPTIONS", "SIP/2.0/UDP [::1];branch=z9hG4bK1;rport"), six.local);
    const { request, flow } = await nextRequest();
    expect(request.topmostVia.received).toBe("::1");
    expect(flow.sentBy).toBe(`[::1]:${six.local.port}`);
    sendMessage(buildResponse(request, 200), responseFlow(request.topmostVia, flow));
    expect(await peer6.receive()).toMatchObject({ statusCode: 200 });
    await peer6.close();
    await six.stop();
  });

  it("report what could not be sent, later and never by throwing", async () => {
    const errorOf = (send: (onError: (error: TransportError) => void) => void) =>
      new Promise<TransportError>((resolve) => {
        let isInside = true;
        send((error) => {
          expect(isInside).toBe(false);
          resolve(error);
        });
        isInside = false;
      });
    const octets = Buffer.from("x");
    const flow = transport.flowTo({ host: "127.0.0.1", port: 9 });
    const huge = await errorOf((onError) => {
      flow.send(Buffer.alloc(70_000), onError);
    });
    expect(huge.code).toBe("ERR_OFFHOOK_TRANSPORT_SEND");
    const noPort = await errorOf((onError) => {
      transport.flowTo({ host: "127.0.0.1", port: 0 }).send(octets, onError);
    });
    expect(noPort.code).toBe("ERR_OFFHOOK_TRANSPORT_SEND");
    const otherFamily = await errorOf((onError) => {
      transport.flowTo({ host: "::1", port: 9 }).send(octets, onError);
    });
    expect(otherFamily.code).toBe("ERR_OFFHOOK_TRANSPORT_SEND");
    await transport.stop();
    const closed = await errorOf((onError) => {
      flow.send(octets, onError);
    });
    expect(closed.code).toBe("ERR_OFFHOOK_TRANSPORT_CLOSED");
  });

  it("cannot share a port with another program", async () => {
    const second = new UdpTransport({ listen: transport.local, handler, logger: silentLogger });
    await expect(second.start()).rejects.toMatchObject({ code: "ERR_OFFHOOK_TRANSPORT_BIND" });
    await second.stop();
  });
});

describe("facts about messages", () => {
  it("are published for both directions", async () => {
    const facts: string[] = [];
    const end = messageFacts.subscribe(({ direction, message, flow }) => {
      facts.push(`${direction} ${message.kind} ${flow.transport}`);
    });
    peer.send(textOf("OPTIONS", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport"), transport.local);
    const { request, flow } = await nextRequest();
    sendMessage(buildResponse(request, 200), flow);
    await peer.receive();
    end();
    expect(facts).toEqual(["in request UDP", "out response UDP"]);
  });
});
