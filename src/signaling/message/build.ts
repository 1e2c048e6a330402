import { Headers } from "./headers.ts";
import type { HeaderField } from "./headers.ts";
import { SipRequest, SipResponse } from "./message.ts";
import { isToken } from "./syntax.ts";

/** Parts of a new request. */
export interface RequestParts {
  readonly method: string;
  readonly requestUri: string;
  /** In their order on the wire; Content-Length comes by itself. */
  readonly headers: Iterable<HeaderField>;
  /** A string is encoded as UTF-8. */
  readonly body?: Buffer | string | undefined;
  /** Adds a Content-Type when there is a body. */
  readonly contentType?: string | undefined;
}

/** Builds a request. @throws SipFormatError */
export function buildRequest(parts: RequestParts): SipRequest {
  const body = toBody(parts.body);
  const fields = [...parts.headers];
  addContentType(fields, body, parts.contentType);
  return new SipRequest(parts.method, parts.requestUri, Headers.of(fields), body);
}

/** What a response may have beside what it copies. */
export interface ResponseParts {
  /** Default: that of RFC 3261 §21 for the status. */
  readonly reasonPhrase?: string | undefined;
  /** Put into To when it has no tag; never in a 100. */
  readonly toTag?: string | undefined;
  readonly headers?: Iterable<HeaderField> | undefined;
  /** A string is encoded as UTF-8. */
  readonly body?: Buffer | string | undefined;
  /** Adds a Content-Type when there is a body. */
  readonly contentType?: string | undefined;
}

/** After the Vias. */
const COPIED = ["From", "To", "Call-ID", "CSeq"] as const;

/**
 * Builds a response (RFC 3261 §8.2.6.2): Via, From, To, Call-ID and CSeq as they came, whatever
 * they are, so that a malformed request can be answered too; Record-Route in a 101 to 299 (§12.1.1);
 * Timestamp in a 100 (§8.2.6.1).
 *
 * @throws SipFormatError when one of `parts` may not be written
 */
export function buildResponse(
  request: SipRequest,
  statusCode: number,
  parts: ResponseParts = {},
): SipResponse {
  const body = toBody(parts.body);
  const { headers } = request;
  const fields: HeaderField[] = [];
  for (const via of headers.getAll("Via")) fields.push(["Via", via]);
  for (const name of COPIED) {
    const value = headers.get(name);
    if (value === undefined) continue;
    fields.push([name, name === "To" ? withTag(request, value, statusCode, parts) : value]);
  }
  const isDialogForming = statusCode > 100 && statusCode < 300;
  if (isDialogForming) {
    for (const value of headers.getAll("Record-Route")) fields.push(["Record-Route", value]);
  }
  const timestamp = statusCode === 100 ? headers.get("Timestamp") : undefined;
  if (timestamp !== undefined) fields.push(["Timestamp", timestamp]);
  const copied = isTagChecked(parts.toTag) ? fields.length : 0;
  if (parts.headers !== undefined) fields.push(...parts.headers);
  addContentType(fields, body, parts.contentType);
  const reasonPhrase = parts.reasonPhrase ?? reasonPhraseOf(statusCode);
  return new SipResponse(statusCode, reasonPhrase, Headers.of(fields, copied), body);
}

/** The tag is all that is new among what a response copies. */
function isTagChecked(tag: string | undefined): boolean {
  return tag === undefined || isToken(tag);
}

function withTag(
  request: SipRequest,
  to: string,
  statusCode: number,
  parts: ResponseParts,
): string {
  if (parts.toTag === undefined || statusCode === 100) return to;
  try {
    return request.to.tag === undefined ? `${to};tag=${parts.toTag}` : to;
  } catch {
    // A To that cannot be read goes back as it came.
    return to;
  }
}

function toBody(body: Buffer | string | undefined): Buffer | undefined {
  return typeof body === "string" ? Buffer.from(body, "utf8") : body;
}

function addContentType(
  fields: HeaderField[],
  body: Buffer | undefined,
  contentType: string | undefined,
): void {
  if (contentType !== undefined && body !== undefined && body.length > 0) {
    fields.push(["Content-Type", contentType]);
  }
}

/** RFC 3261 §21 and the IANA registry of SIP response codes. */
const REASON_PHRASES: ReadonlyMap<number, string> = new Map([
  [100, "Trying"],
  [180, "Ringing"],
  [181, "Call Is Being Forwarded"],
  [182, "Queued"],
  [183, "Session Progress"],
  [199, "Early Dialog Terminated"],
  [200, "OK"],
  [202, "Accepted"],
  [204, "No Notification"],
  [300, "Multiple Choices"],
  [301, "Moved Permanently"],
  [302, "Moved Temporarily"],
  [305, "Use Proxy"],
  [380, "Alternative Service"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [407, "Proxy Authentication Required"],
  [408, "Request Timeout"],
  [410, "Gone"],
  [412, "Conditional Request Failed"],
  [413, "Request Entity Too Large"],
  [414, "Request-URI Too Long"],
  [415, "Unsupported Media Type"],
  [416, "Unsupported URI Scheme"],
  [417, "Unknown Resource-Priority"],
  [420, "Bad Extension"],
  [421, "Extension Required"],
  [422, "Session Interval Too Small"],
  [423, "Interval Too Brief"],
  [424, "Bad Location Information"],
  [425, "Bad Alert Message"],
  [428, "Use Identity Header"],
  [429, "Provide Referrer Identity"],
  [430, "Flow Failed"],
  [433, "Anonymity Disallowed"],
  [436, "Bad Identity Info"],
  [437, "Unsupported Credential"],
  [438, "Invalid Identity Header"],
  [439, "First Hop Lacks Outbound Support"],
  [440, "Max-Breadth Exceeded"],
  [469, "Bad Info Package"],
  [470, "Consent Needed"],
  [480, "Temporarily Unavailable"],
  [481, "Call/Transaction Does Not Exist"],
  [482, "Loop Detected"],
  [483, "Too Many Hops"],
  [484, "Address Incomplete"],
  [485, "Ambiguous"],
  [486, "Busy Here"],
  [487, "Request Terminated"],
  [488, "Not Acceptable Here"],
  [489, "Bad Event"],
  [491, "Request Pending"],
  [493, "Undecipherable"],
  [494, "Security Agreement Required"],
  [500, "Server Internal Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Server Time-out"],
  [505, "Version Not Supported"],
  [513, "Message Too Large"],
  [555, "Push Notification Service Not Supported"],
  [580, "Precondition Failure"],
  [600, "Busy Everywhere"],
  [603, "Decline"],
  [604, "Does Not Exist Anywhere"],
  [606, "Not Acceptable"],
  [607, "Unwanted"],
  [608, "Rejected"],
]);

const CLASS_PHRASES: ReadonlyMap<number, string> = new Map([
  [1, "Session Progress"],
  [2, "OK"],
  [3, "Redirection"],
  [4, "Request Failure"],
  [5, "Server Failure"],
  [6, "Global Failure"],
]);

/** The usual reason phrase of a status; of its class when the status is unknown. */
export function reasonPhraseOf(status: number): string {
  return REASON_PHRASES.get(status) ?? CLASS_PHRASES.get(Math.floor(status / 100)) ?? "Unknown";
}
