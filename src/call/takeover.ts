import { MediaError } from "../media/errors.ts";
import { withDirection } from "../media/direction.ts";
import type { CodecPolicy, Exchange, MediaLeg, MediaMove, MediaSession } from "../media/session.ts";
import type { ExtraHeaders } from "../signaling/engine.ts";
import type { EndReason } from "../core/end-reason.ts";
import type { EndSdps } from "./call-end.ts";
import type { Handover, Leaving } from "./leaving.ts";
import type { CallView } from "./record.ts";

/** How a call begins that goes on with ends of other calls. */
export interface TakenEnds {
  readonly caller?: Leaving | undefined;
  readonly callee?: Leaving | undefined;
  /** Calls that were made one from another before this one. */
  readonly depth: number;
  readonly from: CallView["transferredFrom"];
  /** What a trunk is told of the transfer. */
  readonly headersFor?: (trunkId: string) => ExtraHeaders;
  readonly onHandover: (handover: Handover) => void;
}

const CALLER_TAG = "caller";
const CALLEE_TAG = "callee-1";

/**
 * The ends that a call takes over from other calls: its caller (a transfer), its callee (Replaces),
 * or both (a transfer with consultation). Their media goes on in a new rtpengine call, with new
 * ports and keys, so each of them is asked by re-INVITE; the calls that they come from keep
 * everything until that has worked.
 */
export class Takeover {
  readonly caller: Leaving | undefined;
  readonly callee: Leaving | undefined;
  readonly #media: MediaSession;
  readonly #onHandover: (handover: Handover) => void;
  readonly #move: Promise<MediaMove>;
  /** What the callee was sent and answered. */
  #calleeSdps: EndSdps | undefined;
  /** What the caller has answered. */
  #callerSdp: string | undefined;

  constructor(
    options: Pick<TakenEnds, "caller" | "callee" | "onHandover"> & { readonly media: MediaSession },
  ) {
    const { media, caller, callee } = options;
    this.#media = media;
    this.caller = caller;
    this.callee = callee;
    this.#onHandover = options.onHandover;
    if (caller !== undefined) media.adopt(CALLER_TAG, caller.media, caller.end.leg.tag);
    if (callee !== undefined) media.adopt(CALLEE_TAG, callee.media, callee.end.leg.tag);
    this.#move = media.move();
    // Whoever offers first hears of a failure too.
    this.#move.catch(() => {});
  }

  get calleeSdps(): EndSdps {
    return this.#calleeSdps ?? { remoteSdp: undefined, localSdp: undefined };
  }

  get callerSdp(): string | undefined {
    return this.#callerSdp;
  }

  /** The exchange with the callee that is taken over. */
  exchangeWith(caller: MediaLeg, callee: MediaLeg, policy: CodecPolicy): Exchange {
    const answerer = { ...callee, tag: CALLEE_TAG };
    const isStandIn = this.caller !== undefined;
    return { offerer: caller, answerer, branch: CALLEE_TAG, policy, isStandIn };
  }

  /**
   * Asks the callee by re-INVITE, and then the caller, if that is taken over too.
   *
   * @param offer of the caller, or what stands in for it
   * @returns what the caller is to be sent, or was sent
   * @throws MediaError
   */
  async join(callee: Leaving, exchange: Exchange, offer: string | undefined): Promise<string> {
    if (offer === undefined) {
      throw new MediaError("ERR_OFFHOOK_MEDIA_SDP", "an INVITE with Replaces needs an offer");
    }
    this.#media.adopt(CALLEE_TAG, callee.media, callee.end.leg.tag);
    const localSdp = await this.#media.offer(exchange, offer);
    const remoteSdp = await ask(callee, localSdp);
    this.#calleeSdps = { localSdp, remoteSdp };
    return this.bring(exchange, remoteSdp);
  }

  /**
   * Brings the caller to somebody who has answered. The SDP of a caller that is taken over stood in
   * for it so far; any other one gets its answer.
   *
   * @returns what the caller is to be sent, or was sent
   * @throws MediaError
   */
  async bring(exchange: Exchange, answer: string): Promise<string> {
    const answered = await this.#media.answer(exchange, answer);
    const { caller } = this;
    if (caller === undefined) return answered;
    this.#media.adopt(CALLER_TAG, caller.media, caller.end.leg.tag);
    const { offerer, answerer, branch, policy } = exchange;
    const back: Exchange = { offerer: answerer, answerer: offerer, branch, policy };
    const localSdp = await this.#media.offer(back, withDirection(answer, "sendrecv"));
    this.#callerSdp = await ask(caller, localSdp);
    // The callee has been told already where the caller is heard.
    await this.#media.answer(back, this.#callerSdp);
    return localSdp;
  }

  /**
   * Everybody has gone over: the calls that they come from let them go.
   *
   * @returns whether one of those was being recorded
   */
  complete(): boolean {
    let isRecorded = false;
    for (const leaving of [this.caller, this.callee]) {
      if (leaving === undefined) continue;
      const handover = leaving.complete();
      isRecorded ||= handover.isRecorded;
      this.#onHandover(handover);
    }
    void this.#move.then((move) => move.keep());
    return isRecorded;
  }

  /** The ends stay where they were. Does nothing after `complete`. */
  abandon(reason: EndReason): void {
    this.caller?.abandon(reason);
    this.callee?.abandon(
      reason,
      this.#calleeSdps !== undefined ? { media: this.#media, tag: CALLEE_TAG } : undefined,
    );
  }
}

/** Sends an offer to an end that is about to leave its call. @throws MediaError */
async function ask(leaving: Leaving, offer: string): Promise<string> {
  leaving.begin();
  const result = await leaving.end.dialog.reinvite(offer);
  if (result.ok && result.sdp !== undefined) return result.sdp;
  const status = result.ok ? 488 : result.reason.sipStatus;
  throw new MediaError(
    "ERR_OFFHOOK_MEDIA_REFUSED",
    `an end did not take the media of its new call (${status})`,
  );
}
