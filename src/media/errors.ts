import { OffhookError } from "../core/errors.ts";

/**
 * - `ERR_OFFHOOK_MEDIA_SDP`: an SDP is unusable; the call gets 488 (RFC 3261 §21.4.26).
 * - `ERR_OFFHOOK_MEDIA_UNAVAILABLE`: no rtpengine answered in time; 503.
 * - `ERR_OFFHOOK_MEDIA_REFUSED`: rtpengine answered with an error that is not about an SDP; 500.
 * - `ERR_OFFHOOK_MEDIA_UNKNOWN_CALL`: rtpengine has forgotten the call; it is moved to a new one.
 * - `ERR_OFFHOOK_MEDIA_ANCHOR`: rtpengine changed what a browser must see constant; the exchange is
 *   refused and the call moved.
 * - `ERR_OFFHOOK_MEDIA_NOT_INSTALLED`: the managed rtpengine has no binary on this machine.
 * - `ERR_OFFHOOK_MEDIA_START`: the managed rtpengine did not come up.
 * - `ERR_OFFHOOK_MEDIA_PORT`: no UDP port could be bound for a service.
 * - `ERR_OFFHOOK_MEDIA_SOUND`: a sound file of the configuration cannot be played.
 */
export type MediaErrorCode =
  | "ERR_OFFHOOK_MEDIA_SDP"
  | "ERR_OFFHOOK_MEDIA_UNAVAILABLE"
  | "ERR_OFFHOOK_MEDIA_REFUSED"
  | "ERR_OFFHOOK_MEDIA_UNKNOWN_CALL"
  | "ERR_OFFHOOK_MEDIA_ANCHOR"
  | "ERR_OFFHOOK_MEDIA_NOT_INSTALLED"
  | "ERR_OFFHOOK_MEDIA_START"
  | "ERR_OFFHOOK_MEDIA_PORT"
  | "ERR_OFFHOOK_MEDIA_SOUND";

/** Every error of src/media. */
export class MediaError extends OffhookError {
  declare readonly code: MediaErrorCode;

  constructor(code: MediaErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? undefined : { cause });
  }
}
