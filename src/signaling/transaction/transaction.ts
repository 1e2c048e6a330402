import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";

/** RFC 3261 §17.1.1 with RFC 6026 §7.2. */
export type InviteClientState = "calling" | "proceeding" | "completed" | "accepted" | "terminated";
/** RFC 3261 §17.1.2. */
export type NonInviteClientState = "trying" | "proceeding" | "completed" | "terminated";
/** RFC 3261 §17.2.1 with RFC 6026 §7.1. */
export type InviteServerState =
  | "proceeding"
  | "completed"
  | "confirmed"
  | "accepted"
  | "terminated";
/** RFC 3261 §17.2.2. */
export type NonInviteServerState = "trying" | "proceeding" | "completed" | "terminated";

/**
 * What a client transaction tells its user.
 *
 * Exactly one of these ends it: a final response, `onTimeout`, `onTransportError`. After the first
 * 2xx to an INVITE, `onResponse` may bring more 2xx (retransmissions and other forks, RFC 6026
 * §7.2) for as long as the transaction lives; later ones go to `TransactionUser.onStrayResponse`.
 * Retransmitted final responses of any other kind are absorbed. Nothing is called from inside
 * `TransactionLayer.request`.
 */
export interface ClientTransactionHandler {
  /** Every provisional response (100 included), then the final one. */
  onResponse(response: SipResponse): void;
  /** Timer B or F, or no final response after CANCEL: treat as 408 (RFC 3261 §8.1.3.1). */
  onTimeout(): void;
  /** The request could not be sent or its connection went: treat as 503 (RFC 3261 §8.1.3.1). */
  onTransportError(): void;
}

/** A request of ours on its way. */
export interface ClientTransaction {
  /** The branch of our Via. */
  readonly id: string;
  /** The request as sent, our Via on top. */
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly state: InviteClientState | NonInviteClientState;
  /**
   * INVITE only: sends CANCEL after the first provisional response has come (RFC 3261 §9.1), waits
   * for it otherwise. Does nothing after a final response. The INVITE still ends through its
   * handler: usually 487, a 2xx that crossed the CANCEL, or `onTimeout`.
   *
   * @param headers extra fields of the CANCEL, such as Reason (RFC 3326)
   */
  cancel(headers?: Iterable<HeaderField>): void;
  /**
   * Gives this server up for another one (RFC 3263 §4.3): the request is not sent again, and an
   * INVITE that does arrive gets its CANCEL. A 2xx that comes still goes to the handler.
   */
  abandon(headers?: Iterable<HeaderField>): void;
}

/** Why a server transaction ended. */
export type ServerTransactionEnd =
  /** Its last timer ran out after a final response. */
  | "done"
  /** Timer H: no ACK came for a 300 to 699. */
  | "timeout"
  /** Its connection went before the end. */
  | "transport";

/** What a server transaction tells its user; attach with `ServerTransaction.attach`. */
export interface ServerTransactionHandler {
  /** A response could not be sent. The transaction goes on (RFC 6026 §7.1). */
  onTransportError?(): void;
  /** Final: called once; `respond` does nothing from now on. */
  onTerminated?(end: ServerTransactionEnd): void;
}

/** A request from outside that waits for its response. */
export interface ServerTransaction {
  readonly id: string;
  readonly request: SipRequest;
  /** Where the request came from; responses find their own way (RFC 3261 §18.2.2). */
  readonly flow: Flow;
  readonly state: InviteServerState | NonInviteServerState;
  /** What a CANCEL does to it, for an INVITE; the dialogs' own. */
  onCancel?: ((cancel: SipRequest) => void) | undefined;
  /** One handler; a second call replaces it. */
  attach(handler: ServerTransactionHandler): void;
  /**
   * Sends a response, built with `buildResponse(transaction.request, …)`. Retransmission of
   * provisional and of 300 to 699 responses is the transaction's; that of a 2xx to INVITE is the
   * caller's, who sends it through here again (RFC 3261 §13.3.1.4). What the state does not allow
   * is ignored: a second final response, anything after the end.
   */
  respond(response: SipResponse): void;
}

/** What the transaction layer calls upward. Given at construction. */
export interface TransactionUser {
  /** A new request other than ACK and CANCEL. */
  onRequest(request: SipRequest, transaction: ServerTransaction, flow: Flow): void;
  /** An ACK to a 2xx, or one that fits nothing: for the dialog that it names. */
  onAck(request: SipRequest, flow: Flow): void;
  /**
   * A CANCEL for an INVITE that has no final response. The CANCEL has been answered with 200 (one
   * that fits no INVITE with 481 and is not told); the user answers the INVITE with 487
   * (RFC 3261 §9.2).
   */
  onCancel(cancel: SipRequest, invite: ServerTransaction, flow: Flow): void;
  /**
   * A 2xx to an INVITE of ours whose transaction is over: acknowledge it again, or acknowledge and
   * hang up (RFC 3261 §13.2.2.4). Other responses without a transaction are dropped.
   */
  onStrayResponse(response: SipResponse, flow: Flow): void;
  /** A connection has come up. */
  onFlowOpen(flow: Flow): void;
  /** A connection has gone; its transactions have ended already. */
  onFlowClosed(flow: Flow, reason: string): void;
}
