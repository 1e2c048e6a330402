import { writeFileSync } from "node:fs";

/**
 * Writes what a run came to as one JSON file: what the last lines of `npm test` need, and every
 * skipped test with its reason, which vitest's own JSON leaves out.
 */
export default class OutcomeReporter {
  /** @param {{ file: string }} options */
  constructor(options) {
    this.file = options.file;
  }

  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly import("vitest").SerializedError[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @typedef {{ name: string, reason: string }} Test */
    const outcome = {
      passed: 0,
      failed: /** @type {Test[]} */ ([]),
      skipped: /** @type {Test[]} */ ([]),
    };
    const fail = (
      /** @type {string} */ name,
      /** @type {readonly { message: string }[] | undefined} */ errors,
    ) => {
      outcome.failed.push({ name, reason: firstLine(errors?.[0]?.message ?? "") });
    };
    for (const module of modules) {
      const file = module.relativeModuleId;
      // A file that cannot be loaded, and a suite whose hook fails, have no failing test to show.
      if (module.errors().length > 0) fail(file, module.errors());
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) fail(`${file} > ${suite.fullName}`, suite.errors());
      }
      for (const test of module.children.allTests()) {
        const name = `${file} > ${test.fullName}`;
        const result = test.result();
        if (result.state === "passed") outcome.passed += 1;
        else if (result.state === "failed") fail(name, result.errors);
        else if (result.state === "skipped") {
          outcome.skipped.push({ name, reason: result.note ?? "" });
        }
      }
    }
    for (const error of unhandledErrors) fail("outside of the tests", [error]);
    writeFileSync(this.file, JSON.stringify(outcome));
  }
}

/** @param {string} text */
function firstLine(text) {
  return text.split("\n", 1)[0] ?? "";
}
