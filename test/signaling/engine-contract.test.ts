import { afterEach, describe, expect, it } from "vitest";
import { tryParseSocketAddress } from "../../src/core/address.ts";
import type { SocketAddress } from "../../src/core/address.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { EmbeddedEngine } from "../../src/signaling/embedded-engine.ts";
import { createEmbeddedEngine } from "../../src/signaling/endpoint.ts";
import type { OutgoingInvite } from "../../src/signaling/engine.ts";
import { MemoryLocations } from "../../src/storage/memory-locations.ts";
import { Inbox, InviteLog, OutgoingLog, sdpOf } from "../harness/signaling-engine.ts";
import { SipPeer } from "../harness/sip-peer.ts";

/** `host` or `host:port` of a drachtio-server that may be used; its SIP is at DRACHTIO_SIP. */
const { DRACHTIO_HOST, DRACHTIO_SECRET = "cymru", DRACHTIO_SIP = "127.0.0.1:5070" } = process.env;
const skipped = DRACHTIO_HOST === undefined;
if (skipped) console.warn("drachtio half of the engine contract skipped: DRACHTIO_HOST is not set");

let engine: EmbeddedEngine;
let pbx: SipPeer;
let invites: Inbox<InviteLog>;

async function start(kind: "embedded" | "drachtio"): Promise<void> {
  pbx = await SipPeer.udp();
  invites = new Inbox();
  const server = tryParseSocketAddress(DRACHTIO_HOST ?? "") ?? {
    host: DRACHTIO_HOST ?? "127.0.0.1",
    port: 9022,
  };
  engine = createEmbeddedEngine({
    domain: "gateway.test",
    clock: new SystemClock(),
    logger: silentLogger,
    udp: kind === "embedded" ? [{ host: "127.0.0.1", port: 0 }] : [],
    drachtio: kind === "drachtio" ? [{ ...server, secret: DRACHTIO_SECRET }] : undefined,
    webSocket: { sentBy: "127.0.0.1:8080", isOriginAllowed: () => true },
    credentials: { find: () => undefined },
    locations: new MemoryLocations(),
    trunks: [
      {
        id: "t",
        peer: `sip:127.0.0.1:${pbx.local.port}`,
        auth: { username: "gw", password: "secret" },
      },
    ],
    handler: { onInvite: (invite) => invites.push(new InviteLog(invite)) },
  });
  await engine.start();
  pbx.sendTo(sipOf(kind));
}

function sipOf(kind: "embedded" | "drachtio"): SocketAddress {
  const text = kind === "drachtio" ? DRACHTIO_SIP : (engine.listeners[0] ?? "").slice(4);
  const address = tryParseSocketAddress(text);
  if (address === undefined) throw new Error(`no address: ${text}`);
  return address;
}

function place(): { readonly log: OutgoingLog; readonly invite: OutgoingInvite } {
  const log = new OutgoingLog();
  const target = { kind: "trunk", trunkId: "t", number: "5" } as const;
  const identities = { from: { user: "1001" }, to: { user: "5" } };
  return { log, invite: engine.invite({ target, ...identities, sdp: sdpOf("offer") }, log) };
}

const contact = () => [["Contact", `<sip:5@127.0.0.1:${pbx.local.port}>`]] as const;

describe.each([
  { kind: "embedded", skip: false },
  { kind: "drachtio", skip: skipped },
] as const)("the engine's contract over $kind", ({ kind, skip }) => {
  afterEach(async () => {
    await engine.stop();
    await pbx.close();
  });

  it.skipIf(skip)("calls out: SHA-256 challenge, re-INVITE, INFO, BYE", async () => {
    await start(kind);
    const { log } = place();
    pbx.respond(await pbx.expectRequest("INVITE"), 407, {
      toTag: "x",
      headers: [
        ["Proxy-Authenticate", 'Digest realm="pbx", nonce="n", algorithm=SHA-256, qop="auth"'],
      ],
    });
    await pbx.expectRequest("ACK");
    const second = await pbx.expectRequest("INVITE");
    expect(second.headers.get("Proxy-Authorization")).toContain("SHA-256");
    pbx.respond(second, 200, { toTag: "y", headers: contact(), body: sdpOf("answer") });
    const { log: call } = await log.expect("accepted");
    await pbx.expectRequest("ACK");
    const reinvited = call.dialog.reinvite(sdpOf("hold"));
    pbx.respond(await pbx.expectRequest("INVITE"), 200, {
      headers: contact(),
      body: sdpOf("held"),
    });
    expect(await reinvited).toMatchObject({ ok: true, sdp: sdpOf("held") });
    await pbx.expectRequest("ACK");
    const body = Buffer.from("Signal=1\r\n");
    const told = call.dialog.request("INFO", { contentType: "application/dtmf-relay", body });
    pbx.respond(await pbx.expectRequest("INFO"), 200);
    expect(await told).toBe(200);
    call.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it.skipIf(skip)("gives a call up that rings", async () => {
    await start(kind);
    const { log, invite } = place();
    const ringing = await pbx.expectRequest("INVITE");
    pbx.respond(ringing, 180, { toTag: "z" });
    await log.expect("provisional");
    invite.cancel();
    pbx.respond(await pbx.expectRequest("CANCEL"), 200);
    pbx.respond(ringing, 487, { toTag: "z" });
    expect((await log.expect("failed")).failure.cause).toBe("cancelled");
    await pbx.expectRequest("ACK");
  });

  it.skipIf(skip)("takes a call, and its BYE", async () => {
    await start(kind);
    const from = "<sip:5@pbx.test>;tag=f";
    const callId = `in-${pbx.local.port}`;
    pbx.request("INVITE", {
      uri: "sip:1001@gateway.test",
      from,
      to: "<sip:1001@gateway.test>",
      callId,
      headers: contact(),
      body: sdpOf("offer"),
    });
    const call = await invites.next();
    call.invite.progress(180);
    await pbx.expectResponse(180);
    const dialog = call.accept(sdpOf("answer"));
    const { toTag } = await pbx.expectResponse(200);
    const inside = { uri: "sip:1001@gateway.test", from, callId };
    const to = `<sip:1001@gateway.test>;tag=${toTag}`;
    pbx.request("ACK", { ...inside, to, cseq: 1 });
    await dialog.expect("confirmed");
    pbx.request("BYE", { ...inside, to, cseq: 2 });
    await dialog.expect("bye");
    await pbx.expectResponse(200);
  });
});
