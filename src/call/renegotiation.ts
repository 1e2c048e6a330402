import type { Logger } from "../core/logger.ts";
import { directionOf, withDirection, type MediaDirection } from "../media/direction.ts";
import { differsInPathOnly } from "../media/path-change.ts";
import { isSameTransport } from "../media/same-transport.ts";
import type {
  CodecPolicy,
  Exchange,
  MediaLeg,
  MediaSession,
  ServiceEndpoint,
} from "../media/session.ts";
import type { IncomingReinvite } from "../signaling/engine.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { reasonOfMediaError } from "./media-reason.ts";

/** The other end of a change: a dialog, or a service of ours. */
export type Peer =
  | { readonly kind: "dialog"; readonly end: DialogEnd }
  | { readonly kind: "service"; readonly service: ServiceEndpoint; readonly leg: MediaLeg };

/**
 * Carries a re-INVITE or UPDATE from one end to the other through rtpengine: offer, the peer's
 * answer, answer. A refusal leaves the call as it was (RFC 3261 §14.1) and never ends it.
 *
 * @returns the direction that the end asked for; undefined when nothing changed
 */
export async function renegotiate(change: {
  readonly media: MediaSession;
  readonly branch: string;
  readonly policy: CodecPolicy;
  /**
   * Whether the change is the end's alone, such as other codecs: when rtpengine keeps the far end's
   * transport, the far end is not asked.
   */
  readonly isOwnAffair: boolean;
  readonly from: DialogEnd;
  readonly to: Peer;
  readonly reinvite: IncomingReinvite;
  readonly logger: Logger;
}): Promise<MediaDirection | undefined> {
  const { from, to, reinvite } = change;
  const offer = reinvite.sdp;
  if (offer === undefined) {
    // A request for our offer (RFC 3264 §5; RFC 6337 §5.2): what the far end was last sent, open
    // in both directions, so that a held call can be resumed this way.
    if (from.localSdp === undefined) reinvite.reject(488);
    else reinvite.accept(withDirection(from.localSdp, "sendrecv"));
    return undefined;
  }
  if (offer === from.remoteSdp && from.localSdp !== undefined) {
    // A session refresh (RFC 4028 §7.4): nothing changed, so nothing is asked of the other side.
    reinvite.accept(from.localSdp);
    return undefined;
  }
  const exchange: Exchange = {
    offerer: from.leg,
    answerer: to.kind === "dialog" ? to.end.leg : to.leg,
    branch: change.branch,
    policy: change.policy,
  };
  try {
    const toPeer = await change.media.offer(exchange, offer);
    let peerSdp: string;
    if (to.kind === "service") {
      peerSdp = await to.service.answer(toPeer);
    } else if (
      (change.isOwnAffair || isElsewhere(from, offer)) &&
      to.end.remoteSdp !== undefined &&
      to.end.localSdp !== undefined &&
      isSameTransport(to.end.localSdp, toPeer)
    ) {
      peerSdp = to.end.remoteSdp;
    } else {
      const result = await to.end.dialog.reinvite(toPeer);
      if (!result.ok) {
        reinvite.reject(result.reason.sipStatus >= 400 ? result.reason.sipStatus : 488, {
          reason: result.reason,
        });
        return undefined;
      }
      if (result.sdp === undefined) {
        reinvite.reject(488);
        return undefined;
      }
      peerSdp = result.sdp;
      to.end.remoteSdp = peerSdp;
      to.end.localSdp = toPeer;
    }
    const answer = await change.media.answer(exchange, peerSdp);
    from.remoteSdp = offer;
    from.localSdp = answer;
    reinvite.accept(answer);
    return directionOf(offer);
  } catch (error) {
    const reason = reasonOfMediaError(error);
    change.logger.warn("a change of the call's media failed", { reason: reason.text });
    reinvite.reject(reason.sipStatus, { reason });
    return undefined;
  }
}

/** A browser in another network: nothing of it shows on the other side, which is left alone. */
function isElsewhere(from: DialogEnd, offer: string): boolean {
  return (
    from.leg.kind === "webrtc" &&
    from.remoteSdp !== undefined &&
    differsInPathOnly(offer, from.remoteSdp)
  );
}
