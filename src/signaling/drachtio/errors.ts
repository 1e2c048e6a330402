import { OffhookError } from "../../core/errors.ts";

/** The codes of this room; docs/errors.md explains them. */
export type DrachtioErrorCode =
  /** The message is longer than what drachtio-server can take. */
  "ERR_OFFHOOK_DRACHTIO_TOO_LARGE";

/** Something that cannot be done through drachtio-server. */
export class DrachtioError extends OffhookError {
  declare readonly code: DrachtioErrorCode;
}
