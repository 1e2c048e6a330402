import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { tryLoadConfig } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "offhook-includes-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function load(files: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return tryLoadConfig(join(directory, "offhook.yaml"), { environment: {} });
}

const MAIN = `users: { "1001": { password: x } }
dialplan:
  include: [night.yaml]
  routes:
    - { name: own, to: "1", do: echo }
  sets:
    closed: [ { name: first, to: "7", do: echo } ]
`;

describe("dialplan.include", () => {
  it("adds routes, sets, holidays and tests behind those of the file", () => {
    const result = load({
      "offhook.yaml": MAIN,
      "night.yaml": `routes: [ { name: theirs, to: "2", do: { go: closed } } ]
sets: { closed: [ { name: last, at: { holidays: h }, do: echo } ] }
holidays: { h: ["01-01..12-31"] }
tests: [ { from: "1001", to: "2", expect: { route: last } } ]
`,
    });
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([]);
    if (!result.ok) return;
    const { routes, sets } = result.config.dialplan;
    expect(routes.map(({ name }) => name)).toEqual(["own", "theirs"]);
    expect(sets?.["closed"]?.map(({ name }) => name)).toEqual(["first", "last"]);
    expect(result.lint.map(({ message }) => message)).toEqual([
      'no test covers "own"',
      'no test covers "first"',
    ]);
  });

  it.each([
    ["routes:\n  - { to: '2', do: ehco }\n", 'night.yaml:2:20: dialplan.routes.1.do: found "ehco"'],
    ["routes:\n  - { do: { ring: '1009' } }\n", "night.yaml:2:19: dialplan.routes.1.do.ring"],
    ["tests:\n  - { from: '1001', to: '1', expect: play }\n", "night.yaml:2:38: dialplan.tests.0"],
    ["country: DE\n", "night.yaml:1:1: country: not a key of an included file"],
    ["routes: [\n", "night.yaml:"],
  ])("tells mistakes in the included file: %j", (text, place) => {
    const result = load({ "offhook.yaml": MAIN, "night.yaml": text });
    const lines = result.ok ? [] : result.problems.map(formatProblem);
    expect(lines.join("\n")).toContain(place);
  });

  it("tells a file that is not there at its place", () => {
    const result = load({ "offhook.yaml": MAIN });
    expect(
      result.ok ? "" : formatProblem(result.problems[0] ?? { file: "", key: "", message: "" }),
    ).toMatch(/offhook\.yaml:3:13: dialplan\.include\.0: cannot be read: ENOENT/);
  });
});
