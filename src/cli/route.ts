import { formatProblem } from "../config/problem.ts";
import type { Action, Caller } from "../dialplan/decision.ts";
import { describeAction } from "../dialplan/plan-tests.ts";
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
    { dialplan, users: config.users, trunks: config.trunks },
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
  const width = Math.max(...result.trace.map(({ route }) => route.length), 0);
  const steps = result.trace.map(({ route, matched, failed }) => {
    const reason =
      failed === undefined
        ? ""
        : `${failed.condition}: wants ${failed.expected}, saw ${failed.saw}`;
    return `  ${matched ? "yes" : "no "}  ${route.padEnd(width)}  ${reason}`.trimEnd();
  });
  return [
    `${name}: ${callerText(result.from)} dials ${result.to} on ${when}`,
    ...steps,
    ...(result.route === null ? ["no route decides"] : []),
    ...actionLines(result.action, "-> "),
  ];
}

function callerText(caller: Caller): string {
  if (caller.kind === "trunk") {
    return `${caller.number ?? "a withheld number"} over trunk ${caller.id}`;
  }
  const groups = caller.groups.length === 0 ? "" : ` (${caller.groups.join(", ")})`;
  return `user ${caller.id}${groups}`;
}

function actionLines(action: Action, lead: string): readonly string[] {
  const next = action.kind === "ring" || action.kind === "dial" ? action.then : [];
  return [
    `${lead}${describeAction(action)}`,
    ...next.flatMap((following) => actionLines(following, `${" ".repeat(lead.length)}then `)),
  ];
}
