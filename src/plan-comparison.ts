import type { CallRecord } from "./call/record.ts";
import type { Config } from "./config/config.ts";
import type { LoadResult } from "./config/load.ts";
import { formatProblem } from "./config/problem.ts";
import type { Dialplan } from "./dialplan/compile.ts";
import { changedDecisions, type ComparedCall, type ComparedPlans } from "./dialplan/diff.ts";

/** Changed decisions, and warnings, that are told. */
const TOLD_CHANGES = 100;

/** A configuration and its plan. */
export interface InForce {
  readonly config: Config;
  readonly dialplan: Dialplan;
}

/** What a plan would decide otherwise than the one in force, of known calls. */
export function comparePlans(
  current: InForce,
  next: Extract<LoadResult, { ok: true }>,
  records: readonly CallRecord[],
): ComparedPlans {
  const calls = [...knownCalls(current, next.config, records)];
  const changed = changedDecisions(current.dialplan, next.dialplan, calls);
  return {
    compared: calls.length,
    changed: changed.length,
    decisions: changed.slice(0, TOLD_CHANGES),
    warnings: next.lint.slice(0, TOLD_CHANGES).map(formatProblem),
  };
}

/** The calls of both plans' tests and those of the records. */
function* knownCalls(
  { config: before, dialplan }: InForce,
  after: Config,
  records: readonly CallRecord[],
): Iterable<ComparedCall> {
  const tests = new Map(
    [...before.dialplan.tests, ...after.dialplan.tests].map(
      ({ from, trunk, to, at }) =>
        [JSON.stringify([from, trunk, to, at]), { from, trunk, to, at }] as const,
    ),
  );
  for (const { from, trunk, to, at } of tests.values()) {
    const caller = dialplan.findCaller(from, trunk);
    const when = at === undefined ? new Date() : dialplan.clock.tryParse(at);
    if (typeof caller !== "string" && when !== undefined) yield { from: caller, to, at: when };
  }
  for (const { from, to, startedAt } of records) {
    const caller =
      from.kind === "user"
        ? dialplan.findCaller(from.id)
        : dialplan.findCaller(from.number, from.id);
    if (typeof caller !== "string") yield { from: caller, to, at: new Date(startedAt) };
  }
}

/** A configuration that is not taken, as the API tells it. */
export function refused(result: Extract<LoadResult, { ok: false }>) {
  return { ok: false as const, problems: result.problems.map(formatProblem) };
}

/** Whether two sections of the configuration say the same. */
export function isSame(left: unknown, right: unknown): boolean {
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Map ? [...value.entries()] : value;
  return JSON.stringify(left, plain) === JSON.stringify(right, plain);
}
