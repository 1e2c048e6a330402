/**
 * Several calls at once: one in the pane and the others beside it, each in one place only. Pure
 * functions over whatever state has them.
 */
import type { Call } from "./call.ts";

/** The calls of a phone. */
export interface Lines {
  /** The one in the pane; an ended one stays there until it is dismissed. */
  readonly call: Call | undefined;
  /** The calls beside it, in the order in which they got there. None of them has ended. */
  readonly others: readonly Call[];
}

/** Every call, the one in the pane first. */
export function callsOf(lines: Lines): readonly Call[] {
  return lines.call === undefined ? lines.others : [lines.call, ...lines.others];
}

/** The calls that have not ended. */
export function liveCallsOf(lines: Lines): readonly Call[] {
  return callsOf(lines).filter(({ phase }) => phase !== "ended");
}

export function findCall(lines: Lines, id: string): Call | undefined {
  return callsOf(lines).find((call) => call.id === id);
}

/** Changes the call of that id; undefined, or an unknown id, leaves everything as it is. */
export function changeCall<State extends Lines>(
  state: State,
  id: string,
  change: (call: Call) => Partial<Call> | undefined,
): State {
  const call = findCall(state, id);
  const changes = call === undefined ? undefined : change(call);
  if (call === undefined || changes === undefined) return state;
  const changed = { ...call, ...changes };
  if (state.call?.id === id) return { ...state, call: changed };
  return { ...state, others: state.others.map((one) => (one.id === id ? changed : one)) };
}

/** Puts a call into the pane; the one there goes beside it, or away when it has ended. */
export function activate<State extends Lines>(state: State, call: Call): State {
  const before = state.call;
  if (before?.id === call.id) return { ...state, call };
  const rest = state.others.filter(({ id }) => id !== call.id);
  const isKept = before !== undefined && before.phase !== "ended";
  return { ...state, call, others: isKept ? [...rest, before] : rest };
}

/** Which call the pane gets when it is empty: one that is up before one that rings. */
function nextOf(others: readonly Call[], wanted: string | undefined): Call | undefined {
  return (
    others.find(({ id }) => id === wanted) ??
    others.findLast(({ phase }) => phase === "connected") ??
    others.at(-1)
  );
}

/**
 * Takes a call away. Where it leaves the pane empty, another one goes there.
 *
 * @param wanted the id of the call that has the first claim to the pane
 */
export function removeCall<State extends Lines>(state: State, id: string, wanted?: string): State {
  if (state.call?.id !== id) {
    return { ...state, others: state.others.filter((call) => call.id !== id) };
  }
  const next = nextOf(state.others, wanted);
  return { ...state, call: next, others: state.others.filter((call) => call !== next) };
}
