import { resolve } from "node:path";

import type { Config } from "../config/config.ts";
import { findConfigFile, tryLoadConfig } from "../config/load.ts";
import type { LoadResult } from "../config/load.ts";
import type { Problem } from "../config/problem.ts";
import type { CommandContext } from "./command.ts";

/** The name of a configuration in the lines that commands print. */
export function nameOfSource(file: string | undefined): string {
  return file ?? "(built-in demo)";
}

/**
 * Loads the configuration that a command works on, and leaves no trace: the demo's passwords are
 * neither made nor read.
 *
 * @param file the value of --config
 */
export function loadForCommand(
  file: string | undefined,
  context: CommandContext,
): { readonly file: string | undefined; readonly result: LoadResult } {
  const shown = file ?? findConfigFile(context.directory);
  const path = shown === undefined ? undefined : resolve(context.directory, shown);
  const result = tryLoadConfig(path, { environment: context.environment });
  if (path === undefined || shown === undefined) return { file: shown, result };
  // Messages name the file as the user did, and included ones as the file does.
  const named = (problems: readonly Problem[]): readonly Problem[] =>
    problems.map((problem) => (problem.file === path ? { ...problem, file: shown } : problem));
  return {
    file: shown,
    result: result.ok
      ? { ...result, lint: named(result.lint) }
      : { ...result, problems: named(result.problems) },
  };
}

/** `3 users, 1 trunk, 5 routes, 1 test` */
export function countsOf(config: Config): string {
  const count = (number: number, word: string): string =>
    `${number} ${word}${number === 1 ? "" : "s"}`;
  return [
    count(config.users.size, "user"),
    count(config.trunks.size, "trunk"),
    count(config.dialplan.routes.length, "route"),
    count(config.dialplan.tests.length, "test"),
  ].join(", ");
}
