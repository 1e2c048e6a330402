import { randomToken } from "../../core/ids.ts";
import type { ResponseOptions } from "../engine.ts";
import { buildResponse } from "../message/build.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import {
  ACCEPT,
  ALLOW,
  PRODUCT,
  SUPPORTED,
  methodRefusal,
  reasonFields,
  safeExtras,
} from "./our-headers.ts";
import { packageName } from "./far-end.ts";
import type { Peer } from "./peer.ts";

const TAG_LENGTH = 12;

/** Builds a response of ours inside a dialog or one that makes a dialog. */
export function ourResponse(
  request: SipRequest,
  status: number,
  options: ResponseOptions & {
    readonly toTag?: string | undefined;
    readonly fields?: readonly HeaderField[];
  } = {},
): SipResponse {
  return buildResponse(request, status, {
    ...(options.reasonPhrase === undefined ? {} : { reasonPhrase: options.reasonPhrase }),
    // RFC 3261 §8.2.6.2: every response but a 100 has a To tag.
    toTag: options.toTag ?? randomToken(TAG_LENGTH),
    headers: [
      ...(options.fields ?? []),
      ["Server", PRODUCT],
      ...reasonFields(options.reason),
      ...safeExtras(options.headers),
    ],
    ...(options.sdp === undefined ? {} : { body: options.sdp, contentType: "application/sdp" }),
  });
}

/** Sends a response to where the far end is now: its own flow, or the one that it came back on. */
export function respondTo(
  context: DialogContext,
  peer: Peer,
  transaction: ServerTransaction,
  response: SipResponse,
): void {
  // The transaction takes it in any case; it sends nothing when its connection has gone.
  transaction.respond(response);
  if (peer.party.kind !== "user") return;
  // Deviates from RFC 3261 §18.2.2: a browser's connection cannot be opened from here, so the
  // response takes the connection that the same instance has opened and authenticated meanwhile.
  const flow = peer.flowTo(transaction.request.requestUri);
  if (flow !== undefined && flow !== transaction.flow) {
    context.transactions.sendStateless(response, flow);
  }
}

/** 200 to OPTIONS (RFC 3261 §11.2). */
export function optionsResponse(
  request: SipRequest,
  fields: readonly HeaderField[] = [],
): SipResponse {
  return ourResponse(request, 200, {
    fields: [
      ["Allow", ALLOW],
      ["Accept", ACCEPT],
      ["Accept-Encoding", "identity"],
      ["Accept-Language", "en"],
      ["Supported", SUPPORTED.join(", ")],
      ...fields,
    ],
  });
}

/** 405 or 501 with Allow (RFC 3261 §8.2.1). */
export function methodResponse(request: SipRequest): SipResponse {
  // A method may be fine in a dialog and refused outside of it: whoever reads this must not try again.
  const allowed = ALLOW.split(", ").filter((method) => method !== request.method);
  return ourResponse(request, methodRefusal(request.method), {
    fields: [["Allow", allowed.join(", ")]],
  });
}

/** 420 when the request requires what we do not do (RFC 3261 §8.2.2.3); undefined when it does not. */
export function requireRefusal(
  request: SipRequest,
  understood: readonly string[],
): SipResponse | undefined {
  // ACK and CANCEL never come here: a Require in them is ignored (RFC 3261 §8.2.2.3).
  const unknown = request.headers
    .list("Require")
    .filter((option) => !understood.includes(option.toLowerCase()));
  if (unknown.length === 0) return undefined;
  return ourResponse(request, 420, { fields: [["Unsupported", unknown.join(", ")]] });
}

/**
 * 469 to an INFO of a package that we have not asked for (RFC 6086 §4.2.2).
 *
 * @param taken the packages that we have, in lower case
 */
export function packageRefusal(
  request: SipRequest,
  taken: readonly string[] = [],
): SipResponse | undefined {
  const value = request.headers.get("Info-Package");
  // Without Info-Package it is a legacy INFO, such as application/dtmf-relay.
  if (value === undefined || taken.includes(packageName(value))) return undefined;
  return ourResponse(request, 469, { fields: [["Recv-Info", taken.join(", ")]] });
}

/** 415 when an INVITE or UPDATE brings a body that is not SDP (RFC 3261 §8.2.3). */
export function bodyRefusal(request: SipRequest): SipResponse | undefined {
  if (request.body.length === 0 || request.sdp !== undefined) return undefined;
  const disposition = request.headers.get("Content-Disposition")?.toLowerCase() ?? "";
  if (disposition.includes("handling=optional")) return undefined;
  const encoding = request.headers.get("Content-Encoding");
  return ourResponse(request, 415, {
    fields: [
      ["Accept", ACCEPT],
      ...(encoding === undefined ? [] : [["Accept-Encoding", "identity"] as const]),
    ],
  });
}
