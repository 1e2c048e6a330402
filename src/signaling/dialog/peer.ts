import type { Party } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";

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
  /**
   * The flow that a request goes out on now.
   *
   * @param nextHop the topmost route or the Request-URI (RFC 3261 §12.2.1.1)
   * @returns undefined while the far end has no connection
   */
  flowTo(nextHop: string): Flow | undefined;
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
