import { OffhookError } from "../../core/errors.ts";

/** The stable codes of a {@link SipParseError}. */
export type SipParseErrorCode =
  | "ERR_OFFHOOK_SIP_SYNTAX"
  | "ERR_OFFHOOK_SIP_CONTENT_LENGTH"
  | "ERR_OFFHOOK_SIP_TOO_LARGE"
  | "ERR_OFFHOOK_SIP_URI_TOO_LONG"
  | "ERR_OFFHOOK_SIP_VERSION";

/**
 * Octets or text that are not SIP, or are more of it than we take.
 *
 * `status` is the response that RFC 3261 asks for when the fault stands in a request: 400, 414
 * (§8.2.2.1), 505 (§21.5.6) or 513 (§21.5.7).
 */
export class SipParseError extends OffhookError {
  declare readonly code: SipParseErrorCode;
  readonly status: number;

  constructor(
    code: SipParseErrorCode,
    message: string,
    status = 400,
    options?: { readonly cause?: unknown },
  ) {
    super(code, message, options);
    this.status = status;
  }
}

/** A value that may not be written into a message: a line break, a space in a URI and the like. */
export class SipFormatError extends OffhookError {
  constructor(message: string) {
    super("ERR_OFFHOOK_SIP_FORMAT", message);
  }
}

/** A {@link SipParseError} of the ordinary kind: the grammar of RFC 3261 §25 is broken, 400. */
export function syntaxError(message: string): SipParseError {
  return new SipParseError("ERR_OFFHOOK_SIP_SYNTAX", message);
}
