import { resolve } from "node:path";

import { tryLoadConfig } from "../config/load.ts";
import { formatProblem } from "../config/problem.ts";
import type { ComparedPlans } from "../dialplan/diff.ts";
import type { PlanVersionView } from "../dialplan/plan-version.ts";
import { parseOptions } from "./arguments.ts";
import type { Command, CommandContext } from "./command.ts";
import { loadForCommand } from "./load-for-command.ts";
import { usageOf } from "./usage.ts";

const SUBCOMMANDS = ["history", "diff", "reload", "rollback"] as const;
type Subcommand = (typeof SUBCOMMANDS)[number];

/** How long the gateway may take: a plan of 100,000 routes needs seconds to be read. */
const ANSWER_MS = 60_000;

interface Gateway {
  readonly url: string;
  readonly token: string;
}

type Answer =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly message: string };

/** `offhook dialplan`: the plans of a running gateway, by its API. */
export const dialplanCommand: Command = async (args, context) => {
  const [word, ...others] = args;
  if (word === "--help" || word === "-h") {
    context.print(usageOf("dialplan"));
    return 0;
  }
  const subcommand = SUBCOMMANDS.find((name) => name === word);
  const takesVersion = subcommand === "rollback" && others[0]?.startsWith("-") === false;
  const version = takesVersion ? others[0] : undefined;
  const options = parseOptions(takesVersion ? others.slice(1) : others, {
    config: { type: "string" },
    url: { type: "string" },
    token: { type: "string" },
    ...(subcommand === "diff" && { draft: { type: "string" } }),
  });
  if (options.ok && options.isSet("help")) {
    context.print(usageOf("dialplan"));
    return 0;
  }
  const wrong =
    subcommand === undefined
      ? `expected one of ${SUBCOMMANDS.join(", ")}`
      : !options.ok
        ? options.message
        : subcommand === "rollback" && !/^[1-9][0-9]{0,8}$/.test(version ?? "")
          ? "expected the number of a version; offhook dialplan history shows them"
          : undefined;
  if (subcommand === undefined || !options.ok || wrong !== undefined) {
    context.complain(`offhook dialplan: ${wrong ?? ""}`);
    context.complain(usageOf("dialplan"));
    return 2;
  }
  const gateway = gatewayOf((name) => options.text(name), context);
  if (typeof gateway === "string") {
    context.complain(`offhook dialplan: ${gateway}`);
    return 1;
  }
  const body = bodyOf(subcommand, version, options.text("draft"), context);
  if (body === undefined) return 1;
  const answer = await ask(gateway, subcommand, body);
  if (!answer.ok) {
    context.complain(`offhook dialplan: ${answer.message}`);
    return 1;
  }
  linesOf(subcommand, answer.body).forEach(context.print);
  return 0;
};

/** Where the gateway is, and by which token: as said, else as its configuration has them. */
function gatewayOf(
  text: (name: string) => string | undefined,
  context: CommandContext,
): Gateway | string {
  const { environment } = context;
  const url = text("url") ?? environment["OFFHOOK_URL"];
  const token = text("token") ?? environment["OFFHOOK_TOKEN"];
  if (url !== undefined && token !== undefined) return { url, token };
  const { result } = loadForCommand(text("config"), context);
  if (!result.ok) {
    return "the configuration has mistakes (offhook check), so say --url and --token";
  }
  const { http, api } = result.config;
  const own = api.tokens.find(({ role }) => role === "admin")?.token;
  const known = token ?? (result.config.demo === undefined ? own : undefined);
  if (known === undefined) return "no token with the role admin is known; say --token";
  const { host, port } = http.listen;
  // Who listens everywhere is here too.
  const reached = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : bracketed(host);
  return {
    url: url ?? `${http.tls === undefined ? "http" : "https"}://${reached}:${port}`,
    token: known,
  };
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** @returns undefined when the draft has mistakes, which are told */
function bodyOf(
  subcommand: Subcommand,
  version: string | undefined,
  draft: string | undefined,
  context: CommandContext,
): object | undefined {
  if (subcommand === "rollback") return { version: Number(version) };
  if (draft === undefined) return {};
  const result = tryLoadConfig(resolve(context.directory, draft), {
    environment: context.environment,
  });
  if (result.ok) return { dialplan: result.planOfFile.section ?? {} };
  for (const problem of result.problems) context.complain(formatProblem(problem));
  return undefined;
}

async function ask(gateway: Gateway, subcommand: Subcommand, body: object): Promise<Answer> {
  const isRead = subcommand === "history";
  const path = `/api/v1/dialplan/${isRead ? "versions" : subcommand}`;
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(new URL(path, gateway.url), {
      method: isRead ? "GET" : "POST",
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: {
        Authorization: `Bearer ${gateway.token}`,
        ...(!isRead && { "Content-Type": "application/json" }),
      },
      ...(!isRead && { body: JSON.stringify(body) }),
    });
    answer = await response.json();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    return { ok: false, message: `the gateway at ${gateway.url} does not answer: ${why}` };
  }
  if (response.ok) return { ok: true, body: answer };
  // What we read is an answer of our own API, whose shape docs/api.md gives.
  const { error } = answer as { readonly error?: { readonly message?: string } };
  return { ok: false, message: error?.message ?? `status ${response.status}` };
}

function linesOf(subcommand: Subcommand, body: unknown): readonly string[] {
  // What we read is an answer of our own API, whose shape docs/api.md gives.
  switch (subcommand) {
    case "history":
      return (body as { readonly items: readonly PlanVersionView[] }).items.map(describeVersion);
    case "diff":
      return describeComparison(body as ComparedPlans, "would go");
    case "reload":
    case "rollback": {
      const change = body as ComparedPlans & {
        readonly version: PlanVersionView;
        readonly needRestart: readonly string[];
      };
      const restart = change.needRestart;
      return [
        `in force: ${describeVersion(change.version).trim()}`,
        ...(restart.length > 0 ? [`after a restart only: ${restart.join(", ")}`] : []),
        ...describeComparison(change, "go"),
      ];
    }
  }
}

function describeVersion(one: PlanVersionView): string {
  const who = one.by === undefined ? one.how : `${one.how} by ${one.by}`;
  const of = one.of === undefined ? "" : ` to ${one.of}`;
  const routes = `${one.routes} route${one.routes === 1 ? "" : "s"}`;
  return `${one.isInForce ? "*" : " "} ${one.version}  ${one.at}  ${one.hash}  ${routes}  ${who}${of}`;
}

function describeComparison(
  { compared, changed, decisions, warnings }: ComparedPlans,
  verb: string,
): readonly string[] {
  const calls = `${compared} call${compared === 1 ? "" : "s"}`;
  return [
    ...warnings.map((warning) => `WARNING ${warning}`),
    ...decisions.map(
      ({ from, to, at, before, after }) => `${from} to ${to} at ${at}: ${before} -> ${after}`,
    ),
    ...(changed > decisions.length ? [`and ${changed - decisions.length} more`] : []),
    `of ${calls}, ${changed} ${verb} elsewhere`,
  ];
}
