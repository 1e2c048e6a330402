import { writeFileSync } from "node:fs";

/**
 * Writes what a run came to as one JSON file: counts for the last line of `npm test`, and every
 * skipped test with its reason, which vitest's own JSON leaves out.
 */
export default class OutcomeReporter {
  /** @param {{ file: string }} options */
  constructor(options) {
    this.file = options.file;
  }

  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const outcome = {
      passed: 0,
      failed: 0,
      skipped: /** @type {{ name: string, reason: string }[]} */ ([]),
    };
    for (const module of modules) {
      // A file that cannot be loaded, and a suite whose hook fails, have no failing test to show.
      if (module.errors().length > 0) outcome.failed += 1;
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) outcome.failed += 1;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") outcome.passed += 1;
        else if (result.state === "failed") outcome.failed += 1;
        else if (result.state === "skipped") {
          outcome.skipped.push({
            name: `${module.relativeModuleId} > ${test.fullName}`,
            reason: result.note ?? "",
          });
        }
      }
    }
    outcome.failed += unhandledErrors.length;
    writeFileSync(this.file, JSON.stringify(outcome));
  }
}
