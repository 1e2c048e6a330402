import { formatProblem } from "../config/problem.ts";
import { simulate } from "../dialplan/simulate.ts";
import type { SimulationResult } from "../dialplan/simulate.ts";
import { parseOptions } from "./arguments.ts";
import type { Command } from "./command.ts";
import { loadForCommand, nameOfSource } from "./load-for-command.ts";
import { usageOf } from "./usage.ts";

/** `offhook route`: decides a call without placing it and explains every rule. */
export const routeCommand: Command = (args, context) => {
  const options = parseOptions(args, {
    config: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    trunk: { type: "string" },
    at: { type: "string" },
    json: { type: "boolean" },
  });
  if (options.ok && options.isSet("help")) {
    context.print(usageOf("route"));
    return 0;
  }
  const to = options.ok ? options.text("to") : undefined;
  const from = options.ok ? options.text("from") : undefined;
  if (!options.ok || to === undefined || from === undefined) {
    const message = options.ok
      ? `--${from === undefined ? "from" : "to"} is missing`
      : options.message;
    context.complain(`offhook route: ${message}`);
    context.complain(usageOf("route"));
    return 2;
  }
  const { file, result } = loadForCommand(options.text("config"), context);
  if (!result.ok) {
    for (const problem of result.problems) context.complain(formatProblem(problem));
    return 1;
  }
  const { config, dialplan } = result;
  const outcome = simulate(
    { from, to, trunk: options.text("trunk"), at: options.text("at") },
    { ...config, dialplan },
    new Date(),
  );
  if (!outcome.ok) {
    context.complain(`offhook route: ${outcome.message}`);
    return 1;
  }
  if (options.isSet("json")) context.print(JSON.stringify(outcome.result, undefined, 2));
  else explain(outcome.result, nameOfSource(file), config.dialplan.timeZone).forEach(context.print);
  return 0;
};

function explain(
  result: SimulationResult,
  name: string,
  timeZone: string | undefined,
): readonly string[] {
  const when = new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    ...(timeZone !== undefined && { timeZone }),
  }).format(new Date(result.at));
  const [first = "", ...others] = result.explanation;
  return [`${name}: ${first} on ${when}`, ...others];
}
