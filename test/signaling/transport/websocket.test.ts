import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { AddressSet } from "../../../src/core/address.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { parseMessage } from "../../../src/signaling/message/parser.ts";
import { flowFacts, refusalFacts } from "../../../src/signaling/transport/channels.ts";
import type { TransportError } from "../../../src/signaling/transport/errors.ts";
import { responseFlow, sendMessage } from "../../../src/signaling/transport/outbound.ts";
import { WebSocketTransport } from "../../../src/signaling/transport/websocket.ts";
import type { WebSocketTransportOptions } from "../../../src/signaling/transport/websocket.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { waitFor } from "../../harness/wait.ts";
import { RecordingHandler, textOf } from "./fixtures.ts";

const ORIGIN = "https://voice.example.com";
const VIA = "SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks";

let clock: ManualClock;
let handler: RecordingHandler;
let transport: WebSocketTransport;
let server: Server;
const clients: WebSocket[] = [];

async function listen(options: Partial<WebSocketTransportOptions> = {}): Promise<void> {
  transport = new WebSocketTransport({
    clock,
    handler,
    logger: silentLogger,
    sentBy: "gateway.example.com:8080",
    isOriginAllowed: (origin) => origin === ORIGIN,
    ...options,
  });
  server = createServer();
  server.on("upgrade", (request, socket, head) => {
    transport.handleUpgrade(request, socket, head);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

beforeEach(() => {
  clock = new ManualClock();
  handler = new RecordingHandler();
});

afterEach(async () => {
  await transport.stop();
  for (const client of clients.splice(0)) client.terminate();
  server.close();
  server.closeAllConnections();
  await once(server, "close");
  expect(transport.flowCount).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

interface ConnectOptions {
  readonly protocols?: string[];
  readonly origin?: string;
  readonly autoPong?: boolean;
}

function open(options: ConnectOptions = {}): WebSocket {
  const { port } = server.address() as AddressInfo;
  const { protocols = ["sip"], origin = ORIGIN, autoPong = true } = options;
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, protocols, { origin, autoPong });
  client.on("error", () => {});
  clients.push(client);
  return client;
}

/** A connected client and its flow. */
async function connectClient(options: ConnectOptions = {}) {
  const count = handler.opened.length;
  const client = open(options);
  await once(client, "open");
  const flow = await handler.until(({ opened }) => opened[count]);
  return { client, flow };
}

/** The HTTP status with which an upgrade is refused. */
function refusedWith(options: ConnectOptions): Promise<number> {
  const client = open(options);
  return new Promise((resolve, reject) => {
    client.on("unexpected-response", (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    client.on("open", () => {
      reject(new Error("the upgrade was accepted"));
    });
  });
}

async function nextFrame(client: WebSocket): Promise<{ octets: Buffer; isBinary: boolean }> {
  const [octets, isBinary] = (await once(client, "message")) as [Buffer, boolean];
  return { octets, isBinary };
}

async function nextRequest() {
  const { message, flow } = await handler.until(({ messages }) => messages.shift());
  if (message.kind !== "request") throw new Error("a request was expected");
  return { request: message, flow };
}

async function codeOf(client: WebSocket): Promise<number> {
  const [code] = (await once(client, "close")) as [number];
  return code;
}

describe("RFC 7118 §4 the handshake", () => {
  it("chooses the subprotocol sip, among others too", async () => {
    await listen();
    const { client, flow } = await connectClient({ protocols: ["chat", "sip"] });
    expect(client.protocol).toBe("sip");
    expect(client.extensions).toBe("");
    expect(flow).toMatchObject({ transport: "WS", isReliable: true, isOpen: true });
    expect(flow.sentBy).toBe("gateway.example.com:8080");
    expect(flow.remote.host).toBe("127.0.0.1");
  });

  it("refuses with 400 what does not offer sip", async () => {
    await listen();
    expect(await refusedWith({ protocols: [] })).toBe(400);
    expect(await refusedWith({ protocols: ["chat", "sipx"] })).toBe(400);
    expect(handler.opened).toEqual([]);
    await connectClient();
  });

  it("refuses a foreign origin with 403, whatever else it asks for", async () => {
    await listen();
    const facts: unknown[] = [];
    const end = refusalFacts.subscribe((fact) => facts.push(fact));
    expect(await refusedWith({ origin: "https://evil.example.com" })).toBe(403);
    end();
    expect(facts).toEqual([
      { status: 403, remoteHost: "127.0.0.1", origin: "https://evil.example.com" },
    ]);
    await connectClient();
  });

  it("refuses the connection above the cap of an address with 503, until one is gone", async () => {
    await listen({ maxConnectionsPerAddress: 2 });
    const { client } = await connectClient();
    await connectClient();
    expect(await refusedWith({})).toBe(503);
    client.close();
    await handler.until(({ closed }) => closed[0]);
    await once(client, "close");
    await connectClient();
  });

  it("lets clients of an exempt address in, however many", async () => {
    await listen({ maxConnectionsPerAddress: 1, exempt: new AddressSet(["127.0.0.0/8"]) });
    await connectClient();
    await connectClient();
  });

  it("refuses with 429 an address that may not connect", async () => {
    let isBanned = true;
    await listen({ admits: (host) => host !== "127.0.0.1" || !isBanned });
    expect(await refusedWith({})).toBe(429);
    isBanned = false;
    await connectClient();
  });

  it("completes upgrades at its pace, and refuses with a spread Retry-After who would wait too long", async () => {
    await listen({ upgradesPerSecond: 10, random: () => 0.5 });
    await connectClient();
    const waiting = Array.from({ length: 40 }, () => open());
    await waitFor(() => transport.waitingCount === 40, { what: "40 to wait" });
    const retryAfter = await new Promise((resolve) => {
      open().on("unexpected-response", (request, response) => {
        resolve([response.statusCode, response.headers["retry-after"]]);
        request.destroy();
      });
    });
    // 2 s, the 4 s that those before it wait, and half of the spread of 20 s.
    expect(retryAfter).toEqual([503, "16"]);
    // Who goes away gives its place to the next one at once.
    for (const client of waiting.slice(0, 20)) client.terminate();
    const [first] = waiting.slice(20);
    clock.advance(500);
    await handler.until(({ opened }) => (opened.length >= 2 ? true : undefined));
    expect(transport.waitingCount).toBeLessThan(36);
    clock.advance(4000);
    await handler.until(({ opened }) => (opened.length >= 21 ? true : undefined));
    expect(transport.waitingCount).toBe(0);
    expect(first?.readyState).toBeLessThanOrEqual(WebSocket.OPEN);
  });

  it("counts clients behind a proxy by the address that the proxy names", async () => {
    await listen({
      maxConnectionsPerAddress: 1,
      maxConnections: 2,
      clientAddress: (request) => ({ host: request.headers.origin ?? "", port: 1 }),
      isOriginAllowed: () => true,
      isSecure: () => true,
    });
    const { flow } = await connectClient({ origin: "198.51.100.1" });
    expect(flow).toMatchObject({
      transport: "WSS",
      remote: { host: "198.51.100.1", port: 1 },
    });
    await connectClient({ origin: "198.51.100.2" });
    expect(await refusedWith({ origin: "198.51.100.3" })).toBe(503);
  });

  it("closes the socket of an upgrade that is no WebSocket handshake", async () => {
    await listen();
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, "127.0.0.1");
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Origin: ${ORIGIN}\r\nSec-WebSocket-Protocol: sip\r\n\r\n`,
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
    await connectClient();
  });
});

describe("RFC 7118 §5 messages", () => {
  it("takes a text frame and answers on the same connection, the Via notwithstanding", async () => {
    await listen();
    const { client, flow } = await connectClient();
    client.send(textOf("REGISTER", VIA));
    const received = await nextRequest();
    expect(received.flow).toBe(flow);
    expect(received.request.topmostVia.received).toBe("127.0.0.1");
    expect(received.request.topmostVia.rport).toBeUndefined();
    const frame = nextFrame(client);
    const response = buildResponse(received.request, 200, { toTag: "us" });
    sendMessage(response, responseFlow(received.request.topmostVia, flow));
    const { octets, isBinary } = await frame;
    expect(isBinary).toBe(false);
    expect(parseMessage(octets)).toMatchObject({ statusCode: 200 });
  });

  it("takes binary frames and fragmented ones", async () => {
    await listen();
    const { client } = await connectClient();
    client.send(Buffer.from(textOf("OPTIONS", VIA)), { binary: true });
    expect((await nextRequest()).request.method).toBe("OPTIONS");
    const text = textOf("MESSAGE", VIA, ["Content-Type: text/plain"], "grüezi");
    const parts = text.match(/[^]{1,40}/g) ?? [];
    for (const [index, part] of parts.entries()) {
      client.send(part, { fin: index === parts.length - 1 });
    }
    const { request } = await nextRequest();
    expect(request.body.toString("utf8")).toBe("grüezi");
  });

  it("sends octets that are no UTF-8 in a binary frame", async () => {
    await listen();
    const { client, flow } = await connectClient();
    const frame = nextFrame(client);
    flow.send(Buffer.from([0x53, 0x49, 0x50, 0xff]));
    expect(await frame).toMatchObject({ isBinary: true });
  });

  it("answers a double CRLF with one CRLF, and a single one not at all (RFC 5626 §3.5.1)", async () => {
    await listen();
    const { client } = await connectClient();
    const frame = nextFrame(client);
    client.send("\r\n");
    client.send("\r\n\r\n");
    expect((await frame).octets.toString()).toBe("\r\n");
    expect(handler.messages).toEqual([]);
  });

  it("answers a faulty request 400 and goes on", async () => {
    await listen();
    const { client } = await connectClient();
    const frame = nextFrame(client);
    client.send("no SIP at all");
    client.send(textOf("OPTIONS", VIA).replace("CSeq: 1 OPTIONS", "CSeq: 1 INFO"));
    expect(parseMessage((await frame).octets)).toMatchObject({ statusCode: 400 });
    client.send(textOf("OPTIONS", VIA));
    expect((await nextRequest()).request.method).toBe("OPTIONS");
  });

  it("closes with 1009 on a frame of 1 MiB, and the next connection works", async () => {
    await listen();
    const { client } = await connectClient();
    const code = codeOf(client);
    client.send(Buffer.alloc(1024 * 1024, "x"));
    const { reason } = await handler.until(({ closed }) => closed[0]);
    expect(reason).toMatch(/^WebSocket error: /);
    expect(await code).toBe(1009);
    const next = await connectClient();
    next.client.send(textOf("OPTIONS", VIA));
    expect((await nextRequest()).flow).toBe(next.flow);
  });

  it("closes with 1007 on text that is no UTF-8", async () => {
    await listen();
    const { client } = await connectClient();
    const code = codeOf(client);
    client.send(Buffer.from([0xc3, 0x28]), { binary: false });
    expect(await code).toBe(1007);
  });
});

describe("liveness of a WebSocket connection", () => {
  it("pings a silent client every 15 s and keeps one that answers", async () => {
    await listen();
    const { client, flow } = await connectClient();
    client.send("\r\n\r\n");
    await nextFrame(client);
    for (let n = 0; n < 5; n += 1) {
      const ping = once(client, "ping");
      clock.advance(14_800);
      await ping;
      // The answer to a ping of the client's shows that its pong has been read.
      const pong = once(client, "pong");
      client.ping();
      await pong;
    }
    expect(flow.isOpen).toBe(true);
    expect(handler.closed).toEqual([]);
  });

  it("pings no client that talks", async () => {
    await listen();
    const { client, flow } = await connectClient();
    let pings = 0;
    client.on("ping", () => (pings += 1));
    for (let n = 0; n < 10; n += 1) {
      client.send("\r\n\r\n");
      await nextFrame(client);
      clock.advance(7_400);
    }
    client.send("\r\n\r\n");
    await nextFrame(client);
    expect(pings).toBe(0);
    expect(flow.isOpen).toBe(true);
  });

  it("cuts a client off within 30 s of its last word that answers no ping", async () => {
    await listen();
    const { client, flow } = await connectClient({ autoPong: false });
    clock.advance(7_399);
    client.send(textOf("OPTIONS", VIA));
    await nextRequest();
    const code = codeOf(client);
    clock.advance(22_200);
    expect(flow.isOpen).toBe(true);
    clock.advance(1);
    expect(handler.closed).toEqual([{ flow, reason: "no answer to pings" }]);
    expect(await code).toBe(1006);
  });

  it("closes a connection that says nothing for 10 s with 1008", async () => {
    await listen();
    const { client, flow } = await connectClient();
    const code = codeOf(client);
    clock.advance(9999);
    expect(flow.isOpen).toBe(true);
    clock.advance(1);
    expect(handler.closed).toEqual([{ flow, reason: "no message in time" }]);
    expect(await code).toBe(1008);
  });

  it("tells once why a client went", async () => {
    await listen();
    const facts: string[] = [];
    const end = flowFacts.subscribe((fact) => facts.push(fact.kind));
    const { client, flow } = await connectClient();
    client.close(1000, "bye");
    await handler.until(({ closed }) => closed[0]);
    flow.close("again");
    await once(client, "close");
    end();
    expect(handler.closed).toEqual([{ flow, reason: "closed with 1000: bye" }]);
    expect(facts).toEqual(["open", "closed"]);
  });

  it("cuts a reader off that lets more than the limit wait", async () => {
    await listen({ limits: { maxBufferedOctets: 64 * 1024 } });
    const { client, flow } = await connectClient();
    client.pause();
    const octets = Buffer.alloc(60_000, "x");
    const error = await new Promise<TransportError>((resolve) => {
      const fill = (): void => {
        if (!flow.isOpen) return;
        flow.send(octets, resolve);
        setImmediate(fill);
      };
      fill();
    });
    expect(error.code).toBe("ERR_OFFHOOK_TRANSPORT_SLOW_READER");
    const { reason } = await handler.until(({ closed }) => closed[0]);
    expect(reason).toBe("slow reader");
  });

  it("reports a message for a closed connection, later", async () => {
    await listen();
    const { flow } = await connectClient();
    flow.close("over");
    expect(flow.isOpen).toBe(false);
    let isInside = true;
    const error = new Promise<TransportError>((resolve) => {
      flow.send(Buffer.from("x"), (cause) => {
        expect(isInside).toBe(false);
        resolve(cause);
      });
    });
    isInside = false;
    expect((await error).code).toBe("ERR_OFFHOOK_TRANSPORT_CLOSED");
  });
});

describe("shutdown of the WebSocket transport", () => {
  it("closes all connections with 1001 and takes no more", async () => {
    await listen();
    const one = await connectClient();
    const two = await connectClient();
    const codes = Promise.all([codeOf(one.client), codeOf(two.client)]);
    const stopped = transport.stop();
    expect(await refusedWith({})).toBe(503);
    expect(await codes).toEqual([1001, 1001]);
    await stopped;
    expect(handler.closed.map(({ reason }) => reason)).toEqual([
      "the gateway goes down",
      "the gateway goes down",
    ]);
  });

  it("does not wait for a client that does not answer the close", async () => {
    await listen();
    const { client } = await connectClient();
    client.pause();
    const stopped = transport.stop();
    clock.advance(1000);
    await stopped;
    expect(transport.flowCount).toBe(0);
  });
});
