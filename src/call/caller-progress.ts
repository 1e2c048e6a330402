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
import { CallerOffers } from "./caller-offers.ts";
import { reasonOfMediaError } from "./media-reason.ts";

/** What the caller hears of the callees before one has answered: ringing, and early media. */
export class CallerProgress {
  /** What the caller itself wants before it is answered. */
  readonly offers: CallerOffers;
  readonly #invite: IncomingInvite;
  readonly #media: MediaSession;
  readonly #logger: Logger;
  readonly #fields: ExtraHeaders;
  #early: Attempt | undefined;
  #agreed: string | undefined;
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
    this.offers = new CallerOffers(invite, media, logger);
  }

  /** Whose early media plays. */
  get early(): Attempt | undefined {
    return this.#early;
  }

  /** SDP last sent to the caller, in a provisional response or in answer to an offer of its own. */
  get sdp(): string | undefined {
    return this.offers.told;
  }

  /** The callee's last offer that has been answered before it answered the call. */
  get agreed(): string | undefined {
    return this.#agreed;
  }

  /** Resolves when no early media is being joined or changed. Never throws. */
  settled(): Promise<void> {
    return this.offers.settled();
  }

  send(status: number, sdp: string | undefined): void {
    const { told } = this.offers;
    const isNews = status !== this.#lastStatus || (sdp !== undefined && sdp !== told);
    const isHearing = told !== undefined && this.offers.hasHeard;
    // Once early media plays, a 180 without SDP must not stop it.
    if (!isNews || (isHearing && sdp === undefined)) return;
    this.#lastStatus = status;
    if (sdp !== undefined) this.offers.told = sdp;
    this.#invite.progress(status, {
      ...(sdp !== undefined && { sdp }),
      headers: this.#fields,
    });
  }

  /** The caller has lost its early dialog: ringing begins anew. */
  restart(): void {
    this.offers.restart();
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
    else void this.offers.inTurn(() => this.#join(attempt, sdp, caller.isOpen));
  }

  /**
   * Answers an offer of the callee's before it answers the call (RFC 3311 §5.2): it sends from
   * elsewhere, or with other codecs. The caller is not asked, so what it has must hold: else 488.
   */
  answerOffer(attempt: Attempt, offer: IncomingReinvite): Promise<void> {
    return this.offers.inTurn(() => this.#answerInTurn(attempt, offer));
  }

  async #answerInTurn(attempt: Attempt, offer: IncomingReinvite): Promise<void> {
    const { sdp: callerSdp, told } = this.offers;
    const said = this.offers.saidBy(attempt);
    if (
      said === undefined ||
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
        await this.#media.answer(attempt.exchange, said);
        offer.reject(488);
        return;
      }
      const answer = await this.#media.answer(back, answerAgain(callerSdp, told));
      this.offers.calleeSaid(attempt, offer.sdp);
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
      const answer = await this.offers.bring(attempt, sdp);
      this.#early = attempt;
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
