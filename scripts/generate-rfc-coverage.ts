import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { RFC_TITLES } from "./rfc-coverage/titles.ts";

/**
 * Writes docs/rfc-coverage.md: which source obeys a section of an RFC and which test names it, from
 * the `RFC n §x` in the comments of src/ and in the names of the tests. A test holds the page equal
 * to what this makes.
 */

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Where the page is. */
export const OUTPUT = join(ROOT, "docs", "rfc-coverage.md");

/** The test of this page speaks of RFCs that are none. */
const OWN_TEST = "docs/rfc-coverage.test.ts";

/** A section of an RFC; "" is the RFC as a whole. */
interface Mention {
  readonly rfc: number;
  readonly section: string;
}

const MENTION = /RFC (\d{3,5})|§ ?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)/g;

/**
 * Every `RFC n §x` of a text, with what follows: in "RFC 3261 §8.1, §9 and §10" all three are of
 * RFC 3261. An RFC without a section counts as a whole.
 *
 * @param current the RFC that a § belongs to when the text itself names none
 */
export function mentionsOf(text: string, current?: number): readonly Mention[] {
  const mentions: Mention[] = [];
  let rfc = current;
  let isBare = false;
  const closeBare = (): void => {
    if (isBare && rfc !== undefined) mentions.push({ rfc, section: "" });
    isBare = false;
  };
  for (const [, number, section] of text.matchAll(MENTION)) {
    if (number !== undefined) {
      closeBare();
      rfc = Number(number);
      isBare = true;
    } else if (section !== undefined && rfc !== undefined) {
      mentions.push({ rfc, section });
      isBare = false;
    }
  }
  closeBare();
  return mentions;
}

/** The comments of a source, each block of lines as one text. */
export function commentsOf(source: string): readonly string[] {
  const blocks: string[] = [];
  let block = "";
  for (const line of source.split("\n")) {
    const comment =
      /^\s*(?:\/\*\*?|\*\/?|\/\/)(.*)$/.exec(line)?.[1] ?? / \/\/ (.*)$/.exec(line)?.[1];
    if (comment !== undefined) {
      block += `${comment}\n`;
    } else if (block !== "") {
      blocks.push(block);
      block = "";
    }
  }
  return block === "" ? blocks : [...blocks, block];
}

/** `describe`, `it` and rows of their tables: a name may stand in any of their string literals. */
const NAME = /\b(?:describe|it|test)(?:\.each)?\b[^"`]*?(["`])((?:(?!\1)[^\\\n]|\\.)*)\1/g;

/** What the names of a test file mention; a § in a test's name is of the RFC in its describe's. */
export function testMentionsOf(source: string): readonly Mention[] {
  const mentions: Mention[] = [];
  let current: number | undefined;
  const add = (name: string): void => {
    const found = mentionsOf(name, current);
    mentions.push(...found);
    current = found.at(-1)?.rfc ?? current;
  };
  for (const [, , name = ""] of source.matchAll(NAME)) add(name);
  for (const [, name = ""] of source.matchAll(/^\s*\]\)\("([^"]*)"/gm)) add(name);
  for (const [, name = ""] of source.matchAll(/"((?:[^"\\\n]|\\.)*RFC \d(?:[^"\\\n]|\\.)*)"/g)) {
    mentions.push(...mentionsOf(name));
  }
  return mentions;
}

interface Row {
  readonly sources: Set<string>;
  readonly tests: Set<string>;
}

type Coverage = Map<number, Map<string, Row>>;

function collect(): Coverage {
  const coverage: Coverage = new Map();
  const add = (mentions: readonly Mention[], file: string, column: keyof Row): void => {
    for (const { rfc, section } of mentions) {
      const sections = coverage.get(rfc) ?? new Map<string, Row>();
      coverage.set(rfc, sections);
      const row = sections.get(section) ?? { sources: new Set(), tests: new Set() };
      sections.set(section, row);
      row[column].add(file);
    }
  };
  for (const file of filesOf("src")) {
    const comments = commentsOf(readFileSync(join(ROOT, file), "utf8"));
    for (const comment of comments) add(mentionsOf(comment), file, "sources");
  }
  const isTest = (name: string): boolean => name.endsWith(".test.ts") && !name.endsWith(OWN_TEST);
  for (const file of filesOf("test").filter(isTest)) {
    add(testMentionsOf(readFileSync(join(ROOT, file), "utf8")), file, "tests");
  }
  return coverage;
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name.split(sep).join("/")}`)
    .toSorted();
}

/** §8.2 before §8.10, and the RFC as a whole before its sections. */
function bySection(left: string, right: string): number {
  const [a, b] = [left.split("."), right.split(".")];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [x = "", y = ""] = [a[index], b[index]];
    if (x !== y) return Number(x) - Number(y) || x.localeCompare(y);
  }
  return 0;
}

function filesCell(files: ReadonlySet<string>, prefix: string): string {
  return [...files]
    .toSorted()
    .map((file) => `[${file.slice(prefix.length)}](../${file})`)
    .join(", ");
}

/** @throws Error when an RFC has no title in scripts/rfc-coverage/titles.ts */
export function renderCoverage(): string {
  const coverage = [...collect()].toSorted(([left], [right]) => left - right);
  const lines = [
    "<!-- Made by scripts/generate-rfc-coverage.ts from comments and test names. -->",
    "",
    "# What of which RFC",
    "",
    "Each row is a section that a comment in `src/` says is obeyed on its line, or that the name of a test speaks of. An empty cell says that nobody has written it down there, no more. The first row of an RFC, without a section, is for those that speak of it as a whole.",
    "",
    "| RFC | title | sections | source files | test files |",
    "| --- | --- | --- | --- | --- |",
  ];
  for (const [rfc, sections] of coverage) {
    const rows = [...sections.values()];
    const count = (column: keyof Row): number =>
      new Set(rows.flatMap((row) => [...row[column]])).size;
    const named = [...sections.keys()].filter((section) => section !== "").length;
    lines.push(
      `| [${rfc}](#rfc-${rfc}) | ${titleOf(rfc)} | ${named} | ${count("sources")} | ${count("tests")} |`,
    );
  }
  for (const [rfc, sections] of coverage) {
    lines.push(
      "",
      `## RFC ${rfc}`,
      "",
      `${titleOf(rfc)}. <https://www.rfc-editor.org/rfc/rfc${rfc}>`,
      "",
    );
    lines.push("| section | source | test |", "| --- | --- | --- |");
    for (const [section, row] of [...sections].toSorted(([a], [b]) => bySection(a, b))) {
      const name = section === "" ? "" : `§${section}`;
      lines.push(
        `| ${name} | ${filesCell(row.sources, "src/")} | ${filesCell(row.tests, "test/")} |`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function titleOf(rfc: number): string {
  const title = RFC_TITLES.get(rfc);
  if (title === undefined)
    throw new Error(`RFC ${rfc} has no title in scripts/rfc-coverage/titles.ts`);
  return title;
}

if (import.meta.main) writeFileSync(OUTPUT, renderCoverage());
