import type { SocketAddress } from "../../core/address.ts";
import type { SipMessage } from "../message/message.ts";
import type { TransportError } from "./errors.ts";

/** The transport word of a Via (RFC 3261 §20.42, RFC 7118 §5.1). */
export type FlowTransport = "UDP" | "TCP" | "TLS" | "WS" | "WSS";

/**
 * The path between one local socket and one remote address (RFC 5626 §2): a connection, or a pair
 * of UDP addresses. Everything above the transports sends through a Flow and knows no socket.
 *
 * A Flow is an identity: state about a connection can be kept in a WeakMap with it as the key.
 * A UDP flow is a value of a bounded cache: the same pair of addresses may get a new object later.
 */
export interface Flow {
  /** Unique in the process. */
  readonly id: string;
  readonly transport: FlowTransport;
  /** True for all but UDP: a message arrives once and in order, or the flow closes. */
  readonly isReliable: boolean;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** False from the moment that `onFlowClosed` is called; a UDP flow closes with its listener. */
  readonly isOpen: boolean;
  /** `host:port` of ours for the Via and the Contact of requests that we send on this flow. */
  readonly sentBy: string;
  /**
   * Sends one message. Never throws.
   *
   * @param onError called later, never from inside `send`, when the octets certainly did not leave
   */
  send(octets: Buffer, onError?: (error: TransportError) => void): void;
  /** The same local socket toward another address; a connection returns itself. */
  toward(remote: SocketAddress): Flow;
  /** Closes a connection; `onFlowClosed` follows. Does nothing to a UDP flow. */
  close(reason: string): void;
  /**
   * The domains that the far end has proved to be, by the certificate that it showed us
   * (RFC 5922 §7.1); undefined without TLS or without a certificate that we could check.
   */
  readonly peerNames?: readonly string[] | undefined;
  /**
   * False for a connection of ours that is not up yet or never came up: nothing has left on it.
   * Left out where there is nothing to wait for.
   */
  readonly hasConnected?: boolean;
  /** The scheme of our Contact on it: `sips` on a connection that was opened for a sips URI. */
  readonly scheme?: "sips" | undefined;
  /** True when requests on it may say `alias` in their Via: we listen at `sentBy` (RFC 5923 §4). */
  readonly offersAlias?: boolean;
  /** Where a request goes that is too large for UDP (RFC 3261 §18.1.1); undefined: it stays here. */
  readonly forLarge?: (() => Flow | undefined) | undefined;
  /** After a connection of ours has closed: a new one to the same far end. */
  reopen?(): Flow | undefined;
  /**
   * A request that was sent at this time of the clock got no answer: closes the connection when
   * nothing at all has been heard on it since, because it is dead then.
   */
  unanswered?(sinceMonotonicMs: number): void;
}

/** What the transports call upward. Given at construction; must not throw. */
export interface TransportHandler {
  /**
   * A message that the parser took: its typed accessors do not throw. The topmost Via of a
   * request carries `received`, and `rport` where it was asked for.
   */
  onMessage(message: SipMessage, flow: Flow): void;
  /** A connection has come up. Not called for UDP. */
  onFlowOpen(flow: Flow): void;
  /** A connection has gone. Called once a flow; nothing arrives on it afterwards. */
  onFlowClosed(flow: Flow, reason: string): void;
  /** What came was no SIP message to work on; where it could be, it has been answered. */
  onFault?(flow: Flow): void;
}
