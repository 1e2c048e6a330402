import { describe, expect, it } from "vitest";

import { describeAction } from "../../src/dialplan/describe.ts";
import { runPlanTests } from "../../src/dialplan/plan-tests.ts";
import { simulate } from "../../src/dialplan/simulate.ts";
import { planOf, sourceOf, world } from "./plan.ts";

const now = new Date("2026-11-20T09:00:00Z");
const section = {
  "time-zone": "Europe/Berlin",
  routes: [
    { name: "echo", to: "*43", do: "echo" },
    { name: "file", to: "*50", do: { play: "/a.wav" } },
    { name: "users", to: "@users", do: { ring: ["@to", "1002"] } },
    { name: "night", at: { hours: "18:00-08:00" }, do: { reject: 480 } },
    {
      name: "out",
      from: { group: "staff" },
      to: "_0.",
      do: { dial: ["office", "backup"], strip: 1, prepend: "+49", caller: "+4930" },
    },
  ],
};

function run(test: object): string[] {
  const source = sourceOf({ ...section, tests: [test] });
  return runPlanTests(planOf(section), source.tests, now).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

describe("the tests of a plan", () => {
  it.each([
    { from: "1001", to: "*43", expect: "echo" },
    { from: "1001", to: "*50", expect: { play: "/a.wav" } },
    { from: "1001", to: "1001", expect: { ring: ["1002", "1001"] } },
    { from: "1001", to: "ann", expect: { ring: ["ann", "1002"], route: "users" } },
    { from: "1001", to: "030", expect: { dial: "office", number: "+4930", caller: "+4930" } },
    { from: "1001", to: "030", expect: { dial: ["office", "backup"] } },
    { from: "1001", to: "030", expect: { number: "+4930" } },
    { from: "+493012345601", to: "030", expect: { route: "out" } },
    { from: "1001", to: "030", at: "2026-11-20T20:00", expect: { reject: 480 } },
    { from: "1002", to: "030", expect: { reject: 404 } },
    { from: "+331", trunk: "office", to: "030", expect: { reject: 404 } },
    { trunk: "office", to: "1002", expect: { ring: "1002" } },
  ])("%j is green", (test) => {
    expect(run(test)).toEqual([]);
  });

  it.each<[object, string]>([
    [
      { from: "1001", to: "*43", expect: { dial: "office" } },
      "tests.0.expect.dial: a call from 1001 to *43: expected dial office, but it is echo (decided by echo)",
    ],
    [
      { name: "n", from: "1001", to: "*43", expect: "play" },
      'tests.0.expect.play: test "n": a call from 1001 to *43: expected play, but it is echo (decided by echo)',
    ],
    [
      { from: "1001", to: "*50", expect: { play: "/b.wav" } },
      "expect.play: a call from 1001 to *50: expected play /b.wav, but it is play /a.wav",
    ],
    [
      { from: "1001", to: "1001", expect: { ring: "1001" } },
      "expect.ring: a call from 1001 to 1001: expected ring 1001, but it is ring 1001 and 1002 for 30 s",
    ],
    [
      { from: "1001", to: "030", expect: { dial: "backup" } },
      "expect.dial: a call from 1001 to 030: expected dial backup, but it is dial +4930 over office, then backup as +4930 for 60 s (decided by out)",
    ],
    [
      { from: "1001", to: "030", expect: { dial: "office", number: "30" } },
      "expect.number: a call from 1001 to 030: expected number 30",
    ],
    [
      { from: "1001", to: "030", expect: { dial: "office", caller: "30" } },
      "expect.caller: a call from 1001 to 030: expected caller 30",
    ],
    [
      { from: "1002", to: "030", expect: { reject: 486 } },
      "expect.reject: a call from 1002 to 030: expected reject 486, but it is reject 404 (decided by no route)",
    ],
    [
      { from: "1001", to: "030", expect: { route: "in" } },
      'expect.route: a call from 1001 to 030: expected route "in"',
    ],
    [
      { from: "1009", to: "030", expect: "echo" },
      'tests.0.from: no user has the id or the number "1009"',
    ],
    [{ from: "1", trunk: "x", to: "030", expect: "echo" }, 'tests.0.trunk: no trunk "x"'],
    [{ to: "030", expect: "echo" }, "tests.0.from: no caller"],
    [{ from: "1001", to: "030", at: "noon", expect: "echo" }, 'tests.0.at: found "noon"'],
  ])("%j is red", (test, message) => {
    expect(run(test)).toEqual([expect.stringContaining(message)]);
  });
});

describe("simulation", () => {
  const current = { ...world, dialplan: planOf(section) };

  it("decides like a call, with the explanation, as JSON", () => {
    const outcome = simulate({ from: "1001", to: "*43" }, current, now);
    const result = {
      from: { kind: "user", id: "1001", groups: ["staff"], numbers: ["+493012345601"] },
      to: "*43",
      at: "2026-11-20T09:00:00.000Z",
      route: "echo",
      action: { kind: "echo" },
      trace: [{ route: "echo", matched: true }],
      explanation: ["user 1001 (staff) dials *43", "  yes  echo", "-> echo"],
    };
    expect(JSON.parse(JSON.stringify(outcome))).toEqual({ ok: true, result });
  });

  it("decides by another plan, in JSON's own types", () => {
    const dialplan = { routes: [{ to: 5, do: { reject: 486 } }] };
    expect(simulate({ from: "1001", to: "5", dialplan }, current, now)).toMatchObject({
      result: { route: "route 1", action: { status: 486 } },
    });
    expect(simulate({ from: "1001", to: "*43", dialplan: {} }, current, now)).toMatchObject({
      result: { route: "echo test" },
    });
  });

  it.each<[object, string]>([
    [{ from: "1009", to: "5" }, 'no user has the id or the number "1009"'],
    [{ from: "+493012345600", to: "5" }, "no user has the id or the number"],
    [{ from: "1001", to: "5", at: "noon" }, '"noon" is no time'],
    [{ from: "1001", to: "5", trunk: "x" }, 'no trunk "x"'],
    [
      { from: "1001", to: "5", dialplan: { routs: [] } },
      'dialplan.routs: unknown key; did you mean "routes"?',
    ],
    [
      { from: "1001", to: "5", dialplan: { routes: [{ do: { dial: "x" } }] } },
      'dialplan.routes.0.do.dial.0: no trunk "x"',
    ],
    [{ from: "1001", to: "5", dialplan: 5 }, "dialplan: found text; expected a map with the keys"],
  ])("%j cannot be decided", (query, message) => {
    const outcome = simulate({ to: "", ...query }, current, now);
    expect(outcome.ok ? "" : outcome.message).toContain(message);
  });

  it("says an action in words", () => {
    expect(describeAction({ kind: "reject", status: 480, reasonPhrase: "Closed" })).toBe(
      "reject 480 Closed",
    );
    expect(describeAction({ kind: "play", file: undefined })).toBe("play the announcement");
  });
});
