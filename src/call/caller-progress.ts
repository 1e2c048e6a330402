import type { Logger } from "../core/logger.ts";
import { answerAgain } from "../media/answer-again.ts";
import { speechCodecsOf } from "../media/codecs.ts";
import { isSamePlace } from "../media/same-transport.ts";
import type { Exchange, MediaSession } from "../media/session.ts";
import type {
  ExtraHeaders,
  IncomingInvite,
  IncomingReinvite,
  ProvisionalResponse,
} from "../signaling/engine.ts";
import type { Attempt } from "./attempt.ts";
import { reasonOfMediaError } from "./media-reason.ts";

/** What the caller hears of the callees before one has answered: ringing, and early media. */
export class CallerProgress {
  readonly #invite: IncomingInvite;
  readonly #media: MediaSession;
  readonly #logger: Logger;
  readonly #fields: ExtraHeaders;
  #early: Attempt | undefined;
  #sdp: string | undefined;
  /** What plays was last agreed on with this SDP of the callee's. */
  #calleeSdp: string | undefined;
  #agreed: string | undefined;
  #joining: Promise<void> = Promise.resolve();
  #lastStatus = 0;

  /** @param fields of each response */
  constructor(
    invite: IncomingInvite,
    media: MediaSession,
    logger: Logger,
    fields: ExtraHeaders = [],
  ) {
    this.#invite = invite;
    this.#media = media;
    this.#logger = logger;
    this.#fields = fields;
  }

  /** Whose early media plays. */
  get early(): Attempt | undefined {
    return this.#early;
  }

  /** SDP last sent to the caller in a provisional response. */
  get sdp(): string | undefined {
    return this.#sdp;
  }

  /** The callee's last offer that has been answered before it answered the call. */
  get agreed(): string | undefined {
    return this.#agreed;
  }

  /** Resolves when no early media is being joined. Never throws. */
  settled(): Promise<void> {
    return this.#joining;
  }

  send(status: number, sdp: string | undefined): void {
    const isNews = status !== this.#lastStatus || sdp !== this.#sdp;
    // Once early media plays, a 180 without SDP must not stop it.
    if (!isNews || (this.#sdp !== undefined && sdp === undefined)) return;
    this.#lastStatus = status;
    this.#sdp = sdp;
    this.#invite.progress(status, {
      ...(sdp !== undefined && { sdp }),
      headers: this.#fields,
    });
  }

  /** The caller has lost its early dialog: ringing begins anew. */
  restart(): void {
    this.#sdp = undefined;
    this.#lastStatus = 0;
  }

  /**
   * Tells the caller of a callee's response, and lets it hear what the callee sends before it
   * answers.
   *
   * @param caller.isHeard whether that may be
   * @param caller.isOpen whether the caller still waits: `ringing`, or `joining` when somebody has
   *   answered
   */
  onProgress(
    attempt: Attempt,
    { status, sdp }: ProvisionalResponse,
    caller: {
      readonly isHeard: boolean;
      readonly isOpen: (stage: "ringing" | "joining") => boolean;
    },
  ): void {
    if (sdp === undefined || !caller.isHeard) this.send(status === 183 ? 180 : status, undefined);
    else this.#joining = this.#join(attempt, sdp, caller.isOpen);
  }

  /**
   * Answers an offer of the callee's before it answers the call (RFC 3311 §5.2): it sends from
   * elsewhere, or with other codecs. The caller is not asked, so what it has must hold: else 488.
   */
  async answerOffer(attempt: Attempt, offer: IncomingReinvite): Promise<void> {
    await this.#joining;
    const [callerSdp, told] = [this.#invite.sdp, this.#sdp];
    if (
      attempt !== this.#early ||
      callerSdp === undefined ||
      told === undefined ||
      offer.sdp === undefined
    ) {
      offer.reject(488);
      return;
    }
    const { offerer, answerer } = attempt.exchange;
    const back: Exchange = {
      ...attempt.exchange,
      offerer: answerer,
      answerer: { ...offerer, codecs: speechCodecsOf(told).slice(0, 1) },
    };
    try {
      const toCaller = await this.#media.offer(back, offer.sdp);
      if (!isSamePlace(told, toCaller)) {
        await this.#media.answer(attempt.exchange, this.#calleeSdp ?? "");
        offer.reject(488);
        return;
      }
      const answer = await this.#media.answer(back, answerAgain(callerSdp, told));
      this.#calleeSdp = offer.sdp;
      this.#agreed = offer.sdp;
      attempt.answered(answer);
      offer.accept(answer);
    } catch (error) {
      const reason = reasonOfMediaError(error);
      this.#logger.warn("an early change of media failed", { reason: reason.text });
      offer.reject(reason.sipStatus, { reason });
    }
  }

  async #join(
    attempt: Attempt,
    sdp: string,
    isOpen: (stage: "ringing" | "joining") => boolean,
  ): Promise<void> {
    try {
      const answer = await this.#media.answer(attempt.exchange, sdp);
      this.#early = attempt;
      this.#calleeSdp = sdp;
      this.#agreed = undefined;
      // The callee may have answered meanwhile. Its answer waits its turn in the media session, so
      // the caller still hears of the two in their order.
      if (isOpen("ringing") || isOpen("joining")) this.send(183, answer);
    } catch (error) {
      // The final answer brings another chance; ringing is told all the same.
      const { text } = reasonOfMediaError(error);
      this.#logger.warn("early media could not be joined", { reason: text });
      if (isOpen("ringing")) this.send(180, undefined);
    }
  }
}
