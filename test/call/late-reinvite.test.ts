import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import type { IncomingReinvite } from "../../src/signaling/engine.ts";
import { ANN, makeRig, type Rig, type ScriptedDialog, ScriptedInvite, settle } from "./fakes.ts";

let rig: Rig;
let caller: ScriptedDialog | undefined;
let callee: ScriptedDialog;

beforeEach(async () => {
  rig = makeRig();
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
  callee = rig.engine.answer(0);
  await settle();
  caller = invite.dialog;
  rig.media.log.length = 0;
});

afterEach(async () => {
  callee.handler?.onBye(undefined);
  await settle();
  expect([rig.media.open, rig.clock.pendingTimers]).toEqual([0, 0]);
});

/** The callee asks for our offer. @returns what it got */
async function askForOffer(): Promise<readonly (string | number)[]> {
  const got: (string | number)[] = [];
  const reinvite: IncomingReinvite = {
    method: "INVITE",
    sdp: undefined,
    accept: (sdp) => got.push(sdp),
    reject: (status) => got.push(status),
  };
  callee.handler?.onReinvite(reinvite);
  await settle();
  return got;
}

describe("RFC 4028 §7.4 a re-INVITE of the callee with the SDP that it had", () => {
  it("is answered here with what it was offered, and the caller hears nothing of it", async () => {
    const got: (string | number)[] = [];
    callee.handler?.onReinvite({
      method: "INVITE",
      sdp: "callee-answer",
      accept: (sdp) => got.push(sdp),
      reject: (status) => got.push(status),
    });
    await settle();
    expect(got).toEqual(["offer(caller-offer)"]);
    expect([rig.media.log, caller?.reinvites]).toEqual([[], []]);
  });
});

describe("RFC 3261 §14.2 a re-INVITE without an offer", () => {
  it("carries what is new in the answer of its ACK to the other end", async () => {
    expect(await askForOffer()).toEqual([expect.stringContaining("offer(caller-offer)")]);
    callee.handler?.onConfirmed("moved");
    await settle();
    expect(rig.media.log).toEqual([
      "offer callee-1>caller callee-1 moved",
      "answer callee-1>caller callee-1 peer-reanswer",
    ]);
    expect(caller?.reinvites).toEqual(["offer(moved)"]);
  });

  it("leaves the other end alone when nothing is new", async () => {
    await askForOffer();
    callee.handler?.onConfirmed("callee-answer");
    await settle();
    expect(rig.media.log).toEqual([]);
    expect(caller?.reinvites).toEqual([]);
  });
});
