import type { Info } from "sip.js";

/** Whether an INFO asks for a whole picture (RFC 5168). */
export function isPictureUpdate(request: Info["request"]): boolean {
  const type = request.getHeader("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase();
  return type === "application/media_control+xml" && request.body.includes("picture_fast_update");
}
