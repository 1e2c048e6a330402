import type { Logger } from "../core/logger.ts";
import { directionOf, isReceiving, withDirection } from "../media/direction.ts";
import { differsInPathOnly } from "../media/path-change.ts";
import { restartsIce } from "../media/ice-restart.ts";
import { isSameTransport } from "../media/same-transport.ts";
import type {
  CodecPolicy,
  Exchange,
  MediaLeg,
  MediaSession,
  ServiceEndpoint,
} from "../media/session.ts";
import { offersVideo } from "../media/video.ts";
import type { IncomingReinvite } from "../signaling/engine.ts";
import { refusesMedia } from "./cause.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { answerFor, answerFromPeer, offerForPeer } from "./hold.ts";
import { reasonOfMediaError } from "./media-reason.ts";

/** What a change has led to. */
export interface Change {
  /** Whether the held end has been told `inactive` for now, and `openToHeld` has to follow. */
  readonly isClosed: boolean;
  /** Why the media should go to a new place now, if anything speaks for it. */
  readonly whyMove?: string;
}

/** The other end of a change: a dialog, or a service of ours. */
export type Peer =
  | { readonly kind: "dialog"; readonly end: DialogEnd }
  | { readonly kind: "service"; readonly service: ServiceEndpoint; readonly leg: MediaLeg };

interface Renegotiation {
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
  /** Whether a held party hears music of ours. */
  readonly hasMusic: boolean;
}

/**
 * Carries a re-INVITE or UPDATE from one end to the other through rtpengine: offer, the peer's
 * answer, answer. A refusal leaves the call as it was (RFC 3261 §14.1) and never ends it.
 *
 * @returns undefined when nothing changed; else both ends' `direction` says what has
 */
export async function renegotiate(change: Renegotiation): Promise<Change | undefined> {
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
  const hasMusic = change.hasMusic && to.kind === "dialog";
  let exchange: Exchange = {
    offerer: from.leg,
    answerer: to.kind === "dialog" ? to.end.leg : to.leg,
    branch: change.branch,
    policy: change.policy,
  };
  try {
    const isClosed = to.kind === "dialog" && hasMusic && mustClose(from, offer, to.end);
    const told = isClosed ? "inactive" : undefined;
    let toPeer = await change.media.offer(exchange, offerForPeer(offer, hasMusic), told);
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
      const { end } = to;
      let result = await end.dialog.reinvite(toPeer);
      if (!result.ok && refusesMedia(result.reason) && offersVideo(toPeer)) {
        // It takes no video, and says so of the whole change: the sound's part is tried alone.
        exchange = { ...exchange, answerer: { ...exchange.answerer, video: false } };
        toPeer = await change.media.offer(exchange, offerForPeer(offer, hasMusic), told);
        result = await end.dialog.reinvite(toPeer);
      }
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
      end.remoteSdp = result.sdp;
      end.localSdp = toPeer;
      // Told that nothing comes, it can only agree; it will listen when it is told of the music.
      end.direction = isClosed ? "recvonly" : directionOf(result.sdp);
      peerSdp = isClosed
        ? withDirection(result.sdp, "recvonly")
        : answerFromPeer(result.sdp, hasMusic);
    }
    const answer = answerFor(offer, await change.media.answer(exchange, peerSdp));
    const before = from.remoteSdp;
    from.remoteSdp = offer;
    from.localSdp = answer;
    from.direction = directionOf(offer);
    reinvite.accept(answer);
    const isRestart = from.leg.kind === "webrtc" && restartsIce(offer, before ?? "");
    if (!isRestart) return { isClosed };
    // rtpengine restarts both of its sides: another browser's ICE, and keys, would go with it. Such a
    // far end is asked as well, and both get new ones in another place.
    const { kind, srtp = "off" } = exchange.answerer;
    const isPlain = kind === "rtp" && srtp === "off";
    if (!isPlain) return { isClosed, whyMove: `${from.leg.tag} has restarted ICE` };
    await restartOnceMore(change, exchange);
    return { isClosed };
  } catch (error) {
    const reason = reasonOfMediaError(error);
    change.logger.warn("a change of the call's media failed", { reason: reason.text });
    reinvite.reject(reason.sipStatus, { reason });
    return undefined;
  }
}

/**
 * A browser that restarts ICE checks its new port with our old credentials before it has our answer.
 * When such a check is answered, Chromium 156 keeps that pair with those credentials, which rtpengine
 * refuses from then on: the call is mute some seconds later. An offer of ours that restarts once more
 * brings the credentials before there is a port, so nothing can overtake them.
 */
async function restartOnceMore(
  { from, to, media, logger }: Pick<Renegotiation, "from" | "to" | "media" | "logger">,
  exchange: Exchange,
): Promise<void> {
  const last = to.kind === "dialog" ? to.end.remoteSdp : to.service.sdp;
  if (last === undefined) return;
  const { offerer, answerer } = exchange;
  const back: Exchange = { ...exchange, offerer: answerer, answerer: offerer, restartsIce: true };
  try {
    const toBrowser = await media.offer(back, last);
    const result = await from.dialog.reinvite(toBrowser);
    if (!result.ok || result.sdp === undefined) {
      logger.warn("a browser refused to restart ICE once more", { leg: from.leg.tag });
      return;
    }
    from.localSdp = toBrowser;
    from.remoteSdp = result.sdp;
    // The far end has its answer: nothing of it has changed.
    await media.answer(back, result.sdp);
  } catch (error) {
    logger.warn("ICE was not restarted once more", { reason: reasonOfMediaError(error).text });
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
/**
 * A browser that becomes the held one is told `inactive` first, and `sendonly` when there is
 * something to hear. Chromium gives its page the sound of the newest stream that the SDP does not
 * name, and keeps the older ones: after the music the peer's own stream would be an old one. Told
 * that nothing comes, it forgets them all, and whatever comes next is new.
 */
function mustClose(from: DialogEnd, offer: string, peer: DialogEnd): boolean {
  return (
    peer.leg.kind === "webrtc" &&
    isReceiving(peer.direction) &&
    isReceiving(from.direction) &&
    !isReceiving(directionOf(offer))
  );
}

/**
 * Tells a held end that there is something to hear. A refusal leaves it in silence.
 *
 * @throws MediaError
 */
export async function openToHeld(
  media: MediaSession,
  pair: Pick<Exchange, "branch" | "policy">,
  holder: DialogEnd,
  held: DialogEnd,
): Promise<void> {
  if (holder.remoteSdp === undefined) return;
  const exchange: Exchange = { ...pair, offerer: holder.leg, answerer: held.leg };
  const toHeld = await media.offer(exchange, withDirection(holder.remoteSdp, "sendonly"));
  const result = await held.dialog.reinvite(toHeld);
  if (!result.ok || result.sdp === undefined) return;
  held.localSdp = toHeld;
  held.remoteSdp = result.sdp;
  // The holder has its answer: nothing of it has changed.
  await media.answer(exchange, result.sdp);
}
