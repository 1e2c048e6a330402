import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import { callEnded } from "../../src/call/channels.ts";
import type { CallRecord } from "../../src/call/record.ts";
import type { EndReason } from "../../src/core/end-reason.ts";
import { OffhookError } from "../../src/core/errors.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import type { CalledInstance, IncomingReinvite, Party } from "../../src/signaling/engine.ts";
import { dial, refused } from "./actions.ts";
import { ANN, makeRig, OFFICE, ScriptedInvite, settle, type Rig } from "./fakes.ts";

const RING_BOB: Action = { kind: "ring", users: ["1002"], timeoutMs: 20_000, then: [] };

let rig: Rig;
let records: CallRecord[];
let unsubscribe: () => void;

beforeEach(() => {
  rig = makeRig();
  rig.engine.register("1002");
  records = [];
  unsubscribe = callEnded.subscribe((record) => records.push(record));
});

afterEach(() => {
  unsubscribe();
  expect(rig.media.open, "media sessions left").toBe(0);
  expect(rig.clock.pendingTimers, "timers left").toBe(0);
  expect(rig.context.limits.total, "places left").toBe(0);
  expect(rig.context.limits.callsOfTrunk("office"), "places at the trunk left").toBe(0);
});

async function place(
  action: Action,
  options: { party?: Party; sdp?: string | undefined; calledInstance?: CalledInstance } = {},
): Promise<{ invite: ScriptedInvite; table: CallTable }> {
  const table = new CallTable({
    context: rig.context,
    decide: () => ({ route: "test", action, trace: [] }),
    groupsOf: () => [],
  });
  const invite = new ScriptedInvite({
    party: options.party ?? ANN,
    to: "1002",
    ...("sdp" in options ? { sdp: options.sdp } : {}),
    calledInstance: options.calledInstance,
  });
  table.onInvite(invite);
  await settle();
  return { invite, table };
}

async function connect(action: Action = RING_BOB, options: { party?: Party } = {}) {
  const { invite, table } = await place(action, options);
  const callee = rig.engine.answer(0);
  await settle();
  const caller = invite.dialog;
  if (caller === undefined) throw new Error("the caller was not answered");
  return { invite, table, caller, callee };
}

function reinvite(sdp: string | undefined) {
  const outcome: { accepted?: string; rejected?: number } = {};
  const request: IncomingReinvite = {
    method: "INVITE",
    sdp,
    accept: (answer) => {
      outcome.accepted = answer;
    },
    reject: (status) => {
      outcome.rejected = status;
    },
  };
  return { request, outcome };
}

describe("a call from a web user to a web user", () => {
  it("rings, answers and carries each SDP through its own exchange", async () => {
    const { invite, table } = await place(RING_BOB);
    expect(rig.engine.at(0).options.sdp).toBe("offer(caller-offer)");
    expect(rig.engine.at(0).options.from).toEqual({ user: "1001", displayName: "User 1001" });
    rig.engine.at(0).handler.onProvisional({
      status: 180,
      reasonPhrase: "Ringing",
      sdp: undefined,
      remoteTag: "t",
    });
    expect(table.views()[0]?.state).toBe("ringing");
    const callee = rig.engine.answer(0);
    await settle();
    expect(invite.statuses).toEqual([180, 200]);
    expect(invite.responses[1]?.sdp).toBe("answer(callee-answer)");
    expect(table.views()[0]?.state).toBe("connected");
    invite.dialog?.handler?.onBye(undefined);
    await settle();
    expect(callee.byes).toHaveLength(1);
    expect(table.size).toBe(0);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      result: "success",
      end: { by: "caller", q850: 16 },
      route: "test",
    });
  });

  it("never rings the browser that calls, but rings the user's other ones", async () => {
    rig.engine.register("1001", "1001-tab");
    rig.engine.register("1001", "1001-other");
    const { invite } = await place({ kind: "ring", users: ["1001"], timeoutMs: 1000, then: [] });
    expect(rig.engine.sent).toHaveLength(1);
    expect(rig.engine.at(0).options.target).toMatchObject({
      binding: { instanceId: "1001-other" },
    });
    invite.cancel();
    await settle();
  });

  it("rings all browsers of the callee; the first answer wins and the others are cancelled", async () => {
    rig.engine.register("1002", "second");
    const { invite } = await place(RING_BOB);
    expect(rig.engine.sent).toHaveLength(2);
    rig.engine.answer(1);
    await settle();
    expect(rig.engine.at(0).cancelled).toMatchObject({ sipStatus: 200, q850: 26 });
    expect(invite.statuses).toEqual([200]);
    expect(rig.media.log).toContain("drop callee-1");
    invite.dialog?.handler?.onBye(undefined);
    await settle();
  });

  it("says 480 when the callee is not signed in", async () => {
    rig.engine.byUser.clear();
    const { invite } = await place(RING_BOB);
    expect(invite.statuses).toEqual([480]);
    expect(records[0]?.end.text).toMatch(/not signed in/);
  });

  it("gives up after the time-out with 480 and Q.850 19, and cancels the phone", async () => {
    const { invite } = await place(RING_BOB);
    rig.engine
      .at(0)
      .handler.onProvisional({ status: 180, reasonPhrase: "", sdp: undefined, remoteTag: "t" });
    rig.clock.advance(20_000);
    await settle();
    expect(rig.engine.at(0).cancelled).toMatchObject({ q850: 19 });
    expect(invite.statuses).toEqual([180, 480]);
  });

  it("goes on with `then` after a refusal", async () => {
    const { invite } = await place({ ...RING_BOB, then: [dial(["office"])] });
    rig.engine.at(0).handler.onFailed(refused(486));
    await settle();
    expect(rig.engine.at(1).options.target).toMatchObject({ kind: "trunk", trunkId: "office" });
    rig.engine.at(1).handler.onFailed(refused(404));
    await settle();
    expect(invite.statuses).toEqual([404]);
  });
});

describe("which browsers of a user ring", () => {
  const rung = (): string[] =>
    rig.engine.sent.map(({ options }) =>
      options.target.kind === "binding" ? options.target.binding.instanceId : "",
    );

  async function give(up: ScriptedInvite): Promise<void> {
    up.cancel();
    await settle();
  }

  it("each instance once, however many connections it has (RFC 5626 §7)", async () => {
    rig.engine.register("1002", "desk");
    rig.engine.register("1002", "desk");
    const { invite } = await place(RING_BOB);
    expect(rung()).toEqual(["1002-tab", "desk"]);
    await give(invite);
  });

  it("the one that a GRUU names alone (RFC 5627 §3.4)", async () => {
    rig.engine.register("1002", "desk");
    const calledInstance = { userId: "1002", instanceId: "desk" };
    const { invite } = await place(RING_BOB, { calledInstance });
    expect(rung()).toEqual(["desk"]);
    await give(invite);
  });

  it("all when the GRUU is that of another user, for the dialplan has decided", async () => {
    rig.engine.register("1002", "desk");
    const calledInstance = { userId: "1003", instanceId: "desk" };
    const { invite } = await place(RING_BOB, { calledInstance });
    expect(rung()).toEqual(["1002-tab", "desk"]);
    await give(invite);
  });

  it("every leg knows the call that it is made for, so that a loop is found", async () => {
    const { invite } = await place(RING_BOB);
    expect(rig.engine.at(0).options.onBehalfOf).toBe(invite);
    await give(invite);
  });
});

describe("hang-up in every state", () => {
  it("caller cancels while rtpengine works on the offer: no INVITE leaves", async () => {
    const table = new CallTable({
      context: rig.context,
      decide: () => ({ route: "test", action: RING_BOB, trace: [] }),
      groupsOf: () => [],
    });
    const invite = new ScriptedInvite({ party: ANN, to: "1002" });
    table.onInvite(invite);
    invite.cancel();
    await settle();
    expect(rig.engine.sent).toHaveLength(0);
    expect(table.size).toBe(0);
  });

  it("caller cancels while the callee rings: CANCEL with the caller's reason", async () => {
    const { invite } = await place(RING_BOB);
    invite.cancel({ sipStatus: 487, q850: 16, text: "changed my mind" });
    await settle();
    expect(rig.engine.at(0).cancelled?.text).toBe("changed my mind");
    expect(records[0]?.end).toMatchObject({ sipStatus: 487, by: "caller" });
  });

  it("caller cancels between the callee's 200 and ours: the callee is hung up", async () => {
    const { invite } = await place(RING_BOB);
    const callee = rig.engine.answer(0);
    invite.cancel();
    await settle();
    expect(callee.byes).toHaveLength(1);
    expect(invite.statuses).toEqual([]);
  });

  it("callee hangs up between its 200 and ours: the caller is refused", async () => {
    const { invite } = await place(RING_BOB);
    const callee = rig.engine.answer(0);
    callee.handler?.onBye(undefined);
    await settle();
    expect(invite.statuses).toEqual([480]);
    expect(callee.byes).toHaveLength(0);
  });

  it("callee hangs up first: BYE to the caller with its reason", async () => {
    const { caller, callee } = await connect();
    const reason: EndReason = { sipStatus: 200, q850: 16, text: "bye" };
    callee.handler?.onBye(reason);
    await settle();
    expect(caller.byes).toEqual([reason]);
    expect(records[0]?.end.by).toBe("callee");
  });

  it("an operator hangs up: BYE to both", async () => {
    const { table, caller, callee } = await connect();
    const [view] = table.views();
    expect(table.hangUp(view?.id ?? "")).toBe(true);
    await settle();
    expect(caller.byes).toHaveLength(1);
    expect(callee.byes).toHaveLength(1);
    expect(table.hangUp(view?.id ?? "")).toBe(false);
  });

  it("both hang up at once: one record", async () => {
    const { caller, callee } = await connect();
    caller.handler?.onBye(undefined);
    callee.handler?.onBye(undefined);
    await settle();
    expect(records).toHaveLength(1);
    expect(caller.byes).toHaveLength(0);
  });

  it("a lost browser is waited for, and hung up when the grace time is over", async () => {
    const { caller, callee } = await connect();
    caller.handler?.onFlowLost();
    rig.clock.advance(29_000);
    caller.handler?.onFlowRestored();
    rig.clock.advance(60_000);
    expect(callee.byes).toHaveLength(0);
    caller.handler?.onFlowLost();
    rig.clock.advance(30_000);
    await settle();
    expect(callee.byes[0]).toMatchObject({ q850: 27 });
    expect(records[0]?.timeline.map((entry) => entry.event)).toContain("connection restored");
  });
});

describe("early media", () => {
  it("joins a 183 with SDP and keeps it through a later 180", async () => {
    const { invite } = await place(dial(["office"]));
    const { handler } = rig.engine.at(0);
    handler.onProvisional({ status: 183, reasonPhrase: "", sdp: "early", remoteTag: "t" });
    await settle();
    handler.onProvisional({ status: 180, reasonPhrase: "", sdp: undefined, remoteTag: "t" });
    rig.engine.answer(0);
    await settle();
    expect(invite.statuses).toEqual([183, 200]);
    expect(invite.responses[0]?.sdp).toBe("answer(early)");
    invite.dialog?.handler?.onBye(undefined);
    await settle();
  });

  it("refuses an offer of a callee that is not heard", async () => {
    const { invite } = await place(dial(["office"]));
    const { request, outcome } = reinvite("moved");
    rig.engine.at(0).handler.onReinvite?.(request, "t");
    await settle();
    expect(outcome).toEqual({ rejected: 488 });
    rig.engine.answer(0);
    await settle();
    expect(invite.statuses).toEqual([200]);
    invite.dialog?.handler?.onBye(undefined);
    await settle();
  });
});

describe("trunks", () => {
  it("a trunk that fails is followed by the next one", async () => {
    const { invite } = await place(dial(["office", "backup"]));
    rig.engine.at(0).handler.onFailed(refused(503));
    await settle();
    expect(rig.engine.at(1).options.target).toMatchObject({ trunkId: "backup" });
    rig.engine.answer(1);
    await settle();
    expect(invite.statuses).toEqual([200]);
    invite.dialog?.handler?.onBye(undefined);
    await settle();
  });

  it("a callee who is busy is not called again through the next trunk", async () => {
    const { invite } = await place(dial(["office", "backup"]));
    rig.engine.at(0).handler.onFailed(refused(486));
    await settle();
    expect(rig.engine.sent).toHaveLength(1);
    expect(invite.statuses).toEqual([486]);
  });

  it.each([
    ["no response at all", { cause: "timeout", reason: { sipStatus: 408 }, reasonPhrase: "" }, 504],
    [
      "a transport error",
      { cause: "transport", reason: { sipStatus: 503 }, reasonPhrase: "" },
      503,
    ],
    ["a refusal of our credentials", refused(401), 502],
    ["a redirect, which is not followed", refused(302), 502],
    ["a request that it did not like", refused(420), 502],
    ["declined", refused(603), 603],
    ["not found", refused(404), 404],
  ] as const)("%s", async (_name, failure, status) => {
    const { invite } = await place(dial(["office"]));
    rig.engine.at(0).handler.onFailed(failure);
    await settle();
    expect(invite.statuses).toEqual([status]);
  });

  it("counts both directions against the trunk's limit", async () => {
    rig = makeRig({ maxCallsOfTrunk: 1 });
    rig.engine.register("1002");
    const incoming = await connect(RING_BOB, { party: OFFICE });
    const { invite } = await place(dial(["office"]));
    expect(invite.statuses).toEqual([503]);
    incoming.caller.handler?.onBye(undefined);
    await settle();
  });
});

describe("limits", () => {
  it("refuses a user's call over its limit with 403", async () => {
    rig = makeRig({ maxCallsPerUser: 1 });
    rig.engine.register("1002");
    const first = await connect();
    const second = await place(RING_BOB);
    expect(second.invite.statuses).toEqual([403]);
    first.caller.handler?.onBye(undefined);
    await settle();
  });

  it("refuses every call with 503 and Retry-After while no media server answers", async () => {
    rig.media.isReady = false;
    const { invite } = await place(RING_BOB);
    expect(invite.statuses).toEqual([503]);
    expect(invite.responses[0]?.options.headers).toEqual([["Retry-After", "5"]]);
  });
});

describe("media that fails", () => {
  it("an offer that rtpengine refuses is a 488 and no INVITE leaves", async () => {
    rig.media.failOn = () => new OffhookError("ERR_OFFHOOK_MEDIA_SDP", "no audio codec");
    const { invite } = await place(RING_BOB);
    expect(invite.statuses).toEqual([488]);
    expect(rig.engine.sent).toHaveLength(0);
  });

  it("an answer that cannot be joined hangs up the callee", async () => {
    const { invite } = await place(RING_BOB);
    rig.media.failOn = () => new OffhookError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "no rtpengine");
    const callee = rig.engine.answer(0);
    await settle();
    expect(callee.byes).toHaveLength(1);
    expect(invite.statuses).toEqual([503]);
  });
});

describe("changes of an established call", () => {
  it("carries hold and resume from each side to the other", async () => {
    const { table, caller, callee } = await connect();
    for (const [holder, other] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      const hold = reinvite("v=0\r\na=sendonly\r\n");
      holder.handler?.onReinvite(hold.request);
      await settle();
      expect(other.reinvites.at(-1)).toBe("offer(v=0\r\na=sendonly\r\n)");
      expect(hold.outcome.accepted).toBe("answer(peer-reanswer)");
      expect(table.views()[0]?.state).toBe("held");
      const resume = reinvite("v=0\r\na=sendrecv\r\n");
      holder.handler?.onReinvite(resume.request);
      await settle();
      expect(table.views()[0]?.state).toBe("connected");
    }
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("answers a session refresh itself", async () => {
    const { caller, callee } = await connect();
    const refresh = reinvite("caller-offer");
    caller.handler?.onReinvite(refresh.request);
    await settle();
    expect(refresh.outcome.accepted).toBe("answer(callee-answer)");
    expect(callee.reinvites).toEqual([]);
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("passes a refusal back and keeps the call", async () => {
    const { table, caller, callee } = await connect();
    callee.reinviteResult = { ok: false, reason: { sipStatus: 488 } };
    const change = reinvite("new");
    caller.handler?.onReinvite(change.request);
    await settle();
    expect(change.outcome.rejected).toBe(488);
    expect(table.size).toBe(1);
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("refuses a change while another is under way with 491", async () => {
    const { caller, callee } = await connect();
    const first = reinvite("one");
    const second = reinvite("two");
    caller.handler?.onReinvite(first.request);
    callee.handler?.onReinvite(second.request);
    await settle();
    expect(second.outcome.rejected).toBe(491);
    expect(first.outcome.accepted).toBe("answer(peer-reanswer)");
    caller.handler?.onBye(undefined);
    await settle();
  });

  it("offers both directions again to a re-INVITE without SDP", async () => {
    const { caller } = await connect();
    const ask = reinvite(undefined);
    caller.handler?.onReinvite(ask.request);
    await settle();
    expect(ask.outcome.accepted).toBe("answer(callee-answer)");
    caller.handler?.onBye(undefined);
    await settle();
  });
});

describe("a late offer", () => {
  it("takes the offer from the callee's 200 and the answer from the caller's ACK", async () => {
    const { invite } = await place(RING_BOB, { party: OFFICE, sdp: undefined });
    expect(rig.engine.at(0).options.sdp).toBeUndefined();
    const callee = rig.engine.answer(0, "callee-offer");
    await settle();
    expect(invite.responses.at(-1)).toMatchObject({ status: 200, sdp: "offer(callee-offer)" });
    invite.dialog?.handler?.onConfirmed("caller-answer");
    await settle();
    expect(callee.acknowledged).toEqual(["answer(caller-answer)"]);
    invite.dialog?.handler?.onBye(undefined);
    await settle();
  });
});

describe("services", () => {
  it("answers with the service's SDP, notes digits, and hangs up when it has finished", async () => {
    const { invite } = await place({ kind: "read-digits" });
    expect(invite.responses.at(-1)).toMatchObject({
      status: 200,
      sdp: "answer(service(offer(caller-offer)))",
    });
    const [service] = rig.media.services;
    service?.handler.onDigit("5");
    service?.handler.onFinished();
    await settle();
    expect(invite.dialog?.byes).toHaveLength(1);
    expect(service?.isClosed).toBe(true);
    expect(records[0]?.timeline).toContainEqual(
      expect.objectContaining({ event: "digit", detail: "5" }),
    );
  });

  it("is closed when the caller cancels while it is being made", async () => {
    const table = new CallTable({
      context: rig.context,
      decide: () => ({ route: "echo", action: { kind: "echo" }, trace: [] }),
      groupsOf: () => [],
    });
    const invite = new ScriptedInvite({ party: ANN, to: "*43" });
    table.onInvite(invite);
    invite.cancel();
    await settle();
    for (const service of rig.media.services) expect(service.isClosed).toBe(true);
  });

  it("rejects with what the dialplan says", async () => {
    const { invite } = await place({ kind: "reject", status: 603, reasonPhrase: "No thanks" });
    expect(invite.statuses).toEqual([603]);
  });
});
