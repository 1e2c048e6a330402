/**
 * Trickle ICE over INFO (RFC 8840), as far as a gateway needs it: browsers may send candidates that
 * they find after their SDP. Ours always has all of its own (half trickle, RFC 8838 §16).
 */
import type { Logger } from "../core/logger.ts";
import type { MediaLeg, MediaSession } from "../media/session.ts";
import { MediaError } from "../media/errors.ts";
import type { ExtraHeaders, IncomingRequest } from "../signaling/engine.ts";
import { reasonOfMediaError } from "./media-reason.ts";

/** The INFO package and the option tag (RFC 8840 §10, §11). */
const TRICKLE_ICE = "trickle-ice";

const FRAGMENT_TYPE = "application/trickle-ice-sdpfrag";

/** Says in an INVITE or a response to one that we take such INFOs from a leg. */
export function trickleFields(leg: MediaLeg): ExtraHeaders {
  return leg.kind === "webrtc"
    ? [
        ["Recv-Info", TRICKLE_ICE],
        ["Supported", TRICKLE_ICE],
      ]
    : [];
}

/** The INFO packages that a leg has been told of. */
export function infoPackagesOf(leg: MediaLeg): readonly string[] {
  return leg.kind === "webrtc" ? [TRICKLE_ICE] : [];
}

/** @returns false for an INFO that is of another package, or of none */
export function takesTrickle(
  media: MediaSession,
  leg: MediaLeg,
  info: IncomingRequest,
  { logger }: { readonly logger: Logger },
): boolean {
  const name = info.request.headers.get("Info-Package")?.split(";", 1)[0] ?? "";
  if (leg.kind !== "webrtc" || name.trim().toLowerCase() !== TRICKLE_ICE) return false;
  void takeTrickleInfo(media, leg, info, logger);
  return true;
}

async function takeTrickleInfo(
  media: MediaSession,
  leg: MediaLeg,
  info: IncomingRequest,
  logger: Logger,
): Promise<void> {
  const { headers, body } = info.request;
  const type = headers.get("Content-Type")?.split(";", 1)[0] ?? "";
  if (type.trim().toLowerCase() !== FRAGMENT_TYPE) {
    info.respond(415, { headers: [["Accept", FRAGMENT_TYPE]] });
    return;
  }
  try {
    const outcome = await media.addCandidates(leg, body.toString("utf8"));
    if (outcome === "stale") logger.debug("candidates of another generation were dropped");
    // RFC 8838 §13: those of another generation are dropped, and nothing is wrong with them.
    info.respond(200);
  } catch (error) {
    const isUnusable = error instanceof MediaError && error.code === "ERR_OFFHOOK_MEDIA_SDP";
    const { text } = reasonOfMediaError(error);
    logger.warn("candidates were not taken", { leg: leg.tag, reason: text });
    info.respond(isUnusable ? 400 : 480);
  }
}
