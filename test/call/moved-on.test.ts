import { describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import { makeRig, OFFICE, ScriptedInvite, settle, type Rig } from "./fakes.ts";

const TWO_TRUNKS: Action = {
  kind: "dial",
  trunks: ["office", "backup"],
  number: "600",
  callerNumber: undefined,
  timeoutMs: 60_000,
  then: [],
};

/** A call whose first trunk has played early media, failed, and been followed by the second. */
async function failedOver(hasEarlyDialogs: boolean): Promise<[Rig, ScriptedInvite]> {
  const rig = makeRig();
  const table = new CallTable({
    context: rig.context,
    decide: () => ({ route: "test", action: TWO_TRUNKS, trace: [] }),
    groupsOf: () => [],
  });
  const invite = new ScriptedInvite({ party: OFFICE, to: "600" });
  invite.hasEarlyDialogs = hasEarlyDialogs;
  table.onInvite(invite);
  await settle();
  const first = rig.engine.at(0).handler;
  first.onProvisional({ status: 183, reasonPhrase: "", sdp: "early", remoteTag: "t" });
  await settle();
  first.onFailed({
    cause: "response",
    reason: { sipStatus: 503 },
    reasonPhrase: "Service Unavailable",
  });
  await settle();
  const second = rig.engine.at(1).handler;
  second.onProvisional({ status: 180, reasonPhrase: "", sdp: undefined, remoteTag: "u" });
  await settle();
  return [rig, invite];
}

describe("RFC 6228 a trunk that fails after early media, followed by another", () => {
  it("is told to a caller that takes 199, which then hears of the second one's ringing", async () => {
    const [rig, invite] = await failedOver(true);
    expect(invite.statuses).toEqual([183, 199, 180]);
    expect(invite.responses[1]?.options.reason).toMatchObject({ sipStatus: 503 });
    rig.engine.answer(1);
    await settle();
    invite.dialog?.handler?.onBye(undefined);
    await settle();
    expect([rig.media.open, rig.clock.pendingTimers]).toEqual([0, 0]);
  });

  it("is one early dialog for any other caller: ringing does not stop what it hears", async () => {
    const [rig, invite] = await failedOver(false);
    expect(invite.statuses).toEqual([183]);
    rig.engine.answer(1);
    await settle();
    invite.dialog?.handler?.onBye(undefined);
    await settle();
    expect([rig.media.open, rig.clock.pendingTimers]).toEqual([0, 0]);
  });
});
