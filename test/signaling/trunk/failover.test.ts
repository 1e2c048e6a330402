import { afterEach, describe, expect, it } from "vitest";
import type { EngineTrunk } from "../../../src/signaling/embedded-engine.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { FakeResolver, srv } from "../../harness/fake-resolver.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

let engine: TestEngine;
let openQuestions = 0;

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: openQuestions, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
  openQuestions = 0;
});

/** A trunk whose name leads to these peers, the first one first. */
async function start(
  peers: readonly SipPeer[],
  options: Partial<EngineTrunk> & { readonly before?: readonly string[] } = {},
): Promise<void> {
  const { before = [], ...trunk } = options;
  const records = peers.map(({ local }, index) =>
    srv(`${index + 10} 0 ${local.port} ${local.host}.test`),
  );
  const resolver = new FakeResolver({
    "_sip._udp.pbx.test": { srv: [...before.map((text) => srv(text)), ...records] },
    "127.0.0.1.test": { hosts: ["127.0.0.1"] },
    "v6.test": { hosts: ["::1"] },
    "far.test": { hosts: ["192.0.2.1"] },
  });
  resolver.ttlMs = 3_600_000;
  engine = await TestEngine.start({
    resolver,
    trunks: [{ id: "t", peer: "sip:pbx.test", ...trunk }],
  });
  for (const peer of peers) engine.adopt(peer);
}

async function two(): Promise<readonly [SipPeer, SipPeer]> {
  return [await SipPeer.udp(), await SipPeer.udp()];
}

function place(options: { readonly hasAlternative?: boolean } = {}) {
  const log = new OutgoingLog();
  const invite = engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: "t", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
      ...options,
    },
    log,
  );
  return { log, invite };
}

async function refuse(peer: SipPeer, status: number, retryAfter?: string): Promise<SipRequest> {
  const invite = await peer.expectRequest("INVITE");
  peer.respond(invite, status, {
    toTag: "x",
    headers: retryAfter === undefined ? [] : [["Retry-After", retryAfter]],
  });
  await peer.expectRequest("ACK");
  return invite;
}

/** Takes the call and hangs up: the target has proved that it is well. */
async function answer(peer: SipPeer, log: OutgoingLog): Promise<SipRequest> {
  const invite = await peer.expectRequest("INVITE");
  peer.respond(invite, 200, { toTag: "won", body: sdpOf("answer") });
  await peer.expectRequest("ACK");
  const accepted = await log.expect("accepted");
  accepted.log.dialog.bye();
  peer.respond(await peer.expectRequest("BYE"), 200);
  return invite;
}

function states(): readonly string[] {
  return engine.engine.trunkTargets("t").map(({ state }) => state);
}

describe("RFC 3263 §4.3 the next server", () => {
  it("after 503 at once: the same request with another branch", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    const one = await refuse(first, 503);
    const other = await answer(second, log);
    expect(other.topmostVia.branch).not.toBe(one.topmostVia.branch);
    for (const name of ["From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards"]) {
      expect(other.headers.get(name), name).toBe(one.headers.get(name));
    }
    expect(other.requestUri).toBe(one.requestUri);
    expect(other.sdp).toBe(one.sdp);
    expect(log.events.unread).toEqual([]);
    expect(states()).toEqual(["down", "up"]);
  });

  it.each([400, 404, 408, 480, 486, 500, 502, 504, 600, 603])("not after %i", async (status) => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    await refuse(first, status);
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(status);
    expect(second.unread).toEqual([]);
    expect(states()).toEqual(["up", "unknown"]);
  });

  it("not after a phone has rung", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    const invite = await first.expectRequest("INVITE");
    first.respond(invite, 180, { toTag: "x" });
    await log.expect("provisional");
    engine.clock.advance(10_000);
    first.respond(invite, 503, { toTag: "x" });
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(503);
    expect(second.unread).toEqual([]);
  });

  it("after 100 and then 503", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    const invite = await first.expectRequest("INVITE");
    first.respond(invite, 100);
    first.respond(invite, 503, { toTag: "x" });
    await answer(second, log);
  });

  it("after 4 s of silence; whoever wakes up late gets CANCEL and no second INVITE", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    const invite = await first.expectRequest("INVITE");
    engine.clock.advance(3999);
    // Timer A: 500, 1500 and 3500 ms
    for (const _ of [1, 2, 3]) await first.expectRequest("INVITE");
    expect(second.unread).toEqual([]);
    engine.clock.advance(1);
    const other = await second.expectRequest("INVITE");
    engine.clock.advance(3000);
    expect(first.unread).toEqual([]);
    first.respond(invite, 180, { toTag: "late" });
    const cancel = await first.expectRequest("CANCEL");
    expect(cancel.topmostVia.branch).toBe(invite.topmostVia.branch);
    expect(cancel.headers.get("Reason")).toContain("cause=408");
    first.respond(cancel, 200);
    first.respond(invite, 487, { toTag: "late" });
    await first.expectRequest("ACK");
    second.respond(other, 200, { toTag: "won", body: sdpOf("answer") });
    await second.expectRequest("ACK");
    const accepted = await log.expect("accepted");
    accepted.log.dialog.bye();
    second.respond(await second.expectRequest("BYE"), 200);
    expect(states()).toEqual(["down", "up"]);
  });

  it.each([500, 2000])("the silence that counts can be set: %i ms", async (failoverAfterMs) => {
    const [first, second] = await two();
    await start([first, second], { failoverAfterMs });
    const { log } = place();
    await first.expectRequest("INVITE");
    engine.clock.advance(failoverAfterMs);
    await answer(second, log);
  });

  it("a late 200 is acknowledged and hung up, and the other call goes on", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    const invite = await first.expectRequest("INVITE");
    engine.clock.advance(4000);
    const other = await second.expectRequest("INVITE");
    second.respond(other, 180, { toTag: "won" });
    await log.expect("provisional");
    first.respond(invite, 200, { toTag: "late", body: sdpOf("late") });
    const ack = await first.expectRequest("ACK");
    expect([ack.toTag, ack.cseq.number]).toEqual(["late", invite.cseq.number]);
    first.respond(await first.expectRequest("BYE"), 200);
    expect(log.events.unread).toEqual([]);
    second.respond(other, 200, { toTag: "won", body: sdpOf("answer") });
    const accepted = await log.expect("accepted");
    expect((await second.expectRequest("ACK")).toTag).toBe("won");
    accepted.log.dialog.bye();
    const bye = await second.expectRequest("BYE");
    expect(bye.toTag).toBe("won");
    second.respond(bye, 200);
  });

  it("a 200 so late that its transaction is over is hung up as well", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    const invite = await first.expectRequest("INVITE");
    engine.clock.advance(4000);
    const other = await second.expectRequest("INVITE");
    second.respond(other, 180, { toTag: "won" });
    await log.expect("provisional");
    engine.clock.advance(40_000);
    first.respond(invite, 200, { toTag: "late", body: sdpOf("late") });
    while ((await first.expectRequest("ACK")).toTag !== "late");
    first.respond(await first.expectRequest("BYE"), 200);
    second.respond(other, 486, { toTag: "won" });
    await second.expectRequest("ACK");
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(486);
  });

  describe("with another trunk to ask", () => {
    it("the last server is given up as well; woken up it gets CANCEL", async () => {
      const only = await SipPeer.udp();
      await start([only]);
      const { log } = place({ hasAlternative: true });
      const invite = await only.expectRequest("INVITE");
      engine.clock.advance(3999);
      expect(log.events.unread).toEqual([]);
      engine.clock.advance(1);
      const { failure } = await log.expect("failed");
      expect(failure).toMatchObject({ cause: "timeout", reason: { sipStatus: 408 } });
      expect(states()).toEqual(["down"]);
      expect(engine.engine.trunkTargets("t")[0]?.isAvoided).toBe(true);
      only.respond(invite, 180, { toTag: "late" });
      only.respond(await only.expectRequest("CANCEL"), 200);
      only.respond(invite, 487, { toTag: "late" });
      await only.expectRequest("ACK");
      expect(log.events.unread).toEqual([]);
    });

    it("a 200 that comes too late is acknowledged and hung up", async () => {
      const only = await SipPeer.udp();
      await start([only]);
      const { log } = place({ hasAlternative: true });
      const invite = await only.expectRequest("INVITE");
      engine.clock.advance(4000);
      await log.expect("failed");
      only.respond(invite, 200, { toTag: "late", body: sdpOf("late") });
      expect((await only.expectRequest("ACK")).toTag).toBe("late");
      only.respond(await only.expectRequest("BYE"), 200);
      expect(log.events.unread).toEqual([]);
    });

    it("a server that rings is waited for", async () => {
      const only = await SipPeer.udp();
      await start([only]);
      const { log } = place({ hasAlternative: true });
      const invite = await only.expectRequest("INVITE");
      only.respond(invite, 180, { toTag: "won" });
      await log.expect("provisional");
      engine.clock.advance(30_000);
      expect(log.events.unread).toEqual([]);
      only.respond(invite, 486, { toTag: "won" });
      await only.expectRequest("ACK");
      expect((await log.expect("failed")).failure.reason.sipStatus).toBe(486);
    });
  });

  it("after a transport error, and past what no listener of ours can reach", async () => {
    const good = await SipPeer.udp();
    // Our listener is on loopback: the system refuses to send elsewhere; and it is IPv4.
    await start([good], { before: ["1 0 5060 v6.test", "2 0 5060 far.test"] });
    const { log } = place();
    await answer(good, log);
    expect(states()).toEqual(["unknown", "down", "up"]);
  });

  it("the failure is told when no server is left", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    await refuse(first, 503);
    await refuse(second, 503);
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "response",
      reason: { sipStatus: 503 },
    });
    const silent = place().log;
    await first.expectRequest("INVITE");
    engine.clock.advance(4000);
    await second.expectRequest("INVITE");
    engine.clock.advance(31_999);
    expect(silent.events.unread).toEqual([]);
    engine.clock.advance(1);
    expect((await silent.expect("failed")).failure).toMatchObject({
      cause: "timeout",
      reason: { sipStatus: 408 },
    });
  });

  it("takes a MESSAGE after 503, and credentials go where the challenge came from", async () => {
    const [first, second] = await two();
    await start([first, second], { auth: { username: "us", password: "secret" } });
    const sent = engine.engine.message({
      target: { kind: "trunk", trunkId: "t", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      text: "hello",
    });
    first.respond(await first.expectRequest("MESSAGE"), 503, { headers: [] });
    second.respond(await second.expectRequest("MESSAGE"), 401, {
      headers: [["WWW-Authenticate", 'Digest realm="pbx", nonce="n", qop="auth"']],
    });
    const again = await second.expectRequest("MESSAGE");
    expect(again.headers.has("Authorization")).toBe(true);
    second.respond(again, 202, { headers: [] });
    expect(await sent).toBe(202);
    expect(first.unread).toEqual([]);
    expect(states()).toEqual(["down", "up"]);
  });

  it("takes a SUBSCRIBE after 4 s of silence; a MESSAGE that nobody takes is told", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const ended: string[] = [];
    engine.engine.subscribe(
      {
        target: { kind: "trunk", trunkId: "t", number: "5" },
        from: { user: "1001" },
        to: { user: "5" },
        event: "message-summary",
      },
      { onNotify() {}, onEnded: ({ reason, status }) => ended.push(`${reason} ${status}`) },
    );
    await first.expectRequest("SUBSCRIBE");
    engine.clock.advance(4000);
    second.respond(await second.expectRequest("SUBSCRIBE"), 404, { headers: [] });
    await waitFor(() => ended.length > 0, { what: "the end of the subscription" });
    expect(ended).toEqual(["refused 404"]);
    const sent = engine.engine.message({
      target: { kind: "trunk", trunkId: "t", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      text: "hello",
    });
    for (const peer of [second, first]) {
      peer.respond(await peer.expectRequest("MESSAGE"), 503, { headers: [] });
    }
    expect(await sent).toBe(503);
    engine.clock.advance(32_000);
  });

  it("a caller who gives up stops the hunt", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log, invite } = place();
    const request = await first.expectRequest("INVITE");
    invite.cancel();
    engine.clock.advance(10_000);
    expect(second.unread).toEqual([]);
    first.respond(request, 100);
    first.respond(await first.expectRequest("CANCEL"), 200);
    first.respond(request, 503, { toTag: "x" });
    expect((await log.expect("failed")).failure.cause).toBe("cancelled");
    expect(second.unread).toEqual([]);
  });
});

describe("RFC 3261 §22 challenges on the way", () => {
  const auth = { username: "gw", password: "secret" };
  const challenge = ["WWW-Authenticate", 'Digest realm="pbx", nonce="n1", qop="auth"'] as const;

  it("are answered where they came from, and the next server starts anew", async () => {
    const [first, second] = await two();
    await start([first, second], { auth });
    const { log } = place();
    first.respond(await first.expectRequest("INVITE"), 401, { toTag: "a", headers: [challenge] });
    await first.expectRequest("ACK");
    const again = await first.expectRequest("INVITE");
    expect(again.headers.has("Authorization")).toBe(true);
    first.respond(again, 503, { toTag: "b" });
    await first.expectRequest("ACK");
    const other = await second.expectRequest("INVITE");
    expect(other.headers.has("Authorization")).toBe(false);
    second.respond(other, 401, { toTag: "c", headers: [challenge] });
    await second.expectRequest("ACK");
    const last = await answer(second, log);
    expect(last.headers.has("Authorization")).toBe(true);
    expect(last.cseq.number).toBe(3);
  });
});

describe("servers that failed", () => {
  it("are tried last for 30 s, then by one call, then for 60 s", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const begin = place();
    await refuse(first, 503);
    await answer(second, begin.log);
    engine.clock.advance(29_000);
    await answer(second, place().log);
    expect(first.unread).toEqual([]);
    engine.clock.advance(1000);
    const probe = place();
    const asked = await first.expectRequest("INVITE");
    // While that call finds out, others go where it is known to be well.
    await answer(second, place().log);
    first.respond(asked, 503, { toTag: "x" });
    await first.expectRequest("ACK");
    await answer(second, probe.log);
    engine.clock.advance(59_000);
    await answer(second, place().log);
    expect(first.unread).toEqual([]);
    engine.clock.advance(1000);
    await answer(first, place().log);
    expect(states()).toEqual(["up", "up"]);
    await answer(first, place().log);
  });

  it.each([
    ["5", 5],
    ["120 (maintenance);duration=60", 120],
  ])("are left alone for Retry-After: %s", async (retryAfter, seconds) => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    await refuse(first, 503, retryAfter);
    await answer(second, log);
    engine.clock.advance(seconds * 1000 - 1);
    await answer(second, place().log);
    engine.clock.advance(1);
    await answer(first, place().log);
  });

  it("are tried all the same when no other one takes the call", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    await refuse(first, 503);
    await refuse(second, 503);
    await log.expect("failed");
    const next = place();
    await refuse(first, 503);
    await answer(second, next.log);
  });
});

describe("a call stays at the server that took it", () => {
  it("even when its Contact is a name or private", async () => {
    const [first, second] = await two();
    await start([first, second]);
    const { log } = place();
    await refuse(first, 503);
    const invite = await second.expectRequest("INVITE");
    second.respond(invite, 200, {
      toTag: "won",
      headers: [["Contact", "<sip:5@pbx.test>"]],
      body: sdpOf("answer"),
    });
    await second.expectRequest("ACK");
    const { log: dialog } = await log.expect("accepted");
    dialog.dialog.bye();
    second.respond(await second.expectRequest("BYE"), 200);
    expect(first.unread).toEqual([]);
  });
});

describe("a name of ours in Contact", () => {
  it("stands in OPTIONS, in the INVITE, and in what follows", async () => {
    const only = await SipPeer.udp();
    const contactHost = "sbc.example.com";
    await start([only], {
      pingMs: 3_600_000,
      terms: { reliable: "supported", session: undefined, contactHost },
    });
    const question = await only.expectRequest("OPTIONS");
    expect(question.headers.get("Contact")).toMatch(/^<sip:sbc\.example\.com:[0-9]+>$/);
    expect(question.from.uri).toBe("sip:sbc.example.com");
    only.respond(question, 200, { toTag: "x" });
    const { log } = place();
    const invite = await only.expectRequest("INVITE");
    expect(invite.contact?.sipUri.host).toBe(contactHost);
    only.respond(invite, 200, { toTag: "won", body: sdpOf("answer") });
    await only.expectRequest("ACK");
    const { dialog } = (await log.expect("accepted")).log;
    void dialog.reinvite(sdpOf("again"));
    const again = await only.expectRequest("INVITE");
    expect(again.contact?.sipUri.host).toBe(contactHost);
    only.respond(again, 488, { toTag: "won" });
    await only.expectRequest("ACK");
    dialog.bye();
    only.respond(await only.expectRequest("BYE"), 200);
  });
});

describe("RFC 3261 §11 OPTIONS to every server", () => {
  it("tells the well from the others before a call meets them", async () => {
    const [first, second] = await two();
    openQuestions = 2;
    await start([first, second], { pingMs: 40_000 });
    second.respond(await second.expectRequest("OPTIONS"), 200, { toTag: "x" });
    const question = await first.expectRequest("OPTIONS");
    await waitFor(() => states()[1] === "up", { what: "the second server to be up" });
    engine.clock.advance(32_000);
    expect(states()).toEqual(["down", "up"]);
    expect(engine.engine.trunkState("t")).toBe("up");
    await answer(second, place().log);
    engine.clock.advance(8000);
    let next = await first.expectRequest("OPTIONS");
    // Retransmissions of the question that found no answer come before.
    while (next.callId === question.callId) next = await first.expectRequest("OPTIONS");
    first.respond(next, 200, { toTag: "x" });
    second.respond(await second.expectRequest("OPTIONS"), 200, { toTag: "x" });
    await waitFor(() => states()[0] === "up", { what: "the first server to be up" });
    await answer(first, place().log);
  });
});
