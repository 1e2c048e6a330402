import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CallTable } from "../../src/call/call-table.ts";
import { answerFor, answerFromPeer, heldOf, offerForPeer } from "../../src/call/hold.ts";
import { directionOf, withDirection, type MediaDirection } from "../../src/media/direction.ts";
import type { MediaReport } from "../../src/media/session.ts";
import type { IncomingReinvite } from "../../src/signaling/engine.ts";
import { ANN, makeRig, type Rig, type ScriptedDialog, ScriptedInvite, settle } from "./fakes.ts";

const DIRECTIONS: readonly MediaDirection[] = ["sendrecv", "sendonly", "recvonly", "inactive"];
const sdp = (direction: string): string =>
  `v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=${direction}\r\n`;
const OLD_HOLD = "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n";
const MUSIC = Buffer.alloc(8000, 0x55);

describe("a hold however it is spelt", () => {
  it.each([
    [sdp("sendonly"), "sendonly"],
    [sdp("inactive"), "sendonly"],
    [OLD_HOLD, "sendonly"],
    [OLD_HOLD.replace("m=", "a=sendrecv\r\nm="), "sendonly"],
    [sdp("sendrecv"), "sendrecv"],
    [sdp("recvonly"), "recvonly"],
    // RFC 9429 §5.2.1: a browser that knows no candidate yet holds nobody.
    [`${OLD_HOLD}a=ice-ufrag:4vih\r\na=sendrecv\r\n`, "sendrecv"],
  ])("with music the held end goes on listening", (offer, expected) => {
    expect(/a=(\w+)\r/.exec(offerForPeer(offer, true))?.[1]).toBe(expected);
  });

  it("without music it is inactive for both, the old one too", () => {
    expect(/a=(\w+)\r/.exec(offerForPeer(OLD_HOLD, false))?.[1]).toBe("inactive");
    expect(offerForPeer(sdp("inactive"), false)).toBe(sdp("inactive"));
  });

  it("RFC 3264 §6.1: no answer says more than its offer allows", () => {
    const allowed: Record<MediaDirection, readonly MediaDirection[]> = {
      sendrecv: DIRECTIONS,
      sendonly: ["recvonly", "inactive"],
      recvonly: ["sendonly", "inactive"],
      inactive: ["inactive"],
    };
    for (const offered of DIRECTIONS) {
      for (const made of DIRECTIONS) {
        expect(allowed[offered]).toContain(directionOf(answerFor(sdp(offered), sdp(made))));
      }
    }
  });

  it("pictures that a hold stops stay so, and follow when the call is opened", () => {
    const video = (direction: string): string => `m=video 4002 RTP/AVP 96\r\na=${direction}\r\n`;
    const both = (sound: string, pictures: string): string => sdp(sound) + video(pictures);
    // What rtpengine makes of a telephone's answer to a browser's hold.
    expect(answerFor(both("sendonly", "inactive"), both("recvonly", "recvonly"))).toBe(
      both("recvonly", "inactive"),
    );
    expect(answerFor(both("sendrecv", "recvonly"), both("sendrecv", "sendrecv"))).toBe(
      both("sendrecv", "sendonly"),
    );
    expect(answerFor(both("inactive", "sendrecv"), both("sendrecv", "sendrecv"))).toBe(
      both("inactive", "inactive"),
    );
    expect(withDirection(both("sendonly", "inactive"), "recvonly")).toBe(
      both("recvonly", "inactive"),
    );
    expect(withDirection(both("sendonly", "inactive"), "sendrecv")).toBe(
      both("sendrecv", "sendrecv"),
    );
  });

  it("a peer that holds by inactive still lets our music through", () => {
    expect(directionOf(answerFromPeer(sdp("inactive"), true))).toBe("sendonly");
    expect(directionOf(answerFromPeer(sdp("inactive"), false))).toBe("inactive");
  });

  it("the music is for the one that listens while the other does not", () => {
    const leg = (tag: string) => ({ tag, kind: "rtp" }) as const;
    for (const one of DIRECTIONS) {
      for (const other of DIRECTIONS) {
        const listens = (direction: MediaDirection): boolean =>
          direction === "sendrecv" || direction === "recvonly";
        const held = heldOf(
          { leg: leg("one"), direction: one },
          { leg: leg("other"), direction: other },
        );
        const expected =
          listens(one) === listens(other) ? undefined : listens(one) ? "one" : "other";
        expect(held?.leg.tag, `${one} ${other}`).toBe(expected);
      }
    }
  });
});

describe("music on hold", () => {
  let rig: Rig;
  let report: MediaReport;

  beforeEach(() => {
    rig = makeRig({ holdMusic: { sound: () => Promise.resolve(MUSIC) } });
    report = { codecs: {}, isTranscoded: false, packetsFrom: { "callee-1": 100 } };
    rig.media.report = () => report;
  });

  afterEach(() => {
    expect(rig.clock.pendingTimers, "timers left").toBe(0);
  });

  async function connect(): Promise<{ caller: ScriptedDialog; callee: ScriptedDialog }> {
    const table = new CallTable({
      context: rig.context,
      decide: () => ({
        route: "test",
        action: {
          kind: "dial",
          trunks: ["office"],
          number: "600",
          callerNumber: undefined,
          timeoutMs: 60_000,
          then: [],
        },
        trace: [],
      }),
      groupsOf: () => [],
    });
    const invite = new ScriptedInvite({ party: ANN, to: "600" });
    table.onInvite(invite);
    await settle();
    const callee = rig.engine.answer(0);
    await settle();
    if (invite.dialog === undefined) throw new Error("the caller was not answered");
    rig.media.log.length = 0;
    return { caller: invite.dialog, callee };
  }

  async function reinvite(
    from: ScriptedDialog,
    to: ScriptedDialog,
    offer: string,
    answer: string,
  ): Promise<string> {
    to.reinviteResult = { ok: true, sdp: answer };
    let accepted = "";
    const request: IncomingReinvite = {
      method: "INVITE",
      sdp: offer,
      accept: (made) => {
        accepted = made;
      },
      reject() {},
    };
    from.handler?.onReinvite(request);
    await settle();
    return accepted;
  }

  const sounds = (): string[] => rig.media.log.filter((line) => /^(?:play|stop)/.test(line));

  it("the browser holds: the peer hears it, until the browser resumes", async () => {
    const { caller, callee } = await connect();
    const answer = await reinvite(caller, callee, sdp("sendonly"), sdp("recvonly"));
    expect(directionOf(answer)).toBe("recvonly");
    expect(sounds()).toEqual(["play callee-1 instead of caller looped"]);
    await reinvite(caller, callee, sdp("sendrecv"), sdp("sendrecv"));
    expect(sounds().at(-1)).toBe("stop callee-1");
    callee.handler?.onBye(undefined);
    await settle();
  });

  it("both hold: music for neither; the first one resumes and is the held one", async () => {
    const { caller, callee } = await connect();
    await reinvite(caller, callee, sdp("sendonly"), sdp("recvonly"));
    await reinvite(callee, caller, sdp("inactive"), sdp("inactive"));
    expect(sounds()).toEqual(["play callee-1 instead of caller looped", "stop callee-1"]);
    const answer = await reinvite(caller, callee, sdp("sendrecv"), sdp("inactive"));
    expect(sounds().at(-1)).toBe("play caller instead of callee-1 looped");
    expect(directionOf(answer), "the browser listens").toBe("sendonly");
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("a trunk that holds with sendonly and sends nothing: ours, after a moment", async () => {
    const { caller, callee } = await connect();
    await reinvite(callee, caller, sdp("sendonly"), sdp("recvonly"));
    expect(sounds()).toEqual([]);
    rig.clock.advance(500);
    await settle();
    expect(sounds()).toEqual(["play caller instead of callee-1 looped"]);
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("a trunk that holds with music of its own is left to it", async () => {
    const { caller, callee } = await connect();
    await reinvite(callee, caller, sdp("sendonly"), sdp("recvonly"));
    report = { ...report, packetsFrom: { "callee-1": 120 } };
    rig.clock.advance(500);
    await settle();
    expect(sounds()).toEqual([]);
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("a hold that is over before the trunk was heard out", async () => {
    const { caller, callee } = await connect();
    await reinvite(callee, caller, sdp("sendonly"), sdp("recvonly"));
    await reinvite(callee, caller, sdp("sendrecv"), sdp("sendrecv"));
    rig.clock.advance(500);
    await settle();
    expect(sounds()).toEqual([]);
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("rtpengine refuses to play: the hold stands", async () => {
    rig.media.failOn = (step) => (step.startsWith("play") ? new Error("no") : undefined);
    const { caller, callee } = await connect();
    const answer = await reinvite(caller, callee, sdp("inactive"), sdp("recvonly"));
    expect(directionOf(answer)).toBe("inactive");
    expect(callee.byes).toEqual([]);
    caller.handler?.onBye(undefined);
    await settle();
  });
});

describe("directions", () => {
  it("one that is not there is added before the media", () => {
    expect(withDirection(OLD_HOLD, "sendonly")).toContain("a=sendonly\r\nm=audio");
  });
});
