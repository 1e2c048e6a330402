import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import type { TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";
import type { SipMessage } from "../../src/signaling/message/message.ts";
import { buildResponse } from "../../src/signaling/message/build.ts";
import type { Flow } from "../../src/signaling/transport/flow.ts";
import { sendMessage } from "../../src/signaling/transport/outbound.ts";
import { WebSocketTransport } from "../../src/signaling/transport/websocket.ts";
import { Authority } from "../harness/certificates.ts";
import { startServer } from "./fixture.ts";

const OPTIONS = [
  "OPTIONS sip:voice.example.com SIP/2.0",
  "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1",
  "Max-Forwards: 70",
  "From: <sip:1001@voice.example.com>;tag=1",
  "To: <sip:voice.example.com>",
  "Call-ID: 1",
  "CSeq: 1 OPTIONS",
  "\r\n",
].join("\r\n");

/** An HTTPS server with SIP over WebSocket that answers every request with 200. */
async function startSecure(host: string) {
  const authority = await Authority.make();
  const certificate = await authority.issue("old.test", `IP:${host}`);
  const heard: { readonly message: SipMessage; readonly flow: Flow }[] = [];
  const transport = new WebSocketTransport({
    clock: new SystemClock(),
    handler: {
      onMessage(message, flow) {
        heard.push({ message, flow });
        if (message.kind === "request") sendMessage(buildResponse(message, 200), flow);
      },
      onFlowOpen() {},
      onFlowClosed() {},
    },
    logger: silentLogger,
    sentBy: "voice.example.com:443",
    isOriginAllowed: createOriginPolicy({}),
  });
  const { certificatePath, keyPath } = certificate;
  const started = await startServer({
    sip: transport,
    tls: { certificatePath, keyPath },
    listen: { host, port: 0 },
  });
  onTestFinished(() => transport.stop());
  return { ...started, authority, certificate, heard };
}

async function open(url: string, ca: string): Promise<{ socket: WebSocket; shown: unknown }> {
  const socket = new WebSocket(`${url.replace(/^https/, "wss")}/ws`, "sip", { ca, origin: url });
  const [[response]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as [
    [{ readonly socket: TLSSocket }],
    unknown,
  ];
  return { socket, shown: response.socket.getPeerCertificate().subject.CN };
}

async function ask(socket: WebSocket): Promise<string> {
  const answer = once(socket, "message") as Promise<[Buffer]>;
  socket.send(OPTIONS);
  return (await answer)[0].toString("latin1");
}

describe("RFC 7118 §5 SIP over secure WebSocket", () => {
  it.each(["127.0.0.1", "::1"])("carries SIP on %s and says WSS", async (host) => {
    const { authority, heard, port } = await startSecure(host);
    const name = host.includes(":") ? `[${host}]` : host;
    const { socket } = await open(`https://${name}:${port}`, authority.ca);
    expect(await ask(socket)).toMatch(/^SIP\/2\.0 200 /);
    expect(heard[0]?.flow).toMatchObject({ transport: "WSS", remote: { host } });
    socket.terminate();
  });

  it("shows a renewed certificate to new phones and keeps those that are there", async () => {
    const { authority, certificate, port, server } = await startSecure("127.0.0.1");
    const url = `https://127.0.0.1:${port}`;
    const before = await open(url, authority.ca);
    expect(before.shown).toBe("old.test");
    const renewed = await authority.issue("new.test", "IP:127.0.0.1");
    await copyFile(renewed.certificatePath, certificate.certificatePath);
    await copyFile(renewed.keyPath, certificate.keyPath);
    await server.reloadCertificate();
    const after = await open(url, authority.ca);
    expect(after.shown).toBe("new.test");
    expect(await ask(before.socket)).toMatch(/^SIP\/2\.0 200 /);
    before.socket.terminate();
    after.socket.terminate();
  });
});
