import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { pinnedNode } from "./npm-packages.mjs";
import { formatDuration, run, say } from "./progress.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Outcome */

/** @param {readonly Outcome[]} outcomes @returns {Outcome} */
export function sum(outcomes) {
  return outcomes.reduce(
    (total, one) => ({
      passed: total.passed + one.passed,
      failed: total.failed + one.failed,
      skipped: total.skipped + one.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/** The last line of `npm test`. @param {Outcome} outcome */
export function formatOutcome(outcome) {
  return `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped`;
}

/**
 * What a run of vitest came to, from its report and its exit code. A run without a report, or one
 * that ends badly with every test well, counts as one failure: nothing may fail in silence.
 *
 * @param {string | undefined} report text of the reporter's file
 * @param {number} code exit code
 * @param {boolean} isFiltered no test to run is no failure
 * @returns {Outcome & { reasons: string[] }}
 */
export function readOutcome(report, code, isFiltered) {
  if (report === undefined) {
    return { passed: 0, failed: code === 0 && isFiltered ? 0 : 1, skipped: 0, reasons: [] };
  }
  /** @type {{ passed: number, failed: number, skipped: { name: string, reason: string }[] }} */
  const { passed, failed, skipped } = JSON.parse(report);
  const isEmpty = passed + failed + skipped.length === 0;
  const isWrong = failed === 0 && (isEmpty ? !isFiltered : code !== 0);
  return {
    passed,
    failed: isWrong ? 1 : failed,
    skipped: skipped.length,
    reasons: skipped.map(
      ({ name, reason }) => `${name}: ${reason === "" ? "no reason given" : reason}`,
    ),
  };
}

/**
 * Runs vitest projects and shows their output: as it comes, or once they have ended, when others
 * show theirs meanwhile.
 *
 * @param {string} root
 * @param {readonly string[]} projects
 * @param {{ filters: readonly string[], wrapper?: readonly string[], isBeside?: boolean }} options
 *   wrapper: a command that vitest runs inside; isBeside: others show their output meanwhile
 * @returns {Promise<Outcome>}
 */
export async function runTests(root, projects, options) {
  const startedAt = Date.now();
  const name = projects.join(" and ");
  const directory = join(root, "test-results");
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${projects.join("-")}.json`);
  rmSync(file, { force: true });
  say(`· ${name} tests …`);
  const vitest = [
    pinnedNode(root),
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    ...projects.flatMap((project) => ["--project", project]),
    ...options.filters,
  ];
  const [command = "", ...args] = [...(options.wrapper ?? []), ...vitest];
  const { code, output } = await run(command, args, {
    cwd: root,
    isShown: options.isBeside !== true,
    env: { ...process.env, OFFHOOK_TEST_OUTCOME: file },
  });
  if (output !== "") say(output.trimEnd());
  const outcome = readOutcome(tryRead(file), code, options.filters.length > 0);
  for (const reason of outcome.reasons) say(`  skipped: ${reason}`);
  const mark = outcome.failed === 0 ? "✓" : "✗";
  say(
    `${mark} ${name} tests (${formatDuration(Date.now() - startedAt)}): ${formatOutcome(outcome)}\n`,
  );
  return outcome;
}

/** @param {string} file */
function tryRead(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
