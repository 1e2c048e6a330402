import type { Logger } from "../core/logger.ts";
import type { MediaSession } from "../media/session.ts";
import type { ExtraHeaders, IncomingInvite } from "../signaling/engine.ts";
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
   * Lets the caller hear what the callee sends before it answers.
   *
   * @param isOpen whether the caller still waits: `ringing`, or `joining` when somebody has answered
   */
  async joinEarly(
    attempt: Attempt,
    sdp: string,
    isOpen: (stage: "ringing" | "joining") => boolean,
  ): Promise<void> {
    try {
      const answer = await this.#media.answer(attempt.exchange, sdp);
      this.#early = attempt;
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
