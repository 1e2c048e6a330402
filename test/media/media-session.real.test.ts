import { createSocket, type Socket } from "node:dgram";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type AnsweringAttempt, CallerOffers } from "../../src/call/caller-offers.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createMediaEngine } from "../../src/media/media-engine.ts";
import type { CodecPolicy, Exchange, LegKind, MediaEngine } from "../../src/media/session.ts";
import { audioPortOf, formatsOf, RtpPeer, TestRtpengine } from "../harness/rtpengine.ts";
import { waitFor } from "../harness/wait.ts";
import { asteriskSdp, BARESIP_OFFER, chromiumSdp, sippAnswer } from "./samples.ts";

const LEAKS =
  /ssrc|msid|extmap|rtcp-xr|rtcp-rsize|tls-id|Asterisk|baresip|192\.0\.2\.|1796298770395869764|\.local/;
const BROWSER_ONLY = /a=(?:ice|candidate|fingerprint|setup|mid|group|rtcp-mux|rtcp-fb)/;

function pairOf(from: LegKind, to: LegKind, branch = "b1", codecs?: readonly string[]): Exchange {
  return {
    offerer: { tag: "caller", kind: from },
    answerer: { tag: `callee-${branch}`, kind: to, codecs },
    branch,
  };
}

function swapped({ offerer, answerer, branch }: Exchange): Exchange {
  return { offerer: answerer, answerer: offerer, branch };
}

/** What a browser's transport must keep for the life of its call. */
function transportOf(sdp: string): readonly (string | undefined)[] {
  return [/^m=audio \d+/m, /^a=ice-ufrag:.*/m, /^a=fingerprint:.*/m, /^a=mid:.*/m].map(
    (line) => line.exec(sdp)?.[0],
  );
}

function originOf(sdp: string): { readonly id: string; readonly version: number } {
  const [, id = "", version = ""] = /^o=- (\d+) (\d+) /m.exec(sdp) ?? [];
  return { id, version: Number(version) };
}

/** Loses the first request and the first reply of every command. */
class ForgetfulRelay {
  readonly #front: Socket;
  readonly #back: Socket;
  readonly #seen = new Set<string>();
  #clientPort = 0;
  lost = 0;

  static async open(ngPort: number): Promise<ForgetfulRelay> {
    const [front, back] = [createSocket("udp4"), createSocket("udp4")];
    await Promise.all(
      [front, back].map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.bind(0, "127.0.0.1", resolve);
          }),
      ),
    );
    return new ForgetfulRelay(front, back, ngPort);
  }

  private constructor(front: Socket, back: Socket, ngPort: number) {
    this.#front = front;
    this.#back = back;
    front.on("message", (octets, from) => {
      this.#clientPort = from.port;
      if (this.#passes("request", octets)) back.send(octets, ngPort, "127.0.0.1");
    });
    back.on("message", (octets) => {
      if (this.#passes("reply", octets)) front.send(octets, this.#clientPort, "127.0.0.1");
    });
  }

  get port(): number {
    return this.#front.address().port;
  }

  close(): void {
    this.#front.close();
    this.#back.close();
  }

  #passes(way: string, octets: Buffer): boolean {
    const key = way + octets.toString("latin1", 0, 36);
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    this.lost += 1;
    return false;
  }
}

describe("a media session on a real rtpengine", () => {
  let rtpengine: TestRtpengine;
  let engine: MediaEngine;

  beforeAll(async () => {
    rtpengine = await TestRtpengine.start();
    engine = await rtpengine.engine();
  });
  afterAll(async () => {
    expect(await engine.sessionCount()).toBe(0);
    await engine.stop();
    await rtpengine.stop();
  });

  it.each([
    {
      policy: "narrow",
      toTrunk: ["9", "0", "8", "126"],
      answer: ["0", "126"],
      isTranscoded: false,
    },
    { policy: "auto", toTrunk: ["9", "0", "8", "126"], answer: ["0", "126"], isTranscoded: false },
    { policy: "opus", toTrunk: ["9", "0", "8", "96"], answer: ["111", "110"], isTranscoded: true },
  ] satisfies readonly {
    policy: CodecPolicy;
    toTrunk: readonly string[];
    answer: readonly string[];
    isTranscoded: boolean;
  }[])(
    "$policy: Chromium calls sipp, and neither sees the other",
    async ({ policy, toTrunk, answer, isTranscoded }) => {
      const session = engine.createSession({ policy });
      const pair = pairOf("webrtc", "rtp");
      const offer = await session.offer(pair, chromiumSdp());
      expect(formatsOf(offer)).toEqual(toTrunk);
      expect(offer).not.toMatch(LEAKS);
      expect(offer).not.toMatch(BROWSER_ONLY);
      expect(offer.length).toBeLessThan(500);

      const reply = await session.answer(pair, sippAnswer(formatsOf(offer).at(-1) ?? ""));
      expect(formatsOf(reply)).toEqual(answer);
      expect(reply).not.toMatch(LEAKS);
      expect(reply).toContain("a=group:BUNDLE 0\r\n");
      expect(reply).toContain("a=setup:active\r\n");
      expect(reply).toContain("a=rtcp-mux\r\n");

      expect(session.negotiated().isTranscoded).toBe(isTranscoded);
      const report = await session.close();
      expect(report?.isTranscoded).toBe(isTranscoded);
      expect(report?.packetsFrom).toEqual({ caller: 0, "callee-b1": 0 });
      expect(report?.codecs).toEqual({
        caller: isTranscoded ? "opus/48000/2" : "PCMU/8000",
        "callee-b1": "PCMU/8000",
      });
    },
  );

  it("opus for a trunk that lists it: end to end, with the events of its clock", async () => {
    const session = engine.createSession({ policy: "auto" });
    const pair = pairOf("webrtc", "rtp", "b1", ["opus", "PCMA"]);
    const offer = await session.offer(pair, chromiumSdp());
    expect(formatsOf(offer)).toEqual(["111", "8", "110", "126"]);
    await session.close();
  });

  it.each([
    { policy: "narrow", toBrowser: ["0", "8", "101"], browser: "0 101", toPeer: ["0", "101"] },
    { policy: "opus", toBrowser: ["96", "97"], browser: "96 97", toPeer: ["0", "101"] },
  ] satisfies readonly {
    policy: CodecPolicy;
    toBrowser: readonly string[];
    browser: string;
    toPeer: readonly string[];
  }[])(
    "$policy: baresip calls a browser; its video is refused, its SSRC stays away",
    async ({ policy, toBrowser, browser, toPeer }) => {
      const session = engine.createSession({ policy });
      const pair = pairOf("rtp", "webrtc");
      const offer = await session.offer(pair, BARESIP_OFFER);
      expect(formatsOf(offer)).toEqual(toBrowser);
      expect(offer).not.toMatch(LEAKS);
      expect(offer).not.toContain("video");
      expect(offer).toContain("a=group:BUNDLE 0\r\n");
      expect(offer).toContain("a=setup:actpass\r\n");

      const answer = chromiumSdp({ formats: browser, setup: "active" });
      const reply = await session.answer(pair, answer);
      expect(formatsOf(reply)).toEqual(toPeer);
      expect(reply).not.toMatch(LEAKS);
      expect(reply).not.toMatch(BROWSER_ONLY);
      expect(reply).toContain("m=video 0 RTP/AVP 97\r\n");
      await session.close();
    },
  );

  it("keeps port, ufrag, role and origin at both sides through hold, resume and refresh", async () => {
    const session = engine.createSession({ policy: "auto" });
    const pair = pairOf("webrtc", "rtp");
    const firstOffer = await session.offer(pair, chromiumSdp());
    const first = await session.answer(pair, asteriskSdp("0 126"));

    const hold = await session.offer(swapped(pair), asteriskSdp("0 8 126", "sendonly"));
    expect(transportOf(hold)).toEqual(transportOf(first));
    expect(hold).toContain("a=sendonly\r\n");
    const held = await session.answer(
      swapped(pair),
      chromiumSdp({ formats: "0 126", setup: "passive", direction: "recvonly" }),
    );
    expect(audioPortOf(held)).toBe(audioPortOf(firstOffer));

    const reOffer = await session.offer(pair, chromiumSdp({ direction: "sendonly" }));
    expect(audioPortOf(reOffer)).toBe(audioPortOf(firstOffer));
    expect(formatsOf(reOffer)[0]).toBe("0");
    const last = await session.answer(pair, asteriskSdp("0 126", "recvonly"));
    expect(transportOf(last)).toEqual(transportOf(first));
    expect(last).toContain("a=setup:active\r\n");

    const origins = [first, hold, last].map(originOf);
    expect(new Set(origins.map(({ id }) => id)).size).toBe(1);
    expect(origins.map(({ version }) => version)).toEqual([1, 2, 3]);
    // RFC 3264 §8: the same body keeps its version.
    const again = await session.answer(pair, asteriskSdp("0 126", "recvonly"));
    expect(originOf(again)).toEqual(origins[2]);
    await session.close();
  });

  it("keeps rtpengine's DTLS role when the called browser re-offers", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const pair = pairOf("rtp", "webrtc");
    const offer = await session.offer(pair, asteriskSdp("0 8 101"));
    await session.answer(pair, chromiumSdp({ formats: "0 101", setup: "active" }));
    await session.offer(swapped(pair), chromiumSdp({ direction: "sendonly" }));
    const reply = await session.answer(swapped(pair), asteriskSdp("0 126", "recvonly"));
    expect(transportOf(reply)).toEqual(transportOf(offer));
    expect(reply).toContain("a=setup:passive\r\n");
    await session.close();
  });

  it("RFC 8445 §6.1.1 a call of two browsers that moves twice: no end has rtpengine's role", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const pair = pairOf("webrtc", "webrtc");
    const [caller, callee] = [
      chromiumSdp({ formats: "0 101" }),
      chromiumSdp({ formats: "0 101", setup: "active" }),
    ];
    await session.offer(pair, caller);
    await session.answer(pair, callee);
    // The phone answers a move with `passive` (RFC 8842 §5.3): rtpengine is another one's DTLS client then.
    const moved = chromiumSdp({ formats: "0 101", setup: "passive" });
    for (let time = 1; time <= 2; time += 1) {
      const move = await session.move();
      const there = { ...swapped(pair), isStandIn: true };
      // Its agent is the controlling one as the other end seems to call.
      await session.offer(there, callee);
      await session.answer(there, moved);
      const toCallee = await session.offer(pair, moved);
      await session.answer(pair, moved);
      await move.keep();
      // Toward the other end it would be controlled, as is who answers a full agent.
      expect(toCallee).toContain("a=ice-lite\r\n");
    }
    await session.close();
  });

  it("183 with one codec, then 200 with another: the browser gets a codec both times", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const pair = pairOf("webrtc", "rtp");
    await session.offer(pair, chromiumSdp());
    const early = await session.answer(pair, asteriskSdp("0 126"));
    const final = await session.answer(pair, asteriskSdp("8 126"));
    expect(formatsOf(early)).toEqual(["0", "126"]);
    // RFC 6337 §3.1.1: what was said early holds; rtpengine makes one of the other.
    expect(formatsOf(final)).toEqual(["0", "126"]);
    expect(transportOf(final)).toEqual(transportOf(early));
    await session.close();
  });

  it("failover: a lost attempt may be dropped before or after the next, the browser keeps its port", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const [one, two, three] = ["b1", "b2", "b3"].map((branch) => pairOf("webrtc", "rtp", branch));
    if (one === undefined || two === undefined || three === undefined) throw new Error("no pair");
    await session.offer(one, chromiumSdp());
    const early = await session.answer(one, asteriskSdp("0 126"));
    await session.dropBranch("b1");
    await session.offer(two, chromiumSdp());
    const second = await session.answer(two, asteriskSdp("0 126"));
    await session.offer(three, chromiumSdp());
    await session.dropBranch("b2");
    const third = await session.answer(three, asteriskSdp("8 126"));
    expect(transportOf(second)).toEqual(transportOf(early));
    expect(transportOf(third)).toEqual(transportOf(early));
    await session.dropBranch("b3");
    await session.dropBranch("never was");
    await session.close();
  });

  it("rings several browsers at once; the first answer wins", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const left = pairOf("rtp", "webrtc", "b1");
    const right = pairOf("rtp", "webrtc", "b2");
    const [a, b] = await Promise.all([
      session.offer(left, asteriskSdp("0 8 101")),
      session.offer(right, asteriskSdp("0 8 101")),
    ]);
    expect(audioPortOf(a)).not.toBe(audioPortOf(b));
    const reply = await session.answer(right, chromiumSdp({ formats: "0 101", setup: "active" }));
    await session.dropBranch("b1");
    const hold = await session.offer(right, asteriskSdp("0 8 101", "sendonly"));
    expect(transportOf(hold)).toEqual(transportOf(b));
    expect(formatsOf(reply)).toEqual(["0", "101"]);
    await session.close();
  });

  it("RFC 3311 a caller that moves while two ring: whoever answers in the end talks to it", async () => {
    await using before = await RtpPeer.open();
    await using after = await RtpPeer.open();
    await using callee = await RtpPeer.open();
    const session = engine.createSession({ policy: "narrow" });
    const callerSdp = before.sdp("0 8 101");
    const offers = new CallerOffers({ sdp: callerSdp, progress() {} }, session, silentLogger);
    const [first, second] = [pairOf("rtp", "rtp", "b1"), pairOf("rtp", "rtp", "b2")];
    const attempt = async (exchange: Exchange) => ({
      exchange,
      state: "ringing" as AnsweringAttempt["state"],
      callerSdp,
      localSdp: await session.offer(exchange, callerSdp),
    });
    const [heard, other] = [await attempt(first), await attempt(second)];
    const offerAgain = (sdp: string): Promise<string> =>
      new Promise((resolve, reject) => {
        offers.receive({
          method: "UPDATE",
          sdp,
          accept: resolve,
          reject: (status) => reject(new Error(`refused with ${status}`)),
        });
      });
    const told = await offers.bring(heard, callee.sdp("0 101"));
    offers.told = told;
    // Another codec than the callee's, who is not asked.
    const moved = await offerAgain(after.sdp("8 101"));
    expect([audioPortOf(moved), formatsOf(moved)]).toEqual([audioPortOf(told), ["8", "101"]]);
    const held = await offerAgain(after.sdp("8 101", "inactive"));
    expect(held).toContain("a=inactive\r\n");
    // The one that was heard has gone: nobody is there to answer, and the caller goes on.
    heard.state = "ended";
    await session.dropBranch("b1");
    const alone = await offerAgain(after.sdp("8 101"));
    expect([audioPortOf(alone), formatsOf(alone)]).toEqual([audioPortOf(told), ["8", "101"]]);
    expect(alone).toContain("a=sendrecv\r\n");
    const final = await offers.bring(other, callee.sdp("0 101"));
    expect([audioPortOf(final), formatsOf(final)]).toEqual([audioPortOf(told), ["8", "101"]]);
    // The caller is where it said last, the callee where it was when it was called.
    await waitFor(
      () => {
        after.send(audioPortOf(told), 8, Buffer.alloc(160, 0xd5));
        callee.send(audioPortOf(other.localSdp), 0, Buffer.alloc(160, 0xff));
        return after.received.length > 5 && callee.received.length > 5;
      },
      { what: "sound both ways", intervalMs: 20 },
    );
    expect(new Set(after.received.map(({ payloadType }) => payloadType))).toEqual(new Set([8]));
    expect(new Set(callee.received.map(({ payloadType }) => payloadType))).toEqual(new Set([0]));
    expect(before.received).toHaveLength(0);
    await session.close();
  });

  it("refuses an answer without a codec in common, and still closes", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const pair = pairOf("webrtc", "rtp");
    await session.offer(pair, chromiumSdp());
    await expect(session.answer(pair, "v=0\r\n")).rejects.toMatchObject({
      code: "ERR_OFFHOOK_MEDIA_SDP",
    });
    await expect(session.answer(pair, chromiumSdp({ formats: "97" }))).rejects.toMatchObject({
      code: "ERR_OFFHOOK_MEDIA_SDP",
    });
    await session.close();
  });

  it("a session that is closed while an offer is on its way leaves nothing behind", async () => {
    const session = engine.createSession({ policy: "narrow" });
    const offer = session.offer(pairOf("webrtc", "rtp"), chromiumSdp());
    const closed = session.close();
    await offer;
    await closed;
    expect(await engine.sessionCount()).toBe(0);
    await expect(session.offer(pairOf("webrtc", "rtp"), chromiumSdp())).rejects.toMatchObject({
      code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE",
    });
    expect(await session.close()).toEqual(await closed);
  });

  it("closes without a report when it was never offered, or rtpengine forgot it", async () => {
    await expect(engine.createSession({ policy: "auto" }).close()).resolves.toBeUndefined();
  });

  it.each([
    { hasFixedAddress: false, injected: "in its first seconds" },
    { hasFixedAddress: true, injected: "never" },
  ])(
    "a stranger who sends to a call's ports gets nothing, and is heard $injected",
    async ({ hasFixedAddress }) => {
      await using peer = await RtpPeer.open();
      await using other = await RtpPeer.open();
      await using stranger = await RtpPeer.open();
      const session = engine.createSession({ policy: "narrow" });
      const plain = pairOf("rtp", "rtp");
      const pair: Exchange = {
        offerer: { ...plain.offerer, hasFixedAddress },
        answerer: { ...plain.answerer, hasFixedAddress },
        branch: "b1",
      };
      const toOther = await session.offer(pair, peer.sdp("0"));
      const toPeer = await session.answer(pair, other.sdp("0"));
      const [voice, forged] = [Buffer.alloc(160, 0x22), Buffer.alloc(160, 0x66)];
      await waitFor(
        () => {
          peer.send(audioPortOf(toPeer), 0, voice);
          other.send(audioPortOf(toOther), 0, voice);
          stranger.send(audioPortOf(toPeer), 0, forged);
          stranger.send(audioPortOf(toOther), 0, forged);
          return other.received.length >= 60 && peer.received.length >= 60;
        },
        { what: "60 packets at both", intervalMs: 5 },
      );
      const isForged = ({ payload }: { readonly payload: Buffer }): boolean => payload[0] === 0x66;
      expect(stranger.received).toHaveLength(0);
      expect([...peer.received, ...other.received].some(isForged)).toBe(!hasFixedAddress);
      const report = await session.close();
      expect(report?.packetsFrom["caller"]).toBeGreaterThanOrEqual(50);
      expect(report?.isTranscoded).toBe(false);
    },
  );

  it("learns a telephone behind a NAT, whose packets come from another port than its SDP says", async () => {
    await using natted = await RtpPeer.open();
    await using other = await RtpPeer.open();
    const session = engine.createSession({ policy: "narrow" });
    const pair = pairOf("rtp", "rtp");
    const behindNat = natted.sdp("0").replace(`m=audio ${natted.port}`, "m=audio 9999");
    const toOther = await session.offer(
      pair,
      behindNat.replace("IN IP4 127.0.0.1\r\nt=", "IN IP4 10.0.0.7\r\nt="),
    );
    const toNatted = await session.answer(pair, other.sdp("0"));
    const voice = Buffer.alloc(160, 0x22);
    await waitFor(
      () => {
        natted.send(audioPortOf(toNatted), 0, voice);
        other.send(audioPortOf(toOther), 0, voice);
        return natted.received.length > 0 && other.received.length > 0;
      },
      { what: "sound both ways" },
    );
    await session.close();
  });

  it("repeats a command whose reply was lost, and rtpengine does it once", async () => {
    const relay = await ForgetfulRelay.open(rtpengine.ngPort);
    const clock = new SystemClock();
    const lossy = createMediaEngine({
      clock,
      logger: silentLogger,
      rtpengine: { kind: "external", nodes: [{ host: "127.0.0.1", port: relay.port }] },
    });
    await lossy.start();
    const session = lossy.createSession({ policy: "narrow" });
    const pair = pairOf("webrtc", "rtp");
    const offer = await session.offer(pair, chromiumSdp());
    const answer = await session.answer(pair, sippAnswer("126"));
    const hold = await session.offer(swapped(pair), asteriskSdp("0 126", "sendonly"));
    expect(transportOf(hold)).toEqual(transportOf(answer));
    expect(formatsOf(offer)).toEqual(["9", "0", "8", "126"]);
    expect(relay.lost).toBeGreaterThanOrEqual(6);
    expect(await engine.sessionCount()).toBe(1);
    await session.close();
    await lossy.stop();
    relay.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a media session whose rtpengine ends", () => {
  it("keeps in its report what the ended one last said", async () => {
    await using first = await TestRtpengine.start();
    await using second = await TestRtpengine.start();
    const engine = createMediaEngine({
      clock: new SystemClock(),
      logger: silentLogger,
      rtpengine: {
        kind: "external",
        nodes: [first, second].map(({ ngPort }) => ({ host: "127.0.0.1", port: ngPort })),
      },
    });
    await engine.start();
    await using caller = await RtpPeer.open();
    await using callee = await RtpPeer.open();
    const lost = Promise.withResolvers<void>();
    const session = engine.createSession({
      policy: "narrow",
      handler: { onDigit: () => {}, onNodeLost: () => lost.resolve() },
    });
    const pair = pairOf("rtp", "rtp");
    /** Joins the two, and has them send so many packets to each other. */
    const talk = async (packets: number): Promise<void> => {
      const toCallee = audioPortOf(await session.offer(pair, caller.sdp("0")));
      const toCaller = audioPortOf(await session.answer(pair, callee.sdp("0")));
      const [before, other] = [callee.received.length, caller.received.length];
      await waitFor(
        () => {
          caller.send(toCaller, 0, Buffer.alloc(160, 0x22));
          callee.send(toCallee, 0, Buffer.alloc(160, 0x22));
          return (
            callee.received.length >= before + packets && caller.received.length >= other + packets
          );
        },
        { what: `${packets} packets both ways`, intervalMs: 5 },
      );
    };
    await talk(60);
    const before = await session.query();
    const { port } = nodeOf(engine);
    await (first.ngPort === port ? first : second).child.stop("SIGKILL");
    await lost.promise;
    const move = await session.move();
    await talk(30);
    await move.keep();
    const live = await session.query();
    const report = await session.close();
    for (const tag of ["caller", "callee-b1"]) {
      const { packets = 0 } = before.quality?.[tag] ?? {};
      expect(packets).toBeGreaterThanOrEqual(60);
      for (const joined of [live, report]) {
        expect(joined?.packetsFrom[tag]).toBeGreaterThanOrEqual(packets + 30);
        expect(joined?.quality?.[tag]?.packets).toBe(joined?.packetsFrom[tag]);
      }
    }
    await engine.stop();
  });

  function nodeOf(engine: MediaEngine): { readonly port: number } {
    const busy = engine.nodes().find(({ calls }) => calls > 0);
    return { port: Number(busy?.name.split(":")[1]) };
  }
});
