import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

import { MAX_VERSIONS, PlanVersions } from "../../src/storage/plan-versions.ts";
import { makeTemporaryDirectory } from "../harness/temporary.ts";

const entry = (hash: string) => ({
  at: "2026-11-20T09:00:00.000Z",
  hash,
  how: "file" as const,
  routes: 1,
});

async function makeVersions() {
  const directory = join(await makeTemporaryDirectory("versions"), "data/dialplan");
  const errors: unknown[] = [];
  const open = () => new PlanVersions(directory, (error) => errors.push(error));
  return { directory, errors, open };
}

it("keeps the last plans, readable by nobody else, and no file more", async () => {
  const { directory, errors, open } = await makeVersions();
  const versions = open();
  for (let index = 1; index <= MAX_VERSIONS + 5; index += 1) {
    versions.add(entry(`hash ${index}`), { routes: [index] });
  }
  versions.setPin({ version: 25, fileHash: "x" });
  const again = open();
  expect(again.versions).toHaveLength(MAX_VERSIONS);
  expect(again.newest).toMatchObject({ version: 25, hash: "hash 25" });
  expect(again.versions.at(-1)).toMatchObject({ version: 6 });
  expect(again.pin).toEqual({ version: 25, fileHash: "x" });
  expect(again.section(25)).toEqual({ section: { routes: [25] } });
  expect(again.section(5)).toBeUndefined();
  expect(readdirSync(directory)).toHaveLength(MAX_VERSIONS + 1);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "25.json")).mode & 0o777).toBe(0o600);
  expect(errors).toEqual([]);
});

it("keeps the built-in plan too, which has no section", async () => {
  const { open } = await makeVersions();
  open().add(entry("a"), undefined);
  expect(open().section(1)).toEqual({ section: undefined });
});

it("begins anew where the index cannot be read, and says so", async () => {
  const { directory, errors, open } = await makeVersions();
  open().add(entry("a"), {});
  writeFileSync(join(directory, "index.json"), '{"versions": 3}');
  expect(open().versions).toEqual([]);
  expect(errors).toHaveLength(1);
});

it("keeps plans in memory where the directory cannot be used, and says so", async () => {
  const { directory, errors, open } = await makeVersions();
  const parent = join(directory, "..", "..");
  // A file stands where the directory would be: that holds for root, too.
  writeFileSync(join(parent, "data"), "");
  chmodSync(join(parent, "data"), 0o400);
  const versions = open();
  versions.add(entry("a"), { routes: ["kept"] });
  expect(versions.section(1)).toEqual({ section: { routes: ["kept"] } });
  expect(errors.length).toBeGreaterThan(0);
  expect(readFileSync(join(parent, "data"), "utf8")).toBe("");
});
