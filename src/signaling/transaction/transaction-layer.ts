import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { SipMessage, SipRequest } from "../message/message.ts";
import type { Flow, TransportHandler } from "../transport/flow.ts";
import type { TimerValues } from "./timer-values.ts";
import type {
  ClientTransaction,
  ClientTransactionHandler,
  TransactionUser,
} from "./transaction.ts";

/** What the transaction layer is built with. */
export interface TransactionLayerOptions {
  readonly clock: Clock;
  readonly user: TransactionUser;
  readonly logger: Logger;
  /** Default `timerValuesOf()`. */
  readonly timers?: TimerValues;
  /** Live server transactions, and as many client ones; above it a new request gets 503. Default 100 000. */
  readonly maxTransactions?: number;
}

/** All live transactions (RFC 3261 §17): finds the one that a message belongs to, or makes it. */
export interface TransactionLayerSurface extends TransportHandler {
  /**
   * Sends a request other than ACK in a new client transaction. Our Via with a fresh branch is put
   * on top; everything else is the caller's.
   */
  request(request: SipRequest, flow: Flow, handler: ClientTransactionHandler): ClientTransaction;
  /**
   * Sends a message outside any transaction: the ACK to a 2xx, a stateless response. A request
   * without a Via gets ours with a fresh branch; a response goes where its topmost Via says.
   *
   * @returns the message as sent, to be sent again unchanged
   */
  sendStateless<Message extends SipMessage>(message: Message, flow: Flow): Message;
  readonly count: number;
  /** Ends every transaction and clears every timer; calls nobody. */
  close(): void;
}
