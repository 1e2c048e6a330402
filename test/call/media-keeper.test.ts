import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CallTable } from "../../src/call/call-table.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import type { LegHealth } from "../../src/media/session.ts";
import { ANN, makeRig, type Rig, ScriptedInvite, settle } from "./fakes.ts";

const RING_BOB: Action = { kind: "ring", users: ["1002"], timeoutMs: 20_000, then: [] };
const WELL: LegHealth = { packets: 50, isSecured: true, hasPath: true, isUnreadable: false };

let rig: Rig;
let table: CallTable;

beforeEach(() => {
  rig = makeRig();
  rig.engine.register("1002");
});

afterEach(() => {
  expect(rig.media.open, "media sessions left").toBe(0);
  expect(rig.clock.pendingTimers, "timers left").toBe(0);
});

async function ring(): Promise<ScriptedInvite> {
  table = new CallTable({
    context: rig.context,
    decide: () => ({ route: "test", action: RING_BOB, trace: [] }),
    groupsOf: () => [],
  });
  const invite = new ScriptedInvite({ party: ANN, to: "1002" });
  table.onInvite(invite);
  await settle();
  return invite;
}

async function connect() {
  const invite = await ring();
  const callee = rig.engine.answer(0);
  await settle();
  if (invite.dialog === undefined) throw new Error("the caller was not answered");
  return { caller: invite.dialog, callee };
}

const moves = (): number => rig.media.log.filter((line) => line === "move").length;

describe("rtpengine changes its side toward a browser", () => {
  it("before the answer: the SDP goes out, and the alarm is in the timeline", async () => {
    const invite = await ring();
    expect(rig.media.handler?.onAnchorChanged?.("caller", ["port"])).toBe("send");
    await settle();
    expect(moves()).toBe(0);
    invite.handler?.onCancelled(undefined);
    await settle();
  });

  it("in a call: the SDP is refused, and the call goes to a new place", async () => {
    const { caller } = await connect();
    expect(rig.media.handler?.onAnchorChanged?.("caller", ["role", "ufrag"])).toBe("refuse");
    await settle();
    expect(moves()).toBe(1);
    expect(rig.media.log).toContain("keep");
    caller.handler?.onBye(undefined);
    await settle();
  });
});

describe("a browser that restarts ICE in a call with another browser", () => {
  const sdpOf = (ufrag: string): string => `a=ice-ufrag:${ufrag}\r\na=fingerprint:sha-256 AA\r\n`;

  it.each([
    ["brings both to a new place", { ok: true, sdp: "peer-reanswer" }, "keep"],
    ["stays where it is when one refuses, and nobody is asked again", { ok: false }, "undo"],
  ] as const)("%s", async (_what, result, end) => {
    const { caller, callee } = await connect();
    const answers: string[] = [];
    const restart = (ufrag: string): void => {
      caller.handler?.onReinvite({
        method: "INVITE",
        sdp: sdpOf(ufrag),
        accept: (sdp) => {
          answers.push(sdp);
          if (!result.ok) caller.reinviteResult = { ok: false, reason: { sipStatus: 488 } };
        },
        reject: () => {},
      });
    };
    restart("one");
    await settle();
    // What its first SDP had is not known to have been restarted.
    expect(moves()).toBe(0);
    restart("two");
    await settle();
    expect(answers).toHaveLength(2);
    expect(moves()).toBe(1);
    expect(rig.media.log.at(-1)).toBe(end);
    const asked = caller.reinvites.length;
    rig.clock.advance(4000);
    await settle();
    expect(moves()).toBe(1);
    expect(caller.reinvites).toHaveLength(asked);
    expect(callee.reinvites.length).toBeGreaterThan(0);
    caller.handler?.onBye(undefined);
    await settle();
  });
});

describe("an answered call without sound", () => {
  async function afterCheck(health: LegHealth, atMs: number): Promise<readonly string[]> {
    const { caller } = await connect();
    rig.media.health = () => Promise.resolve({ caller: health, "callee-1": WELL });
    // Each look at rtpengine has to be over before the clock goes on.
    for (let ms = 0; ms < atMs; ms += 100) {
      rig.clock.advance(100);
      await settle();
    }
    const done = rig.media.log.filter((line) => /^(?:move|end the old call)$/.test(line));
    caller.handler?.onBye(undefined);
    await settle();
    return done;
  }

  const SILENT: LegHealth = { packets: 0, isSecured: true, hasPath: false, isUnreadable: false };

  // Without keys the old rtpengine call is of no use, and could take the new handshake.
  const ANEW = ["move", "end the old call"];

  it.each([
    ["packets both ways", WELL, 5000, []],
    ["no packet yet after 1.2 s: a slow network", SILENT, 1200, []],
    [
      "no DTLS yet after 1.2 s, and no path: a slow network",
      { ...SILENT, isSecured: false },
      1200,
      [],
    ],
    ["a path but no DTLS after 1.2 s", { ...WELL, packets: 0, isSecured: false }, 1200, ANEW],
    ["packets that cannot be read after 1.2 s", { ...SILENT, isUnreadable: true }, 1200, ANEW],
    ["keys, but no packet after 5 s", { ...SILENT, hasPath: true }, 5000, ["move"]],
  ])("%s", async (_what, health, atMs, expected) => {
    expect(await afterCheck(health, atMs)).toEqual(expected);
  });
});
