import { LazyMap } from "../core/lazy-map.ts";
import type { Logger } from "../core/logger.ts";
import { speechCodecsOf } from "../media/codecs.ts";
import { directionOf, withDirection, type MediaDirection } from "../media/direction.ts";
import { MediaError } from "../media/errors.ts";
import { withFirstSpeech } from "../media/promised-codec.ts";
import { isSoundInPlace } from "../media/same-transport.ts";
import type { Exchange, MediaLeg, MediaSession, ServiceEndpoint } from "../media/session.ts";
import { offersVideo } from "../media/video.ts";
import type {
  IncomingInvite,
  IncomingInviteHandler,
  IncomingReinvite,
} from "../signaling/engine.ts";
import type { Attempt } from "./attempt.ts";
import { answerFor, offerForPeer } from "./hold.ts";
import { reasonOfMediaError } from "./media-reason.ts";
import { answerOfNobody, FIRST_LEG, NOBODY_LEG, OFFER_OF_NOBODY } from "./nobody.ts";

/** What is to be known of an attempt whose callee speaks before or as it answers. */
export type AnsweringAttempt = Pick<Attempt, "exchange" | "state" | "callerSdp" | "localSdp">;

/** On whose behalf the caller has the answer that it has. */
type Answerer =
  | { readonly kind: "callee"; readonly attempt: AnsweringAttempt; readonly sdp: string }
  | { readonly kind: "service"; readonly exchange: Exchange; readonly service: ServiceEndpoint }
  | { readonly kind: "nobody"; readonly exchange: Exchange };

/** What rtpengine was last given for an attempt in place of the offer that the attempt began with. */
interface Fitted {
  readonly offer: string;
  readonly codec: string | undefined;
}

/**
 * What the caller offers, from its INVITE to the answer. It may offer again as soon as it has our
 * answer reliably, in UPDATE (RFC 3311 §5.1) or PRACK (RFC 3262 §5): another port, a hold, fewer
 * codecs. rtpengine stands between, so we answer for the callee, who is not asked: what it has must
 * hold, else 488, and everything stays as it was. Whoever answers later is brought to the newest
 * offer.
 *
 * A caller that brings no offer and takes nothing but reliable responses is offered something by us,
 * before anybody is called; its answer is then what it offers.
 *
 * It owns the order in which the caller's media is changed before the call is answered.
 */
export class CallerOffers {
  readonly #invite: Pick<IncomingInvite, "sdp" | "needsEarlyOffer" | "progress">;
  readonly #media: MediaSession;
  readonly #logger: Logger;
  readonly #fitted = new LazyMap<AnsweringAttempt, Fitted>();
  #sdp: string | undefined;
  #answerer: Answerer | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Our offer in place of a late one: what follows its answer. */
  #begun: { readonly exchange: Exchange; readonly hunt: () => void } | undefined;
  /** What the caller was last told is an offer of ours, and the answer to nothing. */
  #isToldOffer = false;
  #hasHeard = false;
  /** Counts the early dialogs of the caller. */
  #round = 0;

  /** What the caller has last been sent before the call is answered. */
  told: string | undefined;

  constructor(
    invite: Pick<IncomingInvite, "sdp" | "needsEarlyOffer" | "progress">,
    media: MediaSession,
    logger: Logger,
  ) {
    this.#invite = invite;
    this.#media = media;
    this.#logger = logger;
    this.#sdp = invite.sdp;
  }

  /** What the engine tells of the caller's SDPs. */
  get handler(): Required<Pick<IncomingInviteHandler, "onReinvite" | "onEarlyAnswer">> {
    return {
      onReinvite: (offer) => this.receive(offer),
      onEarlyAnswer: (sdp) => void this.inTurn(() => this.#onEarlyAnswer(sdp)),
    };
  }

  /** Whether what the caller wants is still to come, in its ACK. */
  get isLate(): boolean {
    return this.#sdp === undefined;
  }

  /** Whether the caller has been joined to somebody, or to a sound of ours. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  /** The newest offer; undefined with a late one. */
  get sdp(): string | undefined {
    return this.#sdp;
  }

  /** Of the newest offer, where the caller has changed its mind since its INVITE. */
  get direction(): MediaDirection | undefined {
    return this.#sdp === undefined || !this.#isNew ? undefined : directionOf(this.#sdp);
  }

  /**
   * Makes a caller that needs it an offer of ours (RFC 3262 §5), so that it hears what becomes of its
   * call. Not one that encrypts: its keys have to be those of the answer to its offer.
   *
   * @param hunt begins to look for a callee: at once, or when that caller has answered
   */
  begin(leg: MediaLeg, hunt: () => void): void {
    const isPlain = leg.kind === "rtp" && (leg.srtp ?? "off") === "off";
    if (this.#invite.needsEarlyOffer !== true || !isPlain) {
      hunt();
      return;
    }
    const exchange = { offerer: FIRST_LEG, answerer: leg, branch: FIRST_LEG.tag };
    this.#begun = { exchange, hunt };
    void this.inTurn(() => this.#offerFirst(exchange, hunt));
  }

  /** Runs what changes the caller's media, one after the other. */
  inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Resolves when nothing is being changed. Never throws. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** An offer in an UPDATE or PRACK. */
  receive(offer: IncomingReinvite): void {
    void this.inTurn(() => this.#take(offer));
  }

  /**
   * Negotiates the answer of the call. An offer that comes meanwhile is answered before the call is
   * (RFC 3261 §13.2.1: one exchange at a time).
   *
   * @returns what `negotiate` brings, or the answer to that offer
   * @throws what `negotiate` throws
   */
  async conclude(negotiate: () => Promise<string>): Promise<string> {
    const sdp = await this.inTurn(negotiate);
    const { told } = this;
    await this.settled();
    return this.told === told ? sdp : (this.told ?? sdp);
  }

  /**
   * Takes an answer of a callee's to rtpengine, for the newest offer. To be called in turn.
   *
   * @returns the SDP for the caller
   * @throws MediaError
   */
  async bring(attempt: AnsweringAttempt, sdp: string): Promise<string> {
    const offer = this.#sdp;
    if (offer !== undefined && this.#isBehind(attempt, sdp)) await this.#fit(attempt, sdp, offer);
    const answer = await this.#media.answer(attempt.exchange, sdp);
    this.#becomes({ kind: "callee", attempt, sdp });
    return this.#isNew && offer !== undefined ? answerFor(offer, answer) : answer;
  }

  /** The callee of early media has said something else, in an offer that has been answered. */
  calleeSaid(attempt: AnsweringAttempt, sdp: string): void {
    // rtpengine has its offer now, and not the caller's.
    this.#fitted.delete(attempt);
    this.#becomes({ kind: "callee", attempt, sdp });
  }

  /** What the callee last said whose early media the caller hears. */
  saidBy(attempt: AnsweringAttempt): string | undefined {
    const answerer = this.#answerer;
    const isIt = answerer?.kind === "callee" && answerer.attempt === attempt;
    return isIt ? answerer.sdp : undefined;
  }

  /**
   * Brings the caller to a service of ours. To be called in turn.
   *
   * @returns the SDP for the caller
   * @throws MediaError
   */
  async serve(service: ServiceEndpoint, exchange: Exchange): Promise<string> {
    const offer = this.#sdp;
    if (offer === undefined) throw new MediaError("ERR_OFFHOOK_MEDIA_SDP", "there is no offer");
    const answer = await this.#askService(service, exchange, offer);
    this.#becomes({ kind: "service", exchange, service });
    return this.#isNew ? answerFor(offer, answer) : answer;
  }

  /** The caller has lost its early dialog (RFC 6228), and with it what it has offered there. */
  restart(): void {
    this.#round += 1;
    this.#sdp = this.#invite.sdp;
    this.told = undefined;
    this.#becomes(undefined);
    this.#hasHeard = false;
  }

  get #isNew(): boolean {
    return this.#sdp !== this.#invite.sdp;
  }

  async #offerFirst(exchange: Exchange, hunt: () => void): Promise<void> {
    try {
      this.told = await this.#media.offer(exchange, OFFER_OF_NOBODY, "sendrecv");
      this.#isToldOffer = true;
      this.#invite.progress(183, { sdp: this.told });
    } catch {
      // It is a late offer like any other, then: whoever answers makes it.
      hunt();
    }
  }

  async #onEarlyAnswer(sdp: string): Promise<void> {
    const begun = this.#begun;
    if (begun === undefined) return;
    this.#begun = undefined;
    const { exchange } = begun;
    // It sends its first choice, whoever answers in the end.
    this.#sdp = withFirstSpeech(sdp);
    this.#becomes({ kind: "nobody", exchange: withNobody(exchange.answerer) });
    // One that cannot be used fails the call once it is offered to somebody.
    await this.#media.answer(exchange, sdp).catch(() => {});
    begun.hunt();
  }

  /** Never throws. */
  async #take(offer: IncomingReinvite): Promise<void> {
    const { sdp } = offer;
    const [before, told, round] = [this.#sdp, this.told, this.#round];
    const answerer = this.#whoAnswers();
    if (sdp === undefined || before === undefined || told === undefined || answerer === undefined) {
      offer.reject(488);
      return;
    }
    if (sdp === before && !this.#isToldOffer) {
      offer.accept(told);
      return;
    }
    try {
      const answer = answerFor(sdp, await this.#negotiate(answerer, sdp));
      if (round !== this.#round) {
        offer.reject(481);
        return;
      }
      this.#sdp = sdp;
      this.told = answer;
      this.#becomes(answerer);
      this.#isToldOffer = false;
      offer.accept(answer);
    } catch (error) {
      const reason = reasonOfMediaError(error);
      this.#logger.warn("an early change of the caller's media failed", { reason: reason.text });
      // RFC 3311 §5.2: the session stays as it was.
      await this.#negotiate(answerer, before).catch(() => {});
      if (round === this.#round) this.#becomes(answerer);
      offer.reject(reason.sipStatus, { reason });
    }
  }

  /** A callee that has gone answers nothing any more, and its ports may be another's by now. */
  #whoAnswers(): Answerer | undefined {
    const answerer = this.#answerer;
    if (answerer?.kind !== "callee" || answerer.attempt.state !== "ended") return answerer;
    const { offerer, policy } = answerer.attempt.exchange;
    return { kind: "nobody", exchange: { ...withNobody(offerer), policy } };
  }

  /** @returns the SDP for the caller, as rtpengine makes it */
  async #negotiate(answerer: Answerer, offer: string): Promise<string> {
    switch (answerer.kind) {
      case "callee": {
        const { attempt, sdp } = answerer;
        const toCallee = await this.#fit(attempt, sdp, offer);
        if (!isSoundInPlace(attempt.localSdp ?? "", toCallee)) {
          throw new MediaError("ERR_OFFHOOK_MEDIA_SDP", "the callee would have to be asked");
        }
        return this.#media.answer(attempt.exchange, sdp);
      }
      case "service":
        return this.#askService(answerer.service, answerer.exchange, offer);
      case "nobody": {
        const toNobody = await this.#media.offer(answerer.exchange, offer);
        const answer = await this.#media.answer(answerer.exchange, answerOfNobody(toNobody));
        // As it will be once somebody is there.
        return withDirection(answer, "sendrecv");
      }
    }
  }

  async #askService(service: ServiceEndpoint, exchange: Exchange, offer: string): Promise<string> {
    const toService = await this.#media.offer(exchange, offer);
    return this.#media.answer(exchange, await service.answer(toService));
  }

  /** Whether what rtpengine has of the caller for this attempt is not what it offers now. */
  #isBehind(attempt: AnsweringAttempt, sdp: string): boolean {
    const fitted = this.#fitted.get(attempt);
    if (fitted === undefined) return attempt.callerSdp !== this.#sdp;
    return fitted.offer !== this.#sdp || fitted.codec !== speechCodecsOf(sdp)[0];
  }

  /**
   * Gives rtpengine an offer for a callee that will not see it, because it has spoken already.
   *
   * @param said by the callee: its codec stays, and rtpengine makes it fit
   * @returns what the callee would have to be sent
   */
  async #fit(attempt: AnsweringAttempt, said: string, offer: string): Promise<string> {
    const { exchange } = attempt;
    const [codec] = speechCodecsOf(said);
    const answerer = {
      ...exchange.answerer,
      ...(codec !== undefined && { codecs: [codec] }),
      video: exchange.answerer.video === true && offersVideo(said),
    };
    const toCallee = await this.#media.offer({ ...exchange, answerer }, offerForPeer(offer, true));
    this.#fitted.set(attempt, { offer, codec });
    return toCallee;
  }

  #becomes(answerer: Answerer | undefined): void {
    const before = this.#answerer;
    this.#answerer = answerer;
    if (answerer !== undefined && answerer.kind !== "nobody") this.#hasHeard = true;
    if (before?.kind !== "nobody" || answerer?.kind === "nobody") return;
    void this.#media.dropBranch(before.exchange.branch);
  }
}

function withNobody(caller: MediaLeg): Exchange {
  return { offerer: caller, answerer: NOBODY_LEG, branch: NOBODY_LEG.tag };
}
