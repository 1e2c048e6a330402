import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Logger } from "../../../src/core/logger.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { EngineTrunk } from "../../../src/signaling/embedded-engine.ts";
import { Authority } from "../../harness/certificates.ts";
import type { Certificate } from "../../harness/certificates.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { EngineOptions } from "../../harness/signaling-engine.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { StreamListener, connectPeer } from "../../harness/stream-peer.ts";
import type { StreamPeer } from "../../harness/stream-peer.ts";

let engine: TestEngine;
const closing: (() => Promise<unknown>)[] = [];
const LOCAL = [{ host: "127.0.0.1", port: 0 }];
const LARGE = `${sdpOf("offer")}a=x:${"y".repeat(1400)}\r\n`;

async function start(
  trunks: readonly EngineTrunk[],
  options: EngineOptions["engine"] & { readonly logger?: Logger } = { tcp: LOCAL },
): Promise<void> {
  const { logger = silentLogger, ...own } = options;
  engine = await TestEngine.start({ trunks, engine: own, logger });
}

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  for (const close of closing.splice(0)) await close();
  expect(engine.clock.pendingTimers).toBe(0);
});

async function listener(...options: Parameters<typeof StreamListener.open>) {
  const opened = await StreamListener.open(...options);
  closing.push(() => opened.close());
  return opened;
}

async function dial(...options: Parameters<typeof connectPeer>): Promise<StreamPeer> {
  const dialled = await connectPeer(...options);
  closing.push(() => dialled.peer.close());
  return dialled;
}

function place(trunkId: string, sdp = sdpOf("offer")): OutgoingLog {
  const log = new OutgoingLog();
  engine.engine.invite(
    {
      target: { kind: "trunk", trunkId, number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp,
    },
    log,
  );
  return log;
}

/** Answers the call that was placed, and hangs it up from our side. */
async function complete(peer: SipPeer, log: OutgoingLog): Promise<void> {
  const invite = await peer.expectRequest("INVITE");
  peer.respond(invite, 200, { toTag: "far", body: sdpOf("answer") });
  await peer.expectRequest("ACK");
  const { log: dialog } = await log.expect("accepted");
  dialog.dialog.bye();
  peer.respond(await peer.expectRequest("BYE"), 200);
}

function call(peer: SipPeer): void {
  peer.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=f",
    to: "<sip:1001@gateway.test>",
    body: sdpOf("offer"),
  });
}

describe("a trunk over TCP", () => {
  it("is called on one connection, with a Via and a Contact that say so", async () => {
    const pbx = await listener();
    await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` }]);
    const own = engine.at("tcp").port;
    const log = place("t");
    const { peer } = await pbx.accepted.next();
    const invite = await peer.expectRequest("INVITE");
    expect(invite.headers.get("Via")).toMatch(
      new RegExp(`^SIP/2\\.0/TCP 127\\.0\\.0\\.1:${own};branch=[\\w-]+;alias$`),
    );
    expect(invite.contact?.uri).toBe(`sip:1001@127.0.0.1:${own};transport=tcp`);
    peer.respond(invite, 486, { toTag: "x" });
    await peer.expectRequest("ACK");
    await log.expect("failed");
    await complete(peer, place("t"));
    expect(pbx.count).toBe(1);
  });

  it("calls in on its own connection, and is answered, hung up and heard there", async () => {
    await start([{ id: "t", peer: "sip:127.0.0.1:9;transport=tcp" }]);
    const { peer } = await dial(engine.at("tcp"));
    call(peer);
    const log = await engine.invites.next();
    expect(log.invite.party).toEqual({ kind: "trunk", trunkId: "t" });
    const dialogLog = log.accept(sdpOf("answer"));
    const ok = await peer.expectResponse(200);
    const target = ok.contact?.uri ?? "";
    expect(target).toContain(`:${engine.at("tcp").port};transport=tcp`);
    const dialog = {
      uri: target,
      from: "<sip:5@pbx.test>;tag=f",
      to: `<sip:1001@gateway.test>;tag=${ok.toTag}`,
      callId: ok.callId,
    };
    peer.request("ACK", dialog);
    await dialogLog.expect("confirmed");
    dialogLog.dialog.bye();
    peer.respond(await peer.expectRequest("BYE"), 200);
  });

  it("RFC 3261 §8.1.2: goes by way of an outbound proxy, and names the peer all the same", async () => {
    const proxy = await listener();
    const outboundProxy = `sip:127.0.0.1:${proxy.address.port};transport=tcp`;
    await start([{ id: "t", peer: "sip:carrier.invalid", outboundProxy }]);
    const log = place("t");
    const { peer } = await proxy.accepted.next();
    const invite = await peer.expectRequest("INVITE");
    expect(invite.requestUri).toBe("sip:5@carrier.invalid");
    expect(invite.to.uri).toBe("sip:5@carrier.invalid");
    peer.respond(invite, 200, { toTag: "far", body: sdpOf("answer") });
    await peer.expectRequest("ACK");
    const { log: dialog } = await log.expect("accepted");
    call(peer);
    const incoming = await engine.invites.next();
    expect(incoming.invite.party).toEqual({ kind: "trunk", trunkId: "t" });
    incoming.invite.reject(486);
    await peer.expectResponse(486);
    dialog.dialog.bye();
    peer.respond(await peer.expectRequest("BYE"), 200);
  });

  it("is refused from anywhere else", async () => {
    await start([{ id: "t", peer: "sip:127.0.0.9;transport=tcp" }]);
    const { peer } = await dial(engine.at("tcp"));
    call(peer);
    await peer.expectResponse(403);
  });

  it("is called again on a new connection when the old one turns out to be dead", async () => {
    const pbx = await listener();
    await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` }]);
    const log = place("t");
    const first = await pbx.accepted.next();
    const invite = await first.peer.expectRequest("INVITE");
    first.socket.destroy();
    const second = await pbx.accepted.next();
    const again = await second.peer.expectRequest("INVITE");
    // To the far end this is a retransmission.
    expect(again.topmostVia.branch).toBe(invite.topmostVia.branch);
    second.peer.respond(again, 486, { toTag: "x" });
    await second.peer.expectRequest("ACK");
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(486);
  });

  it("fails with 503 at once where nobody listens", async () => {
    const pbx = await listener();
    await pbx.close();
    await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` }]);
    const { failure } = await place("t").expect("failed");
    expect(failure).toMatchObject({ cause: "transport", reason: { sipStatus: 503 } });
  });

  it("is found dead by a call without any answer, and connected anew", async () => {
    const pbx = await listener();
    await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` }]);
    const log = place("t");
    const { peer } = await pbx.accepted.next();
    await peer.expectRequest("INVITE");
    engine.clock.advance(32_000);
    expect((await log.expect("failed")).failure.cause).toBe("timeout");
    await peer.closed();
    const again = place("t");
    await complete((await pbx.accepted.next()).peer, again);
  });
});

describe("RFC 3261 §18.1.1 a request above 1300 octets", () => {
  /** A peer that listens over both on one port. */
  /** At one port, which UDP had free, and TCP may not have: then at another one. */
  async function both(tries = 20): Promise<{ udp: SipPeer; tcp: StreamListener }> {
    const udp = await SipPeer.udp();
    try {
      return { udp, tcp: await listener({ port: udp.local.port }) };
    } catch (error) {
      await udp.close();
      if (tries === 0) throw error;
      return both(tries - 1);
    }
  }

  it("goes over TCP where the peer's URI leaves the choice; a small one does not", async () => {
    const { udp, tcp } = await both();
    await start([{ id: "t", peer: `sip:127.0.0.1:${udp.local.port}` }]);
    engine.adopt(udp);
    const log = place("t", LARGE);
    const { peer } = await tcp.accepted.next();
    const invite = await peer.expectRequest("INVITE");
    expect(invite.topmostVia.transport).toBe("TCP");
    expect(invite.topmostVia.port).toBe(engine.at("tcp").port);
    expect(udp.unread).toEqual([]);
    peer.respond(invite, 486, { toTag: "x" });
    await peer.expectRequest("ACK");
    await log.expect("failed");
    await complete(udp, place("t"));
  });

  it("goes over UDP after all where TCP is refused, and the next one at once", async () => {
    const udp = await SipPeer.udp();
    await start([{ id: "t", peer: `sip:127.0.0.1:${udp.local.port}` }]);
    engine.adopt(udp);
    for (let n = 0; n < 2; n += 1) {
      const log = place("t", LARGE);
      const invite = await udp.expectRequest("INVITE");
      expect(invite.topmostVia).toMatchObject({ transport: "UDP", port: engine.udp.port });
      expect(invite.contact?.uri).not.toContain("tcp");
      udp.respond(invite, 486, { toTag: "x" });
      await udp.expectRequest("ACK");
      await log.expect("failed");
    }
  });

  it.each([";transport=udp", ""])(
    "stays on UDP with peer …%s where it has to",
    async (parameter) => {
      const { udp, tcp } = await both();
      const peer = `sip:127.0.0.1:${udp.local.port}${parameter}`;
      // Without a TCP listener of ours nobody could answer us there.
      await start([{ id: "t", peer }], parameter === "" ? {} : { tcp: LOCAL });
      engine.adopt(udp);
      const log = place("t", LARGE);
      const invite = await udp.expectRequest("INVITE");
      udp.respond(invite, 486, { toTag: "x" });
      await udp.expectRequest("ACK");
      await log.expect("failed");
      expect(tcp.count).toBe(0);
    },
  );
});

describe("a trunk over TLS", () => {
  let authority: Authority;
  let ours: Certificate;
  let pbxs: Certificate;

  beforeAll(async () => {
    authority = await Authority.make();
    ours = await authority.issue("gw.test", "DNS:gw.test");
    pbxs = await authority.issue("pbx.test", "DNS:pbx.test");
  });

  const withTls = () => ({
    tls: LOCAL,
    certificates: { ...ours, caPath: authority.caPath },
  });

  it.each(["sip:127.0.0.1:PORT;transport=tls", "sips:127.0.0.1:PORT"])("as %s", async (uri) => {
    const pbx = await listener({ tls: pbxs });
    const peer = uri.replace("PORT", String(pbx.address.port));
    await start([{ id: "t", peer, tls: { name: "pbx.test" } }], withTls());
    const log = place("t");
    const accepted = await pbx.accepted.next();
    const invite = await accepted.peer.expectRequest("INVITE");
    expect(invite.topmostVia.transport).toBe("TLS");
    const scheme = uri.slice(0, uri.indexOf(":"));
    expect(invite.requestUri).toBe(`${scheme}:5@127.0.0.1:${pbx.address.port}`);
    expect(invite.contact?.uri).toMatch(scheme === "sips" ? /^sips:/ : /^sip:.*;transport=tls$/);
    accepted.peer.respond(invite, 200, { toTag: "far", body: sdpOf("answer") });
    await accepted.peer.expectRequest("ACK");
    const { log: dialog } = await log.expect("accepted");
    dialog.dialog.bye();
    accepted.peer.respond(await accepted.peer.expectRequest("BYE"), 200);
    expect(pbx.count).toBe(1);
  });

  it("with a wrong name in its certificate fails with 503 and a line in the log", async () => {
    const pbx = await listener({ tls: pbxs });
    const lines: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (text, fields) => lines.push(`${text}: ${String(fields?.["reason"])}`),
    };
    const peer = `sip:127.0.0.1:${pbx.address.port};transport=tls`;
    await start([{ id: "t", peer, tls: { name: "bank.test" } }], { ...withTls(), logger });
    const { failure } = await place("t").expect("failed");
    expect(failure).toMatchObject({ cause: "transport", reason: { sipStatus: 503 } });
    expect(lines).toContain(
      "a connection could not be opened: the certificate is for pbx.test, not for bank.test",
    );
  });

  it("is told from another one at its address by its certificate", async () => {
    const trunks = ["one", "two"].map((id) => ({
      id,
      peer: "sip:127.0.0.1:9;transport=tls",
      tls: { name: `${id}.test` },
    }));
    await start(trunks, withTls());
    for (const id of ["two", "one"]) {
      const { cert, key } = await authority.issue(id, `DNS:${id}.test`);
      const { peer } = await dial(engine.at("tls"), { tls: { cert, key } });
      call(peer);
      const { invite } = await engine.invites.next();
      expect(invite.party).toEqual({ kind: "trunk", trunkId: id });
      invite.reject(486);
      await peer.expectResponse(486);
    }
    const { peer } = await dial(engine.at("tls"), { tls: {} });
    call(peer);
    const { invite } = await engine.invites.next();
    expect(invite.party).toEqual({ kind: "trunk", trunkId: "one" });
    invite.reject(486);
    await peer.expectResponse(486);
  });

  it("answers a sips call with a sips Contact (RFC 3261 §12.1.1)", async () => {
    await start([{ id: "t", peer: "sips:127.0.0.1:9" }], withTls());
    const { peer } = await dial(engine.at("tls"), { tls: {} });
    peer.request("INVITE", {
      uri: "sips:1001@gateway.test",
      from: "<sips:5@pbx.test>;tag=f",
      to: "<sips:1001@gateway.test>",
      body: sdpOf("offer"),
    });
    const { invite } = await engine.invites.next();
    invite.progress(180);
    expect((await peer.expectResponse(180)).contact?.uri).toMatch(/^sips:/);
    invite.reject(486);
    await peer.expectResponse(486);
  });
});
