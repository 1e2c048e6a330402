import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tryParseSocketAddress } from "../../src/core/address.ts";
import type { SocketAddress } from "../../src/core/address.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { EmbeddedEngine, EmbeddedEngineOptions } from "../../src/signaling/embedded-engine.ts";
import { createEmbeddedEngine } from "../../src/signaling/endpoint.ts";
import type { OutgoingInvite } from "../../src/signaling/engine.ts";
import type { SipMessage, SipRequest } from "../../src/signaling/message/message.ts";
import { MemoryLocations } from "../../src/storage/memory-locations.ts";
import {
  Drachtio,
  DRACHTIO_SECRET,
  hasDrachtio,
  skipWithoutDrachtio,
} from "../harness/drachtio.ts";
import { FakeResolver, srv } from "../harness/fake-resolver.ts";
import { Inbox, InviteLog, OutgoingLog, sdpOf } from "../harness/signaling-engine.ts";
import type { DialogLog } from "../harness/signaling-engine.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { delay } from "../harness/wait.ts";

/** A server of a trunk's that says nothing for so long is left for the next one. */
const FAILOVER_MS = 4000;

let drachtio: Drachtio | undefined;
let engine: EmbeddedEngine;
let pbx: SipPeer;
let invites: Inbox<InviteLog>;

beforeAll(async () => {
  if (hasDrachtio) drachtio = await Drachtio.start();
});

afterAll(async () => {
  await drachtio?.kill();
});

afterEach(async () => {
  await engine.stop();
  await pbx.close();
});

type Kind = "embedded" | "drachtio";

async function start(
  kind: Kind,
  /** Where the trunk leads; default: to `pbx`. */
  way?: (pbx: SipPeer) => { readonly dns: EmbeddedEngineOptions["dns"]; readonly peer: string },
): Promise<void> {
  pbx = await SipPeer.udp();
  const { dns, peer } = way?.(pbx) ?? { peer: `sip:127.0.0.1:${pbx.local.port}` };
  invites = new Inbox();
  const servers = drachtio === undefined ? [] : [{ ...drachtio.admin, secret: DRACHTIO_SECRET }];
  engine = createEmbeddedEngine({
    domain: "gateway.test",
    clock: new SystemClock(),
    ...(dns === undefined ? {} : { dns }),
    logger: silentLogger,
    udp: kind === "embedded" ? [{ host: "127.0.0.1", port: 0 }] : [],
    drachtio: kind === "drachtio" ? servers : undefined,
    webSocket: { sentBy: "127.0.0.1:8080", isOriginAllowed: () => true },
    credentials: { find: () => undefined },
    locations: new MemoryLocations(),
    trunks: [
      {
        id: "t",
        peer,
        auth: { username: "gw", password: "secret" },
        terms: {
          reliable: "supported",
          session: { expiresSeconds: 1800, minimumSeconds: 90 },
        },
      },
    ],
    handler: { onInvite: (invite) => invites.push(new InviteLog(invite)) },
  });
  await engine.start();
  pbx.sendTo(whereItListens());
}

function whereItListens(): SocketAddress {
  const text = engine.listeners.find((listener) => listener.startsWith("udp:"));
  const address = tryParseSocketAddress(text?.slice(4) ?? "");
  if (address === undefined) throw new Error(`no address: ${text}`);
  return address;
}

function place(sdp = sdpOf("offer")): {
  readonly log: OutgoingLog;
  readonly invite: OutgoingInvite;
} {
  const log = new OutgoingLog();
  const target = { kind: "trunk", trunkId: "t", number: "5" } as const;
  const identities = { from: { user: "1001" }, to: { user: "5" } };
  return { log, invite: engine.invite({ target, ...identities, sdp }, log) };
}

const contact = () => [["Contact", `<sip:5@127.0.0.1:${pbx.local.port}>`]] as const;

/** Calls and answers. @returns our side of the call */
async function talk(): Promise<DialogLog> {
  const { log } = place();
  const invite = await pbx.expectRequest("INVITE");
  pbx.respond(invite, 200, { toTag: "y", headers: contact(), body: sdpOf("answer") });
  const { log: call } = await log.expect("accepted");
  await pbx.expectRequest("ACK");
  return call;
}

/** A request that comes when a server has been given up. */
async function eventually(peer: SipPeer, method: string): Promise<SipRequest> {
  const isIt = (message: SipMessage): message is SipRequest =>
    message.kind === "request" && message.method === method;
  return await peer.receive(isIt, method, 20_000);
}

async function hangUp({ dialog }: DialogLog): Promise<void> {
  dialog.bye();
  pbx.respond(await pbx.expectRequest("BYE"), 200);
}

describe.each([{ kind: "embedded" }, { kind: "drachtio" }] as const)(
  "the engine's contract over $kind",
  ({ kind }) => {
    beforeEach((context) => {
      if (kind === "drachtio") skipWithoutDrachtio(context);
    });

    it("calls out: SHA-256 challenge, re-INVITE, INFO, BYE", async () => {
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

    it("gives a call up that rings", async () => {
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

    it("takes a call, and its BYE", async () => {
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
  },
);

/** An offer of so many octets. */
const sdpOfLength = (octets: number): string => {
  const sdp = sdpOf("offer");
  return `${sdp}a=x-filler:${"x".repeat(octets - sdp.length - "a=x-filler:\r\n".length)}\r\n`;
};

describe("what drachtio-server cannot do by itself", () => {
  beforeEach(skipWithoutDrachtio);

  it("carries long messages one at a time, and refuses longer ones without harm", async () => {
    await start("drachtio");
    const calls = Array.from({ length: 12 }, () => place(sdpOfLength(6000)));
    for (const _ of calls) {
      const invite = await pbx.expectRequest("INVITE");
      expect(invite.body).toHaveLength(6000);
      pbx.respond(invite, 486, { toTag: "busy", headers: [] });
    }
    for (const { log } of calls) {
      expect(await log.expect("failed")).toMatchObject({ failure: { reason: { sipStatus: 486 } } });
    }
    const tooLong = place(sdpOfLength(12_000));
    expect(await tooLong.log.expect("failed")).toMatchObject({
      failure: { reason: { sipStatus: 513 } },
    });
    await hangUp(await talk());
  });

  it(
    "gives a re-INVITE up whose final response it does not show, and goes on with the call",
    { timeout: 30_000 },
    async () => {
      await start("drachtio");
      const call = await talk();
      const reinvited = call.dialog.reinvite(sdpOf("hold"));
      const invite = await pbx.expectRequest("INVITE");
      pbx.respond(invite, 180, { headers: contact() });
      pbx.respond(invite, 200, { headers: contact(), body: sdpOf("held") });
      expect(await reinvited).toMatchObject({ ok: false });
      const ack = await pbx.expectRequest("ACK");
      expect(ack.cseq.number).toBe(invite.cseq.number);
      await hangUp(call);
    },
  );

  describe("RFC 3263 §4.3: a trunk's first server", () => {
    let second: SipPeer;

    beforeEach(async () => {
      second = await SipPeer.udp();
    });
    afterEach(async () => {
      await second.close();
    });

    async function startWithTwo(): Promise<void> {
      await start("drachtio", (first) => {
        const records = [first, second].map(({ local }, index) =>
          srv(`${index} 0 ${local.port} here.test`),
        );
        const resolver = new FakeResolver({
          "_sip._udp.pbx.test": { srv: records },
          "here.test": { hosts: ["127.0.0.1"] },
        });
        resolver.ttlMs = 3_600_000;
        return { dns: { resolver }, peer: "sip:pbx.test" };
      });
      second.sendTo(whereItListens());
    }

    it("that says nothing is left for the next one", { timeout: 30_000 }, async () => {
      await startWithTwo();
      const { log } = place();
      await pbx.expectRequest("INVITE");
      await pbx.expectRequest("OPTIONS");
      const invite = await eventually(second, "INVITE");
      second.respond(invite, 486, { toTag: "busy", headers: [] });
      expect(await log.expect("failed")).toMatchObject({ failure: { reason: { sipStatus: 486 } } });
    });

    it("that works without a word is waited for", { timeout: 30_000 }, async () => {
      await startWithTwo();
      const { log, invite } = place();
      const ringing = await pbx.expectRequest("INVITE");
      pbx.respond(await pbx.expectRequest("OPTIONS"), 200, { toTag: "there", headers: [] });
      await delay(FAILOVER_MS);
      expect(second.unread).toEqual([]);
      pbx.respond(ringing, 180, { toTag: "z" });
      await log.expect("provisional");
      invite.cancel();
      pbx.respond(await pbx.expectRequest("CANCEL"), 200);
      pbx.respond(ringing, 487, { toTag: "z" });
      await log.expect("failed");
    });
  });

  it("RFC 4028: proposes no session timer, and leaves the far end's to the server", async () => {
    await start("drachtio");
    const { log, invite } = place();
    const sent = await pbx.expectRequest("INVITE");
    expect(sent.headers.has("Session-Expires")).toBe(false);
    pbx.respond(sent, 486, { toTag: "busy", headers: [] });
    await log.expect("failed");
    invite.cancel();
    const from = "<sip:5@pbx.test>;tag=timer";
    pbx.request("INVITE", {
      uri: "sip:1001@gateway.test",
      from,
      to: "<sip:1001@gateway.test>",
      headers: [...contact(), ["Supported", "timer"], ["Session-Expires", "1800;refresher=uas"]],
      body: sdpOf("offer"),
    });
    const dialog = (await invites.next()).accept(sdpOf("answer"));
    const accepted = await pbx.expectResponse(200);
    expect(accepted.headers.list("Session-Expires")).toEqual(["1800;refresher=uas"]);
    pbx.request("ACK", {
      uri: "sip:1001@gateway.test",
      from,
      to: accepted.headers.get("To") ?? "",
      callId: accepted.callId,
    });
    await dialog.expect("confirmed");
    await hangUp(dialog);
  });
});
