import { FactChannel } from "../core/channels.ts";
import type { CallRecord, CallView } from "./record.ts";
import type { RefusedCall } from "./refused.ts";

/** A call was admitted and routed. */
export const callStarted = new FactChannel<CallView>("offhook:call.started");
/** A live call changed: ringing, answered, held, resumed. */
export const callChanged = new FactChannel<CallView>("offhook:call.changed");
/** A call is over; its record is final. Exactly one for each callStarted. */
export const callEnded = new FactChannel<CallRecord>("offhook:call.ended");

/** Something happened to the media of a live call. */
export interface CallMediaFact {
  readonly call: string;
  /**
   * `moved`, `move-failed`: to another rtpengine session. `repaired`: it had no sound after the
   * answer, and a move follows. `timed-out`: an end was silent for too long, and the call ended.
   */
  readonly event: "moved" | "move-failed" | "repaired" | "timed-out";
  /** Why, for people. */
  readonly detail: string;
}

export const callMedia = new FactChannel<CallMediaFact>("offhook:call.media");
/** A call was not placed, for what it might have cost or because of a limit. */
export const callRefused = new FactChannel<RefusedCall>("offhook:call.refused");
