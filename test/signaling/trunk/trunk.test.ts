import { afterEach, describe, expect, it } from "vitest";
import type { EngineTrunk } from "../../../src/signaling/embedded-engine.ts";
import { tryParseDigestCredentials } from "../../../src/signaling/message/auth-header.ts";
import { trunkStateFacts } from "../../../src/signaling/trunk/channels.ts";
import type { TrunkStateFact } from "../../../src/signaling/trunk/channels.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { FakeResolver } from "../../harness/fake-resolver.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { EngineOptions } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
/** Questions of OPTIONS that are open when the test ends: one trunk is asked for ever. */
let openQuestions = 0;

async function start(trunks: readonly EngineTrunk[], options: EngineOptions = {}): Promise<void> {
  engine = await TestEngine.start({ ...options, trunks });
}

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: openQuestions, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
  openQuestions = 0;
});

function place(trunkId: string): OutgoingLog {
  const log = new OutgoingLog();
  engine.engine.invite(
    {
      target: { kind: "trunk", trunkId, number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
    },
    log,
  );
  return log;
}

/** Which trunk an INVITE of this peer is taken for. */
async function trunkOf(peer: SipPeer): Promise<string> {
  peer.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=f",
    to: "<sip:1001@gateway.test>",
    body: sdpOf("offer"),
  });
  const { invite } = await engine.invites.next();
  invite.reject(486);
  await peer.expectResponse(486);
  return invite.party.kind === "trunk" ? invite.party.trunkId : "none";
}

describe("RFC 3261 §22 the digest of a trunk", () => {
  const auth = { username: "gw", password: "secret" };

  it.each([
    [401, "WWW-Authenticate", "Authorization", "MD5"],
    [407, "Proxy-Authenticate", "Proxy-Authorization", "SHA-256"],
  ])(
    "answers %i once, and repeats the credentials in the ACK",
    async (status, asked, given, algorithm) => {
      const pbx = await SipPeer.udp();
      await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.local.port}`, auth }]);
      engine.adopt(pbx);
      const log = place("t");
      const first = await pbx.expectRequest("INVITE");
      expect(first.headers.has(given)).toBe(false);
      const challenge = `Digest realm="pbx", nonce="n", algorithm=${algorithm}, qop="auth"`;
      pbx.respond(first, status, { toTag: "x", headers: [[asked, challenge]] });
      await pbx.expectRequest("ACK");
      const second = await pbx.expectRequest("INVITE");
      expect(second.callId).toBe(first.callId);
      expect(second.fromTag).toBe(first.fromTag);
      expect(second.cseq.number).toBe(2);
      expect(tryParseDigestCredentials(second.headers.get(given) ?? "")).toMatchObject({
        username: "gw",
        realm: "pbx",
        uri: second.requestUri,
      });
      pbx.respond(second, 200, { toTag: "y", body: sdpOf("answer") });
      const ack = await pbx.expectRequest("ACK");
      expect(ack.headers.get(given)).toBe(second.headers.get(given));
      const { log: dialog } = await log.expect("accepted");
      dialog.dialog.bye();
      const bye = await pbx.expectRequest("BYE");
      pbx.respond(bye, status, { headers: [[asked, challenge]] });
      const again = await pbx.expectRequest("BYE");
      expect(again.headers.has(given)).toBe(true);
      expect(again.cseq.number).toBe(bye.cseq.number + 1);
      pbx.respond(again, 200);
    },
  );

  it("gives up when the credentials are wrong", async () => {
    const pbx = await SipPeer.udp();
    await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.local.port}`, auth }]);
    engine.adopt(pbx);
    const log = place("t");
    for (const nonce of ["a", "b"]) {
      pbx.respond(await pbx.expectRequest("INVITE"), 401, {
        toTag: nonce,
        headers: [["WWW-Authenticate", `Digest realm="pbx", nonce="${nonce}", qop="auth"`]],
      });
      await pbx.expectRequest("ACK");
    }
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(401);
  });

  it("leaks nowhere: neither to a trunk without auth nor to another realm", async () => {
    const open = await SipPeer.udp();
    const closed = await SipPeer.udp();
    await start([
      { id: "open", peer: `sip:127.0.0.1:${open.local.port}` },
      { id: "closed", peer: `sip:127.0.0.1:${closed.local.port}`, auth },
    ]);
    engine.adopt(open);
    engine.adopt(closed);
    const foreign = 'Digest realm="carrier.test", nonce="8B05", algorithm=MD5';
    for (const [trunkId, peer] of [
      ["open", open],
      ["closed", closed],
    ] as const) {
      const log = place(trunkId);
      const invite = await peer.expectRequest("INVITE");
      peer.respond(invite, 200, { toTag: "x", body: sdpOf("answer") });
      await peer.expectRequest("ACK");
      const { log: dialog } = await log.expect("accepted");
      const info = dialog.dialog.request("INFO", {});
      peer.respond(await peer.expectRequest("INFO"), 407, {
        headers: [["Proxy-Authenticate", foreign]],
      });
      expect(await info).toBe(407);
      dialog.dialog.bye();
      peer.respond(await peer.expectRequest("BYE"), 407, {
        headers: [["Proxy-Authenticate", foreign]],
      });
      expect(peer.unread).toHaveLength(0);
    }
  });
});

describe("where calls of a trunk may come from", () => {
  it("the peer's address, and the ranges of accept", async () => {
    const here = await SipPeer.udp(undefined, "127.0.0.1");
    const near = await SipPeer.udp(undefined, "127.0.3.7");
    const far = await SipPeer.udp(undefined, "127.0.4.7");
    await start([{ id: "t", peer: "sip:127.0.0.1:9", accept: ["127.0.3.0/24"] }]);
    for (const peer of [here, near, far]) engine.adopt(peer);
    expect(await trunkOf(here)).toBe("t");
    expect(await trunkOf(near)).toBe("t");
    far.request("INVITE", {
      uri: "sip:1@gateway.test",
      from: "<sip:5@x.test>;tag=f",
      to: "<sip:1@gateway.test>",
    });
    await far.expectResponse(403);
  });

  it("of two trunks at one address the one with this port, else the first", async () => {
    const [first, second, third] = await Promise.all([SipPeer.udp(), SipPeer.udp(), SipPeer.udp()]);
    await start([
      { id: "first", peer: `sip:127.0.0.1:${first.local.port}` },
      { id: "second", peer: `sip:127.0.0.1:${second.local.port}` },
    ]);
    for (const peer of [first, second, third]) engine.adopt(peer);
    expect(await trunkOf(second)).toBe("second");
    expect(await trunkOf(first)).toBe("first");
    expect(await trunkOf(third)).toBe("first");
  });

  it("a name is looked up at the start and as its TTL runs out, and the last answer stays", async () => {
    const peers = await Promise.all(
      [1, 2, 3].map((last) => SipPeer.udp(undefined, `127.0.5.${last}`)),
    );
    const [one, two, three] = peers;
    if (one === undefined || two === undefined || three === undefined) throw new Error("no peers");
    const resolver = new FakeResolver({ "pbx.test": { hosts: ["127.0.5.1", "127.0.5.2"] } });
    resolver.ttlMs = 60_000;
    await start([{ id: "t", peer: `sip:pbx.test:${one.local.port}` }], { resolver });
    for (const peer of peers) engine.adopt(peer);
    const log = place("t");
    const invite = await one.expectRequest("INVITE");
    expect(invite.requestUri).toBe(`sip:5@pbx.test:${one.local.port}`);
    one.respond(invite, 486, { toTag: "x" });
    await one.expectRequest("ACK");
    await log.expect("failed");
    resolver.isDead = true;
    await engine.clock.advanceAsync(60_000);
    expect(await trunkOf(two)).toBe("t");
    resolver.isDead = false;
    resolver.zones.set("pbx.test", { hosts: ["127.0.5.3"] });
    await engine.clock.advanceAsync(60_000);
    expect(await trunkOf(three)).toBe("t");
    expect(engine.engine.trunkTargets("t").map(({ address }) => address)).toEqual([
      `127.0.5.3:${one.local.port}`,
    ]);
    // What it led to before may still call, for an hour.
    expect(await trunkOf(two)).toBe("t");
    await engine.clock.advanceAsync(3_700_000);
    two.request("OPTIONS", {
      uri: "sip:x@y.test",
      from: "<sip:a@b.test>;tag=1",
      to: "<sip:a@b.test>",
    });
    await two.expectResponse(403);
  });

  it("a trunk whose name is not known yet fails with 503", async () => {
    const resolver = new FakeResolver();
    resolver.isDead = true;
    await start([{ id: "t", peer: "sip:pbx.test" }], { resolver });
    const log = place("t");
    engine.clock.advance(0);
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "transport",
      reason: { sipStatus: 503 },
    });
  });
});

describe("RFC 3261 §11 OPTIONS ping", () => {
  it("one answer is up, three misses are down", async () => {
    openQuestions = 1;
    const facts: TrunkStateFact[] = [];
    const unsubscribe = trunkStateFacts.subscribe((fact) => facts.push(fact));
    const pbx = await SipPeer.udp();
    await start([{ id: "t", peer: `sip:127.0.0.1:${pbx.local.port}`, pingMs: 40_000 }]);
    engine.adopt(pbx);
    expect(engine.engine.trunkState("t")).toBe("unknown");
    const first = await pbx.expectRequest("OPTIONS");
    expect(first.requestUri).toBe(`sip:127.0.0.1:${pbx.local.port}`);
    pbx.respond(first, 404, { toTag: "x" });
    await new Promise<void>((resolve) => {
      const end = trunkStateFacts.subscribe(() => {
        end();
        resolve();
      });
    });
    expect(engine.engine.trunkState("t")).toBe("up");
    engine.clock.advance(40_000);
    for (const state of ["up", "up", "down"]) {
      await pbx.expectRequest("OPTIONS");
      engine.clock.advance(32_000);
      expect(engine.engine.trunkState("t")).toBe(state);
      engine.clock.advance(8000);
      // Retransmissions of the question that found no answer.
      while (pbx.unread.length > 0) await pbx.expectRequest("OPTIONS");
    }
    engine.clock.advance(40_000);
    pbx.respond(await pbx.expectRequest("OPTIONS"), 200, { toTag: "x" });
    unsubscribe();
    expect(facts.map(({ trunkId, previous, state }) => [trunkId, previous, state])).toEqual([
      ["t", "unknown", "up"],
      ["t", "up", "down"],
    ]);
    expect(engine.engine.trunkState("no such trunk")).toBe("unknown");
  });

  it("a trunk that was down is up after two answers in a row, the second asked for 5 s later", async () => {
    openQuestions = 1;
    const pbx = await SipPeer.udp();
    await start([
      { id: "t", peer: `sip:127.0.0.1:${pbx.local.port}`, pingMs: 40_000, pingMisses: 1 },
    ]);
    engine.adopt(pbx);
    const known = new Set<string>();
    /** The next question; what is sent again is none. */
    const question = async (): Promise<SipRequest> => {
      for (;;) {
        const ping = await pbx.expectRequest("OPTIONS");
        if (known.has(ping.callId)) continue;
        known.add(ping.callId);
        return ping;
      }
    };
    /** Answers it, and waits until the engine has read that: it works in order. */
    const answer = async (): Promise<void> => {
      pbx.respond(await question(), 200, { toTag: "x" });
      pbx.request("OPTIONS", {
        uri: "sip:gateway.test",
        from: "<sip:a@pbx.test>;tag=o",
        to: "<sip:b@gateway.test>",
      });
      await pbx.expectResponse(200, "OPTIONS");
    };
    await question();
    engine.clock.advance(32_000);
    const sinceMs = engine.clock.wallMs();
    expect(engine.engine.trunkPing("t")).toEqual({ state: "down", reason: "timeout", sinceMs });
    expect(engine.engine.trunkTargets("t")[0]).toMatchObject({ state: "down", reason: "timeout" });
    engine.clock.advance(8000);
    await answer();
    expect(engine.engine.trunkState("t")).toBe("down");
    // A silence in between: the count begins anew.
    engine.clock.advance(5000);
    await question();
    engine.clock.advance(40_000);
    await answer();
    expect(engine.engine.trunkState("t")).toBe("down");
    engine.clock.advance(5000);
    await answer();
    expect(engine.engine.trunkPing("t")).toEqual({
      state: "up",
      reason: undefined,
      sinceMs: engine.clock.wallMs(),
    });
  });
});
