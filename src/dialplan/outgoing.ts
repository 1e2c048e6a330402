import type { ActionFailure, CallContext } from "./call-context.ts";
import type { Safety } from "./condition.ts";
import type { Refusal } from "./decision.ts";
import type { NumberClass } from "./number-class.ts";
import type { ReachedLimit } from "./permission.ts";

/** Why a number may not be called over a trunk; undefined when it may. */
export function notAllowed(
  number: string,
  context: CallContext,
  { permissions }: Safety,
): ActionFailure | undefined {
  const permission = permissions.allows(number, context);
  if (permission.isAllowed) return undefined;
  return {
    status: 403,
    refusal: refusalOf(permission.class),
    failed: {
      condition: "allow",
      expected: [...permissions.classesOf(context.query.from)].join(" or "),
      saw: `${number} (${permission.class})`,
    },
  };
}

function refusalOf(numberClass: NumberClass): Refusal {
  return numberClass === "premium" || numberClass === "unknown" ? numberClass : "not-allowed";
}

/** A user's or a route's limit that ends the call. */
export function overLimit({ limit, max, of, used }: ReachedLimit): ActionFailure {
  return {
    status: 403,
    refusal: "limit",
    failed: {
      condition: `limits.${limit}`,
      expected: `less than ${max} of ${of}`,
      saw: String(used),
    },
  };
}

/** Every trunk has reached its limit. */
export function noTrunkLeft(trunks: readonly string[]): ActionFailure {
  return {
    status: 503,
    refusal: "limit",
    failed: {
      condition: "limits",
      expected: "a trunk that has not reached its limit",
      saw: trunks.join(", "),
    },
  };
}
