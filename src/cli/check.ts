import type { Config } from "../config/config.ts";
import { formatProblem } from "../config/problem.ts";
import { findProfile } from "../config/profiles/all.ts";
import { formatProfileValue } from "../config/profiles/profile.ts";
import { parseOptions } from "./arguments.ts";
import type { Command } from "./command.ts";
import { countsOf, loadForCommand, nameOfSource } from "./load-for-command.ts";
import { usageOf } from "./usage.ts";

/** `offhook check`: every mistake of the configuration, and the tests of its dialplan. */
export const checkCommand: Command = (args, context) => {
  const options = parseOptions(args, { config: { type: "string" } });
  if (!options.ok) {
    context.complain(`offhook check: ${options.message}`);
    context.complain(usageOf("check"));
    return 2;
  }
  if (options.isSet("help")) {
    context.print(usageOf("check"));
    return 0;
  }
  const { file, result } = loadForCommand(options.text("config"), context);
  const name = nameOfSource(file);
  if (!result.ok) {
    for (const problem of result.problems) context.print(formatProblem(problem));
    const count = result.problems.length;
    context.print(`${name}: ${count} ${count === 1 ? "mistake" : "mistakes"}`);
    return 1;
  }
  for (const warning of result.config.warnings) context.print(`WARNING ${name}: ${warning}`);
  for (const problem of result.lint) context.print(`WARNING ${formatProblem(problem)}`);
  for (const line of profileLines(result.config)) context.print(line);
  context.print(`${name}: ok (${countsOf(result.config)})`);
  return 0;
};

/** What the profiles of the trunks set, one line a trunk. */
function profileLines({ trunks }: Config): readonly string[] {
  return [...trunks.values()].flatMap(({ id, profile }) => {
    if (profile === undefined) return [];
    const keys = findProfile(profile.name)?.keys ?? {};
    const set = Object.entries(keys)
      .filter(([key]) => profile.applied.includes(key))
      .map(([key, { value }]) => `${key}: ${formatProfileValue(value)}`);
    const what = set.length === 0 ? "nothing, the trunk says it all" : set.join(", ");
    return [`trunks.${id}: profile ${profile.name} sets ${what}`];
  });
}
