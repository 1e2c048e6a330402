import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { TimerValues } from "../transaction/timer-values.ts";
import type { DialogTable } from "./dialog-table.ts";
import type { Transactions } from "./transactions.ts";

/** What every part of the dialog room shares. */
export interface DialogContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers: TimerValues;
  readonly transactions: Transactions;
  readonly table: DialogTable;
  readonly limits: DialogLimits;
  /** 0 ≤ x < 1, for the waits that must differ between two parties. */
  readonly random: () => number;
  /** An INVITE from outside has got its final response. */
  readonly onInviteEnd?: (invite: object) => void;
}

/** Waits that no RFC timer covers, in milliseconds. */
export interface DialogLimits {
  /** No final response after the last provisional one; RFC 3261 §16.6 Timer C: 3 minutes. */
  readonly noFinalResponseMs: number;
  /** A provisional response of ours is sent again this often (RFC 3261 §13.3.1.1): 1 minute. */
  readonly repeatProvisionalMs: number;
  /** A caller whose connection went may come back for this long before its call is given up. */
  readonly earlyFlowLossMs: number;
}

export const DEFAULT_LIMITS: DialogLimits = {
  noFinalResponseMs: 180_000,
  repeatProvisionalMs: 60_000,
  earlyFlowLossMs: 10_000,
};
