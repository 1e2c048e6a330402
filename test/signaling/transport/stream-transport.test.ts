import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SocketAddress } from "../../../src/core/address.ts";
import type { Logger } from "../../../src/core/logger.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import type { TransportError } from "../../../src/signaling/transport/errors.ts";
import { responseFlow, sendMessage } from "../../../src/signaling/transport/outbound.ts";
import type { StreamLimits } from "../../../src/signaling/transport/stream-flow.ts";
import { StreamTransport } from "../../../src/signaling/transport/stream-transport.ts";
import type { StreamTransportOptions } from "../../../src/signaling/transport/stream-transport.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { StreamListener, connectPeer } from "../../harness/stream-peer.ts";
import { waitFor } from "../../harness/wait.ts";
import { corpus } from "../message/corpus.ts";
import { RecordingHandler, textOf } from "./fixtures.ts";

const VIA = "SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bK1";

let clock: ManualClock;
let handler: RecordingHandler;
let transport: StreamTransport;
const sockets: Socket[] = [];
const listeners: StreamListener[] = [];

async function listen(
  options: Partial<StreamTransportOptions> & { readonly host?: string } = {},
): Promise<SocketAddress> {
  transport = new StreamTransport({
    transport: "TCP",
    listen: [{ listen: { host: options.host ?? "127.0.0.1", port: 0 } }],
    substitute: () => ({ host: "127.0.0.1", port: 5060 }),
    clock,
    handler,
    logger: silentLogger,
    ...options,
  });
  await transport.start();
  return transport.locals[0] ?? { host: "", port: 0 };
}

beforeEach(() => {
  clock = new ManualClock();
  handler = new RecordingHandler();
});

afterEach(async () => {
  await transport.stop();
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  expect(transport.flowCount).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

/** A plain socket and the flow that it has become. */
async function dial(to: SocketAddress) {
  const count = handler.opened.length;
  const socket = connect(to.port, to.host);
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  const flow = await handler.until(({ opened }) => opened[count]);
  return { socket, flow };
}

async function far(): Promise<StreamListener> {
  const listener = await StreamListener.open();
  listeners.push(listener);
  return listener;
}

async function nextRequest() {
  const { message, flow } = await handler.until(({ messages }) => messages.shift());
  if (message.kind !== "request") throw new Error("a request was expected");
  return { request: message, flow };
}

/** All that comes until the other side closes. */
async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

async function nextData(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString("latin1");
}

const OPTIONS = textOf("OPTIONS", VIA, ["Content-Length: 0"]);

describe("RFC 3261 §18.2 a TCP server", () => {
  it("takes a message in any pieces, stamps the Via and answers on the same connection", async () => {
    const { socket, flow } = await dial(await listen());
    for (const part of OPTIONS.match(/[^]{1,30}/g) ?? []) socket.write(part);
    const { request } = await nextRequest();
    expect(request.topmostVia.received).toBe("127.0.0.1");
    expect(flow).toMatchObject({ transport: "TCP", isReliable: true, isOpen: true });
    const data = nextData(socket);
    sendMessage(
      buildResponse(request, 200, { toTag: "x" }),
      responseFlow(request.topmostVia, flow),
    );
    expect(await data).toMatch(/^SIP\/2\.0 200 OK\r\n/);
  });

  it("answers 400 and goes on when a message is wrong but whole", async () => {
    const { socket } = await dial(await listen());
    const data = nextData(socket);
    socket.write(OPTIONS.replace("CSeq: 1 OPTIONS", "CSeq: 1 INFO") + OPTIONS);
    expect(await data).toMatch(/^SIP\/2\.0 400 /);
    expect((await nextRequest()).request.method).toBe("OPTIONS");
  });

  it("answers 400 and closes where the length is missing; what follows never runs", async () => {
    const { socket } = await dial(await listen());
    socket.write(textOf("OPTIONS", VIA) + OPTIONS + OPTIONS);
    const answer = await readAll(socket);
    expect(answer).toMatch(/^SIP\/2\.0 400 /);
    expect(answer.match(/SIP\/2\.0 /g)).toHaveLength(1);
    expect(handler.messages).toEqual([]);
    expect(handler.closed[0]?.reason).toBe("Content-Length is missing");
  });

  it.each(corpus("gateway-attacks/framing-cl").map(({ file, octets }) => [file, octets] as const))(
    "closes on %s, and the next connection works",
    async (_file, octets) => {
      const address = await listen();
      const { socket } = await dial(address);
      socket.write(Buffer.concat([octets, Buffer.from(OPTIONS)]));
      const answer = await readAll(socket);
      expect(answer).toMatch(/^SIP\/2\.0 400 /);
      expect(handler.messages).toEqual([]);
      const next = await dial(address);
      next.socket.write(OPTIONS);
      expect((await nextRequest()).flow).toBe(next.flow);
    },
  );

  it("closes without a word on TLS and HTTP", async () => {
    const address = await listen();
    for (const text of ["\u0016\u0003\u0001", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"]) {
      const { socket } = await dial(address);
      socket.write(text, "latin1");
      expect(await readAll(socket)).toBe("");
    }
  });

  it("answers 513 and closes above the largest message", async () => {
    const { socket } = await dial(await listen({ maxMessageOctets: 2000 }));
    socket.write(textOf("MESSAGE", VIA, ["Content-Length: 1900"], "x".repeat(1900)));
    expect(await readAll(socket)).toMatch(/^SIP\/2\.0 513 /);
  });

  it("works on [::1]", async () => {
    const address = await listen({ host: "::1" });
    const { socket, flow } = await dial(address);
    socket.write(OPTIONS);
    expect((await nextRequest()).request.topmostVia.received).toBe("::1");
    expect(flow.sentBy).toBe(`[::1]:${address.port}`);
    const again = transport.flowTo(address);
    again?.send(Buffer.from(OPTIONS));
    expect((await nextRequest()).flow.remote.host).toBe("::1");
  });
});

describe("RFC 5626 §3.5.1, §4.4.1 keep-alive", () => {
  it("answers a double CRLF with one, however it is cut, and a single one not at all", async () => {
    const { socket } = await dial(await listen());
    socket.write(`\r\n${OPTIONS}\r\n`);
    await nextRequest();
    const data = nextData(socket);
    socket.write("\r");
    socket.write("\n");
    expect(await data).toBe("\r\n");
  });

  it("pings an idle far end and finds one dead within 30 s that used to answer", async () => {
    const { socket, flow } = await dial(await listen());
    socket.write(OPTIONS);
    await nextRequest();
    const ping = nextData(socket);
    clock.advance(20_000);
    expect(await ping).toBe("\r\n\r\n");
    // The pong, and a request after it to know that it has been read.
    socket.write(`\r\n${OPTIONS}`);
    await nextRequest();
    clock.advance(29_999);
    expect(flow.isOpen).toBe(true);
    clock.advance(1);
    expect(handler.closed).toEqual([{ flow, reason: "no answer to pings" }]);
  });

  it("keeps a far end that knows no pings", async () => {
    const { socket, flow } = await dial(await listen());
    socket.write(OPTIONS);
    await nextRequest();
    clock.advance(300_000);
    expect(flow.isOpen).toBe(true);
  });

  it("closes a connection on which a request had no answer and nothing else came", async () => {
    const { socket, flow } = await dial(await listen());
    socket.write(OPTIONS);
    await nextRequest();
    flow.unanswered?.(clock.monotonicMs());
    expect(flow.isOpen).toBe(true);
    clock.advance(10);
    flow.unanswered?.(clock.monotonicMs());
    expect(flow.isOpen).toBe(false);
  });
});

describe("time and room of a connection", () => {
  it("closes when no message comes in 10 s, line breaks notwithstanding", async () => {
    const { socket, flow } = await dial(await listen());
    const pong = nextData(socket);
    socket.write("\r\n\r\n");
    await pong;
    clock.advance(9999);
    expect(flow.isOpen).toBe(true);
    clock.advance(1);
    expect(handler.closed).toEqual([{ flow, reason: "no message in time" }]);
  });

  it("answers 400 and closes when a message takes more than 10 s", async () => {
    const { socket } = await dial(await listen());
    // Answered before: only the message that has begun is late.
    socket.write(`${OPTIONS}${textOf("INVITE", VIA, ["Content-Length: 5"], "v=0")}`);
    await nextRequest();
    const answer = readAll(socket);
    clock.advance(9999);
    expect(handler.closed).toEqual([]);
    clock.advance(1);
    expect(await answer).toMatch(/^SIP\/2\.0 400 /);
    expect(handler.closed[0]?.reason).toBe("a message did not come to its end in time");
  });

  it("closes the connection above the cap of an address, until one is gone", async () => {
    const address = await listen({ maxConnectionsPerAddress: 2 });
    const { socket } = await dial(address);
    await dial(address);
    const third = connect(address.port, address.host);
    await once(third, "close");
    expect(handler.opened).toHaveLength(2);
    socket.destroy();
    await handler.until(({ closed }) => closed[0]);
    await dial(address);
  });

  it("closes the connection above the cap of all", async () => {
    const address = await listen({ maxConnections: 1 });
    await dial(address);
    const second = connect(address.port, address.host);
    second.on("error", () => {});
    await once(second, "close");
    expect(transport.flowTo({ host: "127.0.0.1", port: 9 })).toBeUndefined();
  });

  const small: StreamLimits = {
    firstMessageMs: 10_000,
    messageMs: 10_000,
    connectMs: 4000,
    pingIdleMs: 20_000,
    pongMs: 10_000,
    maxUnreadOctets: 64 * 1024,
    maxBufferedOctets: 512 * 1024,
    messagesATurn: 4,
    closeMs: 1000,
  };

  it("stops to read from whoever does not read, and cuts it off", async () => {
    const { socket, flow } = await dial(await listen({ limits: small }));
    socket.pause();
    const block = Buffer.alloc(64 * 1024, "x");
    const errors: TransportError[] = [];
    // As much as the kernel takes, until some of it stays with us.
    for (let n = 0; n < 1000 && errors.length === 0; n += 1) {
      flow.send(block, (error) => errors.push(error));
      await new Promise(setImmediate);
    }
    expect(errors[0]?.code).toBe("ERR_OFFHOOK_TRANSPORT_SLOW_READER");
    expect(handler.closed).toEqual([{ flow, reason: "slow reader" }]);
  });

  it("cuts a reader off that has stopped for 10 s with little waiting", async () => {
    const { socket, flow } = await dial(await listen({ limits: small }));
    socket.pause();
    const block = Buffer.alloc(64 * 1024, "x");
    socket.write(OPTIONS);
    await nextRequest();
    for (let n = 0; n < 1000; n += 1) {
      const before = clock.pendingTimers;
      flow.send(block);
      await new Promise(setImmediate);
      if (clock.pendingTimers > before) break;
    }
    socket.write(OPTIONS);
    clock.advance(10_000);
    expect(handler.closed).toEqual([{ flow, reason: "slow reader" }]);
    expect(handler.messages).toEqual([]);
  });

  it("lets others through between many messages of one", async () => {
    const address = await listen({ limits: small });
    const greedy = await dial(address);
    const modest = await dial(address);
    const order: string[] = [];
    handler.onMessage = (_message, flow) => {
      order.push(flow === greedy.flow ? "greedy" : "modest");
      if (order.length === 1) modest.socket.write(OPTIONS);
    };
    greedy.socket.write(OPTIONS.repeat(200));
    await waitFor(() => order.length === 201, { what: "all messages" });
    expect(order.indexOf("modest")).toBeLessThan(200);
  });
});

describe("RFC 3261 §18.1 connections of ours", () => {
  it("sends what waited once the connection is up, and uses it again", async () => {
    const peer = await far();
    await listen();
    const flow = transport.flowTo(peer.address);
    if (flow === undefined) throw new Error("no flow");
    expect(flow).toMatchObject({ isOpen: true, hasConnected: false, offersAlias: true });
    expect(flow.sentBy).toBe(`127.0.0.1:${transport.locals[0]?.port}`);
    flow.send(Buffer.from(OPTIONS));
    flow.send(Buffer.from(OPTIONS.replaceAll("OPTIONS", "INFO")));
    const accepted = await peer.accepted.next();
    await accepted.peer.expectRequest("OPTIONS");
    await accepted.peer.expectRequest("INFO");
    expect(flow.hasConnected).toBe(true);
    expect(transport.flowTo(peer.address)).toBe(flow);
    expect(peer.count).toBe(1);
    expect(accepted.socket.remoteAddress).toBe("127.0.0.1");
  });

  it("tells of a refusal, and forgets it after a minute", async () => {
    const peer = await far();
    const { address } = peer;
    await peer.close();
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (text) => warnings.push(text) };
    await listen({ logger });
    const flow = transport.flowTo(address);
    const errors: TransportError[] = [];
    flow?.send(Buffer.from(OPTIONS), (error) => errors.push(error));
    const { reason } = await handler.until(({ closed }) => closed[0]);
    expect(reason).toContain("ECONNREFUSED");
    expect(handler.opened).toEqual([]);
    await Promise.resolve();
    expect(errors.map(({ code }) => code)).toEqual(["ERR_OFFHOOK_TRANSPORT_SEND"]);
    expect(warnings).toEqual(["a connection could not be opened"]);
    expect(transport.hasFailed(address)).toBe(true);
    clock.advance(60_000);
    expect(transport.hasFailed(address)).toBe(false);
  });

  it("gives up after 4 s without an answer", async () => {
    // A listener with a full queue would need a firewall's help; a clock that jumps needs none.
    await listen();
    const flow = transport.flowTo({ host: "127.0.0.1", port: transport.locals[0]?.port ?? 0 });
    clock.advance(4000);
    expect(flow?.isOpen).toBe(false);
    expect(handler.closed).toEqual([{ flow, reason: "no connection in time" }]);
  });

  it("opens a new one after the old one has gone", async () => {
    const peer = await far();
    await listen();
    const first = transport.flowTo(peer.address);
    first?.send(Buffer.from(OPTIONS));
    (await peer.accepted.next()).socket.destroy();
    await handler.until(({ closed }) => closed[0]);
    const second = transport.flowTo(peer.address);
    expect(second).not.toBe(first);
    expect(first?.reopen?.()).toBe(second);
    second?.send(Buffer.from(OPTIONS));
    await (await peer.accepted.next()).peer.expectRequest("OPTIONS");
  });

  it("says no alias where nothing listens", async () => {
    await listen({ listen: [] });
    const peer = await far();
    const flow = transport.flowTo(peer.address);
    expect(flow).toMatchObject({ offersAlias: false, sentBy: "127.0.0.1:5060" });
    flow?.close("done");
  });

  it("calls a client back whose connection has gone (§18.2.2)", async () => {
    const address = await listen();
    const peer = await far();
    const { socket, flow } = await dial(address);
    const via = `SIP/2.0/TCP 127.0.0.1:${peer.address.port};branch=z9hG4bK1`;
    socket.write(textOf("OPTIONS", via, ["Content-Length: 0"]));
    const { request } = await nextRequest();
    socket.destroy();
    await handler.until(({ closed }) => closed[0]);
    sendMessage(
      buildResponse(request, 200, { toTag: "x" }),
      responseFlow(request.topmostVia, flow),
    );
    await (await peer.accepted.next()).peer.expectResponse(200);
  });
});

describe("RFC 5923 aliases", () => {
  it("uses the connection of a caller that said alias for its own address", async () => {
    const { socket, flow } = await dial(await listen());
    socket.write(textOf("OPTIONS", "SIP/2.0/TCP 127.0.0.1:5999;branch=z9hG4bK1;alias", ["l: 0"]));
    await nextRequest();
    expect(transport.flowTo({ host: "127.0.0.1", port: 5999 })).toBe(flow);
    expect(transport.flowTo({ host: "127.0.0.1", port: 5998 })).not.toBe(flow);
  });

  it("does not without the word, nor for another address", async () => {
    const { socket, flow } = await dial(await listen());
    const other = "SIP/2.0/TCP 192.0.2.9:5999;branch=z9hG4bK1;alias";
    socket.write(textOf("OPTIONS", "SIP/2.0/TCP 127.0.0.1:5999;branch=z9hG4bK1", ["l: 0"]));
    socket.write(textOf("OPTIONS", other, ["l: 0"]));
    await nextRequest();
    await nextRequest();
    expect(transport.flowTo({ host: "127.0.0.1", port: 5999 })).not.toBe(flow);
    expect(transport.flowTo({ host: "192.0.2.9", port: 5999 })).not.toBe(flow);
  });

  it("forgets it with the connection", async () => {
    const { socket, flow } = await dial(await listen());
    socket.write(textOf("OPTIONS", "SIP/2.0/TCP 127.0.0.1:5999;branch=z9hG4bK1;alias", ["l: 0"]));
    await nextRequest();
    socket.destroy();
    await handler.until(({ closed }) => closed[0]);
    expect(transport.flowTo({ host: "127.0.0.1", port: 5999 })).not.toBe(flow);
  });
});

describe("the end of the transport", () => {
  it("closes connections both ways and stops twice without harm", async () => {
    const address = await listen();
    const peer = await far();
    const { flow } = await dial(address);
    const own = transport.flowTo(peer.address);
    own?.send(Buffer.from(OPTIONS));
    await peer.accepted.next();
    await transport.stop();
    await transport.stop();
    expect([flow.isOpen, own?.isOpen]).toEqual([false, false]);
    await expect(connectPeer(address)).rejects.toThrow("ECONNREFUSED");
    expect(transport.flowTo(peer.address)).toBeUndefined();
  });

  it("is told in words when an address cannot be bound", async () => {
    const address = await listen();
    const other = new StreamTransport({
      transport: "TCP",
      listen: [{ listen: address }],
      substitute: () => undefined,
      clock,
      handler,
      logger: silentLogger,
    });
    await expect(other.start()).rejects.toMatchObject({ code: "ERR_OFFHOOK_TRANSPORT_BIND" });
    await other.stop();
  });
});
