import type { Environment } from "../config/environment.ts";

/** What a command has of its process. */
export interface CommandContext {
  /** The working directory. */
  readonly directory: string;
  readonly environment: Environment;
  /** Writes a line of the command's result. */
  readonly print: (line: string) => void;
  /** Writes a line about what went wrong. */
  readonly complain: (line: string) => void;
}

/** 0: done; 1: the answer is "no" or something failed; 2: the command line is not understood. */
export type ExitCode = 0 | 1 | 2;

/** One command. @param args what follows its name */
export type Command = (
  args: readonly string[],
  context: CommandContext,
) => ExitCode | Promise<ExitCode>;
