import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { metric } from "../harness/gateway-state.ts";
import { isResponse } from "../harness/sip-inbox.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";

/** Keys of `limits` that are far from their defaults, each seen from outside. */

const TRUNK_HOST = "127.0.0.2";
const STRANGER_HOST = "127.0.0.3";

let gateway: Gateway;
let trunk: SipPeer;

beforeAll(async () => {
  trunk = await SipPeer.udp(undefined, TRUNK_HOST);
  gateway = await startGateway({
    config: (ports) => ({
      sip: { listen: [`udp:127.0.0.1:${ports.sip}`, `tcp:127.0.0.1:${ports.sip}`] },
      trunks: { office: { peer: `sip:${TRUNK_HOST}:${trunk.local.port}` } },
      dialplan: { routes: [{ name: "echo", to: "*43", do: "echo" }] },
      limits: {
        exempt: [],
        "max-contacts-per-user": 1,
        "max-calls-per-second": 2,
        "max-connections-per-address": 3,
        "first-message": "1s",
        "max-uri-size": 100,
        "max-datagram-size": 2000,
        "max-message-size": 8000,
        "max-media-lines": 1,
        "sign-ins": { failures: 2, ban: "1h" },
        requests: { "per-second": 1, burst: 20, "ban-after": 10, ban: "1h" },
        scanners: ["bad robot"],
      },
    }),
  });
  trunk.sendTo(gateway.sip);
});

afterAll(async () => {
  await trunk.close();
  await gateway.stop();
});

function options(peer: SipPeer, uri = "sip:localhost", more: { readonly body?: string } = {}) {
  peer.request("OPTIONS", {
    uri,
    from: "<sip:pbx@localhost>;tag=t",
    to: "<sip:localhost>",
    ...more,
  });
}

describe("limits of offhook.yaml", () => {
  it("bound messages: max-uri-size, max-datagram-size", async () => {
    options(trunk, `sip:${"u".repeat(120)}@localhost`);
    await trunk.expectResponse(414);
    options(trunk, "sip:localhost", { body: "x".repeat(2000) });
    await trunk.expectResponse(513);
    options(trunk);
    await trunk.expectResponse(200);
  });

  it("bound a message over WebSocket: max-message-size", async () => {
    await using caller = await WsCaller.connect(gateway, "1001", { localAddress: "127.0.1.1" });
    caller.sendRaw("x".repeat(8001));
    expect(await caller.closed).toBe(1009);
  });

  it("bound contacts, SDP and calls a second: max-contacts-per-user, max-media-lines, max-calls-per-second", async () => {
    await using first = await WsCaller.signIn(gateway, "1001", { localAddress: "127.0.1.2" });
    await using second = await WsCaller.connect(gateway, "1001", { localAddress: "127.0.1.3" });
    expect((await second.register()).statusCode).toBe(403);
    const two = `${browserSdp()}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n`;
    expect((await first.invite("*43", { sdp: two }).refused()).statusCode).toBe(488);
    // All at once: more than begin in a second, however slow the machine is.
    const calls = Array.from({ length: 6 }, () => first.invite("*43"));
    const outcomes = await Promise.all(
      calls.map((call) =>
        call.answered().then(
          () => "answered",
          (error: unknown) => String(error),
        ),
      ),
    );
    expect(outcomes).toContain("answered");
    expect(outcomes.join()).toContain("503");
    const answered = calls.filter((_, index) => outcomes[index] === "answered");
    await Promise.all(answered.map((call) => call.bye()));
  });

  it("bound connections of an address: max-connections-per-address, first-message", async () => {
    const host = { localAddress: "127.0.1.4" };
    const callers = [
      await WsCaller.connect(gateway, "1001", host),
      await WsCaller.connect(gateway, "1001", host),
      await WsCaller.connect(gateway, "1001", host),
    ];
    await expect(WsCaller.connect(gateway, "1001", host)).rejects.toThrow("503");
    // Nobody says anything: the first message does not come in time.
    for (const caller of callers) expect(await caller.closed).toBe(1008);
    await (await WsCaller.connect(gateway, "1001", host)).cut();
    const silent = connect({
      host: "127.0.0.1",
      port: gateway.sip.port,
      localAddress: "127.0.1.5",
    });
    silent.on("error", () => {});
    await new Promise((resolve) => {
      silent.once("close", resolve);
      silent.resume();
    });
  });

  it("let nobody guess passwords: sign-ins", async () => {
    const guess = async (): Promise<number> => {
      await using caller = await WsCaller.connect(gateway, "1002", { localAddress: "127.0.1.6" });
      return (await caller.register({ password: "wrong" })).statusCode;
    };
    expect(await guess()).toBe(401);
    expect(await guess()).toBe(401);
    expect(await guess()).toBe(403);
    const { body } = await gateway.api("/api/v1/bans");
    expect(body).toMatchObject({
      items: [{ address: "127.0.1.6", reason: "failed-sign-ins", way: "connection" }],
    });
    expect((await gateway.api("/api/v1/bans/127.0.1.6", { method: "DELETE" })).status).toBe(204);
    expect((await gateway.api("/api/v1/bans")).body).toMatchObject({ items: [] });
  });

  it("shut out who floods, until an operator lifts the ban: requests", async () => {
    const stranger = await SipPeer.udp(gateway.sip, STRANGER_HOST);
    for (let index = 0; index < 60; index += 1) options(stranger);
    const line = await gateway.waitForLog("rate-limited");
    expect(line.fields.get("source")).toBe(STRANGER_HOST);
    expect(line.fields.get("way")).toBe("datagram");
    expect((await gateway.api("/api/v1/bans")).body).toMatchObject({
      items: [{ address: STRANGER_HOST, reason: "rate-limited", way: "datagram" }],
    });
    expect(await metric(gateway, "offhook_bans")).toBe(1);
    expect(await metric(gateway, 'offhook_sip_dropped_total{cause="banned"}')).toBeGreaterThan(0);
    // The trunk notices nothing.
    options(trunk);
    await trunk.expectResponse(200);
    const path = `/api/v1/bans/${STRANGER_HOST}`;
    expect((await gateway.api(path, { method: "DELETE" })).status).toBe(204);
    expect((await gateway.api(path, { method: "DELETE" })).status).toBe(404);
    await gateway.waitForLog("ban-lifted");
    stranger.drain();
    options(stranger);
    await stranger.expectResponse(403);
    await stranger.close();
  });

  it("answer no scanner: scanners", async () => {
    const before = await metric(gateway, 'offhook_sip_dropped_total{cause="scanner"}');
    const stranger = await SipPeer.udp(gateway.sip, "127.0.0.4");
    stranger.request("OPTIONS", {
      uri: "sip:100@127.0.0.1",
      from: "<sip:100@1.1.1.1>;tag=t",
      to: "<sip:100@1.1.1.1>",
      headers: [["User-Agent", "A Bad Robot"]],
    });
    options(stranger);
    await stranger.expectResponse(403);
    expect(stranger.unread).toEqual([]);
    expect(await metric(gateway, 'offhook_sip_dropped_total{cause="scanner"}')).toBe(before + 1);
    await stranger.close();
  });
});

describe("limits of all connections, transactions and candidates together", () => {
  const MAX_TRANSACTIONS = 12;
  let small: Gateway;
  let carrier: SipPeer;

  beforeAll(async () => {
    carrier = await SipPeer.udp(undefined, TRUNK_HOST);
    small = await startGateway({
      config: {
        trunks: { office: { peer: `sip:${TRUNK_HOST}:${carrier.local.port}` } },
        dialplan: { routes: [{ name: "echo", to: "*43", do: "echo" }] },
        limits: {
          "max-transactions": MAX_TRANSACTIONS,
          "max-connections": 3,
          "max-candidates": 2,
        },
      },
    });
    carrier.sendTo(small.sip);
  });

  afterAll(async () => {
    await carrier.close();
    await small.stop();
  });

  it("max-candidates: those beyond it are never tried", async () => {
    const sockets = await Promise.all(Array.from({ length: 3 }, () => boundSocket()));
    // The last would be tried first, by its priority (RFC 8445 §6.1.2.3).
    const lines = sockets.map((socket, index) => {
      const { port } = socket.address();
      return `a=candidate:${index + 1} 1 udp ${2_000_000_000 + index} 127.0.0.1 ${port} typ host\r\n`;
    });
    const [head, ...rest] = browserSdp().split(/a=candidate:[^\r]*\r\n/);
    const heard = sockets.map((socket) => ({ checks: 0, first: once(socket, "message") }));
    for (const [index, socket] of sockets.entries()) {
      socket.on("message", () => {
        const ear = heard[index];
        if (ear !== undefined) ear.checks += 1;
      });
    }
    await using caller = await WsCaller.signIn(small, "1001");
    const call = caller.invite("*43", { sdp: `${head ?? ""}${lines.join("")}${rest.join("")}` });
    await call.answered();
    await Promise.all(heard.slice(0, 2).map(({ first }) => first));
    expect(heard[2]?.checks).toBe(0);
    await call.bye();
    for (const socket of sockets) socket.close();
  });

  it("max-connections: one more is refused, whoever asks, until one ends", async () => {
    const from = (host: number) =>
      WsCaller.connect(small, "1001", { localAddress: `127.0.2.${host}` });
    const callers = [await from(1), await from(2), await from(3)];
    await expect(from(4)).rejects.toThrow("503");
    expect((await small.api("/api/v1/calls")).status).toBe(200);
    await callers.pop()?.cut();
    await waitFor(
      () =>
        from(4).then(
          (caller) => callers.push(caller),
          () => false,
        ),
      { what: "the free place to be given away" },
    );
    await Promise.all(callers.map((caller) => caller.cut()));
  });

  it("max-transactions: a request above it gets 503 and leaves nothing behind", async () => {
    const sent = 3 * MAX_TRANSACTIONS;
    for (let index = 0; index < sent; index += 1) options(carrier);
    const codes: number[] = [];
    for (let index = 0; index < sent; index += 1) {
      codes.push((await carrier.receive(isResponse(), "an answer")).statusCode);
    }
    const served = codes.filter((code) => code === 200).length;
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThanOrEqual(MAX_TRANSACTIONS);
    expect(codes.filter((code) => code === 503)).toHaveLength(sent - served);
    expect(await metric(small, "offhook_sip_transactions")).toBeLessThanOrEqual(
      2 * MAX_TRANSACTIONS,
    );
  });
});

async function boundSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}
