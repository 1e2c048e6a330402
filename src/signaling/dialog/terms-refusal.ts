import type { SipRequest, SipResponse } from "../message/message.ts";
import type { LegTerms } from "./leg-terms.ts";
import { requires, supports } from "./option-tags.ts";
import { ourResponse } from "./responses.ts";
import { SessionOffer } from "./session-terms.ts";
import { intervalRefusal } from "./session-timer.ts";

/** How an INVITE outside a dialog is refused that does not fit the terms of its leg. */
export function termsRefusal(request: SipRequest, terms: LegTerms): SipResponse | undefined {
  if (terms.reliable === "off" && requires(request, "100rel")) {
    return ourResponse(request, 420, { fields: [["Unsupported", "100rel"]] });
  }
  if (terms.reliable === "required" && !supports(request, "100rel")) {
    // RFC 3261 §21.4.16
    return ourResponse(request, 421, { fields: [["Require", "100rel"]] });
  }
  return intervalRefusal(request, new SessionOffer(terms.session));
}
