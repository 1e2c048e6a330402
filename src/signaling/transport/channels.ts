import { FactChannel } from "../../core/channels.ts";
import type { SipMessage } from "../message/message.ts";
import type { Flow } from "./flow.ts";

/** A SIP message that crossed a flow, retransmissions included. */
export interface MessageFact {
  readonly direction: "in" | "out";
  readonly message: SipMessage;
  readonly flow: Flow;
  /** Length on the wire, without framing. */
  readonly octets: number;
}

/** Why received octets went no further. */
export type DropReason =
  /** No SIP message that could be answered. */
  | "malformed"
  /** A request with a fault; it was answered with an error response. */
  | "answered"
  | "too-large"
  /** A STUN packet on the SIP port (RFC 5626 §4.4.2). */
  | "stun"
  /** CRLF or NUL octets that keep a NAT binding alive (RFC 5626 §4.4.1). */
  | "keep-alive";

/** Received octets that were dropped. */
export interface DropFact {
  readonly reason: DropReason;
  readonly flow: Flow;
  readonly octets: number;
}

/** A connection that came or went. */
export type FlowFact =
  | { readonly kind: "open"; readonly flow: Flow }
  | { readonly kind: "closed"; readonly flow: Flow; readonly reason: string };

/** Every SIP message in and out. */
export const messageFacts = new FactChannel<MessageFact>("offhook:transport.message");
/** Everything received that is no SIP message to work on. */
export const dropFacts = new FactChannel<DropFact>("offhook:transport.drop");
/** Connections; a WebSocket upgrade that was refused is in `refusalFacts`. */
export const flowFacts = new FactChannel<FlowFact>("offhook:transport.flow");

/** A WebSocket upgrade that was refused, with the HTTP status. */
export interface RefusalFact {
  readonly status: number;
  readonly remoteHost: string;
  readonly origin: string | undefined;
}

/** WebSocket upgrades that were refused. */
export const refusalFacts = new FactChannel<RefusalFact>("offhook:transport.refusal");
