import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { metric } from "../harness/gateway-state.ts";
import { SipPeer } from "../harness/sip-peer.ts";
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
