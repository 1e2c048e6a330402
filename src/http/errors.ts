import { OffhookError } from "../core/errors.ts";

/** Codes of the HTTP server: in the body of an answer, or thrown at the start. */
export type HttpErrorCode =
  | "ERR_OFFHOOK_HTTP_BAD_REQUEST"
  | "ERR_OFFHOOK_HTTP_BODY_TOO_LARGE"
  | "ERR_OFFHOOK_HTTP_FORBIDDEN"
  | "ERR_OFFHOOK_HTTP_INTERNAL"
  | "ERR_OFFHOOK_HTTP_LISTEN"
  | "ERR_OFFHOOK_HTTP_MEDIA_TYPE"
  | "ERR_OFFHOOK_HTTP_METHOD"
  | "ERR_OFFHOOK_HTTP_NO_TOKENS"
  | "ERR_OFFHOOK_HTTP_NOT_FOUND"
  | "ERR_OFFHOOK_HTTP_ORIGIN"
  | "ERR_OFFHOOK_HTTP_RECORDING"
  | "ERR_OFFHOOK_HTTP_FORWARD"
  | "ERR_OFFHOOK_HTTP_PLAN_REFUSED"
  | "ERR_OFFHOOK_HTTP_SIGN_IN"
  | "ERR_OFFHOOK_HTTP_REGISTRAR"
  | "ERR_OFFHOOK_HTTP_SIMULATION"
  | "ERR_OFFHOOK_HTTP_TLS"
  | "ERR_OFFHOOK_HTTP_TOO_MANY_ATTEMPTS"
  | "ERR_OFFHOOK_HTTP_UNAUTHORIZED"
  | "ERR_OFFHOOK_HTTP_UPGRADE_REQUIRED";

/** The server could not start: the address is taken, or the certificate unusable. */
export class HttpServerError extends OffhookError {
  declare readonly code: HttpErrorCode;

  constructor(code: HttpErrorCode, message: string, cause: unknown) {
    super(code, message, { cause });
  }
}
