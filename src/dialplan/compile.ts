import { chainActions, compileAction } from "./action.ts";
import type { ActionFailure, ActionPlan } from "./action.ts";
import { CallContext, compileConditions } from "./condition.ts";
import type { Condition, DialplanProblem, Path, Surroundings } from "./condition.ts";
import type { Action, CallQuery, Caller, Decision, TraceStep } from "./decision.ts";
import { Directory } from "./directory.ts";
import type { DialplanUser } from "./directory.ts";
import { RouteIndex } from "./route-index.ts";
import { WallClock } from "./schedule.ts";
import type { DialplanSource } from "./source.ts";

/** What the routes may name. */
export interface DialplanWorld {
  readonly users: ReadonlyMap<string, DialplanUser>;
  /** By trunk id. */
  readonly trunks: ReadonlyMap<string, unknown>;
}

/** A compiled plan, or every mistake in it. */
export type CompileResult =
  | {
      readonly ok: true;
      readonly dialplan: Dialplan;
      readonly warnings: readonly DialplanProblem[];
    }
  | { readonly ok: false; readonly problems: readonly DialplanProblem[] };

interface Route {
  readonly name: string;
  readonly conditions: readonly Condition[];
  readonly plan: ActionPlan;
}

/** RFC 3261 §21.4.12: what nobody can have dialled is refused before any rule looks at it. */
const MAX_NUMBER_LENGTH = 255;

/** Decides calls. Immutable: the same query gives the same decision. */
export class Dialplan {
  /** The time zone's clock, to read times as the file writes them. */
  readonly clock: WallClock;
  readonly #directory: Directory;
  readonly #trunks: ReadonlyMap<string, unknown>;
  readonly #routes: readonly Route[];
  readonly #index: RouteIndex;

  /** @internal use compileDialplan */
  constructor(parts: {
    readonly clock: WallClock;
    readonly directory: Directory;
    readonly trunks: ReadonlyMap<string, unknown>;
    readonly routes: readonly Route[];
    readonly index: RouteIndex;
  }) {
    this.clock = parts.clock;
    this.#directory = parts.directory;
    this.#trunks = parts.trunks;
    this.#routes = parts.routes;
    this.#index = parts.index;
  }

  /**
   * Decides one call. Never throws.
   *
   * @param options `explain: false` leaves the trace with the deciding route alone, and looks at no
   *   route whose literal number differs: for large plans in a hurry
   */
  decide(query: CallQuery, options: { readonly explain?: boolean } = {}): Decision {
    if (query.to.length > MAX_NUMBER_LENGTH) return tooLong(query.to.length);
    const context = new CallContext(capped(query), this.#directory, this.clock);
    const trace: TraceStep[] = [];
    const decided =
      (options.explain ?? true) ? this.#search(context, trace) : this.#find(context, query.to);
    if (decided !== undefined) return take(decided, context, trace);
    return {
      route: undefined,
      action: { kind: "reject", status: 404, reasonPhrase: undefined },
      trace,
    };
  }

  /**
   * Who calls, from what a person types: with a trunk, `from` is the number that it presents
   * (undefined, "" or "anonymous": withheld); without one, a user's id or number.
   *
   * @returns the message of what is wrong when there is no such caller
   */
  findCaller(from: string | undefined, trunk?: string): Caller | string {
    if (trunk !== undefined) {
      if (!this.#trunks.has(trunk)) return `no trunk "${trunk}"`;
      const isWithheld = from === undefined || from === "" || from === "anonymous";
      return { kind: "trunk", id: trunk, number: isWithheld ? undefined : from };
    }
    if (from === undefined) return "no caller: neither from nor trunk is given";
    return this.#directory.caller(from) ?? `no user has the id or the number "${from}"`;
  }

  /** The first route that holds, by the index. */
  #find(context: CallContext, to: string): Route | undefined {
    const candidates = this.#index.candidates({
      from: context.query.from,
      to,
      isUser: () => context.dialledUsers.length > 0,
    });
    for (let index = candidates.next(); index !== undefined; index = candidates.next()) {
      const route = this.#routes[index];
      if (route?.conditions.every((condition) => condition.holds(context)) === true) return route;
    }
    return undefined;
  }

  /** The first route that holds, with what failed at each one before it. */
  #search(context: CallContext, trace: TraceStep[]): Route | undefined {
    for (const route of this.#routes) {
      const failed = route.conditions.find((condition) => !condition.holds(context));
      if (failed === undefined) return route;
      trace.push({
        route: route.name,
        matched: false,
        failed: { condition: failed.key, expected: failed.expected, saw: failed.saw(context) },
      });
    }
    return undefined;
  }
}

function capped(query: CallQuery): CallQuery {
  const { from } = query;
  if (from.kind === "user" || (from.number?.length ?? 0) <= MAX_NUMBER_LENGTH) return query;
  return { ...query, from: { ...from, number: undefined } };
}

function tooLong(length: number): Decision {
  return {
    route: undefined,
    action: { kind: "reject", status: 414, reasonPhrase: undefined },
    trace: [
      {
        route: "(length)",
        matched: true,
        failed: {
          condition: "to",
          expected: `at most ${MAX_NUMBER_LENGTH} characters`,
          saw: `${length} characters`,
        },
      },
    ],
  };
}

function take(route: Route, context: CallContext, trace: TraceStep[]): Decision {
  let failure: ActionFailure | undefined;
  const actions = route.plan(context, (first) => (failure ??= first));
  const action: Action = chainActions(actions) ?? {
    kind: "reject",
    status: failure?.status ?? 404,
    reasonPhrase: undefined,
  };
  trace.push({
    route: route.name,
    matched: true,
    ...(failure !== undefined && { failed: failure.failed }),
  });
  return { route: route.name, action, trace };
}

/** Compiles a plan of the file, or says everything that is wrong with it. */
export function compileDialplan(source: DialplanSource, world: DialplanWorld): CompileResult {
  const problems: DialplanProblem[] = [];
  const warnings: DialplanProblem[] = [];
  const directory = new Directory(world.users, source.country);
  const around: Surroundings = {
    directory,
    groups: new Set([...world.users.values()].flatMap((user) => user.groups)),
    trunks: world.trunks,
    problem: (path, message) => problems.push({ path, message }),
    warn: (path, message) => warnings.push({ path, message }),
  };
  const routes: Route[] = [];
  const routeIndex = new RouteIndex();
  let catchAll: string | undefined;
  let isWarned = false;
  for (const [index, route] of source.routes.entries()) {
    const path: Path = ["routes", index];
    const name = route.name ?? `route ${index + 1}`;
    if (catchAll !== undefined && !isWarned) {
      isWarned = true;
      around.warn(path, `"${name}" is never reached: "${catchAll}" before it takes every call`);
    }
    const { conditions, numbers, groupCount } = compileConditions(route, path, around);
    if (conditions.length === 0) catchAll ??= name;
    const plan = compileAction(route.do, [...path, "do"], groupCount, around);
    routes.push({ name, conditions, plan });
    routeIndex.add(index, numbers, route.from);
  }
  if (problems.length > 0) return { ok: false, problems };
  const dialplan = new Dialplan({
    clock: new WallClock(source.timeZone),
    directory,
    trunks: world.trunks,
    routes,
    index: routeIndex,
  });
  return { ok: true, dialplan, warnings };
}
