import { isIP } from "node:net";
import type { SipMessage, SipRequest } from "../message/message.ts";
import { serializeMessage } from "../message/serializer.ts";
import type { Via } from "../message/via.ts";
import { messageFacts } from "./channels.ts";
import type { TransportError } from "./errors.ts";
import type { Flow } from "./flow.ts";

/** Extras of `sendMessage`. */
export interface SendOptions {
  /** The octets of an earlier call with the same message: a retransmission is sent unchanged. */
  readonly octets?: Buffer;
  /** See `Flow.send`. */
  readonly onError?: ((error: TransportError) => void) | undefined;
}

/**
 * Serializes a message, sends it on a flow and publishes the fact.
 *
 * @returns the octets, for retransmissions
 */
export function sendMessage(message: SipMessage, flow: Flow, options: SendOptions = {}): Buffer {
  const octets = options.octets ?? serializeMessage(message);
  flow.send(octets, options.onError);
  if (messageFacts.hasSubscribers) {
    messageFacts.publish({ direction: "out", message, flow, octets: octets.length });
  }
  return octets;
}

/**
 * Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4).
 *
 * A connection answers on itself, or when it has gone on a new one to the port of the sent-by. Over
 * UDP it is the address that the request came from, at `rport` when the client asked for that, else
 * at the port of its sent-by.
 *
 * @param via the topmost Via of the request, with `received` as the transport stamped it
 * @param flow where the request arrived
 */
export function responseFlow(via: Via, flow: Flow): Flow {
  if (flow.isReliable && flow.isOpen) return flow;
  // Deviates from RFC 3261 §18.2.2: maddr is ignored, it would let anyone aim our responses.
  const host = unbracket(via.received ?? via.host);
  const isAsked = typeof via.rport === "number" && !flow.isReliable;
  const port = isAsked ? via.rport : (via.port ?? 5060);
  if (isIP(host) === 0 || port < 1 || port > 65535) return flow;
  if (host === flow.remote.host && port === flow.remote.port) return flow;
  return flow.toward({ host, port });
}

/** `[2001:db8::1]` without its brackets; any other host unchanged. */
export function unbracket(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

/** RFC 3261 §18.1.1: where the path MTU is not known. */
const MAX_UDP_REQUEST_OCTETS = 1300;

/** Whether a request should not go over UDP when there is another way (RFC 3261 §18.1.1). */
export function isTooLargeForUdp(request: SipRequest): boolean {
  let octets = request.method.length + request.requestUri.length + request.body.length + 14;
  if (octets > MAX_UDP_REQUEST_OCTETS) return true;
  for (const [name, value] of request.headers) octets += name.length + value.length + 4;
  return octets > MAX_UDP_REQUEST_OCTETS;
}
