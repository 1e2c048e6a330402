import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Attempt } from "../../src/call/attempt.ts";
import { CallTable } from "../../src/call/call-table.ts";
import { callEnded } from "../../src/call/channels.ts";
import { RingingIndex, type RingingCall } from "../../src/call/pickup.ts";
import type { CallRecord } from "../../src/call/record.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import type { OutgoingInvite, Party } from "../../src/signaling/engine.ts";
import { ANN, makeRig, ScriptedInvite, settle, type Rig, type ScriptedDialog } from "./fakes.ts";

const BOB: Party = { kind: "user", userId: "1002", instanceId: "1002-desk" };

let rig: Rig;
let table: CallTable;
let records: CallRecord[];
let unsubscribe: () => void;
let record: boolean | undefined;

beforeEach(() => {
  rig = makeRig();
  record = undefined;
  for (const tab of ["1002-tab", "1002-other"]) rig.engine.register("1002", tab);
  table = new CallTable({
    context: rig.context,
    decide: ({ to }) => {
      const action: Action = {
        kind: "ring",
        users: [to],
        timeoutMs: 20_000,
        then: [],
        ...(record !== undefined && { record }),
      };
      return { route: "test", action, trace: [] };
    },
    groupsOf: () => [],
  });
  records = [];
  unsubscribe = callEnded.subscribe((ended) => records.push(ended));
});

afterEach(() => {
  unsubscribe();
  expect(rig.media.open, "media sessions left").toBe(0);
  expect(rig.clock.pendingTimers, "timers left").toBe(0);
  expect(table.size, "calls left").toBe(0);
  expect(rig.context.limits.total, "places left").toBe(0);
});

/** Ann calls Bob: both of its telephones ring. */
async function ring(options: { sdp?: string | undefined } = {}): Promise<ScriptedInvite> {
  const invite = new ScriptedInvite({ party: ANN, to: "1002", ...options });
  table.onInvite(invite);
  await settle();
  for (const { handler } of rig.engine.sent) {
    handler.onProvisional({ status: 180, reasonPhrase: "", sdp: undefined, remoteTag: "t" });
  }
  return invite;
}

/** Bob's third telephone takes what rings at the first. */
async function pickUp(
  offer = { sdp: "desk-offer" as string | undefined },
): Promise<ScriptedInvite> {
  const replacesInvite = rig.engine.at(0).invite;
  const invite = new ScriptedInvite({
    party: BOB,
    to: "1002",
    callId: "in-2",
    ...offer,
    replacesInvite,
  });
  table.onInvite(invite);
  await settle();
  return invite;
}

async function hangUp(dialog: ScriptedDialog | undefined): Promise<void> {
  dialog?.handler?.onBye(undefined);
  await settle();
}

describe("RFC 3891 §3 an INVITE with Replaces of a call that rings", () => {
  it("stops the ringing everywhere, and its caller talks to who has picked it up", async () => {
    const caller = await ring();
    const desk = await pickUp();
    expect(rig.engine.sent.map(({ cancelled }) => cancelled?.text)).toEqual([
      "Call completed elsewhere",
      "Call completed elsewhere",
    ]);
    expect(caller.statuses).toEqual([180, 200]);
    expect(caller.dialog?.reinvites).toEqual(["offer(desk-offer)"]);
    expect(desk.statuses).toEqual([200]);
    expect(rig.media.services.map(({ isClosed }) => isClosed)).toEqual([true]);
    await hangUp(desk.dialog);
    expect(caller.dialog?.byes).toHaveLength(1);
    expect(records).toMatchObject([
      { to: "1002", result: "success", end: { text: "Transferred" } },
      { from: { id: "1002" }, transferredFrom: { call: records[0]?.id }, result: "success" },
    ]);
    expect(records[0]?.timeline).toContainEqual(expect.objectContaining({ event: "picked up" }));
  });

  it("keeps the early media that the caller has, and brings it over", async () => {
    const caller = await ring();
    const { handler } = rig.engine.at(1);
    handler.onProvisional({ status: 183, reasonPhrase: "", sdp: "early", remoteTag: "t" });
    await settle();
    const desk = await pickUp();
    // RFC 3261 §13.2.1: the answer of the 183 is that of the 200.
    expect(caller.responses.slice(1).map(({ sdp }) => sdp)).toEqual([
      "answer(early)",
      "answer(early)",
    ]);
    expect(rig.media.services).toEqual([]);
    expect(desk.statuses).toEqual([200]);
    await hangUp(caller.dialog);
    expect(desk.dialog?.byes).toHaveLength(1);
  });

  it("waits for the caller's ACK when that brings its SDP", async () => {
    const caller = await ring({ sdp: undefined });
    const desk = await pickUp();
    expect([caller.statuses, desk.statuses]).toEqual([[180, 200], []]);
    caller.dialog?.handler?.onConfirmed("caller-answer");
    await settle();
    expect(desk.statuses).toEqual([200]);
    await hangUp(desk.dialog);
  });

  it.each([
    [true, 1],
    [undefined, 0],
  ] as const)("a route that records (%s) records who picks up", async (of, count) => {
    record = of;
    await ring();
    const desk = await pickUp();
    await settle();
    expect(rig.media.recordings).toHaveLength(count);
    await hangUp(desk.dialog);
  });

  it("is refused without an offer, and when somebody has answered; the call goes on", async () => {
    const caller = await ring();
    expect((await pickUp({ sdp: undefined })).statuses).toEqual([488]);
    rig.engine.answer(1);
    await settle();
    // The first telephone has its CANCEL, and its 487 is still to come.
    expect((await pickUp()).statuses).toEqual([481]);
    expect(caller.dialog?.byes).toHaveLength(0);
    await hangUp(caller.dialog);
  });

  it("ends with the caller, the picker, or the caller's refusal", async () => {
    const gone = await ring({ sdp: undefined });
    const late = await pickUp();
    await hangUp(gone.dialog);
    expect(late.statuses).toEqual([481]);

    rig.engine.sent.length = 0;
    const waiting = await ring({ sdp: undefined });
    const impatient = await pickUp();
    impatient.cancel();
    waiting.dialog?.handler?.onConfirmed("caller-answer");
    await settle();
    expect(waiting.dialog?.byes).toHaveLength(1);

    rig.engine.sent.length = 0;
    const stubborn = await ring({ sdp: undefined });
    const refused = await pickUp();
    if (stubborn.dialog !== undefined) {
      stubborn.dialog.reinviteResult = { ok: false, reason: { sipStatus: 488 } };
    }
    stubborn.dialog?.handler?.onConfirmed("caller-answer");
    await settle();
    expect(refused.statuses).toEqual([503]);
    expect(stubborn.dialog?.byes).toHaveLength(1);
  });
});

describe("the index of what rings", () => {
  const newInvite = (callId: string): OutgoingInvite => ({ callId, cancel() {} });
  const newCall = (): RingingCall => ({ pickUp: () => Promise.resolve(undefined) });
  /** An attempt that goes on ringing, whatever becomes of its call. */
  const rings = (invite: OutgoingInvite): Attempt => ({ invite, state: "ringing" }) as Attempt;

  it("forgets every INVITE of a call that is answered or over, and of no other", () => {
    const index = new RingingIndex();
    const [call, other] = [newCall(), newCall()];
    const [first, second, third] = [newInvite("1"), newInvite("2"), newInvite("3")];
    index.add(call, rings(first));
    index.add(call, rings(second));
    index.add(other, rings(third));
    expect(index.find(second)?.call).toBe(call);
    index.forget(call);
    expect([first, second].map((invite) => index.find(invite))).toEqual([undefined, undefined]);
    expect(index.find(third)?.call).toBe(other);
    index.forget(call);
  });
});
