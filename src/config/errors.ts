import { OffhookError } from "../core/errors.ts";
import type { Problem } from "./problem.ts";
import { formatProblem } from "./problem.ts";

/** The configuration cannot be used: one or more mistakes, all of them listed. */
export class ConfigError extends OffhookError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("ERR_OFFHOOK_CONFIG", problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** The demo's data file cannot be read or written. */
export class DemoDataError extends OffhookError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super("ERR_OFFHOOK_DEMO_DATA", message, options);
  }
}
