import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { tryLoadConfig } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";

const directory = join(import.meta.dirname, "../../docs/cookbook");
const files = readdirSync(directory).filter((name) => name.endsWith(".yaml"));

describe("docs/cookbook", () => {
  it("has twenty plans, all in its table", () => {
    expect(files.length).toBeGreaterThanOrEqual(20);
    const page = readFileSync(join(directory, "README.md"), "utf8");
    for (const file of files) {
      const title = readFileSync(join(directory, file), "utf8").split("\n")[0]?.slice(2) ?? "";
      expect(page).toContain(`[${file}](${file})`);
      expect(page.replace(/ +\|/g, " |")).toContain(title);
    }
  });

  it.each(files)("%s decides its calls as its tests say, and the linter finds nothing", (file) => {
    const result = tryLoadConfig(join(directory, file), { environment: {} });
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([]);
    if (!result.ok) return;
    expect(result.config.dialplan.tests.length).toBeGreaterThan(0);
    expect(result.lint.map(formatProblem)).toEqual([]);
  });
});
