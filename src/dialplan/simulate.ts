import { compileDialplan } from "./compile.ts";
import type { Dialplan, DialplanWorld } from "./compile.ts";
import type { Action, Caller, TraceStep } from "./decision.ts";
import { describeActions, describeCallerInFull, describeTrace } from "./describe.ts";
import { statedFacts } from "./facts.ts";
import type { CallFacts, UserState } from "./facts.ts";
import { defaultPlan } from "./default-plan.ts";
import { explainIssues } from "./issues.ts";
import { dialplanSchema } from "./schema.ts";

/** A call to decide without placing it, in the words of a person. */
export interface SimulationQuery {
  /** A user's id or number; with `trunk`, the number that the trunk presents. */
  readonly from?: string | undefined;
  readonly to: string;
  /** The trunk that the call comes from. */
  readonly trunk?: string | undefined;
  /** `2026-11-20T10:00` in the plan's time zone, or with an offset or Z; undefined: now. */
  readonly at?: string | undefined;
  /** What users do, by id; undefined: as it is now, or everyone idle where nobody knows. */
  readonly state?: Readonly<Record<string, UserState>> | undefined;
  /** Header fields of a trunk's INVITE. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Decide by this plan instead: the `dialplan` section of a file, as JSON. */
  readonly dialplan?: unknown;
}

/** What `offhook route --json` and the REST API print. */
export interface SimulationResult {
  readonly from: Caller;
  readonly to: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Null when no route matched. */
  readonly route: string | null;
  readonly action: Action;
  readonly trace: readonly TraceStep[];
  /** The same as sentences, one a line. */
  readonly explanation: readonly string[];
}

/** The decision with its explanation, or why the query cannot be decided. */
export type SimulationOutcome =
  | { readonly ok: true; readonly result: SimulationResult }
  | { readonly ok: false; readonly message: string };

/**
 * Decides a call without placing it.
 *
 * @param current the plan in use, and what a plan in the query may name
 */
export function simulate(
  query: SimulationQuery,
  current: DialplanWorld & { readonly dialplan: Dialplan; readonly facts?: CallFacts },
  now: Date,
): SimulationOutcome {
  const dialplan =
    query.dialplan === undefined ? current.dialplan : compileSection(query.dialplan, current);
  if (typeof dialplan === "string") return { ok: false, message: dialplan };
  const from = dialplan.findCaller(query.from, query.trunk);
  if (typeof from === "string") return { ok: false, message: from };
  const at = query.at === undefined ? now : dialplan.clock.tryParse(query.at);
  if (at === undefined) {
    return { ok: false, message: `"${query.at ?? ""}" is no time such as 2026-11-20T10:00` };
  }
  const headers = new Map(
    Object.entries(query.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const { route, action, trace } = dialplan.decide({
    from,
    to: query.to,
    at,
    headers: (name) => headers.get(name),
    facts: query.state === undefined ? current.facts : statedFacts(query.state),
  });
  const explanation = [
    `${describeCallerInFull(from)} dials ${query.to}`,
    ...describeTrace(trace),
    ...(route === undefined ? ["no route decides"] : []),
    ...describeActions(action, "-> "),
  ];
  return {
    ok: true,
    result: {
      from,
      to: query.to,
      at: at.toISOString(),
      route: route ?? null,
      action,
      trace,
      explanation,
    },
  };
}

/** The section compiled, or everything that is wrong with it. */
function compileSection(section: unknown, world: DialplanWorld): Dialplan | string {
  const parsed = dialplanSchema.safeParse(section);
  const line = (path: readonly PropertyKey[], message: string): string =>
    `${["dialplan", ...path].map(String).join(".")}: ${message}`;
  if (!parsed.success) {
    return explainIssues(parsed.error.issues, dialplanSchema, section)
      .map(({ path, message }) => line(path, message))
      .join("\n");
  }
  const { routes = defaultPlan(world.users.keys(), world.trunks).routes } = parsed.data;
  const compiled = compileDialplan({ ...parsed.data, routes }, world);
  if (compiled.ok) return compiled.dialplan;
  return compiled.problems.map(({ path, message }) => line(path, message)).join("\n");
}
