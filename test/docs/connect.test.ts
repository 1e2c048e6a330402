import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { formatProblem } from "../../src/config/problem.ts";
import { tryLoadConfigText } from "../../src/config/load.ts";

const directory = join(import.meta.dirname, "..", "..", "docs", "connect");
const FENCE = /^```(\S*) ?(\S*)\n([\s\S]*?)^```$/gm;

/** What stands after the backticks of a code block, and what is in it. */
interface Block {
  readonly language: string;
  readonly name: string;
  readonly text: string;
}

function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(FENCE)].map(([, language = "", name = "", text = ""]) => ({
    language,
    name,
    text,
  }));
}

describe.each(["asterisk", "freeswitch", "kamailio", "3cx"])("docs/connect/%s.md", async (pbx) => {
  const page = await readFile(join(directory, `${pbx}.md`), "utf8");
  const blocks = blocksOf(page);

  it("shows the very files beside it, all of them", async () => {
    const shown = blocks.filter(({ name }) => name.includes("/"));
    for (const { name, text } of shown) {
      expect(text, name).toBe(await readFile(join(directory, name), "utf8"));
    }
    const files = await readdir(join(directory, pbx)).catch(() => []);
    expect(shown.map(({ name }) => name).toSorted()).toEqual(
      files.map((file) => `${pbx}/${file}`).toSorted(),
    );
  });

  it("has a way for each of the three, with an offhook.yaml that loads and whose tests pass", () => {
    for (const way of ["## a: ", "## b: ", "## c: "]) expect(page).toContain(`\n${way}`);
    const files = blocks.filter(({ name }) => name === "offhook");
    expect(files).toHaveLength(4);
    const variables = { ANN_PASSWORD: "a", BOB_PASSWORD: "b", TRUNK_PASSWORD: "c" };
    for (const { text } of files) {
      const result = tryLoadConfigText(text, "/etc/offhook/offhook.yaml", variables, {
        interfaces: {},
      });
      if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
      expect(result.config.warnings).toEqual([]);
    }
    expect(files.filter(({ text }) => text.includes("registrar: true"))).toHaveLength(1);
  });
});
