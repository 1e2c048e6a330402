import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";
import type { SipMessage } from "../../src/signaling/message/message.ts";
import { WebSocketTransport } from "../../src/signaling/transport/websocket.ts";
import { within } from "../harness/wait.ts";
import { startServer } from "./fixture.ts";

const OPTIONS = [
  "OPTIONS sip:voice.example.com SIP/2.0",
  "Via: SIP/2.0/WS x.invalid;branch=z9hG4bK1",
  "Max-Forwards: 70",
  "From: <sip:1001@voice.example.com>;tag=1",
  "To: <sip:voice.example.com>",
  "Call-ID: 1",
  "CSeq: 1 OPTIONS",
  "Content-Length: 0",
  "\r\n",
].join("\r\n");

async function startWithSip() {
  const received: SipMessage[] = [];
  const clock = new SystemClock();
  let onReceived: (() => void) | undefined;
  const transport = new WebSocketTransport({
    clock,
    handler: {
      onMessage(message) {
        received.push(message);
        onReceived?.();
      },
      onFlowOpen() {},
      onFlowClosed() {},
    },
    logger: silentLogger,
    sentBy: "127.0.0.1:8080",
    isOriginAllowed: createOriginPolicy({}),
  });
  const started = await startServer({ sip: transport });
  onTestFinished(() => transport.stop());
  const first = new Promise<void>((resolve) => {
    onReceived = resolve;
  });
  return { ...started, transport, received, first };
}

function opened(socket: WebSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once("open", () => {
      resolve(socket.protocol);
    });
    socket.once("error", reject);
  });
}

describe("RFC 7118 over the gateway's HTTP server", () => {
  it("opens /ws for its own page and carries SIP", async () => {
    const { first, port, received, transport, url } = await startWithSip();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, "sip", { origin: url });
    expect(await opened(socket)).toBe("sip");
    expect(transport.flowCount).toBe(1);
    socket.send(OPTIONS);
    await within(first, { what: "the message" });
    expect(received.map(({ callId }) => callId)).toEqual(["1"]);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.close();
    await within(closed, { what: "the close" });
  });

  it("answers 403 to another page and 400 without the subprotocol", async () => {
    const { port, url } = await startWithSip();
    const address = `ws://127.0.0.1:${port}/ws`;
    const foreign = new WebSocket(address, "sip", { origin: "http://evil.example" });
    await expect(opened(foreign)).rejects.toThrow("403");
    await expect(opened(new WebSocket(address, { origin: url }))).rejects.toThrow("400");
  });

  it("does not let an open WebSocket hold up the stop", async () => {
    const { port, server } = await startWithSip();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, "sip");
    await opened(socket);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await within(Promise.all([server.stop(), closed]), { what: "the stop", timeoutMs: 1500 });
  });
});
