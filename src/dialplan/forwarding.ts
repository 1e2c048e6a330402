import type { ActionFailure, CallContext } from "./call-context.ts";
import type { Action } from "./decision.ts";

const LOOP_STATUS = 482;
/** Forwards in a row; RFC 3261 has 70 hops, a person has patience for fewer. */
const MAX_FORWARDS = 10;

/** Who forwards a call, and where to. */
export interface ForwardOrder {
  readonly number: string;
  /** The user whose rights and identity count; undefined: the caller's. */
  readonly who: string | undefined;
  /** A word of RFC 5806 that says why; undefined: as the call has gone. */
  readonly reason?: string;
  /** The key of the plan, for the explanation. */
  readonly key: string;
}

/**
 * Decides a call anew for another number, with the rights of the one who forwards it.
 *
 * @returns what is done there; empty when it may not, or when it leads in a circle
 */
export function forwardCall(
  { number, who, reason, key }: ForwardOrder,
  context: CallContext,
  onFailure: (failure: ActionFailure) => void,
): readonly Action[] {
  const { from } = context.query;
  const caller = who === undefined ? undefined : context.directory.caller(who);
  const place = `${who ?? `${from.kind} ${from.id}`} to ${number}`;
  const isLoop = context.path.includes(place) || context.path.length >= MAX_FORWARDS;
  if (isLoop || context.run.jumpsLeft === 0) {
    onFailure({
      status: LOOP_STATUS,
      refusal: "loop",
      failed: {
        condition: key,
        expected: "a number that does not lead back here",
        saw: [...context.path, place].join(", then "),
      },
    });
    return [];
  }
  context.run.jumpsLeft -= 1;
  const elsewhere = context.run.interior.redial(
    context.derive({
      to: number,
      ...(caller !== undefined && { from: caller }),
      as: who,
      ...(reason !== undefined && { reason }),
      path: [...context.path, place],
    }),
  );
  context.note({
    kind: "forward",
    number,
    as: caller?.id ?? from.id,
    trace: elsewhere.trace,
  });
  context.innerRoute = elsewhere.route;
  if (elsewhere.failure !== undefined) onFailure(elsewhere.failure);
  return elsewhere.actions;
}
