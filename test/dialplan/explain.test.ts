import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { describeTrace } from "../../src/dialplan/describe.ts";
import { changedDecisions } from "../../src/dialplan/diff.ts";
import type { CallQuery, Caller, TraceStep } from "../../src/dialplan/decision.ts";
import { QUIET } from "../../src/dialplan/facts.ts";
import { compileSection, planOf } from "./plan.ts";

const ann: Caller = { kind: "user", id: "1001", groups: ["staff"], numbers: ["+493012345601"] };
const bob: Caller = { kind: "user", id: "1002", groups: [], numbers: [] };
const pbx: Caller = { kind: "trunk", id: "office", number: "+4989999" };

const number = fc.constantFrom(
  "1001",
  "1002",
  "030123456",
  "_0Z.",
  "_X!",
  "/^0(.+)$/",
  "@users",
  "112",
);
const leaf = fc.constantFrom<unknown>(
  "echo",
  "hang-up",
  { reject: 486 },
  { dial: "office", format: "e164" },
  { dial: ["office", "backup"], by: "least-cost", strip: 1 },
  { ring: "@to", by: "longest-idle" },
  { ring: { group: "staff" }, by: "round-robin" },
  { voicemail: "office" },
  { forward: "030123456" },
  { forward: "1002", as: "1001" },
  { go: "a" },
  { go: "b", strip: 1 },
);
const action = fc.oneof(
  leaf,
  fc.record({ ring: fc.constant("@to"), on: fc.record({ busy: leaf }), then: leaf }),
  fc.record({ dial: fc.constant("office"), then: fc.array(leaf, { minLength: 1, maxLength: 3 }) }),
);
const route = fc.record(
  {
    from: fc.constantFrom({ group: "staff" }, { trunk: "office" }, { user: "1002" }),
    to: fc.oneof(number, fc.array(number, { minLength: 1, maxLength: 2 })),
    class: fc.constantFrom("national", "internal", ["mobile", "premium"]),
    at: fc.constantFrom({ hours: "08:00-10:00" }, { dates: "11-20" }, { dates: "12-24" }),
    state: fc.constantFrom({ "@to": "idle" }, { "1001": "busy" }),
    do: action,
  },
  { requiredKeys: ["do"] },
);
const section = fc.record({
  country: fc.constantFrom("DE", "US", undefined),
  "time-zone": fc.constant("Europe/Berlin"),
  routes: fc.array(route, { maxLength: 6 }),
  sets: fc.record({ a: fc.array(route, { maxLength: 3 }), b: fc.array(route, { maxLength: 3 }) }),
  allow: fc.constantFrom(undefined, { everyone: ["internal"], group: { staff: ["national"] } }),
  rates: fc.constant({ office: [{ prefix: "+49", price: "0.1" }] }),
});
const call = fc.record({
  from: fc.constantFrom(ann, bob, pbx),
  to: fc.constantFrom("1001", "1002", "030123456", "09001234567", "112", "911", "x", ""),
  at: fc.constant(new Date("2026-11-20T08:30:00Z")),
  busy: fc.boolean(),
});

function plain<T>(value: T): T {
  // Keys that are undefined are keys that the file does not have.
  return JSON.parse(JSON.stringify(value)) as T;
}

function matched(trace: readonly TraceStep[]): readonly TraceStep[] {
  return trace.filter((step) => step.matched);
}

describe("an explanation", () => {
  it("ends in the decision, with one matched rule or none, over random plans and calls", () => {
    fc.assert(
      fc.property(section, fc.array(call, { minLength: 1, maxLength: 4 }), (random, calls) => {
        const compiled = compileSection(plain(random));
        if (!compiled.ok) return;
        for (const { busy, ...rest } of calls) {
          const query: CallQuery = {
            ...rest,
            facts: { ...QUIET, userState: () => (busy ? "busy" : "idle") },
          };
          const full = compiled.dialplan.decide(query);
          for (const explain of [false, 1, 3]) {
            const other = compiled.dialplan.decide(query, { explain });
            expect([other.route, other.action]).toEqual([full.route, full.action]);
          }
          const told = matched(full.trace);
          expect(told.length).toBeLessThanOrEqual(1);
          if (told.length === 0) {
            expect(full.action).toMatchObject({ kind: "reject", status: 404 });
          } else expect(full.trace.at(-1)).toBe(told[0]);
          // A rule that did not match says why.
          for (const step of full.trace)
            expect(step.matched || step.failed !== undefined).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("tells the last rules alone when so many are wanted, and counts the others", () => {
    const routes = Array.from({ length: 30 }, (_, index) => ({ to: String(index), do: "echo" }));
    const plan = planOf({ routes });
    const decision = plan.decide({ from: ann, to: "25", at: new Date() }, { explain: 5 });
    expect(decision.trace.map((step) => step.route)).toEqual([
      "route 21",
      "route 22",
      "route 23",
      "route 24",
      "route 25",
      "route 26",
    ]);
    expect(decision.omitted).toBe(20);
  });
});

describe("a step of the explanation", () => {
  const told = (world: object, action: object, from: Caller = ann): string => {
    const plan = planOf({ routes: [{ to: "_0.", do: action }, { do: action }] }, world);
    const at = new Date();
    const { trace } = plan.decide({ from, to: "030123456", at });
    return describeTrace(trace).join("\n");
  };

  it("names the codec policy, and who says so", () => {
    const dial = { dial: ["office", "backup"] };
    expect(told({}, { ...dial, "codec-policy": "opus" })).toContain(
      "codecs: opus, as the route says",
    );
    expect(told({}, dial)).toContain("codecs: auto, as media.codecs says");
    const trunks = new Map([
      ["office", { codecPolicy: "narrow" }],
      ["backup", {}],
    ]);
    const differ = told({ trunks, media: { codecs: "opus" } }, dial);
    expect(differ).toContain("codecs: narrow over office, as the trunk says");
    expect(differ).toContain("codecs: opus over backup, as media.codecs says");
    expect(told({ trunks }, { ring: "1001" }, pbx)).toContain("codecs: narrow, as the trunk says");
  });

  it("names what the callee sees", () => {
    expect(told({}, { dial: "office" })).toContain("the callee sees +493012345601");
    expect(told({}, { dial: "office" }, bob)).toContain("the callee sees 1002");
    expect(told({}, { dial: "office" }, pbx)).toContain("the callee sees +4989999");
    const shown = { dial: "office", caller: "+4930777", "display-name": "Example Ltd" };
    expect(told({}, shown)).toContain("the callee sees Example Ltd, +4930777");
  });
});

describe("the difference of two plans", () => {
  it("is the calls that would go elsewhere", () => {
    const before = planOf({ routes: [{ to: "1", do: "echo" }, { do: { reject: 404 } }] });
    const after = planOf({ routes: [{ do: { reject: 404 } }] });
    const at = new Date();
    expect(
      changedDecisions(before, after, [
        { from: ann, to: "1", at },
        { from: ann, to: "2", at },
      ]),
    ).toEqual([
      { from: "1001", to: "1", at: at.toISOString(), before: "echo", after: "reject 404" },
    ]);
  });
});
