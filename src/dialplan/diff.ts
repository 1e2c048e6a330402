import type { Dialplan } from "./compile.ts";
import type { Caller } from "./decision.ts";
import { describeAction } from "./describe.ts";

/** A call that two plans may decide differently. */
export interface ComparedCall {
  readonly from: Caller;
  readonly to: string;
  readonly at: Date;
}

/** One call that would go elsewhere. */
export interface ChangedDecision {
  readonly from: string;
  readonly to: string;
  /** The time that both were asked about: ISO 8601. */
  readonly at: string;
  readonly before: string;
  readonly after: string;
}

/** Two plans, call by call. */
export interface ComparedPlans {
  /** Calls that were decided by both: those of the tests and of the newest records. */
  readonly compared: number;
  /** How many of them would go elsewhere. */
  readonly changed: number;
  /** The first of those. */
  readonly decisions: readonly ChangedDecision[];
  /** What the linter says of the new plan. */
  readonly warnings: readonly string[];
}

/** The calls that another plan decides differently: everyone free, nothing used. */
export function changedDecisions(
  before: Dialplan,
  after: Dialplan,
  calls: Iterable<ComparedCall>,
): readonly ChangedDecision[] {
  const changed: ChangedDecision[] = [];
  for (const { from, to, at } of calls) {
    const left = before.decide({ from, to, at }, { explain: false }).action;
    const right = after.decide({ from, to, at }, { explain: false }).action;
    // What follows counts too, not only what is done first.
    if (JSON.stringify(left) === JSON.stringify(right)) continue;
    changed.push({
      from: from.id,
      to,
      at: at.toISOString(),
      before: describeAction(left),
      after: describeAction(right),
    });
  }
  return changed;
}
