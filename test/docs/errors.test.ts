import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const CODE = /ERR_OFFHOOK_[A-Z0-9]+(?:_[A-Z0-9]+)*/g;

/** Every code that stands in a source file, with the first file that it stands in. */
async function codesOfSources(): Promise<ReadonlyMap<string, string>> {
  const codes = new Map<string, string>();
  const names = await readdir(join(root, "src"), { recursive: true });
  for (const name of names.filter((name) => name.endsWith(".ts")).toSorted()) {
    const text = await readFile(join(root, "src", name), "utf8");
    for (const [code] of text.matchAll(CODE)) if (!codes.has(code)) codes.set(code, name);
  }
  return codes;
}

const page = await readFile(join(root, "docs", "errors.md"), "utf8");
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| `ERR_"))
  .map((line) => line.split("|").map((cell) => cell.trim()));

describe("docs/errors.md", () => {
  it("lists every code of the sources", async () => {
    const listed = new Set(rows.map(([, code]) => code?.replaceAll("`", "")));
    const missing = [...(await codesOfSources())].filter(([code]) => !listed.has(code));
    expect(missing, "codes without a row in docs/errors.md").toEqual([]);
  });

  it("lists no code that the sources do not have", async () => {
    const codes = await codesOfSources();
    const listed = [...page.matchAll(CODE)].map(([code]) => code);
    expect(listed.filter((code) => !codes.has(code))).toEqual([]);
  });

  it("lists each code once, with what it means and what to do", () => {
    const listed = rows.map(([, code]) => code);
    expect(new Set(listed).size).toBe(listed.length);
    for (const row of rows) {
      expect(row, row[1]).toHaveLength(5);
      expect(row[2]?.length, row[1]).toBeGreaterThan(10);
      expect(row[3]?.length, row[1]).toBeGreaterThan(10);
    }
  });
});
