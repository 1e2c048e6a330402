import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import { callEnded, callRefused } from "../../src/call/channels.ts";
import type { TrunkTerms } from "../../src/call/context.ts";
import type { CallRecord } from "../../src/call/record.ts";
import type { RefusedCall } from "../../src/call/refused.ts";
import { trickleFields } from "../../src/call/trickle-ice.ts";
import type { Action, CallQuery, Decision } from "../../src/dialplan/decision.ts";
import type { IncomingRefer, Party } from "../../src/signaling/engine.ts";
import { Headers } from "../../src/signaling/message/headers.ts";
import { SipRequest } from "../../src/signaling/message/message.ts";
import { tryReadReferTo } from "../../src/signaling/message/refer-to.ts";
import {
  ANN,
  makeRig,
  OFFICE,
  ScriptedInvite,
  settle,
  type Rig,
  type ScriptedDialog,
} from "./fakes.ts";

const BOB: Party = { kind: "user", userId: "1002", instanceId: "1002-tab" };
const ring = (user: string): Action => ({
  kind: "ring",
  users: [user],
  timeoutMs: 20_000,
  then: [],
  ...(recorded[user] !== undefined && { record: recorded[user] }),
});
/** What the routes to users say of recording. */
let recorded: Readonly<Record<string, boolean | undefined>>;
const ECHO: Action = { kind: "echo" };
const OFFICE_600: Action = {
  kind: "dial",
  trunks: ["office"],
  number: "600",
  callerNumber: undefined,
  timeoutMs: 20_000,
  then: [],
};
const PREMIUM: Decision = {
  route: "all",
  action: { kind: "reject", status: 403, reasonPhrase: undefined },
  refusal: "premium",
  trace: [],
};

let rig: Rig;
let table: CallTable;
/** Of every trunk. */
let terms: TrunkTerms;
let queries: CallQuery[];
let records: CallRecord[];
let refusals: RefusedCall[];
let unsubscribe: (() => void)[];

beforeEach(() => {
  rig = makeRig();
  terms = { codecs: ["PCMU"] };
  recorded = {};
  for (const user of ["1002", "1003"]) rig.engine.register(user);
  queries = [];
  table = new CallTable({
    context: { ...rig.context, trunk: () => terms },
    decide: (query) => {
      queries.push(query);
      const { to } = query;
      if (to.startsWith("0900")) return PREMIUM;
      const action = to === "600" ? OFFICE_600 : to === "*43" ? ECHO : ring(to);
      return { route: "test", action, trace: [] };
    },
    groupsOf: () => ["staff"],
  });
  records = [];
  refusals = [];
  unsubscribe = [
    callEnded.subscribe((record) => records.push(record)),
    callRefused.subscribe((refused) => refusals.push(refused)),
  ];
});

afterEach(() => {
  for (const stop of unsubscribe) stop();
  expect(rig.media.open, "media sessions left").toBe(0);
  expect(rig.clock.pendingTimers, "timers left").toBe(0);
  expect(table.size, "calls left").toBe(0);
  expect(rig.context.limits.total, "places left").toBe(0);
  expect(rig.context.limits.callsOfTrunk("office"), "places at the trunk left").toBe(0);
  for (const user of ["1001", "1002", "1003"]) {
    expect(rig.context.facts.userState(user), `${user} talks`).not.toBe("busy");
  }
});

/** A call that is answered: both ends. */
async function connect(to: string, callId = "in-1", party: Party = ANN) {
  const invite = new ScriptedInvite({ party, to, callId });
  const index = rig.engine.sent.length;
  table.onInvite(invite);
  await settle();
  const callee = rig.engine.answer(index, `${to}-answer`);
  await settle();
  const caller = invite.dialog;
  if (caller === undefined) throw new Error("the caller was not answered");
  return { caller, callee };
}

interface Refer {
  readonly notified: (readonly [status: number, reasonPhrase: string | undefined])[];
  response: number | undefined;
}

function refer(dialog: ScriptedDialog, target: string): Refer {
  const outcome: Refer = { notified: [], response: undefined };
  const request = new SipRequest(
    "REFER",
    "sip:us@gateway.test",
    Headers.of([
      ["Refer-To", target],
      ["From", "<sip:600@pbx.test>;tag=a"],
      ["To", "<sip:1001@localhost>;tag=b"],
      ["Referred-By", "<sip:secret@localhost>"],
    ]),
  );
  const referTo = tryReadReferTo(request.headers);
  if (referTo === undefined) throw new Error(`${target} is no Refer-To`);
  const incoming: IncomingRefer = {
    request,
    referTo,
    referredBy: request.headers.get("Referred-By"),
    accept: () => {
      outcome.response = 202;
      outcome.notified.push([100, undefined]);
      return {
        notify: (status, reasonPhrase) => {
          outcome.notified.push([status, reasonPhrase]);
        },
      };
    },
    reject: (status) => {
      outcome.response = status;
    },
  };
  dialog.handler?.onRefer?.(incoming);
  return outcome;
}

const statuses = (outcome: Refer): number[] => outcome.notified.map(([status]) => status);

async function hangUp(dialog: ScriptedDialog | undefined): Promise<void> {
  dialog?.handler?.onBye(undefined);
  await settle();
}

describe("RFC 5589 §6 a blind transfer", () => {
  it("is dialled with the rights of the transferor, told step by step, and leaves two records", async () => {
    const { caller, callee } = await connect("1002");
    const outcome = refer(caller, "<sip:1003@localhost>");
    await settle();
    expect(queries.at(-1)).toMatchObject({
      to: "1003",
      from: { kind: "user", id: "1001", groups: ["staff"] },
    });
    const { options, handler } = rig.engine.at(1);
    expect(options).toMatchObject({ from: { user: "1002" }, to: { user: "1003" } });
    const ours = trickleFields({ tag: "", kind: "webrtc" });
    expect(options.headers ?? [], "nothing of the REFER goes on").toEqual(ours);
    // The SDP of who is transferred stands in for it; its media is new all the same.
    expect(rig.media.log).toContain("adopt callee-1 as caller");
    expect(options.sdp).toContain("1002-answer");
    handler.onProvisional({ status: 180, reasonPhrase: "", sdp: undefined, remoteTag: "t" });
    const target = rig.engine.answer(1, "1003-answer");
    await settle();
    expect(callee.reinvites).toHaveLength(1);
    expect(callee.reinvites[0]).toContain("1003-answer");
    expect(outcome.response).toBe(202);
    expect(statuses(outcome)).toEqual([100, 180, 200]);
    expect(callee.byes).toHaveLength(0);
    expect(table.size).toBe(1);
    rig.clock.advance(1000);
    expect(caller.byes, "a transferor that does not hang up by itself").toHaveLength(1);
    await hangUp(callee);
    expect(target.byes).toHaveLength(1);
    expect(records).toMatchObject([
      {
        to: "1002",
        result: "success",
        end: { text: "Transferred", by: "caller" },
        transfers: [
          { kind: "blind", to: "1003", result: "done", sipStatus: 200, by: { id: "1001" } },
        ],
      },
      {
        from: { id: "1002" },
        to: "1003",
        result: "success",
        transferredFrom: { by: { id: "1001" } },
      },
    ]);
    expect(records[1]?.transferredFrom?.call).toBe(records[0]?.id);
  });

  // RFC 3892, by trunks.X.referred-by.
  it.each([
    [true, ["<sip:1001@localhost>"]],
    [false, []],
    [undefined, []],
  ] as const)(
    "to a trunk with referred-by %s tells it who asks, in our own words, or nothing",
    async (isReferredByTold, told) => {
      const transfer =
        isReferredByTold === undefined
          ? undefined
          : { isPassedOn: false, isReferredByTold, peerHost: "pbx.test" };
      terms = { codecs: ["PCMU"], transfer };
      const { caller, callee } = await connect("1002");
      const outcome = refer(caller, "<sip:600@localhost>");
      await settle();
      const { options } = rig.engine.at(1);
      expect(options.target).toMatchObject({ trunkId: "office", number: "600" });
      const referredBy = (options.headers ?? []).filter(([name]) => name === "Referred-By");
      expect(referredBy.map(([, value]) => value)).toEqual(told);
      // The INVITE of a call that nobody transfers says nothing of it.
      expect(rig.engine.at(0).options.headers?.map(([name]) => name)).not.toContain("Referred-By");
      rig.engine.answer(1);
      await settle();
      expect(statuses(outcome)).toEqual([100, 200]);
      await hangUp(caller);
      await hangUp(callee);
    },
  );

  it.each([
    [true, { referredBy: "sip:1002@localhost" }],
    [false, {}],
  ] as const)(
    "left to a PBX with referred-by %s, tells it who asks in the REFER, or nothing",
    async (isReferredByTold, told) => {
      terms = {
        codecs: ["PCMU"],
        transfer: { isPassedOn: true, isReferredByTold, peerHost: "pbx.test" },
      };
      const { caller, callee } = await connect("1002", "in-1", OFFICE);
      refer(callee, "<sip:600@localhost>");
      await settle();
      expect(caller.refers).toEqual([{ referTo: "sip:600@pbx.test", ...told }]);
      expect(rig.engine.sent, "nobody is called").toHaveLength(1);
      await hangUp(caller);
      await hangUp(callee);
    },
  );

  it("by the callee: the caller goes on, with its places", async () => {
    const { caller, callee } = await connect("1002", "in-1", OFFICE);
    const outcome = refer(callee, "<sip:1003@localhost>");
    await settle();
    expect(queries.at(-1)?.from).toMatchObject({ kind: "user", id: "1002" });
    rig.engine.answer(1);
    await settle();
    expect(statuses(outcome)).toEqual([100, 200]);
    await hangUp(callee);
    expect(rig.context.limits.total).toBe(1);
    expect(rig.context.limits.callsOfTrunk("office")).toBe(1);
    expect(rig.context.facts.userState("1002")).toBe("idle");
    await hangUp(caller);
  });

  it("to a service of ours", async () => {
    const { caller, callee } = await connect("1002");
    const outcome = refer(caller, "<sip:*43@localhost>");
    await settle();
    expect(statuses(outcome)).toEqual([100, 200]);
    expect(callee.reinvites).toHaveLength(1);
    await hangUp(caller);
    await hangUp(callee);
  });

  it("to one who refuses: nothing has changed, and it may be tried again", async () => {
    const { caller, callee } = await connect("1002");
    for (const index of [1, 2]) {
      const outcome = refer(caller, "<sip:1003@localhost>");
      await settle();
      rig.engine.at(index).handler.onFailed({
        cause: "response",
        reason: { sipStatus: 486 },
        reasonPhrase: "Busy Here",
      });
      await settle();
      expect(statuses(outcome)).toEqual([100, 486]);
    }
    expect([caller, callee].map(({ byes }) => byes.length)).toEqual([0, 0]);
    expect(callee.reinvites).toEqual([]);
    await hangUp(caller);
    expect(callee.byes).toHaveLength(1);
  });

  it("goes on when the transferor hangs up at once", async () => {
    const { caller, callee } = await connect("1002");
    const outcome = refer(caller, "<sip:1003@localhost>");
    await hangUp(caller);
    expect(callee.byes).toHaveLength(0);
    expect(rig.media.log.at(-1)).toBe("play callee-1 instead of caller looped");
    rig.engine.answer(1);
    await settle();
    expect(statuses(outcome)).toEqual([100, 200]);
    expect(callee.reinvites).toHaveLength(1);
    await hangUp(callee);
  });

  it("ends both when the transferor has hung up and the target refuses", async () => {
    const { caller, callee } = await connect("1002");
    refer(caller, "<sip:1003@localhost>");
    await hangUp(caller);
    rig.engine.at(1).handler.onFailed({
      cause: "response",
      reason: { sipStatus: 486 },
      reasonPhrase: "Busy Here",
    });
    await settle();
    expect(callee.byes).toMatchObject([{ sipStatus: 486 }]);
  });

  it("is given up when the transferred party hangs up, or an operator ends the call", async () => {
    for (const end of [
      (call: { callee: ScriptedDialog }) => hangUp(call.callee),
      async () => {
        table.hangUpAll({ sipStatus: 200 });
        await settle();
      },
    ]) {
      const call = await connect("1002", `in-${rig.engine.sent.length}`);
      const index = rig.engine.sent.length;
      const outcome = refer(call.caller, "<sip:1003@localhost>");
      await settle();
      await end(call);
      expect(statuses(outcome)).toEqual([100, 487]);
      expect(rig.engine.at(index).cancelled).toBeDefined();
      expect(call.caller.byes).toHaveLength(1);
    }
  });

  it("fails when the transferred party does not take its new media", async () => {
    const { caller, callee } = await connect("1002");
    const outcome = refer(caller, "<sip:1003@localhost>");
    await settle();
    callee.reinviteResult = { ok: false, reason: { sipStatus: 488 } };
    const target = rig.engine.answer(1);
    await settle();
    expect(statuses(outcome)).toEqual([100, 503]);
    expect(target.byes).toHaveLength(1);
    expect([caller, callee].map(({ byes }) => byes.length)).toEqual([0, 0]);
    await hangUp(caller);
  });

  it("one at a time, and not out of a call with a service", async () => {
    const { caller, callee } = await connect("1002");
    refer(caller, "<sip:1003@localhost>");
    await settle();
    expect(refer(callee, "<sip:1003@localhost>").response).toBe(491);
    await hangUp(callee);
    const invite = new ScriptedInvite({ party: ANN, to: "*43" });
    table.onInvite(invite);
    await settle();
    if (invite.dialog === undefined) throw new Error("not answered");
    expect(refer(invite.dialog, "<sip:1003@localhost>").response).toBe(491);
    await hangUp(invite.dialog);
  });

  it.each<[target: string, reason: RefusedCall["reason"] | undefined, status: number]>([
    ["<sip:+4990012345@elsewhere.example>", "foreign", 403],
    ["<sip:localhost>", "foreign", 403],
    ["<mailto:ann@localhost>", "foreign", 403],
    ["<sip:0900123@localhost>", "premium", 403],
    ["<tel:0900123>", "premium", 403],
    ["<sip:1003@localhost;method=BYE>", undefined, 603],
    ["<sip:1003@localhost?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>", undefined, 403],
  ])("to %s is refused, and counted", async (target, reason, status) => {
    const { caller, callee } = await connect("1002");
    expect(refer(caller, target).response).toBe(status);
    await settle();
    expect(refusals.map((refused) => refused.reason)).toEqual(reason === undefined ? [] : [reason]);
    expect(rig.engine.sent).toHaveLength(1);
    expect([caller, callee].map(({ byes }) => byes.length)).toEqual([0, 0]);
    await hangUp(caller);
  });

  it("counts as a call of the transferor's, beside those that it still has", async () => {
    rig = makeRig({ maxCallsPerUser: 1 });
    rig.engine.register("1002");
    rig.engine.register("1003");
    table = new CallTable({
      context: rig.context,
      decide: ({ to }) => ({ route: "test", action: ring(to), trace: [] }),
      groupsOf: () => [],
    });
    const first = await connect("1002");
    expect(refer(first.caller, "<sip:1003@localhost>").response).toBe(202);
    await settle();
    const target = rig.engine.answer(1);
    await settle();
    await hangUp(first.caller);
    const second = await connect("1002", "in-2");
    expect(refer(second.caller, "<sip:1003@localhost>").response).toBe(403);
    expect(refusals).toMatchObject([{ reason: "limit" }]);
    await hangUp(target);
    const third = refer(second.caller, "<sip:1003@localhost>");
    expect(third.response).toBe(202);
    await hangUp(second.callee);
  });

  it("of a transfer of a transfer ends after ten", async () => {
    const { caller, callee } = await connect("1002");
    let from = caller;
    for (let depth = 1; depth <= 10; depth += 1) {
      expect(refer(from, "<sip:1003@localhost>").response).toBe(202);
      await settle();
      from = rig.engine.answer(depth);
      await settle();
    }
    expect(refer(from, "<sip:1003@localhost>").response).toBe(403);
    expect(refusals).toMatchObject([{ reason: "loop" }]);
    rig.clock.advance(1000);
    await hangUp(callee);
  });
});

describe("RFC 5589 §7 a transfer with consultation", () => {
  const replacing = (to: string, { callId }: ScriptedDialog): string =>
    `<sip:${to}@localhost?Replaces=${callId}%3Bto-tag%3Dlocal%3Bfrom-tag%3Dremote>`;

  it("joins the two, and lets the transferor go in both calls", async () => {
    const one = await connect("1002", "in-1");
    const two = await connect("1003", "in-2");
    const outcome = refer(one.caller, replacing("1003", two.caller));
    await settle();
    expect(outcome.response).toBe(202);
    expect(statuses(outcome)).toEqual([100, 200]);
    expect(rig.engine.sent, "nobody is called").toHaveLength(2);
    expect(two.callee.reinvites[0]).toContain("1002-answer");
    expect(one.callee.reinvites[0]).toContain("peer-reanswer");
    expect(table.size).toBe(1);
    expect(rig.context.facts.userState("1001")).not.toBe("busy");
    await hangUp(one.caller);
    await hangUp(two.caller);
    await hangUp(two.callee);
    expect(one.callee.byes).toHaveLength(1);
    expect(records.map(({ to, result }) => [to, result])).toEqual([
      ["1002", "success"],
      ["1003", "success"],
      ["1003", "success"],
    ]);
    expect(records[0]).toMatchObject({ transfers: [{ kind: "attended", result: "done" }] });
  });

  it("with a dialog within the PBX goes back to that PBX, where the plan dials it", async () => {
    const { caller, callee } = await connect("1002", "in-1", OFFICE);
    const target = "<sip:600@pbx.test?Replaces=own%40pbx%3Bto-tag%3Dt%3Bfrom-tag%3Df>";
    const outcome = refer(caller, target);
    await settle();
    expect(rig.engine.at(1).options).toMatchObject({
      target: { trunkId: "office", number: "600" },
      headers: [
        ["Replaces", "own@pbx;to-tag=t;from-tag=f"],
        ["Require", "replaces"],
      ],
    });
    rig.engine.answer(1);
    await settle();
    expect(statuses(outcome)).toEqual([100, 200]);
    await hangUp(caller);
    await hangUp(callee);
  });

  it("not of somebody else's call", async () => {
    const one = await connect("1002", "in-1");
    const two = await connect("1003", "in-2", OFFICE);
    expect(refer(one.caller, replacing("1003", two.caller)).response).toBe(403);
    expect(refusals).toMatchObject([{ reason: "not-allowed" }]);
    await hangUp(one.caller);
    await hangUp(two.caller);
  });

  it("leaves both calls alone when the second does not take part", async () => {
    const one = await connect("1002", "in-1");
    const two = await connect("1003", "in-2");
    two.callee.reinviteResult = { ok: false, reason: { sipStatus: 488 } };
    const outcome = refer(one.caller, replacing("1003", two.caller));
    await settle();
    expect(statuses(outcome)).toEqual([100, 503]);
    expect(table.size).toBe(2);
    await hangUp(one.caller);
    await hangUp(two.caller);
  });
});

describe("a recorded call that is transferred", () => {
  const files = (): readonly string[] =>
    rig.media.recordings.map(({ options, isStopped }) => {
      const call = records.some(({ id }) => options.path.includes(id)) ? "first" : "second";
      return `${call} ${isStopped ? "whole" : "running"}`;
    });

  it.each([
    [undefined, ["first whole", "second running"]],
    [true, ["first whole", "second running"]],
    [false, ["first whole"]],
  ] as const)(
    "blind: goes on being recorded, unless the new route says no (%s)",
    async (to, all) => {
      recorded = { "1002": true, "1003": to };
      const { caller, callee } = await connect("1002");
      refer(caller, "<sip:1003@localhost>");
      await settle();
      rig.engine.answer(1);
      await settle();
      expect(files()).toEqual(all);
      await hangUp(callee);
      rig.clock.advance(1000);
    },
  );

  it("not when the recording was stopped before", async () => {
    recorded = { "1002": true };
    const { caller, callee } = await connect("1002");
    table.record(table.views()[0]?.id ?? "", "stop");
    await settle();
    refer(caller, "<sip:1003@localhost>");
    await settle();
    rig.engine.answer(1);
    await settle();
    expect(files()).toEqual(["first whole"]);
    await hangUp(callee);
    rig.clock.advance(1000);
  });

  it.each(["1002", "1003"])("with consultation: when %s was recorded", async (which) => {
    recorded = { [which]: true };
    const one = await connect("1002", "in-1");
    const two = await connect("1003", "in-2");
    const { callId } = two.caller;
    refer(
      one.caller,
      `<sip:1003@localhost?Replaces=${callId}%3Bto-tag%3Dlocal%3Bfrom-tag%3Dremote>`,
    );
    await settle();
    expect(files()).toEqual(["first whole", "second running"]);
    await hangUp(one.callee);
    rig.clock.advance(1000);
  });
});

describe("RFC 3891 an INVITE with Replaces", () => {
  it("takes the place of a dialog; the other end talks to the new one", async () => {
    const { caller, callee } = await connect("1002");
    const invite = new ScriptedInvite({
      party: BOB,
      to: "1002",
      callId: "in-2",
      sdp: "new-offer",
      replaces: callee,
    });
    table.onInvite(invite);
    await settle();
    expect(invite.statuses).toEqual([200]);
    expect(caller.reinvites).toEqual(["offer(new-offer)"]);
    rig.clock.advance(1000);
    expect(callee.byes).toHaveLength(1);
    expect(caller.byes).toHaveLength(0);
    await hangUp(invite.dialog);
    expect(caller.byes).toHaveLength(1);
    expect(records).toHaveLength(2);
  });

  it("is refused when the other end does not take it, and the call goes on", async () => {
    const { caller, callee } = await connect("1002");
    caller.reinviteResult = { ok: false, reason: { sipStatus: 488 } };
    const invite = new ScriptedInvite({ party: BOB, to: "1002", callId: "in-2", replaces: callee });
    table.onInvite(invite);
    await settle();
    expect(invite.statuses).toEqual([503]);
    expect([caller, callee].map(({ byes }) => byes.length)).toEqual([0, 0]);
    await hangUp(caller);
  });

  it("names a dialog that is over: 481", async () => {
    const { caller, callee } = await connect("1002");
    await hangUp(caller);
    const invite = new ScriptedInvite({ party: BOB, to: "1002", callId: "in-2", replaces: callee });
    table.onInvite(invite);
    expect(invite.statuses).toEqual([481]);
  });
});
