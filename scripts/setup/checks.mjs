import { existsSync } from "node:fs";
import { join } from "node:path";

import { pinnedNode } from "./npm-packages.mjs";
import { formatDuration, run, say } from "./progress.mjs";

/**
 * The checks that need no test runner. Each is one command, told in full, so that a reader can
 * repeat it.
 *
 * @param {string} root
 */
export function staticChecks(root) {
  const bin = (/** @type {string} */ name) => join(root, "node_modules/.bin", name);
  const tool = (/** @type {string} */ file, /** @type {string[]} */ ...args) => ({
    command: pinnedNode(root),
    args: [join(root, "node_modules", file), ...args],
  });
  return [
    { name: "types", command: bin("tsc"), args: ["-p", "."] },
    ...(existsSync(join(root, "web-phone/tsconfig.json"))
      ? [
          { name: "types of the web phone", command: bin("tsc"), args: ["-p", "web-phone"] },
          {
            name: "types of its service worker",
            command: bin("tsc"),
            args: ["-p", "web-phone/service-worker"],
          },
        ]
      : []),
    { name: "lint", ...tool("oxlint/bin/oxlint") },
    { name: "format", ...tool("oxfmt/bin/oxfmt", "--check", ".") },
  ];
}

/**
 * Runs one check and says how it went; its output is shown when it fails.
 *
 * @param {string} root
 * @param {{ name: string, command: string, args: readonly string[] }} check
 * @returns {Promise<import("./test-run.mjs").Outcome>}
 */
export async function runCheck(root, check) {
  const startedAt = Date.now();
  const { code, output } = await run(check.command, check.args, { cwd: root });
  const took = formatDuration(Date.now() - startedAt);
  if (code === 0) {
    say(`✓ ${check.name} (${took})`);
    return { passed: 1, failed: 0, skipped: 0, failures: [] };
  }
  say(`✗ ${check.name} (${took})\n${output.trimEnd()}`);
  return { passed: 0, failed: 1, skipped: 0, failures: [check.name] };
}
