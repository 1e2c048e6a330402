import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import { callEnded } from "../../src/call/channels.ts";
import type { CallContext } from "../../src/call/context.ts";
import type { IdentityTerms } from "../../src/call/presentation.ts";
import type { CallRecord } from "../../src/call/record.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import type { OutgoingInviteOptions } from "../../src/signaling/engine.ts";
import { dial, refused, ring } from "./actions.ts";
import { ANN, makeRig, OFFICE, ScriptedInvite, settle, type Rig } from "./fakes.ts";

// How a call carries out what the dialplan decides: orders, delays, outcomes, voicemail, hooks.

let rig: Rig;
let records: CallRecord[];
let unsubscribe: () => void;

beforeEach(() => {
  rig = makeRig();
  for (const id of ["1002", "1003", "1004"]) rig.engine.register(id);
  records = [];
  unsubscribe = callEnded.subscribe((record) => records.push(record));
});

afterEach(() => {
  unsubscribe();
  expect(rig.clock.pendingTimers, "timers left").toBe(0);
  expect(rig.context.limits.total, "places left").toBe(0);
  expect(rig.context.facts.userState("1001"), "the caller is free again").not.toBe("busy");
});

async function place(action: Action): Promise<{ invite: ScriptedInvite; table: CallTable }> {
  const table = new CallTable({
    context: rig.context,
    decide: () => ({ route: "test", action, trace: [{ route: "test", matched: true }] }),
    groupsOf: () => [],
  });
  const invite = new ScriptedInvite({ party: ANN, to: "1002" });
  table.onInvite(invite);
  await settle();
  return { invite, table };
}

/** Whom the outgoing INVITEs went to, in order. */
function called(): string[] {
  return rig.engine.sent.map(({ options: { target } }) =>
    target.kind === "trunk" ? target.trunkId : target.binding.userId,
  );
}

async function fail(index: number, status: number): Promise<void> {
  rig.engine.at(index).handler.onFailed(refused(status));
  await settle();
}

describe("call forwarding of a user", () => {
  const dial = (rest: object): Action => ({
    kind: "dial",
    trunks: ["office"],
    number: "5",
    callerNumber: undefined,
    timeoutMs: 60_000,
    then: [],
    as: "1002",
    ...rest,
  });

  it("goes out as often at once as the user may call, and not more often", async () => {
    rig = makeRig({ maxCallsPerUser: 1 });
    const arrive = async (): Promise<ScriptedInvite> => {
      const invite = new ScriptedInvite({ party: OFFICE, to: "1002" });
      table.onInvite(invite);
      await settle();
      return invite;
    };
    const table = new CallTable({
      context: rig.context,
      decide: () => ({ route: "test", action: dial({ reason: "unconditional" }), trace: [] }),
      groupsOf: () => [],
    });
    const first = await arrive();
    const second = await arrive();
    expect(called()).toEqual(["office"]);
    expect(second.statuses).toEqual([403]);
    await fail(0, 486);
    expect(first.statuses).toEqual([486]);
    await arrive();
    expect(called()).toEqual(["office", "office"]);
    await fail(1, 486);
  });

  it("nobody is left to ring: the user is busy, and what follows busy is done", async () => {
    const { invite } = await place(ring([], { away: ["1002"], on: { busy: [ring(["1003"])] } }));
    expect(called()).toEqual(["1003"]);
    await fail(0, 480);
    expect(invite.statuses).toEqual([480]);
    const { invite: other } = await place(ring([], { away: ["1002"], by: "sequence", eachMs: 1 }));
    expect(other.statuses).toEqual([486]);
  });

  it("a star code is set before it is confirmed", async () => {
    const { invite } = await place({
      kind: "set",
      user: "1001",
      setting: "forward-busy",
      isOn: true,
      number: "1002",
    });
    expect(rig.context.settings.of("1001")?.forwards.busy).toEqual({ number: "1002", isOn: true });
    expect(invite.statuses).not.toContain(486);
    invite.cancel();
    await settle();
  });
});

describe("ringing in an order", () => {
  it("rings one after the other, each for its time, until the whole time is over", async () => {
    const { invite } = await place(
      ring(["1002", "1003", "1004"], { by: "sequence", eachMs: 8000 }),
    );
    expect(called()).toEqual(["1002"]);
    rig.clock.advance(8000);
    await settle();
    expect(called()).toEqual(["1002", "1003"]);
    expect(rig.engine.at(0).cancelled).toBeDefined();
    rig.clock.advance(8000);
    await settle();
    expect(called()).toEqual(["1002", "1003", "1004"]);
    rig.clock.advance(4000);
    await settle();
    expect(invite.statuses.at(-1)).toBe(504);
  });

  it("passes over who is not signed in", async () => {
    const { invite } = await place(ring(["1009", "1003"], { by: "sequence", eachMs: 8000 }));
    expect(called()).toEqual(["1003"]);
    await fail(0, 486);
    expect(invite.statuses).toEqual([486]);
  });

  it("counts a turn on, once a call", async () => {
    const { invite } = await place(
      ring(["1002"], { by: "round-robin", eachMs: 8000, turn: "group sales" }),
    );
    expect(rig.context.facts.now().turn("group sales")).toBe(1);
    invite.cancel();
  });

  it("lets the delayed ring later, and at once when nobody else rings any more", async () => {
    const delaysMs = { "1003": 5000, "1004": 10_000 };
    const { invite } = await place(ring(["1002", "1003", "1004"], { delaysMs }));
    expect(called()).toEqual(["1002"]);
    rig.clock.advance(5000);
    await settle();
    expect(called()).toEqual(["1002", "1003"]);
    await fail(0, 486);
    await fail(1, 486);
    expect(called()).toEqual(["1002", "1003", "1004"]);
    await fail(2, 603);
    expect(invite.statuses.at(-1)).toBe(603);
  });
});

describe("outcomes", () => {
  const on = {
    busy: [dial(["busy"])],
    "no-answer": [dial(["no-answer"])],
    unreachable: [dial(["unreachable"])],
    rejected: [dial(["rejected"])],
    "486": [dial(["status-486"])],
  };

  it.each([
    [486, "status-486"],
    [600, "busy"],
    [480, "no-answer"],
    [404, "unreachable"],
    [503, "unreachable"],
    [603, "rejected"],
    [403, "rejected"],
  ])("a %i goes on with %s", async (status, next) => {
    const { invite } = await place(ring(["1002"], { on, then: [dial(["then"])] }));
    await fail(0, status);
    expect(called()).toEqual(["1002", next]);
    invite.cancel();
  });

  it("takes a user without a telephone as unreachable, and the rest by then", async () => {
    const first = await place(ring(["1009"], { on }));
    expect(called()).toEqual(["unreachable"]);
    first.invite.cancel();
    const second = await place(
      ring(["1002"], { on: { rejected: [dial(["rejected"])] }, then: [dial(["then"])] }),
    );
    await fail(1, 486);
    expect(called().at(-1)).toBe("then");
    second.invite.cancel();
  });

  it("goes on after each action by its own outcome", async () => {
    const { invite } = await place(
      ring(["1002"], {
        on: { busy: [ring(["1003"], { on: { busy: [dial(["office"])] } })] },
      }),
    );
    await fail(0, 486);
    await fail(1, 486);
    expect(called()).toEqual(["1002", "1003", "office"]);
    await fail(2, 404);
    expect(invite.statuses.at(-1)).toBe(404);
  });
});

describe("voicemail, forwards and emergencies", () => {
  const headersOf = (index: number): Record<string, string> =>
    Object.fromEntries(rig.engine.at(index).options.headers ?? []);

  const mailbox: Action = {
    kind: "voicemail",
    trunk: "office",
    number: "*97",
    mailbox: "1002",
    timeoutMs: 60_000,
    then: [],
  };

  it("tells the voicemail that nobody wants to be disturbed", async () => {
    const { invite } = await place(ring([], { away: ["1002"], on: { busy: [mailbox] } }));
    expect(headersOf(0)).toEqual({ Diversion: "<sip:1002@localhost>;reason=do-not-disturb" });
    invite.cancel();
  });

  it("tells the voicemail whose messages and why (RFC 5806)", async () => {
    const { invite } = await place(ring(["1002"], { on: { busy: [mailbox] } }));
    await fail(0, 486);
    expect(rig.engine.at(1).options.target).toEqual({
      kind: "trunk",
      trunkId: "office",
      number: "*97",
    });
    expect(headersOf(1)).toEqual({ Diversion: "<sip:1002@localhost>;reason=user-busy" });
    invite.cancel();
  });

  it("sends the location of an emergency call (RFC 6442), and no limit holds it", async () => {
    const full = makeRig({ maxCallsOfTrunk: 0, maxCallsPerUser: 0 });
    const action = dial(["office"], {
      number: "112",
      emergency: { location: "https://lis.example.com/berlin" },
    });
    const table = new CallTable({
      context: full.context,
      decide: () => ({ route: "(emergency)", action, trace: [] }),
      groupsOf: () => [],
    });
    const invite = new ScriptedInvite({ party: ANN, to: "112" });
    table.onInvite(invite);
    await settle();
    expect(full.engine.at(0).options.headers).toEqual([
      ["Geolocation", "<https://lis.example.com/berlin>"],
      ["Geolocation-Routing", "yes"],
    ]);
    invite.cancel();
  });

  // RFC 6443 §4: who answers must be able to call back.
  it.each([
    ["by Privacy of the browser", [["Privacy", "id"]], undefined, "+493012345601"],
    ["by the plan", [], "anonymous", "+493012345601"],
    ["by both", [["Privacy", "id"]], "anonymous", "+493012345601"],
    ["and the plan has another", [["Privacy", "id"]], "+493055555", "+493055555"],
  ] as const)(
    "tells an emergency call's number though it is withheld %s, and no other call's",
    async (_, headers, callerNumber, told) => {
      const own = makeRig();
      const identity: IdentityTerms = {
        isTrusted: false,
        header: "pai",
        numbers: "as-is",
        isPhone: false,
        diversion: "diversion",
      };
      const context: CallContext = {
        ...own.context,
        user: () => ({ name: "Ann Lee", numbers: ["+493012345601"] }),
        trunk: () => ({ codecs: ["PCMU"], identity }),
      };
      const sent = async (action: Action): Promise<OutgoingInviteOptions> => {
        const table = new CallTable({
          context,
          decide: () => ({ route: "test", action, trace: [] }),
          groupsOf: () => [],
        });
        const invite = new ScriptedInvite({ party: ANN, to: "112", headers });
        const index = own.engine.sent.length;
        table.onInvite(invite);
        await settle();
        invite.cancel();
        await settle();
        return own.engine.at(index).options;
      };
      const terms = { number: "112", callerNumber };
      const emergency = await sent(dial(["office"], { ...terms, emergency: {} }));
      expect(emergency.from).toEqual({ user: told, displayName: "Ann Lee" });
      expect(emergency.headers).toEqual([
        ["P-Asserted-Identity", `"Ann Lee" <sip:${told}@localhost>`],
      ]);
      const usual = await sent(dial(["office"], terms));
      expect(usual.from).toMatchObject({ user: "anonymous" });
      expect(usual.headers).toEqual([["Privacy", "id"]]);
    },
  );

  it("shows the name that the plan says", async () => {
    const { invite } = await place(
      dial(["office"], { callerNumber: "+4930", displayName: "Example Ltd" }),
    );
    expect(rig.engine.at(0).options.from).toEqual({ user: "+4930", displayName: "Example Ltd" });
    invite.cancel();
  });
});

describe("hooks", () => {
  const ask: Action = { kind: "ask", hook: "crm", otherwise: [dial(["otherwise"])] };

  it("does what the hook answers", async () => {
    const asked: unknown[] = [];
    rig = {
      ...rig,
      context: {
        ...rig.context,
        askHook: (hook, question) => {
          asked.push([hook, question]);
          return Promise.resolve([dial(["answer"])]);
        },
      },
    };
    const { invite } = await place(ask);
    expect(called()).toEqual(["answer"]);
    expect(asked).toEqual([
      [
        "crm",
        expect.objectContaining({
          to: "1002",
          route: "test",
          from: { kind: "user", id: "1001", number: "1001" },
        }),
      ],
    ]);
    invite.cancel();
  });

  it("goes on without its answer, or ends with 503", async () => {
    const { invite } = await place(ask);
    expect(called()).toEqual(["otherwise"]);
    invite.cancel();
    const none = await place({ ...ask, otherwise: [] });
    expect(none.invite.statuses).toEqual([503]);
  });

  it("does nothing more when the caller has gone meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<readonly Action[]>();
    rig = { ...rig, context: { ...rig.context, askHook: () => promise } };
    const { invite } = await place(ask);
    invite.cancel();
    resolve([dial(["answer"])]);
    await settle();
    expect(called()).toEqual([]);
  });
});

describe("what is known of live calls", () => {
  it("holds a caller busy, and counts time and money over a trunk", async () => {
    const { facts } = rig.context;
    const { invite } = await place(
      dial(["office"], { charge: { keys: ["user 1001"], prices: { office: 0.5 } } }),
    );
    expect(facts.userState("1001")).toBe("busy");
    expect(facts.now().usage("trunk office")).toMatchObject({ concurrent: 1, lastMinute: 1 });
    rig.engine.answer(0);
    await settle();
    rig.clock.advance(60_000);
    // A call counts while it lasts.
    expect(facts.now().usage("user 1001")).toMatchObject({ concurrent: 1, minutesToday: 1 });
    expect(facts.now().usage("trunk office").spentToday).toBeCloseTo(0.5, 6);
    rig.clock.advance(60_000);
    invite.dialog?.handler?.onBye(undefined);
    await settle();
    for (const key of ["user 1001", "trunk office"]) {
      expect(facts.now().usage(key)).toEqual({
        concurrent: 0,
        lastMinute: 0,
        minutesToday: 2,
        spentToday: 1,
      });
    }
  });

  it("answers and hangs up at once, and keeps the rules in the record", async () => {
    const { invite } = await place({ kind: "hang-up" });
    await settle();
    expect(invite.statuses).toEqual([200]);
    expect(invite.dialog?.byes).toHaveLength(1);
    expect(records.at(-1)).toMatchObject({
      result: "success",
      trace: [{ route: "test", matched: true }],
    });
  });
});
