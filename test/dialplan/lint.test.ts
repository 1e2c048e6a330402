import { describe, expect, it } from "vitest";

import { compileDialplan } from "../../src/dialplan/compile.ts";
import { lintDialplan } from "../../src/dialplan/lint.ts";
import { planOf, sourceOf, world } from "./plan.ts";

const now = new Date("2026-11-20T09:00:00Z");

function lint(section: object, over = world): string[] {
  const whole = { country: "DE", "time-zone": "Europe/Berlin", ...section };
  return lintDialplan(sourceOf(whole), over, planOf(whole), now).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

const office = { dial: "office" };

describe("the linter", () => {
  it.each<[string, object[], string[]]>([
    [
      "a literal behind its pattern",
      [
        { name: "a", to: "_0Z.", do: office },
        { name: "b", to: "030123", do: "echo" },
      ],
      ['routes.1: "b" is never reached: "a" before it takes all its calls'],
    ],
    [
      "a narrower pattern behind a wider one, for fewer callers",
      [
        { name: "a", from: { group: ["staff", "sales"] }, to: "_0!", do: office },
        { name: "b", from: { group: "staff" }, to: "_00X.", do: "echo" },
      ],
      ['routes.1: "b" is never reached: "a" before it takes all its calls'],
    ],
    [
      "nothing when the earlier rule holds at some hours only",
      [
        { name: "a", to: "_0Z.", at: { days: "mon" }, do: office },
        { name: "b", to: "_0Z.", do: "echo" },
      ],
      [],
    ],
    [
      "nothing when the special case comes first",
      [
        { name: "a", to: "030123", do: "echo" },
        { name: "b", to: "_0Z.", do: office },
      ],
      [],
    ],
    [
      "patterns that cut each other",
      [
        { name: "a", to: "_X1X", do: office },
        { name: "b", to: "_[2-4]XX", do: "echo" },
      ],
      [
        'routes.1.to: "_[2-4]XX" shares numbers with "_X1X" of "a", which takes them and does something else',
      ],
    ],
    [
      "a premium number that is written down",
      [{ name: "a", to: "5", do: { forward: "09001234567" } }],
      ["routes.0.do.forward: 09001234567 is a premium number: calls there cost extra"],
    ],
  ])("finds %s", (_, routes, expected) => {
    expect(lint({ routes })).toEqual(expected);
  });

  it("finds sets that nothing goes to, and rules that no test covers", () => {
    const section = {
      sets: { used: [{ name: "x", do: "echo" }], lost: [{ name: "y", do: "echo" }] },
      routes: [
        { name: "a", to: "1", do: { go: "used" } },
        { name: "b", to: "2", do: "echo" },
      ],
      tests: [{ from: "1001", to: "1", expect: "echo" }],
    };
    expect(lint(section)).toEqual([
      'sets.lost: no route goes to the set "lost"',
      'routes.1: no test covers "b"',
      'sets.lost.0: no test covers "y"',
    ]);
  });

  it("finds users who cannot reach an emergency number at some hour", () => {
    const none = { ...world, trunks: new Map() };
    const source = sourceOf({ country: "DE", routes: [{ to: "1", do: "echo" }] });
    const plan = planOf({ country: "DE", routes: [{ to: "1", do: "echo" }] });
    expect(lintDialplan(source, world, plan, now)).toEqual([]);
    const found = lint({ emergency: { numbers: "19222" }, routes: [{ to: "1", do: "echo" }] });
    expect(found).toEqual([]);
    expect(none.trunks.size).toBe(0);
  });

  it("finds users who cannot reach an emergency number at some hour", () => {
    const nobody = { ...world, trunks: new Map() };
    const whole = { country: "DE", "time-zone": "Europe/Berlin", routes: [{ do: "echo" }] };
    const compiled = compileDialplan(sourceOf(whole), nobody);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    const found = lintDialplan(sourceOf(whole), nobody, compiled.dialplan, now);
    expect(found.map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual([
      expect.stringMatching(
        /^country: user 1001 cannot reach the emergency number 112 \(for one at 2026-11-20T09:00:00.000Z\)/,
      ),
      expect.stringContaining("user 1002"),
      expect.stringContaining("user ann"),
    ]);
    // One trunk is enough: the rule before all others takes it, whatever the routes say.
    expect(lint({ routes: [{ do: "echo" }] })).toEqual([]);
  });
});
