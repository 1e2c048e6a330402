import { ACCEPT } from "./dialog/our-headers.ts";
import { bodyRefusal } from "./dialog/responses.ts";
import type { HeaderField } from "./message/headers.ts";
import type { SipRequest } from "./message/message.ts";
import { SipUri } from "./message/uri.ts";

/** A final response that an INVITE gets before anybody looks at who is called. */
export interface InviteFault {
  readonly status: number;
  readonly fields?: readonly HeaderField[];
}

/** The header and content inspection of RFC 3261 §8.2.2 and §8.2.3 for an INVITE outside a dialog. */
export function inviteRefusal(request: SipRequest): InviteFault | undefined {
  // RFC 3261 §8.1.1.8: exactly one Contact, with a SIP URI.
  const { contacts, contact } = request;
  if (contacts === "*" || contact === undefined || contacts.length > 1) return { status: 400 };
  const scheme = SipUri.tryParse(contact.uri)?.scheme;
  if (scheme !== "sip" && scheme !== "sips") return { status: 400 };
  // The call goes on behind us: with no hop left it would not (RFC 3261 §16.3 item 3).
  if (request.maxForwards === 0) return { status: 483 };
  if (!acceptsSdp(request)) return { status: 406 };
  const refused = bodyRefusal(request);
  if (refused === undefined) return undefined;
  return { status: refused.statusCode, fields: [["Accept", ACCEPT]] };
}

/** RFC 3261 §20.1: without Accept it is SDP; an empty one takes nothing. */
function acceptsSdp(request: SipRequest): boolean {
  if (!request.headers.has("Accept")) return true;
  return request.headers.list("Accept").some((range) => {
    const end = range.indexOf(";");
    const type = (end < 0 ? range : range.slice(0, end)).trim().toLowerCase();
    return type === ACCEPT || type === "application/*" || type === "*/*";
  });
}
