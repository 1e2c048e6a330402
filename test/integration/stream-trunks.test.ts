import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Authority } from "../harness/certificates.ts";
import type { Certificate } from "../harness/certificates.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import { connectPeer } from "../harness/stream-peer.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

// sipp on one TCP connection as the PBX, and the certificates of a gateway that runs.

let gateway: Gateway;
let pbx: Sipp;
let certificate: Certificate;
let authority: Authority;
let tlsPort: number;

beforeAll(async () => {
  authority = await Authority.make();
  certificate = await authority.issue("old.test", "DNS:old.test");
  pbx = await Sipp.start({
    scenario: "uas-echo",
    transport: "TCP",
    values: { ring_ms: 20 },
    calls: 0,
  });
  tlsPort = await freePort();
  gateway = await startGateway({
    config: ({ sip }) => ({
      sip: {
        listen: [`udp:127.0.0.1:${sip}`, `tcp:127.0.0.1:${sip}`, `tls:127.0.0.1:${tlsPort}`],
        tls: { certificate: certificate.certificatePath, key: certificate.keyPath },
      },
      trunks: { pbx: { peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` } },
      dialplan: {
        routes: [
          { name: "colleagues", to: "@users", do: { ring: "@to", timeout: "20s" } },
          { name: "pbx", to: "_6XX", do: { dial: "pbx" } },
        ],
      },
    }),
  });
});

afterAll(async () => {
  await gateway.stop();
  await pbx.stop();
});

describe("a PBX over TCP", () => {
  it("is among the listeners that the gateway names", () => {
    const { sip } = gateway.ports;
    expect(gateway.listeners).toEqual([
      `udp:127.0.0.1:${sip}`,
      `tcp:127.0.0.1:${sip}`,
      `tls:127.0.0.1:${tlsPort}`,
    ]);
    const terminal = gateway.child.lines.find((line) => line.startsWith("  SIP "));
    for (const listener of gateway.listeners) expect(terminal).toContain(listener);
  });

  it("takes twenty calls of browsers, one after another, on one connection", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    for (let n = 0; n < 20; n += 1) {
      const call = await caller.call("600");
      await call.bye();
    }
    const received = await pbx.received();
    expect(received.filter((what) => what === "INVITE")).toHaveLength(20);
    expect(received.filter((what) => what === "ACK")).toHaveLength(20);
    expect(await pbx.errors()).toBe("");
    await expectNothingLeft(gateway);
    expectNoFault(gateway);
  });

  it("calls a browser, is answered, and hangs up on its own connection", async () => {
    await using callee = await WsCaller.signIn(gateway, "1002");
    await using caller = await Sipp.start({
      scenario: "uac-call",
      transport: "TCP",
      remote: gateway.sip,
      service: "1002",
      values: { talk_ms: 200 },
    });
    const call = await callee.incoming();
    await call.answer();
    await call.hungUp();
    expect(await caller.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    await expectNothingLeft(gateway);
    expectNoFault(gateway);
  });
});

describe("SIGHUP", () => {
  it("brings a renewed certificate to new connections and drops none", async () => {
    const to = { host: "127.0.0.1", port: tlsPort };
    const shown = ({ socket }: Awaited<ReturnType<typeof connectPeer>>): unknown =>
      (socket as TLSSocket).getPeerCertificate().subject.CN;
    const before = await connectPeer(to, { tls: {} });
    expect(shown(before)).toBe("old.test");
    const renewed = await authority.issue("new.test", "DNS:new.test");
    await copyFile(renewed.certificatePath, certificate.certificatePath);
    await copyFile(renewed.keyPath, certificate.keyPath);
    process.kill(gateway.pid, "SIGHUP");
    await gateway.waitForLog("certificates reloaded");
    const after = await connectPeer(to, { tls: {} });
    expect(shown(after)).toBe("new.test");
    const options = { uri: "sip:gw", from: "<sip:a@b>;tag=1", to: "<sip:gw>" };
    before.peer.request("OPTIONS", options);
    await before.peer.expectResponse(200);
    for (const { socket } of [before, after]) {
      socket.destroy();
      await once(socket, "close");
    }
  });
});
