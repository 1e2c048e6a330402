import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { pinnedNode } from "./npm-packages.mjs";
import { mustRun, step } from "./progress.mjs";

/**
 * One hash over everything that the built web phone is made of: its sources and the lock file.
 *
 * @param {string} root
 */
export function sourceHash(root) {
  const hash = createHash("sha256");
  const files = [...filesBelow(join(root, "web-phone")), join(root, "package-lock.json")];
  for (const file of files) {
    hash.update(`${relative(root, file)}\0`);
    hash.update(readFileSync(file));
    hash.update("\0");
  }
  return hash.digest("hex");
}

/** @param {string} directory @returns {string[]} sorted, without what is built or installed */
function filesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (["dist", "node_modules"].includes(entry.name)) return [];
      const path = join(directory, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

/**
 * Builds the web phone when it was not built from exactly these sources.
 *
 * @param {string} root
 */
export async function ensureWebPhone(root) {
  const stamp = join(root, ".cache/web-phone.sha256");
  const hash = sourceHash(root);
  const isBuilt = existsSync(join(root, "web-phone/dist/index.html"));
  if (isBuilt && existsSync(stamp) && readFileSync(stamp, "utf8").trim() === hash) return;
  await step("Building the web phone", () =>
    mustRun(pinnedNode(root), [join(root, "scripts/build-phone.mjs")], { cwd: root }),
  );
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${hash}\n`);
}
