import { FactChannel } from "../core/channels.ts";
import type { CallRecord, CallView } from "./record.ts";

/** A call was admitted and routed. */
export const callStarted = new FactChannel<CallView>("offhook:call.started");
/** A live call changed: ringing, answered, held, resumed. */
export const callChanged = new FactChannel<CallView>("offhook:call.changed");
/** A call is over; its record is final. Exactly one for each callStarted. */
export const callEnded = new FactChannel<CallRecord>("offhook:call.ended");
