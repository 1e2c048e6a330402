import { OffhookError } from "../../core/errors.ts";

/** What can go wrong in the transport room. */
export type TransportErrorCode =
  | "ERR_OFFHOOK_TRANSPORT_BIND"
  | "ERR_OFFHOOK_TRANSPORT_CLOSED"
  | "ERR_OFFHOOK_TRANSPORT_SEND"
  | "ERR_OFFHOOK_TRANSPORT_SLOW_READER"
  | "ERR_OFFHOOK_TRANSPORT_TLS";

/** A listener that cannot be opened, or octets that cannot be sent. */
export class TransportError extends OffhookError {
  declare readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? undefined : { cause });
  }
}
