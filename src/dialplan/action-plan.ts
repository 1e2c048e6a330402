import type { ActionFailure, CallContext } from "./call-context.ts";
import type { Action, Outcomes } from "./decision.ts";

/** Fills in one call: what to do, in order; empty when nothing of it can be done. */
export type ActionPlan = (
  context: CallContext,
  onFailure: (failure: ActionFailure) => void,
) => readonly Action[];

/** What follows an action, compiled. */
export interface OutcomesPlan {
  /** All of it, for an action that begins. */
  readonly all: (context: CallContext, onFailure: (failure: ActionFailure) => void) => Outcomes;
  /** What follows an action that could not even begin. */
  readonly after: (outcome: "unreachable" | "rejected") => ActionPlan;
}

/** Why a number could not be rewritten, as a failure of the action. */
export function unreadable(rewritten: {
  readonly key: string;
  readonly expected: string;
  readonly saw: string;
}): ActionFailure {
  const { key, expected, saw } = rewritten;
  // RFC 3261 §21.4.22
  return { status: 484, failed: { condition: `do.${key}`, expected, saw } };
}
