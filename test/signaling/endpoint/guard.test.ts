import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { Overload } from "../../../src/signaling/guard/overload.ts";
import { SourceLimit } from "../../../src/signaling/guard/source-limit.ts";
import type { SourceLimits } from "../../../src/signaling/guard/source-limit.ts";
import { PARSER_LIMITS } from "../../../src/signaling/message/limits.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { EngineOptions } from "../../harness/signaling-engine.ts";
import { connectPeer } from "../../harness/stream-peer.ts";

const STRANGER_HOST = "127.0.0.9";

let clock: ManualClock;
let engine: TestEngine;
let pbx: SipPeer;
let sources: SourceLimit;

async function start(
  limits: Partial<SourceLimits> | undefined,
  more: EngineOptions["engine"] = {},
): Promise<void> {
  clock = new ManualClock();
  pbx = await SipPeer.udp(undefined, "127.0.0.8");
  sources = new SourceLimit({
    clock,
    limits: { perSecond: 1, burst: 5, banAfter: 10, banMs: 60_000, ...limits },
    isTrunk: (host) => engine.engine.isTrunk(host),
  });
  engine = await TestEngine.start({
    clock,
    isOnTcp: true,
    logger: silentLogger,
    trunks: [{ id: "office", peer: `sip:127.0.0.8:${pbx.local.port}` }],
    engine: { ...(limits === undefined ? {} : { sources }), ...more },
  });
  engine.adopt(pbx);
}

beforeEach(() => {
  clock = new ManualClock();
});

afterEach(async () => {
  sources.close();
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(clock.pendingTimers).toBe(0);
});

async function stranger(): Promise<SipPeer> {
  return engine.adopt(await SipPeer.udp(engine.udp, STRANGER_HOST));
}

function options(peer: SipPeer, user = "5"): void {
  peer.request("OPTIONS", {
    uri: `sip:${DOMAIN}`,
    from: `<sip:${user}@${DOMAIN}>;tag=f`,
    to: `<sip:${DOMAIN}>`,
  });
}

/** Asks the PBX's way: when this is answered, everything that was sent before has been read. */
async function settled(): Promise<void> {
  options(pbx);
  await pbx.expectResponse(200);
}

describe("RFC 3261 §8.2.7 a request before authentication", () => {
  const METHODS = [
    "REGISTER",
    "INVITE",
    "OPTIONS",
    "MESSAGE",
    "SUBSCRIBE",
    "BYE",
    "CANCEL",
    "ACK",
    "REFER",
    "PUBLISH",
    "INFO",
  ] as const;

  /** Sends `count` requests of all methods, each with its own names, waiting for the answers. */
  async function flood(peer: SipPeer, count: number): Promise<void> {
    for (let index = 0; index < count; index += METHODS.length) {
      for (const method of METHODS) {
        peer.request(method, {
          uri: `sip:${DOMAIN}`,
          from: `<sip:user-${index}@${DOMAIN}>;tag=t${index}`,
          to: `<sip:user-${index}@${DOMAIN}>`,
          ...(method === "INVITE" ? { body: sdpOf("offer") } : {}),
        });
      }
      // All but the ACK are answered.
      for (let answer = 1; answer < METHODS.length; answer += 1) {
        await peer.receive((message): message is typeof message => true, "an answer");
      }
    }
  }

  it.each(["WebSocket", "UDP", "TCP"])(
    "over %s leaves nothing behind",
    async (transport) => {
      await start(undefined);
      const peer =
        transport === "UDP"
          ? await stranger()
          : transport === "TCP"
            ? (await connectPeer(engine.tcp)).peer
            : await engine.connect();
      const timers = clock.pendingTimers;
      await flood(peer, 440);
      expect(engine.engine.counts.transactions).toBe(0);
      expect(engine.engine.counts.dialogs).toBe(0);
      // One more is the window of the log of refusals.
      expect(clock.pendingTimers).toBeLessThanOrEqual(timers + 1);
      const before = heapUsed();
      await flood(peer, 1320);
      // A transaction takes more than a kilobyte.
      expect(heapUsed() - before).toBeLessThan(400_000);
      expect(engine.engine.counts.transactions).toBe(0);
      if (transport === "TCP") await peer.close();
    },
    20_000,
  );
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapUsed(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe("a source that asks too much", () => {
  it("over UDP is not answered, then not read, until its ban ends; the trunk is served", async () => {
    await start({});
    const peer = await stranger();
    for (let index = 0; index < 5; index += 1) {
      options(peer);
      await peer.expectResponse(403);
    }
    for (let index = 0; index < 20; index += 1) options(peer);
    await settled();
    expect(peer.unread).toHaveLength(0);
    expect(sources.counts).toMatchObject({ rateLimited: 11, bans: 1 });
    expect([...sources.bans()]).toMatchObject([{ network: STRANGER_HOST, way: "datagram" }]);
    clock.advance(60_000);
    options(peer);
    await peer.expectResponse(403);
  });

  it("is let in again at once when the ban is lifted", async () => {
    await start({});
    const peer = await stranger();
    for (let index = 0; index < 20; index += 1) options(peer);
    await settled();
    peer.drain();
    expect(sources.lift(STRANGER_HOST)).toBe(true);
    options(peer);
    await peer.expectResponse(403);
  });

  it("may be forged to be the trunk's: the trunk goes on", async () => {
    await start({});
    const forged = engine.adopt(await SipPeer.udp(engine.udp, "127.0.0.8"));
    for (let index = 0; index < 100; index += 1) options(forged);
    await settled();
    expect(sources.banCount).toBe(0);
  });

  it("over UDP costs a browser behind the same address nothing", async () => {
    await start({});
    const forged = engine.adopt(await SipPeer.udp(engine.udp, "127.0.0.1"));
    for (let index = 0; index < 100; index += 1) options(forged);
    await settled();
    expect([...sources.bans()]).toMatchObject([{ network: "127.0.0.1", way: "datagram" }]);
    const browser = await engine.browser("1001");
    options(browser, "1001");
    await browser.expectResponse(200);
  });

  it("over WebSocket gets 503, then its connection closed and no new one, but for those who have signed in", async () => {
    await start({});
    const phone = await engine.browser("1001");
    const loud = await engine.connect();
    clock.advance(10_000);
    for (let index = 0; index < 6; index += 1) options(loud, "1002");
    const refused = await loud.expectResponse(503);
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
    for (let index = 0; index < 20; index += 1) options(loud, "1002");
    await loud.closed();
    await expect(engine.connect()).rejects.toThrow("429");
    options(phone, "1001");
    await phone.expectResponse(200);
    clock.advance(60_000);
    await engine.browser("1002");
  });

  it("with octets that are no SIP counts alike", async () => {
    await start({});
    const loud = await engine.connect();
    for (let index = 0; index < 30; index += 1) loud.sendOctets(Buffer.from("no SIP at all"));
    await loud.closed();
    expect(sources.banCount).toBe(1);
  });

  it("over TCP has its connection closed and gets no new one", async () => {
    await start({});
    const { peer } = await connectPeer(engine.tcp);
    for (let index = 0; index < 30; index += 1) options(peer);
    await peer.closed();
    const again = await connectPeer(engine.tcp);
    await again.peer.closed();
  });

  it("as a user who has signed in loses its own connection alone", async () => {
    await start({ perUserConnection: 2 });
    clock.advance(10_000);
    const loud = await engine.browser("1001");
    clock.advance(10_000);
    const quiet = await engine.browser("1002");
    for (let index = 0; index < 40; index += 1) options(loud, "1001");
    await loud.closed();
    options(quiet, "1002");
    await quiet.expectResponse(200);
    expect(sources.banCount).toBe(0);
  });
});

describe("a scanner's request", () => {
  const AGENTS = ["friendly-scanner", "sipcli/v1.8", "VaxSIPUserAgent/3.1", "pplsip", "SIPVicious"];

  function scan(peer: SipPeer, agent: string): void {
    peer.request("OPTIONS", {
      uri: "sip:100@127.0.0.1",
      from: '"sipvicious"<sip:100@1.1.1.1>;tag=f',
      to: '"sipvicious"<sip:100@1.1.1.1>',
      headers: [["User-Agent", agent]],
    });
  }

  it("gets no answer and is counted, over UDP, TCP and WebSocket", async () => {
    await start(undefined);
    const peers = [await stranger(), (await connectPeer(engine.tcp)).peer, await engine.connect()];
    for (const [index, peer] of peers.entries()) {
      for (const agent of AGENTS) scan(peer, agent);
      // What comes after it is answered.
      options(peer);
      const status = index < 2 ? 403 : 401;
      await peer.expectResponse(status);
      expect(peer.unread).toEqual([]);
      expect(engine.engine.guardCounts.scanners).toBe((index + 1) * AGENTS.length);
    }
    await peers[1]?.close();
  });

  it("is a request like any other from a trunk and from a user who has signed in", async () => {
    await start(undefined);
    const browser = await engine.browser("1001");
    for (const [peer, user] of [
      [pbx, "5"],
      [browser, "1001"],
    ] as const) {
      peer.request("OPTIONS", {
        uri: `sip:${DOMAIN}`,
        from: `<sip:${user}@${DOMAIN}>;tag=f`,
        to: `<sip:${DOMAIN}>`,
        headers: [["User-Agent", "sipcli/v1.8"]],
      });
      await peer.expectResponse(200);
    }
    expect(engine.engine.guardCounts.scanners).toBe(0);
  });

  it("is what the configuration says it is", async () => {
    await start(undefined, { scanners: ["bad robot"] });
    const peer = await stranger();
    scan(peer, "friendly-scanner");
    await peer.expectResponse(403);
    scan(peer, "A Bad Robot 2.0");
    await settled();
    expect(peer.unread).toHaveLength(0);
    expect(engine.engine.guardCounts.scanners).toBe(1);
  });
});

describe("a gateway that is overloaded", () => {
  /** Never idle since 3 s; what is left of its time is used up. */
  async function startOverloaded(): Promise<Overload> {
    const overloadClock = new ManualClock();
    const overload = new Overload({
      clock: overloadClock,
      random: () => 0.5,
      utilization: () => 1,
    });
    overload.start();
    overloadClock.advance(5000);
    expect(overload.isOverloaded).toBe(true);
    overload.close();
    await start(undefined, { overload });
    while (overload.admits());
    return overload;
  }

  const call = { uri: `sip:1001@${DOMAIN}`, from: "<sip:5@pbx.test>;tag=f", body: sdpOf("offer") };

  it("refuses new calls and new sign-ins with 503 and Retry-After, without state", async () => {
    const overload = await startOverloaded();
    const before = overload.refused;
    pbx.request("INVITE", { ...call, to: `<sip:1001@${DOMAIN}>` });
    expect((await pbx.expectResponse(503)).headers.get("Retry-After")).toBe("6");
    const browser = await engine.connect();
    const aor = `<sip:1001@${DOMAIN}>`;
    browser.request("REGISTER", { uri: `sip:${DOMAIN}`, from: `${aor};tag=f`, to: aor });
    expect((await browser.expectResponse(503)).headers.get("Retry-After")).toBe("6");
    expect(overload.refused - before).toBe(2);
    expect(engine.engine.counts.transactions).toBe(0);
    expect(engine.invites.unread).toHaveLength(0);
  });

  it("serves whatever is in progress", async () => {
    clock = new ManualClock();
    const late = new ManualClock();
    let share = 0.1;
    const overload = new Overload({ clock: late, random: () => 0.5, utilization: () => share });
    overload.start();
    await start(undefined, { overload });
    const browser = await engine.browser("1001");
    const inviteOf = (tag: string) =>
      pbx.request("INVITE", { ...call, from: `<sip:5@pbx.test>;tag=${tag}`, to: call.uri });
    const first = inviteOf("a");
    const talking = await engine.invites.next();
    const answered = talking.accept(sdpOf("answer"));
    const ok = await pbx.expectResponse(200);
    const inDialog = (method: string, cseq: number) =>
      pbx.request(method, {
        uri: ok.contact?.sipUri.toString() ?? "",
        from: first.headers.get("From") ?? "",
        to: ok.headers.get("To") ?? "",
        callId: first.callId,
        cseq,
      });
    inDialog("ACK", 1);
    await answered.expect("confirmed");
    const ringing = inviteOf("b");
    await engine.invites.next();
    share = 1;
    late.advance(5000);
    while (overload.admits());
    const refused = overload.refused;

    // A retransmission, a keep-alive, a refresh, an OPTIONS and the end of both calls.
    pbx.send(ringing);
    options(pbx);
    await pbx.expectResponse(200, "OPTIONS");
    options(browser, "1001");
    await browser.expectResponse(200, "OPTIONS");
    const aor = `<sip:1001@${DOMAIN}>`;
    browser.request("REGISTER", {
      uri: `sip:${DOMAIN}`,
      from: `${aor};tag=f`,
      to: aor,
      headers: [["Contact", browser.registerContact({ instance: "urn:uuid:1001", regId: 1 })]],
    });
    await browser.expectResponse(200, "REGISTER");
    pbx.request("CANCEL", {
      uri: ringing.requestUri,
      from: ringing.headers.get("From") ?? "",
      to: call.uri,
      callId: ringing.callId,
      branch: ringing.topmostVia.branch ?? "",
      headers: [],
    });
    await pbx.expectResponse(200, "CANCEL");
    await pbx.expectResponse(487, "INVITE");
    inDialog("BYE", 2);
    await pbx.expectResponse(200, "BYE");
    expect(overload.refused).toBe(refused);
    overload.close();
  });
});

describe("bounds of a message that are changed", () => {
  const messages = {
    parser: {
      ...PARSER_LIMITS,
      messageOctets: 3000,
      headerLines: 20,
      headerOctets: 500,
      vias: 3,
      requestUriOctets: 100,
    },
    maxDatagramOctets: 2000,
  };
  const bodyOf = (octets: number) => ({ body: "x".repeat(octets) });
  const headersOf = (count: number, length: number) => ({
    headers: Array.from(
      { length: count },
      (_, index) => [`X-${index}`, "y".repeat(length)] as const,
    ),
  });
  const viasOf = (count: number) => ({
    headers: Array.from(
      { length: count },
      (_, index) => ["Via", `SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${index}`] as const,
    ),
  });
  const uriOf = (octets: number) => ({ uri: `sip:${"u".repeat(octets)}@${DOMAIN}` });
  const plain = { uri: `sip:${DOMAIN}`, from: "<sip:5@pbx.test>;tag=f", to: `<sip:${DOMAIN}>` };

  it.each([
    ["a datagram", bodyOf(1000), bodyOf(1900), 513],
    ["header lines", headersOf(12, 1), headersOf(20, 1), 513],
    ["a header line", headersOf(1, 400), headersOf(1, 600), 513],
    ["Via values", viasOf(2), viasOf(3), 400],
    ["the Request-URI", uriOf(60), uriOf(120), 414],
  ])("hold over UDP for %s", async (_name, less, more, status) => {
    await start(undefined, { messages });
    pbx.request("OPTIONS", { ...plain, ...less });
    expect((await pbx.receive((m): m is typeof m => true, "an answer")).kind).toBe("response");
    pbx.request("OPTIONS", { ...plain, ...more });
    await pbx.expectResponse(status);
  });

  it("hold for a message over WebSocket and over TCP", async () => {
    await start(undefined, { messages });
    const browser = await engine.connect();
    browser.request("OPTIONS", { ...plain, ...bodyOf(2400) });
    await browser.expectResponse(401);
    browser.request("OPTIONS", { ...plain, ...bodyOf(3000) });
    await browser.closed();
    const { peer } = await connectPeer(engine.tcp);
    peer.request("OPTIONS", { ...plain, ...bodyOf(2400) });
    await peer.expectResponse(403);
    peer.request("OPTIONS", { ...plain, ...bodyOf(3000) });
    await peer.expectResponse(513);
    await peer.closed();
  });
});
