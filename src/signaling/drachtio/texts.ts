import { isUtf8 } from "node:buffer";
import { buildRequest } from "../message/build.ts";
import type { Headers } from "../message/headers.ts";
import { SipRequest, SipResponse } from "../message/message.ts";
import type { SipMessage } from "../message/message.ts";
import { serializeMessage } from "../message/serializer.ts";
import type { CarriedDialog } from "./dialogs.ts";

/** The server writes them, and drops ours. */
const HOP_FIELDS = ["Via", "Route", "Record-Route", "RSeq", "Content-Length"] as const;
/** Inside a dialog the server numbers and addresses by itself. */
const DIALOG_FIELDS = [...HOP_FIELDS, "From", "To", "Call-ID", "CSeq", "Max-Forwards"] as const;
/** The server knows the request that a response answers. */
const COPIED_FIELDS = [...HOP_FIELDS, "From", "Call-ID", "CSeq"] as const;

/** Above whatever either end has used (RFC 3261 §8.1.1.5). */
export const LAST_CSEQ = 2_147_483_647;

/** What a BYE needs to know of its dialog. */
export type LateDialog = Pick<CarriedDialog, "callId" | "localParty" | "remoteParty" | "target">;

/** The text of a command; undefined when it is no UTF-8, which the server spoils. */
export type CommandText = string | undefined;

/** A request outside a dialog, with the route that the server is to send it on. */
export function newRequestText(request: SipRequest, route: string): CommandText {
  const { headers, body } = stripped(request, HOP_FIELDS);
  const outside = new SipRequest(request.method, request.requestUri, headers, body);
  return commandText(`sip|||${route}`, outside);
}

/** A request inside a dialog: the server knows the remote target, too. */
export function dialogRequestText(request: SipRequest, dialogId: string): CommandText {
  const { headers, body } = stripped(request, DIALOG_FIELDS);
  const inside = new SipRequest(request.method, "sip:placeholder", headers, body);
  return commandText(`sip||${dialogId}`, inside);
}

/**
 * A BYE for a dialog that the server does not know any more: for the server it is a request of no
 * dialog, and for the far end it is as good as any.
 *
 * @param route where the far end is
 */
export function lateByeText(dialog: LateDialog, route: string, reason: string): CommandText {
  const bye = buildRequest({
    method: "BYE",
    requestUri: dialog.target,
    headers: [
      ["Max-Forwards", "70"],
      ["From", dialog.localParty],
      ["To", dialog.remoteParty],
      ["Call-ID", dialog.callId],
      // The server has numbered what went before.
      ["CSeq", `${LAST_CSEQ} BYE`],
      ["Reason", reason],
    ],
  });
  return newRequestText(bye, route);
}

/** The CANCEL of an INVITE. */
export function cancelText(transactionId: string, headers: Headers): CommandText {
  return commandText(`sip|${transactionId}|`, new SipRequest("CANCEL", "sip:placeholder", headers));
}

/**
 * A response.
 *
 * @param isFirst the server takes the To-tag of the first one only
 */
export function responseText(
  response: SipResponse,
  transactionId: string,
  isFirst: boolean,
): CommandText {
  const { statusCode, reasonPhrase, cseq } = response;
  const own = stripped(response, isFirst ? COPIED_FIELDS : [...COPIED_FIELDS, "To"]);
  // The server hands an UPDATE of an early dialog up under the id of its INVITE.
  const headers =
    cseq.method === "UPDATE" ? own.headers.append("CSeq", `${cseq.number} UPDATE`) : own.headers;
  return commandText(
    `sip|${transactionId}|`,
    new SipResponse(statusCode, reasonPhrase, headers, own.body),
  );
}

function stripped(
  { headers, body }: SipMessage,
  names: readonly string[],
): { readonly headers: Headers; readonly body: Buffer } {
  let left = headers;
  for (const name of names) left = left.without(name);
  return { headers: left, body };
}

function commandText(lead: string, message: SipMessage): CommandText {
  const octets = serializeMessage(message);
  return isUtf8(octets) ? `${lead}\r\n${octets.toString("utf8")}` : undefined;
}
