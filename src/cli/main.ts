import { OffhookError } from "../core/errors.ts";
import { didYouMean } from "../dialplan/closest.ts";
import { checkCommand } from "./check.ts";
import type { Command, CommandContext, ExitCode } from "./command.ts";
import { routeCommand } from "./route.ts";
import { commandNames, isCommandName, usageOf, usageOfAll } from "./usage.ts";
import type { CommandName } from "./usage.ts";
import { version } from "./version.ts";

const helpCommand: Command = ([topic], { print, complain }) => {
  if (topic === undefined) {
    print(usageOfAll());
    return 0;
  }
  if (isCommandName(topic)) {
    print(usageOf(topic));
    return 0;
  }
  complain(`offhook help: no command "${topic}"${didYouMean(topic, commandNames)}`);
  return 2;
};

/** Loaded only when asked for: `check` and `route` start without the gateway's rooms. */
const COMMANDS: Readonly<Record<CommandName, () => Command | Promise<Command>>> = {
  run: async () => (await import("./run.ts")).runCommand,
  check: () => checkCommand,
  route: () => routeCommand,
  dialplan: async () => (await import("./dialplan.ts")).dialplanCommand,
  "fake-carrier": async () => (await import("./fake-carrier.ts")).fakeCarrierCommand,
  help: () => helpCommand,
};

/** The running process, as commands see it. */
export function processContext(): CommandContext {
  return {
    directory: process.cwd(),
    environment: process.env,
    print: (line) => {
      process.stdout.write(`${line}\n`);
    },
    complain: (line) => {
      process.stderr.write(`${line}\n`);
    },
  };
}

/**
 * Runs one command line.
 *
 * @param args what follows the program's name
 * @returns the exit code; errors that commands throw on purpose are printed and give 1
 */
export async function main(
  args: readonly string[],
  context: CommandContext = processContext(),
): Promise<ExitCode> {
  const [word, ...rest] = args;
  if (word === undefined) {
    context.complain(usageOfAll());
    return 2;
  }
  if (word === "--version" || word === "-v" || word === "version") {
    context.print(version());
    return 0;
  }
  const name = word === "--help" || word === "-h" ? "help" : word;
  if (!isCommandName(name)) {
    context.complain(
      name === "doctor"
        ? "offhook doctor: not built yet in this version; offhook check validates the configuration"
        : `offhook: no command "${name}"${didYouMean(name, commandNames)}`,
    );
    context.complain(`Commands: ${commandNames.join(", ")}. More: offhook help`);
    return 2;
  }
  try {
    const command = await COMMANDS[name]();
    return await command(rest, context);
  } catch (error) {
    if (!(error instanceof OffhookError)) throw error;
    context.complain(`offhook ${name}: ${error.message}`);
    return 1;
  }
}
