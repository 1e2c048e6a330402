import type { EndReason } from "../core/end-reason.ts";
import { OffhookError } from "../core/errors.ts";

/** What a failed exchange with rtpengine means for the call. */
export function reasonOfMediaError(error: unknown): EndReason {
  if (error instanceof OffhookError && isAboutMedia(error.code)) {
    return { sipStatus: 488, q850: 88, text: error.message };
  }
  if (error instanceof OffhookError && error.code === "ERR_OFFHOOK_MEDIA_SOUND") {
    // Its text names a path of this machine.
    return { sipStatus: 500, q850: 41, text: "The sound cannot be played" };
  }
  const text = error instanceof OffhookError ? error.message : "The media server failed";
  return { sipStatus: 503, q850: 47, text };
}

function isAboutMedia(code: string): boolean {
  return code === "ERR_OFFHOOK_MEDIA_SDP" || code === "ERR_OFFHOOK_MEDIA_ANCHOR";
}

/** Whether an error says that the rtpengine of a call is gone, or has forgotten it. */
export function isNodeLost(error: unknown): boolean {
  return (
    error instanceof OffhookError &&
    (error.code === "ERR_OFFHOOK_MEDIA_UNKNOWN_CALL" ||
      error.code === "ERR_OFFHOOK_MEDIA_UNAVAILABLE")
  );
}
