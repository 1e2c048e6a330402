import type { Logger } from "../core/logger.ts";
import type { CodecPolicy, Exchange, MediaLeg, MediaSession } from "../media/session.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { reasonOfMediaError } from "./media-reason.ts";
import type { Peer } from "./renegotiation.ts";

/** `moved`; `busy`: an end is in the middle of a change, try again soon; `failed`: with why. */
export type ReanchorOutcome =
  | { readonly kind: "moved" }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly why: string };

/** An end of the call, with the leg and the last SDP that came from it. */
interface Side {
  readonly peer: Peer;
  readonly leg: MediaLeg;
}

/**
 * Moves the media of a connected call to a new rtpengine call, whatever became of the old one, and
 * negotiates both ends anew. Nobody but us is needed for it: the last SDP of one end makes the offer
 * to the other, which is asked first; a browser before a telephone, because its new ICE credentials
 * have to be known before rtpengine can send to it. A telephone (or a service of ours) is told its
 * new address second; what it sends in between is lost, since it still goes to the old one.
 *
 * A browser needs nothing special for it: new ICE credentials at a new port are an ICE restart, a
 * new fingerprint begins DTLS anew (RFC 8842 §4).
 */
export async function reanchor(change: {
  readonly media: MediaSession;
  readonly branch: string;
  readonly policy: CodecPolicy;
  readonly ends: readonly [Peer, Peer];
  /** Nothing is lost by ending the old rtpengine call at once, and something may be won. */
  readonly isUseless: boolean;
  readonly logger: Logger;
}): Promise<ReanchorOutcome> {
  const { media, branch, policy, logger } = change;
  const [one, other] = change.ends.map((peer): Side => ({ peer, leg: legOf(peer) }));
  if (one === undefined || other === undefined) return { kind: "failed", why: "an end is missing" };
  // A service is asked last, a browser first.
  const isOneFirst =
    other.peer.kind === "service" || (one.peer.kind !== "service" && one.leg.kind === "webrtc");
  const [first, second] = isOneFirst ? [one, other] : [other, one];
  if (first.peer.kind === "service") return { kind: "failed", why: "a service has no far end" };
  const standIn = lastSdpOf(second.peer);
  if (standIn === undefined) return { kind: "failed", why: "an end has sent no SDP yet" };
  const move = await media.move({ isUseless: change.isUseless });
  let hasFirstMoved = false;
  try {
    const isStandIn = second.peer.kind === "dialog";
    const pair = { branch, policy };
    const there: Exchange = { offerer: second.leg, answerer: first.leg, ...pair, isStandIn };
    const toFirst = await media.offer(there, standIn);
    const firstSdp = await ask(first.peer, toFirst);
    hasFirstMoved = true;
    const answer = await media.answer(there, firstSdp);
    if (second.peer.kind === "service") {
      await second.peer.service.answer(answer);
    } else {
      const back: Exchange = { offerer: first.leg, answerer: second.leg, ...pair };
      const secondSdp = await ask(second.peer, await media.offer(back, firstSdp));
      await media.answer(back, secondSdp);
    }
    await move.keep();
    return { kind: "moved" };
  } catch (error) {
    // An end that has gone over would not come back.
    await (hasFirstMoved ? move.keep() : move.undo());
    if (error instanceof Refused) {
      return error.status === 491 ? { kind: "busy" } : { kind: "failed", why: error.message };
    }
    const why = reasonOfMediaError(error).text ?? "the media server failed";
    logger.warn("the media of a call could not be moved", { reason: why });
    return { kind: "failed", why };
  }
}

/** An end did not take our re-INVITE. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

function legOf(peer: Peer): MediaLeg {
  return peer.kind === "service" ? peer.leg : peer.end.leg;
}

function lastSdpOf(peer: Peer): string | undefined {
  return peer.kind === "service" ? peer.service.sdp : peer.end.remoteSdp;
}

/** Sends an offer to an end. @returns its answer @throws Refused */
async function ask(peer: Peer, offer: string): Promise<string> {
  if (peer.kind === "service") return peer.service.answer(offer);
  const end: DialogEnd = peer.end;
  const result = await end.dialog.reinvite(offer);
  if (!result.ok) throw new Refused(result.reason.sipStatus, result.reason.text ?? "refused");
  if (result.sdp === undefined) throw new Refused(488, "it answered without SDP");
  end.remoteSdp = result.sdp;
  end.localSdp = offer;
  return result.sdp;
}
