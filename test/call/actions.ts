import type { Action } from "../../src/dialplan/decision.ts";
import type { InviteFailure } from "../../src/signaling/engine.ts";

/** What a dialplan decides, and what becomes of it. */

export function ring(users: readonly string[], rest: object = {}): Action {
  return { kind: "ring", users, timeoutMs: 20_000, then: [], ...rest };
}

export function dial(trunks: readonly string[], rest: object = {}): Action {
  return {
    kind: "dial",
    trunks,
    number: "600",
    callerNumber: undefined,
    timeoutMs: 60_000,
    then: [],
    ...rest,
  };
}

export function refused(status: number): InviteFailure {
  return {
    cause: "response",
    reason: { sipStatus: status },
    reasonPhrase: `status ${status}`,
  };
}
