import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";

/** RFC 3261 §8.1.1.7: a branch that begins so is unique for its request. */
export const BRANCH_COOKIE = "z9hG4bK";

/** No header value holds a line end, so no part of a key can imitate another. */
const SEPARATOR = "\n";

/** The key of a client transaction (RFC 3261 §17.1.3): the branch and the method of CSeq. */
export function clientKey(branch: string, method: string): string {
  return branch + SEPARATOR + method;
}

/** The key that a response asks for; undefined when its Via has no branch. */
export function clientKeyOf(response: SipResponse): string | undefined {
  const { branch } = response.topmostVia;
  return branch === undefined ? undefined : clientKey(branch, response.cseq.method);
}

/** True for a request whose branch cannot be trusted to be unique (RFC 3261 §17.2.3). */
export function isRfc2543(request: SipRequest): boolean {
  const branch = request.topmostVia.branch ?? "";
  if (branch.startsWith(BRANCH_COOKIE)) return false;
  return !branch.toLowerCase().startsWith(COOKIE_LOWER);
}

/**
 * The key of a server transaction (RFC 3261 §17.2.3): branch, sent-by and method, or for a client
 * of RFC 2543 the fields that its requests have in common.
 *
 * Narrower than the RFC in one point: a request matches only from the same host, and over WebSocket
 * only on the same connection. Predictable branches are common, and nobody else may cancel a call.
 *
 * @param method that of the transaction: INVITE for its ACK and to find what a CANCEL is about
 */
export function serverKey(request: SipRequest, flow: Flow, method: string): string {
  const via = request.topmostVia;
  const isBrowser = flow.transport === "WS" || flow.transport === "WSS";
  const scope = isBrowser ? flow.id : flow.remote.host;
  if (!isRfc2543(request)) {
    const sentBy = `${via.host.toLowerCase()}:${via.port ?? ""}`;
    return `${scope}${SEPARATOR}${via.branch ?? ""}${SEPARATOR}${sentBy}${SEPARATOR}${method}`;
  }
  // The To-tag is no part of it: the ACK of a 300 to 699 has one that the INVITE had not.
  return [
    scope,
    request.requestUri,
    request.fromTag ?? "",
    request.callId,
    request.cseq.number,
    via.toString(),
    method,
  ].join(SEPARATOR);
}

const COOKIE_LOWER = BRANCH_COOKIE.toLowerCase();
