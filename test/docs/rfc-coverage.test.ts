import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  OUTPUT,
  commentsOf,
  mentionsOf,
  renderCoverage,
  testMentionsOf,
} from "../../scripts/generate-rfc-coverage.ts";

const page = readFileSync(OUTPUT, "utf8");

const short = (mentions: ReturnType<typeof mentionsOf>): readonly string[] =>
  mentions.map(({ rfc, section }) => (section === "" ? `${rfc}` : `${rfc} ${section}`));

describe("docs/rfc-coverage.md", () => {
  it("is what `node scripts/generate-rfc-coverage.ts` makes", () => {
    expect(page).toBe(renderCoverage());
  });

  it("points at files that are there", () => {
    const links = [...page.matchAll(/\]\((\.\.[^)]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(200);
    expect(links.filter((link) => !existsSync(join(dirname(OUTPUT), link)))).toEqual([]);
  });

  it("has the sections that everything stands on, each with a source and a test", () => {
    for (const section of [
      "17.1.1",
      "17.2.1",
      "9.1",
      "9.2",
      "12.2",
      "13.3",
      "14.1",
      "14.2",
      "10.3",
    ]) {
      const rows = page.split("\n").filter((line) => line.startsWith(`| §${section}`));
      expect(
        rows.some((row) => row.includes("../src/")),
        `${section} in src`,
      ).toBe(true);
      expect(
        rows.some((row) => row.includes("../test/")),
        `${section} in test`,
      ).toBe(true);
    }
  });
});

describe("what counts as a mention", () => {
  it.each([
    ["RFC 3261 §17.1.1.2", ["3261 17.1.1.2"]],
    ["RFC 3261 §8.1, §9 and §10", ["3261 8.1", "3261 9", "3261 10"]],
    ["RFC 3261 §18.2.1, RFC 3581 §4.", ["3261 18.2.1", "3581 4"]],
    ["as RFC 6026 says, and RFC 3261 §9.2", ["6026", "3261 9.2"]],
    ["414 (§8.2.2.1) of no RFC", []],
    ["RFC 4475, Appendix A", ["4475"]],
  ])("%s", (text, expected) => {
    expect(short(mentionsOf(text))).toEqual(expected);
  });

  it("is in comments of a source, not in its code", () => {
    const source = [
      'const url = "RFC 1 §1"; // RFC 2 §2',
      "/** RFC 3 says",
      " * in §4 */",
      "run();",
    ].join("\n");
    expect(commentsOf(source)).toEqual(["RFC 2 §2\n RFC 3 says\n in §4 */\n"]);
  });

  it("is in names of tests, where § is of the RFC in the describe", () => {
    const name = (word: string): string => `RFC ${word}`;
    const source = [
      `describe("${name("3261 §9.2")} CANCEL", () => {`,
      '  it("has no effect (§9.2)", () => {',
      '    send("§99");',
      '  it.each(ROWS)("%s (§15)", () => {',
    ].join("\n");
    expect(new Set(short(testMentionsOf(source)))).toEqual(new Set(["3261 9.2", "3261 15"]));
  });
});
