import { chainActions, compileAction } from "./action.ts";
import type { ActionPlan } from "./action-plan.ts";
import type { ActionFailure, CallContext, Elsewhere } from "./call-context.ts";
import { compileConditions } from "./condition.ts";
import type { Condition, Path, Surroundings } from "./condition.ts";
import type { TraceStep } from "./decision.ts";
import { RouteIndex } from "./route-index.ts";
import type { RouteSource } from "./source.ts";

interface Route {
  readonly name: string;
  readonly conditions: readonly Condition[];
  readonly plan: ActionPlan;
}

/** What a list of routes made of a call. */
export interface TableDecision extends Elsewhere {
  readonly isMatched: boolean;
  /** Rules before the first of the trace. */
  readonly omitted: number;
}

/** One list of routes, compiled: the dialplan's own or a set. Immutable. */
export class RouteTable {
  readonly #routes: readonly Route[];
  readonly #index: RouteIndex;

  private constructor(routes: readonly Route[], index: RouteIndex) {
    this.#routes = routes;
    this.#index = index;
  }

  /** Compiles the list at `path`; mistakes go to `around.problem`. */
  static compile(sources: readonly RouteSource[], path: Path, around: Surroundings): RouteTable {
    const routes: Route[] = [];
    const routeIndex = new RouteIndex();
    let catchAll: string | undefined;
    let isWarned = false;
    for (const [index, route] of sources.entries()) {
      const place: Path = [...path, index];
      const { conditions, numbers, groupCount } = compileConditions(route, place, around);
      const plan = compileAction(route.do, [...place, "do"], groupCount, around);
      const name = nameOfRoute(route, index);
      if (catchAll !== undefined && !isWarned) {
        isWarned = true;
        around.warn(place, `"${name}" is never reached: "${catchAll}" before it takes every call`);
      }
      if (conditions.length === 0) catchAll ??= name;
      routes.push({ name, conditions, plan });
      routeIndex.add(index, numbers, route.from);
    }
    return new RouteTable(routes, routeIndex);
  }

  get size(): number {
    return this.#routes.length;
  }

  /**
   * The first route that holds, carried out.
   *
   * @param explained how many of the rules before it are told; 0: none
   */
  decide(context: CallContext, explained: number): TableDecision {
    const decided = this.#find(context);
    const end = decided ?? this.#routes.length;
    const trace: TraceStep[] = [];
    const first = Math.max(0, end - explained);
    if (explained > 0) {
      for (let index = first; index < end; index += 1) trace.push(this.#failure(index, context));
    }
    const route = decided === undefined ? undefined : this.#routes[decided];
    if (route === undefined) {
      return {
        route: undefined,
        isMatched: false,
        actions: [],
        failure: undefined,
        trace,
        omitted: explained > 0 ? first : end,
      };
    }
    // The rules that were told may have left groups of theirs behind.
    if (explained > 0) for (const condition of route.conditions) condition.holds(context);
    let failure: ActionFailure | undefined;
    context.route = route.name;
    if (context.run.isExplained) context.details = [];
    const chained = chainActions(route.plan(context, (met) => (failure = worse(failure, met))));
    const steps = context.details;
    trace.push({
      route: route.name,
      matched: true,
      ...(failure !== undefined && { failed: failure.failed }),
      ...(steps !== undefined && steps.length > 0 && { steps }),
    });
    return {
      route: context.innerRoute ?? route.name,
      isMatched: true,
      actions: chained === undefined ? [] : [chained],
      failure,
      trace,
      omitted: explained > 0 ? first : end,
    };
  }

  /** By the index: the number of the first route whose conditions all hold. */
  #find(context: CallContext): number | undefined {
    const candidates = this.#index.candidates({
      from: context.query.from,
      to: context.query.to,
      isUser: () => context.dialledUsers.length > 0,
    });
    for (let index = candidates.next(); index !== undefined; index = candidates.next()) {
      const conditions = this.#routes[index]?.conditions;
      if (conditions !== undefined && doAllHold(conditions, context)) return index;
    }
    return undefined;
  }

  /** What a rule that did not match failed by. */
  #failure(index: number, context: CallContext): TraceStep {
    const route = this.#routes[index];
    const failed = route?.conditions.find((condition) => !condition.holds(context));
    return {
      route: route?.name ?? "",
      matched: false,
      ...(failed !== undefined && {
        failed: { condition: failed.key, expected: failed.expected, saw: failed.saw(context) },
      }),
    };
  }
}

/** Of two failures the one that somebody might have had to pay for, else the first. */
export function worse(known: ActionFailure | undefined, next: ActionFailure): ActionFailure {
  if (known === undefined) return next;
  return known.refusal === undefined && next.refusal !== undefined ? next : known;
}

function doAllHold(conditions: readonly Condition[], context: CallContext): boolean {
  for (const condition of conditions) if (!condition.holds(context)) return false;
  return true;
}

/** A route's name, as explanations and records have it. */
export function nameOfRoute(route: RouteSource, index: number): string {
  return route.name ?? `route ${index + 1}`;
}
