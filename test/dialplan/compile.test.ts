import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Action, Caller, Decision } from "../../src/dialplan/decision.ts";
import { compileDialplan } from "../../src/dialplan/compile.ts";
import { dialplanSchema } from "../../src/dialplan/schema.ts";
import { compileSection, planOf, world } from "./plan.ts";

const friday = new Date("2026-11-20T09:00:00Z");
const ann: Caller = { kind: "user", id: "1001", groups: ["staff"], numbers: ["+493012345601"] };
const bob: Caller = { kind: "user", id: "1002", groups: [], numbers: [] };
const pbx: Caller = { kind: "trunk", id: "office", number: "+49891234" };

function decide(section: unknown, to: string, from: Caller = ann, at = friday): Decision {
  return planOf(section).decide({ from, to, at });
}

function one(action: unknown, to: string, conditions: object = {}): Action {
  return decide({ routes: [{ ...conditions, do: action }] }, to).action;
}

describe("the first route whose conditions all hold decides", () => {
  const routes = [
    { name: "echo", to: "*43", do: "echo" },
    { name: "pattern", to: "_1X", do: { reject: 481 } },
    { name: "literal", to: "10", do: { reject: 482 } },
    { name: "first of two", to: ["20", "21"], from: { user: "1002" }, do: { reject: 483 } },
    { name: "second of two", to: "20", do: { reject: 484 } },
    { name: "expression", to: "/^3/", do: { reject: 485 } },
    { name: "thirty", to: "30", do: { reject: 486 } },
  ];

  it.each<[to: string, from: Caller, route: string | undefined]>([
    ["*43", ann, "echo"],
    ["10", ann, "pattern"],
    ["20", bob, "first of two"],
    ["20", ann, "second of two"],
    ["21", bob, "first of two"],
    ["21", ann, undefined],
    ["30", ann, "expression"],
    ["", ann, undefined],
  ])("%s", (to, from, route) => {
    expect(decide({ routes }, to, from).route).toBe(route);
    expect(planOf({ routes }).decide({ from, to, at: friday }, { explain: false }).route).toBe(
      route,
    );
  });

  it("rejects with 404 when none does, and with an empty plan", () => {
    const action = { kind: "reject", status: 404, reasonPhrase: undefined };
    expect(decide({ routes }, "99")).toMatchObject({ route: undefined, action });
    expect(decide({ routes: [] }, "1001")).toEqual({
      route: undefined,
      action,
      refusal: "unknown",
      trace: [],
    });
  });

  it("names a route without a name by its place", () => {
    expect(decide({ routes: [{ to: "1", do: "echo" }, { do: "play" }] }, "2").route).toBe(
      "route 2",
    );
  });

  it("refuses what nobody can have dialled with 414", () => {
    expect(decide({ routes: [{ do: "echo" }] }, "1".repeat(256)).action).toMatchObject({
      status: 414,
    });
  });
});

describe("conditions", () => {
  const holds = (conditions: object, to = "5", from: Caller = ann, at = friday): boolean =>
    decide(
      { "time-zone": "Europe/Berlin", country: "DE", routes: [{ ...conditions, do: "echo" }] },
      to,
      from,
      at,
    ).route !== undefined;

  it.each<[name: string, from: object, matching: readonly Caller[], other: readonly Caller[]]>([
    ["user", { user: "1001" }, [ann], [bob, pbx]],
    ["users", { user: ["1001", "1002"] }, [ann, bob], [pbx]],
    ["group", { group: "staff" }, [ann], [bob, pbx]],
    ["trunk", { trunk: "office" }, [pbx], [ann, { ...pbx, id: "backup" }]],
    ["number", { number: "_+4989X." }, [pbx], [ann, { ...pbx, number: undefined }]],
    [
      "national number",
      { number: "+49891234" },
      [{ ...pbx, number: "0891234" }],
      [{ ...pbx, number: "891234" }],
    ],
    ["number of a user", { number: "+493012345601" }, [ann], [bob]],
    ["both", { trunk: "office", number: "/^\\+49/" }, [pbx], [{ ...pbx, number: "+331" }, ann]],
    ["nothing", {}, [ann, bob, pbx], []],
  ])("from %s", (_, from, matching, other) => {
    for (const caller of matching) expect(holds({ from }, "5", caller)).toBe(true);
    for (const caller of other) expect(holds({ from }, "5", caller)).toBe(false);
  });

  it.each([
    ["1001", true],
    ["ann", true],
    ["+493012345601", true],
    ["493012345601", true],
    ["03012345601", true],
    ["004930 123456-01", true],
    ["1003", false],
    ["Ann", false],
    ["12345601", false],
    ["", false],
  ])("@users takes %s: %s", (to, expected) => {
    expect(holds({ to: "@users" }, to)).toBe(expected);
  });

  it.each([
    ["2026-11-20T06:59:59Z", false],
    ["2026-11-20T07:00:00Z", true],
    ["2026-11-20T16:59:59Z", true],
    ["2026-11-20T17:00:00Z", false],
    ["2026-11-21T09:00:00Z", false],
    ["2026-07-01T06:00:00Z", true],
  ])("mon-fri 08:00-18:00 in Berlin at %s: %s", (at, expected) => {
    expect(holds({ at: { days: "mon-fri", hours: "08:00-18:00" } }, "5", ann, new Date(at))).toBe(
      expected,
    );
  });
});

describe("actions", () => {
  it.each<[action: unknown, to: string, result: Partial<Action>]>([
    ["echo", "1", { kind: "echo" }],
    ["play", "1", { kind: "play", file: undefined }],
    [{ play: "a.wav" }, "1", { kind: "play", file: "a.wav" }],
    ["read-digits", "1", { kind: "read-digits" }],
    [{ reject: 486 }, "1", { kind: "reject", status: 486 }],
    [
      { reject: { status: 480, reason: "Closed" } },
      "1",
      { kind: "reject", status: 480, reasonPhrase: "Closed" },
    ],
    [{ ring: "1002" }, "1", { kind: "ring", users: ["1002"], timeoutMs: 30_000, then: [] }],
    [
      { ring: ["1002", 1001, "1002"], timeout: "20s" },
      "1",
      { users: ["1002", "1001"], timeoutMs: 20_000 },
    ],
    [{ ring: "@to" }, "ann", { kind: "ring", users: ["ann"] }],
    [{ ring: "@to" }, "+493012345600", { kind: "ring", users: ["1002", "ann"] }],
    [{ ring: "+493012345601" }, "1", { kind: "ring", users: ["1001"] }],
    [
      { dial: "office" },
      "030",
      {
        kind: "dial",
        trunks: ["office"],
        number: "030",
        callerNumber: undefined,
        timeoutMs: 60_000,
      },
    ],
    [
      { dial: ["backup", "office"], strip: 1, prepend: "+49", caller: "+4930" },
      "030",
      { trunks: ["backup", "office"], number: "+4930", callerNumber: "+4930" },
    ],
    [{ dial: "office", strip: 5, prepend: "9" }, "030", { number: "9" }],
    [{ dial: ["gone", "office"] }, "030", { trunks: ["office"] }],
  ])("%j on %s", (action, to, result) => {
    expect(one(action, to)).toMatchObject(result);
  });

  it("fills $1 in from the expression of `to`", () => {
    expect(one({ ring: "$1" }, "9-1002", { to: "/^9-(10\\d\\d)$/" })).toMatchObject({
      users: ["1002"],
    });
    expect(one({ ring: "10$1$2" }, "02", { to: "/^(0)(.)$/" })).toMatchObject({ users: ["1002"] });
    expect(one({ dial: "office", caller: "+49$1" }, "x77", { to: "/(\\d+)/" })).toMatchObject({
      callerNumber: "+4977",
    });
  });

  it("keeps what follows when nobody answers", () => {
    const action = one(
      { ring: "@to", then: { dial: "office", then: ["play", { reject: 480 }] } },
      "1002",
    );
    expect(action).toMatchObject({
      kind: "ring",
      then: [
        { kind: "dial", number: "1002", then: [{ kind: "play" }, { kind: "reject", status: 480 }] },
      ],
    });
  });

  it("rejects the ring of an unknown user with 404, and says why", () => {
    const decision = decide({ routes: [{ name: "r", to: "_X.", do: { ring: "@to" } }] }, "1099");
    expect(decision).toEqual({
      route: "r",
      action: { kind: "reject", status: 404, reasonPhrase: undefined },
      trace: [
        {
          route: "r",
          matched: true,
          failed: { condition: "do.ring", expected: "a configured user", saw: "1099" },
        },
      ],
    });
  });

  it("goes on to what follows when the user is unknown", () => {
    const then = [{ ring: "$0" }, { dial: "office" }, { reject: 480 }];
    expect(one({ ring: "@to", then }, "1099", { to: "/.+/" })).toMatchObject({
      kind: "dial",
      number: "1099",
      then: [{ kind: "reject", status: 480 }],
    });
  });

  it("ends with 484 when nothing is left to dial", () => {
    expect(one({ dial: "office", strip: 3 }, "030")).toMatchObject({ kind: "reject", status: 484 });
  });
});

describe("the trace", () => {
  it("has each route with the first condition that failed and the value that it saw", () => {
    const section = {
      "time-zone": "UTC",
      routes: [
        { name: "a", from: { user: "1002" }, to: "7", do: "echo" },
        { name: "b", from: { group: "sales" }, do: "echo" },
        { name: "c", from: { trunk: "office" }, do: "echo" },
        { name: "d", from: { number: "_+33." }, do: "echo" },
        { name: "e", to: ["7", "_8X"], do: "echo" },
        { name: "f", at: { days: "sat,sun" }, do: "echo" },
        { name: "g", at: { hours: "22:00-06:00" }, do: "echo" },
        { name: "h", to: "5", do: "echo" },
      ],
    };
    expect(
      decide(section, "5").trace.map(({ route, matched, failed }) => [route, matched, failed]),
    ).toEqual([
      ["a", false, { condition: "from.user", expected: "1002", saw: "user 1001" }],
      ["b", false, { condition: "from.group", expected: "sales", saw: "user 1001 in staff" }],
      ["c", false, { condition: "from.trunk", expected: "office", saw: "user 1001" }],
      ["d", false, { condition: "from.number", expected: "_+33.", saw: "+493012345601" }],
      ["e", false, { condition: "to", expected: "7 or _8X", saw: "5" }],
      ["f", false, { condition: "at.days", expected: "sat, sun", saw: "fri" }],
      ["g", false, { condition: "at.hours", expected: "22:00-06:00", saw: "09:00" }],
      ["h", true, undefined],
    ]);
  });

  it("is plain data", () => {
    const decision = decide({ routes: [{ to: "1", do: "echo" }] }, "2");
    expect(structuredClone(decision)).toEqual(decision);
  });
});

describe("mistakes", () => {
  it.each<[route: object, path: string, message: string]>([
    [{ from: { user: "1009" }, do: "echo" }, "routes.0.from.user.0", 'no user "1009"'],
    [{ from: { trunk: "offic" }, do: "echo" }, "routes.0.from.trunk.0", 'did you mean "office"?'],
    [{ from: { number: "_" }, do: "echo" }, "routes.0.from.number.0", "empty pattern"],
    [{ to: "@user", do: "echo" }, "routes.0.to.0", 'did you mean "@users"?'],
    [{ to: ["1", "_[2"], do: "echo" }, "routes.0.to.1", 'without its "]"'],
    [{ do: { ring: "1009" } }, "routes.0.do.ring.0", 'no user "1009"'],
    [{ do: { ring: "$1" } }, "routes.0.do.ring.0", "nothing to stand for"],
    [{ to: "/^(1)$/", do: { ring: "$2" } }, "routes.0.do.ring.0", "has 1 groups"],
    [{ to: ["/^(1)$/", "2"], do: { ring: "$1" } }, "routes.0.do.ring.0", "nothing to stand for"],
    [{ do: { dial: "gone" } }, "routes.0.do.dial.0", 'no trunk "gone"'],
    [
      { do: { ring: "@to", then: [{ dial: "gone" }] } },
      "routes.0.do.then.0.dial.0",
      'no trunk "gone"',
    ],
    [{ do: { dial: "office", caller: "$1" } }, "routes.0.do.caller", "nothing to stand for"],
  ])("%j", (route, path, message) => {
    const result = compileSection({ routes: [route] });
    const [problem] = result.ok ? [] : result.problems;
    expect([problem?.path.join("."), problem?.message]).toEqual([
      path,
      expect.stringContaining(message),
    ]);
  });

  it("are told all at once", () => {
    const routes = ["a", "b", "c"].map((trunk) => ({ do: { dial: trunk } }));
    const result = compileSection({ routes });
    expect(result.ok ? 0 : result.problems.length).toBe(3);
  });

  it("warns of a group without users, a trunk passed over and routes that nothing reaches", () => {
    const result = compileSection({
      routes: [
        { from: { group: "stuff" }, do: { dial: ["office", "gone"] } },
        { name: "all", do: "echo" },
        { name: "late", to: "1", do: "echo" },
        { name: "later", to: "2", do: "echo" },
      ],
    });
    expect(
      result.ok ? result.warnings.map(({ path, message }) => `${path.join(".")}: ${message}`) : [],
    ).toEqual([
      'routes.0.from.group.0: no user is in group "stuff"; did you mean "staff"?',
      'routes.0.do.dial.1: no trunk "gone"; it is passed over',
      'routes.2: "late" is never reached: "all" before it takes every call',
    ]);
  });
});

describe("the built-in plan", () => {
  it.each<[to: string, from: Caller, expected: Partial<Action>]>([
    ["*43", ann, { kind: "echo" }],
    ["*44", ann, { kind: "play" }],
    ["*45", ann, { kind: "read-digits" }],
    ["1002", ann, { kind: "ring", users: ["1002"] }],
    ["030123", ann, { kind: "dial", trunks: ["office"], number: "030123" }],
    ["+493012345601", pbx, { kind: "ring", users: ["1001"] }],
    ["1001", pbx, { kind: "ring", users: ["1001"] }],
    ["030123", pbx, { kind: "reject", status: 404 }],
  ])("%s", (to, from, expected) => {
    expect(decide({}, to, from).action).toMatchObject(expected);
  });
});

describe("random plans", () => {
  const number = fc.constantFrom(
    "*43",
    "1001",
    "030",
    "+4930",
    "_0Z.",
    "_X",
    "_.",
    "/^(1.*)$/",
    "@users",
    "5",
  );
  const action = fc.letrec((tie) => ({
    action: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("echo", "play", "read-digits"),
      fc.record({ reject: fc.integer({ min: 400, max: 699 }) }),
      fc.record({
        ring: fc.constantFrom("@to", "1001", "ann"),
        then: fc.array(tie("action"), { minLength: 1, maxLength: 2 }),
      }),
      fc.record({
        dial: fc.constantFrom("office", "backup"),
        strip: fc.nat(4),
        then: fc.array(tie("action"), { minLength: 1, maxLength: 2 }),
      }),
    ),
  })).action;
  const route = fc.record(
    {
      from: fc.constantFrom(
        { user: "1001" },
        { group: "staff" },
        { trunk: "office" },
        { number: "_+49." },
        {},
      ),
      to: fc.oneof(number, fc.array(number, { minLength: 1, maxLength: 3 })),
      at: fc.constantFrom({ days: "mon-fri" }, { hours: "22:00-06:00" }, {}),
      do: action,
    },
    { requiredKeys: ["do"] },
  );
  const caller = fc.constantFrom(ann, bob, pbx, { ...pbx, number: undefined });
  const dialled = fc.oneof(
    fc.constantFrom("*43", "1001", "030", "031", "ann", "5", ""),
    fc.string(),
  );

  it("never throw, always decide, and decide alike with and without the explanation", () => {
    fc.assert(
      fc.property(
        fc.array(route, { maxLength: 8 }),
        fc.array(fc.tuple(caller, dialled), { minLength: 1, maxLength: 5 }),
        (routes, calls) => {
          const { dialplan } = compiled({ routes });
          for (const [from, to] of calls) {
            const full = dialplan.decide({ from, to, at: friday });
            const fast = dialplan.decide({ from, to, at: friday }, { explain: false });
            expect(fast.route).toBe(full.route);
            expect(fast.action).toEqual(full.action);
            const last = full.trace.at(-1);
            expect(full.route).toBe(last?.matched === true ? last.route : undefined);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("are refused or compiled, whatever JSON they are", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const parsed = dialplanSchema.safeParse({
          routes: [{ to: value, do: value }, value],
          tests: [value],
        });
        if (parsed.success)
          compileDialplan({ ...parsed.data, routes: parsed.data.routes ?? [] }, world);
      }),
      { numRuns: 500 },
    );
  });

  function compiled(section: unknown) {
    const result = compileSection(section);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return result;
  }
});

describe("speed", () => {
  it("finds one of 20,000 literals without looking at the others", () => {
    const literals = Array.from({ length: 20_000 }, (_, index) => ({
      to: String(500_000 + index),
      do: "echo",
    }));
    const dialplan = planOf({
      routes: [{ to: "_1XX", do: "play" }, ...literals, { to: "_5X.", do: "play" }],
    });
    const query = { from: ann, to: "519999", at: friday };
    expect(dialplan.decide(query, { explain: false }).route).toBe("route 20001");
    const start = performance.now();
    for (let round = 0; round < 10_000; round += 1) dialplan.decide(query, { explain: false });
    // About 30 ms; looking at each route would take ten seconds or more.
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
