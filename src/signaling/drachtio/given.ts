import { SipRequest, SipResponse } from "../message/message.ts";
import type { SipMessage } from "../message/message.ts";
import type { Headers } from "../message/headers.ts";

/**
 * What drachtio-server hands up, without what the server does by itself:
 *
 * - it keeps one To-tag a call, so nobody can end one early dialog and go on with another (RFC 6228);
 * - it refreshes a session (RFC 4028) where the far end leaves that to us.
 */
export function asGiven<Message extends SipMessage>(message: Message): Message;
export function asGiven(message: SipMessage): SipMessage {
  const { headers, body } = message;
  if (message.kind === "response") {
    // Unless the far end refreshes, the server does.
    const isOurs = headers.has("Session-Expires") && !isRefreshedBy(headers, "uas");
    if (message.cseq.method !== "INVITE" || !isOurs) return message;
    const own = headers.without("Session-Expires");
    return new SipResponse(message.statusCode, message.reasonPhrase, own, body);
  }
  if (message.method !== "INVITE" || message.toTag !== undefined) return message;
  let own = headers;
  if (isRefreshedBy(own, "uas")) own = withoutOption(own.without("Session-Expires"), "timer");
  own = withoutOption(own, "199");
  return own === headers ? message : new SipRequest("INVITE", message.requestUri, own, body);
}

/** A PRACK with the number of our response instead of the server's (RFC 3262 §7.2). */
export function withOurSequence(
  request: SipRequest,
  sequences: ReadonlyMap<string, string> | undefined,
): SipRequest {
  if (request.method !== "PRACK" || sequences === undefined) return request;
  const [theirs = "", ...rest] = (request.headers.get("RAck") ?? "").trim().split(" ");
  const ours = sequences.get(theirs);
  if (ours === undefined) return request;
  const headers = request.headers.with("RAck", [ours, ...rest].join(" "));
  return new SipRequest(request.method, request.requestUri, headers, request.body);
}

function isRefreshedBy(headers: Headers, who: "uac" | "uas"): boolean {
  const value = headers.get("Session-Expires");
  return value !== undefined && value.toLowerCase().includes(`refresher=${who}`);
}

function withoutOption(headers: Headers, option: string): Headers {
  const options = headers.list("Supported");
  const others = options.filter((name) => name.trim().toLowerCase() !== option);
  if (others.length === options.length) return headers;
  return others.length === 0
    ? headers.without("Supported")
    : headers.with("Supported", others.join(", "));
}
