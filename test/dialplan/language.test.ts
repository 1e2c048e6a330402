import { describe, expect, it } from "vitest";

import type { CallQuery, Caller, Decision } from "../../src/dialplan/decision.ts";
import { QUIET, statedFacts } from "../../src/dialplan/facts.ts";
import type { CallFacts } from "../../src/dialplan/facts.ts";
import { compileSection, planOf } from "./plan.ts";

const ann: Caller = {
  kind: "user",
  id: "1001",
  groups: ["staff"],
  numbers: ["+493012345601"],
};
const bob: Caller = { kind: "user", id: "1002", groups: [], numbers: ["+493012345602"] };
const pbx: Caller = { kind: "trunk", id: "office", number: "+4989999" };
const friday = new Date("2026-11-20T09:00:00Z");
const base = { country: "DE", "time-zone": "Europe/Berlin" };

function decide(section: object, query: Partial<CallQuery> & { readonly to: string }): Decision {
  return planOf({ ...base, ...section }).decide({ from: ann, at: friday, ...query });
}

const routes = (...list: object[]) => ({ routes: list });
const dial = (rest: object = {}) => ({ dial: "office", ...rest });
const facts = (change: Partial<CallFacts>): CallFacts => ({ ...QUIET, ...change });

describe("conditions", () => {
  it.each<[object, Partial<CallQuery>, boolean]>([
    [{ class: "mobile" }, { to: "01701234567" }, true],
    [{ class: "mobile" }, { to: "030123456" }, false],
    [{ class: ["premium", "international"] }, { to: "0033142345678" }, true],
    [{ from: { number: "anonymous" } }, { to: "1", from: { ...pbx, number: undefined } }, true],
    [{ from: { number: "anonymous" } }, { to: "1", from: pbx }, false],
    [{ at: { dates: "11-20" } }, { to: "1" }, true],
    [{ at: { dates: "2026-12-24..2026-12-26" } }, { to: "1" }, false],
    [{ at: { dates: "12-24..01-06" } }, { to: "1", at: new Date("2026-01-01T09:00Z") }, true],
    [{ at: { holidays: "b" } }, { to: "1", at: new Date("2026-05-01T09:00Z") }, true],
    [{ at: { except: "b" } }, { to: "1", at: new Date("2026-05-01T09:00Z") }, false],
    [{ at: { hours: "04:00-05:00", "time-zone": "America/New_York" } }, { to: "1" }, true],
    [{ state: { "1002": "busy" } }, { to: "1", facts: statedFacts({ "1002": "busy" }) }, true],
    [{ state: { "1002": "busy" } }, { to: "1" }, false],
    [{ state: { "@to": "registered" } }, { to: "1002" }, true],
    [
      { state: { "@to": "offline" } },
      { to: "1002", facts: statedFacts({ "1002": "offline" }) },
      true,
    ],
    [{ state: { "@to": "offline" } }, { to: "999" }, false],
    [
      { headers: { "X-Team": "sales" } },
      { to: "1", from: pbx, headers: (n) => (n === "x-team" ? "sales" : undefined) },
      true,
    ],
    // A browser's own header fields are not believed.
    [{ headers: { "X-Team": "sales" } }, { to: "1", headers: () => "sales" }, false],
  ])("%j of %j: %s", (conditions, query, holds) => {
    const section = {
      headers: ["X-Team"],
      holidays: { b: ["05-01", "2026-04-03"] },
      ...routes({ name: "it", ...conditions, do: "echo" }),
    };
    expect(decide(section, { to: "1", ...query }).route).toBe(holds ? "it" : undefined);
  });

  it("tell the value that they saw", () => {
    const section = {
      holidays: { b: ["05-01"] },
      ...routes({ at: { holidays: "b" }, do: "echo" }, { class: "mobile", do: "echo" }),
    };
    expect(decide(section, { to: "030123456" }).trace).toEqual([
      {
        route: "route 1",
        matched: false,
        failed: { condition: "at.holidays", expected: "a holiday of b", saw: "2026-11-20" },
      },
      {
        route: "route 2",
        matched: false,
        failed: { condition: "class", expected: "mobile", saw: "030123456 (national)" },
      },
    ]);
  });
});

describe("ring", () => {
  const ring = (action: object, query: Partial<CallQuery> = {}) =>
    decide(routes({ do: action }), { to: "1002", ...query }).action;

  it("takes groups, each user once", () => {
    expect(ring({ ring: [{ group: "staff" }, "1001", "@to"] })).toMatchObject({
      users: ["1001", "ann", "1002"],
    });
  });

  it("delays some of those who ring together", () => {
    expect(ring({ ring: ["1001", { user: "1002", after: "10s" }] })).toMatchObject({
      users: ["1001", "1002"],
      delaysMs: { "1002": 10_000 },
    });
  });

  it("takes turns, and begins with who is free the longest", () => {
    const all = { ring: ["1001", "1002", "ann"] };
    expect(
      ring({ ...all, by: "round-robin", each: "10s" }, { facts: facts({ turn: () => 4 }) }),
    ).toMatchObject({ users: ["1002", "ann", "1001"], by: "round-robin", eachMs: 10_000 });
    const since: Record<string, number> = { "1001": 30, "1002": 10, ann: 20 };
    expect(
      ring(
        { ...all, by: "longest-idle" },
        { facts: facts({ idleSinceMs: (id) => since[id] ?? 0 }) },
      ),
    ).toMatchObject({ users: ["1002", "ann", "1001"] });
  });

  it("has a continuation for each outcome", () => {
    expect(
      ring({
        ring: "@to",
        on: { busy: { voicemail: "office" }, "486": { reject: 486 }, "no-answer": dial() },
        then: "echo",
      }),
    ).toMatchObject({
      on: {
        busy: [{ kind: "voicemail", trunk: "office", mailbox: "1002", number: "1002" }],
        "486": [{ kind: "reject" }],
        "no-answer": [{ kind: "dial" }],
      },
      then: [{ kind: "echo" }],
    });
  });
});

describe("dial", () => {
  it.each<[object, string, object]>([
    [{ strip: 1, prepend: "+49" }, "030123456", { number: "+4930123456" }],
    [{ format: "e164" }, "030 12345678", { number: "+493012345678" }],
    [{ format: "e164-without-plus" }, "0033142345678", { number: "33142345678" }],
    [{ format: "national" }, "+493012345678", { number: "03012345678" }],
    [{ format: "national" }, "+33142345678", { number: "+33142345678" }],
    [{ replace: { find: "/^00(.*)$/", with: "+$1" } }, "0033142345678", { number: "+33142345678" }],
    [{ number: "600" }, "030123456", { number: "600" }],
    [{ caller: "+4930999" }, "030123456", { callerNumber: "+4930999" }],
    [{ "display-name": "Example Ltd" }, "030123456", { displayName: "Example Ltd" }],
    [
      { "caller-from": ["+49301234560", "_+4930123456XX"] },
      "030123456",
      { callerNumber: "+493012345601" },
    ],
    [{ "caller-from": ["+49301234560"] }, "030123456", { callerNumber: "+49301234560" }],
    [{ format: "e164" }, "12x", { kind: "reject", status: 484 }],
  ])("%j of %s", (rewrite, to, expected) => {
    expect(decide(routes({ do: dial(rewrite) }), { to }).action).toMatchObject(expected);
  });

  it("reads a number as the caller's home dials it", () => {
    const plan = compileSection({
      ...base,
      "area-code": "30",
      ...routes({ do: dial({ format: "e164" }) }),
    });
    if (!plan.ok) throw new Error("plan");
    const local = plan.dialplan.decide({ from: ann, to: "12345678", at: friday });
    expect(local.action).toMatchObject({ number: "+493012345678" });
  });

  it("orders trunks by weight and by price", () => {
    const both = ["office", "backup"];
    const rates = {
      office: [
        { prefix: "+", price: "0.10" },
        { prefix: "+49", price: "0.05" },
      ],
      backup: [
        { prefix: "+49", price: "0.01" },
        { prefix: "+33", price: "0.20" },
      ],
    };
    const cheapest = (to: string) =>
      decide({ rates, ...routes({ do: { dial: both, by: "least-cost" } }) }, { to }).action;
    expect(cheapest("030123456")).toMatchObject({ trunks: ["backup", "office"] });
    expect(cheapest("0033142345678")).toMatchObject({ trunks: ["office", "backup"] });
    const weighted = { dial: [{ trunk: "office", weight: 3 }, "backup"], by: "weight" };
    const first = (chance: number) =>
      decide(routes({ do: weighted }), { to: "030123456", facts: facts({ chance }) }).action;
    expect(first(0.7)).toMatchObject({ trunks: ["office", "backup"] });
    expect(first(0.8)).toMatchObject({ trunks: ["backup", "office"] });
  });
});

describe("go, forward and ask", () => {
  it("lets another set decide, and tells both rules", () => {
    const section = {
      sets: { closed: [{ name: "box", to: "@users", do: { voicemail: "office" } }] },
      ...routes({ name: "night", do: { go: "closed" } }),
    };
    const decision = decide(section, { to: "1002" });
    expect(decision).toMatchObject({ route: "box", action: { kind: "voicemail" } });
    expect(decision.trace).toMatchObject([
      { route: "night", matched: true, steps: [{ kind: "set", trace: [{ route: "box" }] }] },
    ]);
    expect(decide(section, { to: "5" })).toMatchObject({ action: { status: 404 } });
  });

  it("forwards with the rights and the identity of whoever forwards", () => {
    const section = {
      allow: { everyone: ["internal"], user: { "1002": ["mobile"] } },
      ...routes(
        { name: "away", to: "@users", do: { forward: "01701234567" } },
        { name: "out", to: "_0.", do: dial({ format: "e164" }) },
      ),
    };
    expect(decide(section, { from: pbx, to: "1002" })).toMatchObject({
      route: "out",
      action: { kind: "dial", number: "+491701234567", as: "1002", callerNumber: "+493012345602" },
    });
    expect(decide(section, { from: pbx, to: "1001" }).action).toMatchObject({ status: 403 });
  });

  it("cuts loops of forwards and of sets with 482", () => {
    expect(
      decide(routes({ to: "1", do: { forward: "2" } }, { to: "2", do: { forward: "1" } }), {
        to: "1",
      }).action,
    ).toMatchObject({ kind: "reject", status: 482 });
    expect(
      decide({ sets: { a: [{ do: { go: "a" } }] }, ...routes({ do: { go: "a" } }) }, { to: "1" })
        .action,
    ).toMatchObject({ kind: "reject", status: 482 });
  });

  it("names the hook and what follows without its answer, never its secret", () => {
    const hooks = { crm: { url: "https://crm.example.com/", secret: "0123456789abcdef" } };
    const decision = decide(
      { hooks, ...routes({ do: { ask: "crm", else: dial() } }) },
      { to: "030123456" },
    );
    expect(decision.action).toMatchObject({
      kind: "ask",
      hook: "crm",
      otherwise: [{ kind: "dial" }],
    });
    expect(JSON.stringify(decision)).not.toContain("0123456789abcdef");
  });

  it("fills in what a hook answers within the caller's rights", () => {
    const plan = planOf({ ...base, ...routes({ do: "echo" }) });
    const query = { from: ann, to: "1", at: friday };
    expect(plan.followHook({ ring: "1002" }, query)).toMatchObject([{ users: ["1002"] }]);
    expect(plan.followHook({ ring: "1009" }, query)).toContain('no user "1009"');
    expect(plan.followHook({ rng: 1 }, query)).toContain("unknown key");
    expect(plan.followHook(dial({ number: "09001234567" }), query)).toMatchObject([
      { kind: "reject", status: 403 },
    ]);
  });
});

describe("safety", () => {
  const out = routes({ name: "out", do: dial() });

  it.each([
    ["09001234567", 403],
    ["01801234567", 403],
    ["+499001234567", 403],
    ["0019002345678", 403],
    ["11833", 403],
    ["+8835100123", 403],
    ["008816312345", 403],
    ["0900", 403],
    ["0137", 403],
    ["09002", 403],
    ["0190123", 403],
    ["00419011", 403],
    ["0031909", 403],
    ["+1900555", 403],
    ["+371901", 403],
    ["0900123456789012", 403],
  ])("premium number %s is refused without a word in the file", (to, status) => {
    expect(decide(out, { to }).action).toMatchObject({ kind: "reject", status });
    expect(
      planOf({ ...base, ...out }).decide({ from: ann, to, at: friday }, { explain: false }).action,
    ).toMatchObject({ kind: "reject", status });
  });

  it("takes no extension and no service for an unfinished premium number", () => {
    for (const to of ["900", "137", "0800", "030", "0170", "08001"]) {
      expect(decide(out, { to }).action.kind).toBe("dial");
    }
    const abroad = (country: string, to: string) =>
      planOf({ country, ...out }).decide({ from: ann, to, at: friday }).action.kind;
    expect(abroad("US", "1900")).toBe("dial");
    expect(abroad("ES", "803")).toBe("dial");
    for (const [country = "", to = ""] of [
      ["US", "19005551"],
      ["CH", "0901"],
      ["NL", "0906"],
      ["AT", "0930"],
      ["GB", "0909"],
      ["FR", "0899"],
      ["ES", "8031234"],
      ["IT", "8991234"],
    ]) {
      expect(`${country} ${to} ${abroad(country, to)}`).toBe(`${country} ${to} reject`);
    }
  });

  it("lets no voicemail be a way around what the caller may dial", () => {
    const plan = routes({ to: "_X!", do: { ring: "@to", then: { voicemail: "office" } } });
    expect(decide(plan, { to: "09001234567" })).toMatchObject({
      action: { kind: "reject", status: 403 },
      refusal: "premium",
    });
    expect(decide(plan, { to: "1002" }).action).toMatchObject({
      then: [{ kind: "voicemail", number: "1002" }],
    });
    const limits = { trunk: { office: { "per-minute": 0 } } };
    expect(decide({ limits, ...plan }, { to: "600" }).action).toMatchObject({ status: 503 });
    const given = routes({ do: { voicemail: "office", number: "+493012340" } });
    expect(
      decide({ allow: { everyone: ["internal"] }, ...given }, { from: pbx, to: "1" }).action.kind,
    ).toBe("voicemail");
  });

  it("asks the user, then its groups, then everyone", () => {
    const allow = {
      everyone: ["internal"],
      group: { staff: ["national"] },
      user: { "1002": ["international"] },
    };
    const may = (from: Caller, to: string) =>
      decide({ allow, ...out }, { from, to }).action.kind === "dial";
    expect([may(ann, "030123456"), may(ann, "0033142345678")]).toEqual([true, false]);
    expect([may(bob, "030123456"), may(bob, "0033142345678")]).toEqual([false, true]);
    expect([may(pbx, "600"), may(pbx, "030123456")]).toEqual([true, false]);
  });

  it("counts listed numbers as premium", () => {
    const section = { premium: ["_+37190."], ...out };
    expect(decide(section, { to: "+37190123456" }).action).toMatchObject({ status: 403 });
  });

  it.each(["112", "110"])("%s goes out first, whatever the routes say", (to) => {
    const decision = decide(
      {
        allow: { everyone: ["internal"] },
        limits: { "each-user": { concurrent: 0 } },
        emergency: { dial: "backup", location: "https://lis.example.com/berlin" },
        ...routes({ to, do: { reject: 404 } }),
      },
      { to },
    );
    expect(decision).toMatchObject({
      route: "(emergency)",
      action: {
        kind: "dial",
        trunks: ["backup"],
        number: to,
        emergency: { location: "https://lis.example.com/berlin" },
      },
    });
  });

  it("has no emergency for calls from a trunk", () => {
    expect(decide(routes(), { from: pbx, to: "112" }).route).toBeUndefined();
  });

  it.each<[object, object, number]>([
    [{ "each-user": { concurrent: 2 } }, { concurrent: 2 }, 403],
    [{ group: { staff: { "per-minute": 3 } } }, { lastMinute: 3 }, 403],
    [{ user: { "1001": { "minutes-per-day": 10 } } }, { minutesToday: 10.5 }, 403],
    [{ "each-user": { "spend-per-day": "1.5" } }, { spentToday: 1.5 }, 403],
    [{ trunk: { office: { concurrent: 1 } } }, { concurrent: 1 }, 503],
  ])("limit %j at %j ends with %i", (limits, used, status) => {
    const usage = () => ({ concurrent: 0, lastMinute: 0, minutesToday: 0, spentToday: 0, ...used });
    const decision = decide({ limits, ...out }, { to: "030123456", facts: facts({ usage }) });
    expect(decision.action).toMatchObject({ kind: "reject", status });
    expect(decision.trace[0]?.steps).toContainEqual(
      expect.objectContaining({ kind: "limit", isReached: true }),
    );
    expect(decide({ limits, ...out }, { to: "030123456" }).action.kind).toBe("dial");
  });

  it("limits a route, and passes over a trunk that has reached its limit", () => {
    const usage = (key: string) => ({
      concurrent: key === "trunk office" || key === "route out" ? 5 : 0,
      lastMinute: 0,
      minutesToday: 0,
      spentToday: 0,
    });
    const two = routes({ name: "x", do: { dial: ["office", "backup"] } });
    expect(
      decide(
        { limits: { trunk: { office: { concurrent: 5 } } }, ...two },
        { to: "030123456", facts: facts({ usage }) },
      ).action,
    ).toMatchObject({ trunks: ["backup"] });
    const limited = routes({ name: "out", limits: { concurrent: 5 }, do: dial() });
    expect(decide(limited, { to: "030123456", facts: facts({ usage }) }).action).toMatchObject({
      status: 403,
    });
  });
});

describe("hostile input", () => {
  const section = {
    ...base,
    allow: { everyone: ["internal", "national"] },
    ...routes(
      { to: "/^(0+)+1$/", do: "echo" },
      { to: "_X!", do: dial({ format: "e164" }) },
      { to: "@users", do: { ring: "@to" } },
    ),
  };

  it.each<[string, number]>([
    ["9".repeat(10_000), 414],
    ["0".repeat(255), 484],
    ["٠٣٠١٢٣", 404],
    ["++4930123456", 404],
    ["030CALLNOW", 484],
    ["", 404],
    ["\u0000", 404],
    ["1".repeat(40), 484],
  ])("%# ends with a status within a millisecond", (to, status) => {
    const plan = planOf(section);
    expect(plan.decide({ from: ann, to, at: friday }).action).toMatchObject({ status });
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 20; round += 1) {
      const start = performance.now();
      plan.decide({ from: ann, to, at: friday });
      best = Math.min(best, performance.now() - start);
    }
    expect(best).toBeLessThan(1);
  });

  it.each(["/(a/", "/(?=1)/", "/(1)\\1/", "_[9-0]", "_1.2", "_"])("refuses %s at load", (to) => {
    expect(compileSection(routes({ to, do: "echo" })).ok).toBe(false);
  });
});
