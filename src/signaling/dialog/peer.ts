import type { Party } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ClientTransaction, ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import type { LegTerms } from "./leg-terms.ts";
import type { Transactions } from "./transactions.ts";

/** Told when the path to the far end goes and comes. The two alternate, `onFlowLost` first. */
export interface PeerWatcher {
  onFlowLost(): void;
  /** There is a flow again; it may be another one than before. */
  onFlowRestored(): void;
}

/**
 * The port through which a dialog reaches its far end: a browser instance (src/signaling/registrar)
 * or a trunk (src/signaling/trunk). A dialog never holds a flow of its own.
 */
export interface Peer {
  readonly party: Party;
  /** False where every request goes over the peer's own flow and Record-Route means nothing. */
  readonly followsRoutes: boolean;
  /** Default: `DEFAULT_TERMS`, those of a browser. */
  readonly terms?: LegTerms;
  /**
   * The flow that a request goes out on now.
   *
   * @param nextHop the topmost route or the Request-URI (RFC 3261 §12.2.1.1)
   * @returns undefined while the far end has no connection
   */
  flowTo(nextHop: string): Flow | undefined;
  /**
   * Sends a request outside a dialog to one server of the far end after the other until one takes it
   * (RFC 3263 §4.3). Only a far end that may have several servers has it. What comes from a server
   * that was given up is told to the handler only if it is a 2xx to INVITE; its topmost Via is then
   * not that of the transaction's request.
   *
   * @param build the request for a flow; `isNext` when servers before it did not take it
   * @returns the request on its way, whichever server it is at; undefined when there is no server
   */
  request?(
    transactions: Transactions,
    build: (flow: Flow, isNext: boolean) => SipRequest,
    handler: ClientTransactionHandler,
  ): ClientTransaction | undefined;
  /** Whether what arrives on this flow can be believed to come from this far end. */
  admits(flow: Flow): boolean;
  /** A request that was admitted has arrived on this flow inside a dialog. */
  heardOn(flow: Flow): void;
  /**
   * The credentials that answer a challenge.
   *
   * @param attempt how often this request has been answered with credentials before: 0 at first
   * @returns undefined when this challenge gets no answer of ours
   */
  authorize(request: SipRequest, challenge: SipResponse, attempt: number): HeaderField | undefined;
  /** @returns a function that ends the watch */
  watch(watcher: PeerWatcher): () => void;
}
