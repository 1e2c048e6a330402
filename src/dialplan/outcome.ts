import type { Action, Outcomes } from "./decision.ts";

/** How an attempt ended without an answer, as `on` names it. */
export type Outcome = "busy" | "no-answer" | "unreachable" | "rejected";

/** Busy: RFC 3261 §21.4.24 and §21.6.1. */
const BUSY: ReadonlySet<number> = new Set([486, 600]);
/** Nobody picked up: 408 of a phone that rang, 480, and the end of our own waiting. */
const NO_ANSWER: ReadonlySet<number> = new Set([408, 480, 487]);
/** Not there: not found, gone, and every failure of a server or of the way to it. */
const ABSENT: ReadonlySet<number> = new Set([404, 410, 430, 484, 485, 604]);

/**
 * The outcome that a refusal stands for.
 *
 * @param isSignedOut the user had no telephone at all
 */
export function outcomeOf(sipStatus: number, isSignedOut = false): Outcome {
  if (isSignedOut) return "unreachable";
  if (BUSY.has(sipStatus)) return "busy";
  if (NO_ANSWER.has(sipStatus)) return "no-answer";
  if (ABSENT.has(sipStatus) || (sipStatus >= 500 && sipStatus < 600)) return "unreachable";
  return "rejected";
}

/** What follows: by status, else by outcome, else `then`. */
export function nextActions(outcomes: Outcomes, ...keys: readonly string[]): readonly Action[] {
  for (const key of keys) {
    const next =
      outcomes.on !== undefined && Object.hasOwn(outcomes.on, key) ? outcomes.on[key] : undefined;
    if (next !== undefined) return next;
  }
  return outcomes.then;
}
