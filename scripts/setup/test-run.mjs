import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { pinnedNode } from "./npm-packages.mjs";
import { formatDuration, run, say } from "./progress.mjs";

/**
 * What some tests came to. `failures` names what failed and says why, a line each: a test, a suite, a
 * file, or a whole run.
 *
 * @typedef {{ passed: number, failed: number, skipped: number, failures: readonly string[] }} Outcome
 */

/** @param {readonly Outcome[]} outcomes @returns {Outcome} */
export function sum(outcomes) {
  return outcomes.reduce(
    (total, one) => ({
      passed: total.passed + one.passed,
      failed: total.failed + one.failed,
      skipped: total.skipped + one.skipped,
      failures: [...total.failures, ...one.failures],
    }),
    { passed: 0, failed: 0, skipped: 0, failures: [] },
  );
}

/** The last line of `npm test`. @param {Omit<Outcome, "failures">} outcome */
export function formatOutcome(outcome) {
  return `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped`;
}

/**
 * What a run of vitest came to, from its report and its exit code. A run without a report, or one
 * that ends badly with every test well, counts as one failure: nothing may fail in silence.
 *
 * @param {string} name of the run
 * @param {string | undefined} report text of the reporter's file
 * @param {number} code exit code
 * @param {boolean} isFiltered no test to run is no failure
 * @returns {Outcome & { reasons: string[] }} reasons: why tests were skipped
 */
export function readOutcome(name, report, code, isFiltered) {
  if (report === undefined) {
    const isWell = code === 0 && isFiltered;
    const failures = isWell ? [] : [`${name} tests: ended with code ${code} and without a report`];
    return { passed: 0, failed: failures.length, skipped: 0, failures, reasons: [] };
  }
  /** @typedef {{ name: string, reason: string }} Test */
  /** @type {{ passed: number, failed: Test[], skipped: Test[] }} */
  const { passed, failed, skipped } = JSON.parse(report);
  const isEmpty = passed + failed.length + skipped.length === 0;
  const isWrong = failed.length === 0 && (isEmpty ? !isFiltered : code !== 0);
  const inOneLine = (/** @type {Test} */ test) =>
    `${test.name}: ${test.reason === "" ? "no reason given" : test.reason}`;
  return {
    passed,
    failed: isWrong ? 1 : failed.length,
    skipped: skipped.length,
    failures: isWrong
      ? [`${name} tests: ${isEmpty ? "there were none" : `ended with code ${code}`}`]
      : failed.map(inOneLine),
    reasons: skipped.map(inOneLine),
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
  const outcome = readOutcome(name, tryRead(file), code, options.filters.length > 0);
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
