import { describe, expect, it } from "vitest";

import type { Caller, CallQuery, Decision } from "../../src/dialplan/decision.ts";
import { QUIET } from "../../src/dialplan/facts.ts";
import { NOTHING_SET, type UserSettings } from "../../src/dialplan/user-settings.ts";
import { compileSection, planOf } from "./plan.ts";

const ann: Caller = { kind: "user", id: "1001", groups: ["staff"], numbers: ["+493012345601"] };
const bob: Caller = { kind: "user", id: "1002", groups: [], numbers: ["+493012345602"] };
const pbx: Caller = { kind: "trunk", id: "office", number: "+4989999" };
const at = new Date("2026-11-20T09:00:00Z");

const SECTION = {
  country: "DE",
  routes: [
    {
      name: "boss",
      to: "1002",
      do: {
        ring: "1002",
        timeout: "60s",
        on: { busy: { voicemail: "backup" }, "480": { reject: 603 } },
        then: { reject: 500 },
      },
    },
    { name: "team", to: "700", do: { ring: [{ group: "staff" }, "1002"] } },
    { name: "colleagues", to: "@users", do: { ring: "@to" } },
    { name: "out", from: { group: "staff" }, to: "_0Z.", do: { dial: "office" } },
  ],
};

type Settings = Readonly<Record<string, Partial<UserSettings>>>;

const on = (number: string) => ({ number, isOn: true });

function decide(
  settings: Settings,
  query: Partial<CallQuery> & { readonly to: string },
  section: object = {},
): Decision {
  const settingsOf = (id: string): UserSettings | undefined =>
    settings[id] && { ...NOTHING_SET, ...settings[id] };
  const plan = planOf({ ...SECTION, ...section });
  return plan.decide({ from: pbx, at, facts: { ...QUIET, settingsOf }, ...query });
}

const forwards = (to: NonNullable<Partial<UserSettings["forwards"]>>) => ({ forwards: to });

describe("do not disturb", () => {
  it("finds the user busy, with what the route says of that", () => {
    expect(decide({ "1002": { doNotDisturb: true } }, { to: "1002" }).action).toMatchObject({
      kind: "ring",
      users: [],
      away: ["1002"],
      on: { busy: [{ kind: "voicemail", mailbox: "1002" }] },
    });
  });

  it("leaves the user out of a group, and the group to the others", () => {
    const settings = {
      ann: { doNotDisturb: true },
      "1002": forwards({ always: on("1001") }),
    };
    expect(decide(settings, { to: "700" }).action).toMatchObject({
      users: ["1001"],
      away: ["ann", "1002"],
    });
  });

  it("is nothing to the user's own other telephones", () => {
    const { action } = decide({ "1002": { doNotDisturb: true } }, { to: "1002", from: bob });
    expect(action).toMatchObject({ kind: "ring", users: ["1002"] });
  });
});

describe("call forwarding", () => {
  it("always: the plan decides for the user who forwards, as that user", () => {
    const decision = decide({ "1001": forwards({ always: on("030555555") }) }, { to: "1001" });
    expect(decision).toMatchObject({
      route: "out",
      action: {
        kind: "dial",
        trunks: ["office"],
        number: "030555555",
        as: "1001",
        reason: "unconditional",
        callerNumber: "+493012345601",
      },
    });
  });

  it("busy and no answer: before what the route says by name or by status", () => {
    const settings = {
      "1002": { ...forwards({ busy: on("1001"), "no-answer": on("ann") }), noAnswerMs: 15_000 },
    };
    const { action, route } = decide(settings, { to: "1002" });
    expect(route).toBe("boss");
    expect(action).toMatchObject({
      kind: "ring",
      users: ["1002"],
      timeoutMs: 15_000,
      on: {
        busy: [{ kind: "ring", users: ["1001"] }],
        "no-answer": [{ kind: "ring", users: ["ann"] }],
        unreachable: [{ kind: "ring", users: ["ann"] }],
      },
      then: [{ kind: "reject", status: 500 }],
    });
    expect(action).not.toHaveProperty("on.480");
  });

  it("tells who has forwarded before, the last one first", () => {
    const settings = {
      ann: forwards({ always: on("1001") }),
      "1001": forwards({ busy: on("030555555") }),
    };
    const { action } = decide(settings, { to: "ann" });
    expect(action).toMatchObject({
      users: ["1001"],
      on: {
        busy: [
          { as: "1001", reason: "user-busy", before: [{ user: "ann", reason: "unconditional" }] },
        ],
      },
    });
  });

  it("is off with its number kept", () => {
    const settings = { "1001": forwards({ always: { number: "1002", isOn: false } }) };
    expect(decide(settings, { to: "1001" }).action).toMatchObject({ users: ["1001"] });
  });

  it("toll fraud: what the user may not call is not called, and the user rings", () => {
    const settings = {
      "1001": forwards({ always: on("0900123456") }),
      // Not of the staff: no route leads out.
      "1002": forwards({ always: on("030555555"), busy: on("030555555") }),
    };
    expect(decide(settings, { to: "1001" }).action).toMatchObject({ users: ["1001"] });
    expect(decide(settings, { to: "1002" }).action).toMatchObject({
      users: ["1002"],
      on: { busy: [{ kind: "voicemail" }] },
    });
  });

  it("a circle ends with 482, however it is closed", () => {
    const circle = {
      "1001": forwards({ always: on("1002") }),
      "1002": forwards({ always: on("ann") }),
      ann: forwards({ always: on("1001") }),
    };
    expect(decide(circle, { to: "1001" })).toMatchObject({
      refusal: "loop",
      action: { kind: "reject", status: 482 },
    });
  });

  it("lets whom the calls go to call back", () => {
    const settings = { "1001": forwards({ always: on("1002") }) };
    expect(decide(settings, { to: "1001", from: bob }).action).toMatchObject({ users: ["1001"] });
  });
});

describe("star codes", () => {
  const dial = (to: string, section: object = {}, from: Caller = ann) =>
    decide({ "1001": forwards({ busy: { number: "1002", isOn: false } }) }, { to, from }, section);

  it.each([
    ["*78", { setting: "do-not-disturb", isOn: true }],
    ["*79", { setting: "do-not-disturb", isOn: false }],
    ["*721002", { setting: "forward-always", isOn: true, number: "1002" }],
    ["*72030555555#", { setting: "forward-always", isOn: true, number: "030555555" }],
    ["*73", { setting: "forward-always", isOn: false }],
    ["*90", { setting: "forward-busy", isOn: true, number: "1002" }],
    ["*72", { setting: "forward-always", refused: "no number" }],
    ["*920900123456", { setting: "forward-no-answer", refused: "not allowed" }],
    ["*92112", { refused: "not allowed" }],
    ["*721001", { refused: "not allowed" }],
    ["*72*721002", { refused: "not allowed" }],
  ])("%s", (to, change) => {
    expect(dial(to)).toMatchObject({
      route: "(star code)",
      action: { kind: "set", user: "1001", ...change },
    });
  });

  it.each(["*781", "*7", "*731", "78"])("%s is a number like any other", (to) => {
    expect(dial(to).action).toMatchObject({ kind: "reject", status: 404 });
  });

  it("are the file's, or the routes', or none", () => {
    const german = { "star-codes": { "forward-always": { on: "*21*", off: "#21#" } } };
    expect(dial("*21*1002#", german).action).toMatchObject({ isOn: true, number: "1002" });
    expect(dial("#21#", german).action).toMatchObject({ kind: "set", isOn: false });
    expect(dial("*78", german).action).toMatchObject({ setting: "do-not-disturb" });
    const own = { routes: [{ to: ["*78", "_*72."], do: "echo" }] };
    expect(dial("*78", own).action).toEqual({ kind: "echo" });
    expect(dial("*721002", own).action).toEqual({ kind: "echo" });
    expect(dial("*79", own).action).toMatchObject({ kind: "set" });
    expect(dial("*78", { "star-codes": "off" }).action).toMatchObject({ status: 404 });
    expect(() => compileSection({ "star-codes": { "do-not-disturb": { on: "78" } } })).toThrow();
  });

  it("say what users may set: what has a code that switches it on", () => {
    const settable = (section: object) => planOf({ ...SECTION, ...section }).userSettable;
    const all = ["do-not-disturb", "forward-always", "forward-busy", "forward-no-answer"];
    expect(settable({})).toEqual(all);
    expect(settable({ "star-codes": { "forward-always": "off" } })).toEqual(
      all.filter((one) => one !== "forward-always"),
    );
    expect(settable({ routes: [{ to: "_*72.", do: "echo" }] })).not.toContain("forward-always");
    expect(settable({ "star-codes": "off" })).toEqual([]);
  });

  it("are for users of ours alone", () => {
    expect(dial("*78", {}, pbx).action).toMatchObject({ kind: "reject" });
    const foreign: Caller = { kind: "user", id: "601", groups: ["office"], numbers: [] };
    expect(dial("*78", {}, foreign).action).toMatchObject({ kind: "reject" });
  });
});
