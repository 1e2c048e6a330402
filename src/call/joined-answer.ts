import { MediaError } from "../media/errors.ts";
import type { MediaSession } from "../media/session.ts";
import type { Attempt } from "./attempt.ts";
import type { CallerProgress } from "./caller-progress.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { isNodeLost } from "./media-reason.ts";
import type { MediaKeeper } from "./media-keeper.ts";
import type { Takeover } from "./takeover.ts";

/**
 * Takes the callee's answer to rtpengine, or the call to another one when that is lost.
 *
 * @returns the SDP for the caller
 * @throws MediaError
 */
export async function joinedAnswer(join: {
  readonly media: MediaSession;
  readonly keeper: MediaKeeper;
  /** Of a caller that comes from another call. */
  readonly takeover: Takeover | undefined;
  readonly callee: DialogEnd;
  readonly attempt: Attempt;
  /** What the callee has answered. */
  readonly sdp: string;
  /** What the caller has got as early media, and what it offers. */
  readonly progress: CallerProgress;
  isOver(): boolean;
  onMoved(why: string): void;
}): Promise<string> {
  const { media, keeper, callee, attempt, sdp, progress } = join;
  const { exchange } = attempt;
  const callerOffer = progress.offers.sdp;
  if (join.takeover !== undefined) return join.takeover.bring(exchange, sdp);
  // Its ACK will bring the answer to what the callee offers.
  if (callerOffer === undefined) {
    const { offerer, answerer } = exchange;
    return media.offer({ ...exchange, offerer: answerer, answerer: offerer }, sdp);
  }
  const early = progress.sdp;
  // A caller that has heard early media has an answer already; the call moves once it is joined.
  if (!keeper.isLost) {
    // An offer of its own before it answered is the last word.
    if (early !== undefined && sdp === progress.agreed) return early;
    try {
      return await progress.offers.bring(attempt, sdp);
    } catch (error) {
      if (!isNodeLost(error)) throw error;
      keeper.move("its rtpengine was lost while it rang");
    }
  }
  if (early !== undefined) return early;
  if (join.isOver()) return media.answer(exchange, sdp);
  // The callee was offered a port that is gone: it gets another one before the caller hears of it.
  const move = await media.move();
  const toCallee = await media.offer(exchange, callerOffer);
  const result = await callee.dialog.reinvite(toCallee);
  if (!result.ok || result.sdp === undefined) {
    throw new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "the callee could not be moved");
  }
  callee.localSdp = toCallee;
  callee.remoteSdp = result.sdp;
  const answer = await media.answer(exchange, result.sdp);
  await move.keep();
  keeper.onMoved();
  join.onMoved("its rtpengine was lost while it rang");
  return answer;
}
