import type { Clock } from "../../core/clock.ts";
import type { SipRequest } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";
import type { TimerValues } from "./timer-values.ts";

/** What a transaction needs of the layer that owns it. */
export interface TransactionContext {
  readonly clock: Clock;
  readonly timers: TimerValues;
  /** Calls the user; what that throws is logged and goes no further. */
  tell(action: () => void): void;
  /** Sends a CANCEL in a transaction of its own. */
  sendCancel(cancel: SipRequest, flow: Flow): void;
}

/**
 * Finds another way for a request whose flow was lost before any response came.
 *
 * @returns the request with our Via for that way, its branch unchanged; undefined when there is none
 */
export type Recover = (
  lost: Flow,
) => { readonly flow: Flow; readonly request: SipRequest } | undefined;
