import { Headers } from "../message/headers.ts";
import type { HeaderField } from "../message/headers.ts";
import { SipRequest } from "../message/message.ts";
import type { SipResponse } from "../message/message.ts";

/**
 * The ACK to a 300 to 699 response (RFC 3261 §17.1.1.3): the INVITE's Request-URI, topmost Via,
 * From, Call-ID, CSeq number and Route; the response's To.
 *
 * @param invite as sent, our Via on top
 */
export function buildHopAck(invite: SipRequest, response: SipResponse): SipRequest {
  return buildHopRequest("ACK", invite, response.headers.get("To") ?? "", []);
}

/**
 * The CANCEL of a pending INVITE (RFC 3261 §9.1): its Request-URI, topmost Via, From, To, Call-ID,
 * CSeq number and Route.
 *
 * @param invite as sent, our Via on top
 * @param extra more fields, such as Reason
 */
export function buildCancel(invite: SipRequest, extra: Iterable<HeaderField> = []): SipRequest {
  return buildHopRequest("CANCEL", invite, invite.headers.get("To") ?? "", extra);
}

function buildHopRequest(
  method: "ACK" | "CANCEL",
  invite: SipRequest,
  to: string,
  extra: Iterable<HeaderField>,
): SipRequest {
  const { headers } = invite;
  // RFC 3261 §17.1.1.3, §9.1: a single Via, equal to the topmost one of the INVITE.
  const [via = ""] = headers.list("Via");
  const fields: HeaderField[] = [["Via", via]];
  for (const route of headers.getAll("Route")) fields.push(["Route", route]);
  fields.push(
    ["Max-Forwards", "70"],
    ["From", headers.get("From") ?? ""],
    ["To", to],
    ["Call-ID", headers.get("Call-ID") ?? ""],
    ["CSeq", `${invite.cseq.number} ${method}`],
    ...extra,
  );
  return new SipRequest(method, invite.requestUri, Headers.of(fields));
}
