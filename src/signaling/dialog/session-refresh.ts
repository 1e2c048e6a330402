import type { ReinviteResult } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogRequests } from "./dialog-requests.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import type { FarEnd } from "./far-end.ts";
import type { SessionOffer } from "./session-terms.ts";
import { SessionTimer } from "./session-timer.ts";
import type { SessionTimerPort } from "./session-timer.ts";

/** What keeping a session alive needs of its dialog. */
export interface SessionRefreshPort {
  /** The dialog is confirmed and not about to end. */
  isReady(): boolean;
  /** What the far end was last sent; undefined while it was sent nothing. */
  localSdp(): string | undefined;
  reinvite(sdp: string): Promise<ReinviteResult>;
  /** Fields that every UPDATE of ours has. */
  updateFields(): readonly HeaderField[];
  /** A 2xx to our UPDATE. */
  onRefreshed(response: SipResponse): void;
  /** Our UPDATE was refused or had no answer: may end the dialog. */
  onRefused(outcome: ExchangeOutcome): void;
  onExpired(): void;
}

/**
 * Keeps a session alive (RFC 4028): runs its timer, and refreshes by UPDATE where the far end
 * allows it, else by a re-INVITE that changes nothing.
 */
export class SessionRefresh implements SessionTimerPort {
  readonly #requests: DialogRequests;
  readonly #far: FarEnd;
  readonly #portOf: () => SessionRefreshPort;
  readonly #timer: SessionTimer;

  constructor(
    context: DialogContext,
    options: {
      readonly offer: SessionOffer;
      readonly requests: DialogRequests;
      readonly far: FarEnd;
      /** Asked when it is needed: most calls end before their first refresh. */
      readonly port: () => SessionRefreshPort;
    },
  ) {
    this.#requests = options.requests;
    this.#far = options.far;
    this.#portOf = options.port;
    this.#timer = new SessionTimer(context, options.offer, this);
  }

  /** Of a re-INVITE or UPDATE of ours. */
  get requestFields(): readonly HeaderField[] {
    return this.#timer.requestFields;
  }

  /** 422 to an INVITE or UPDATE of the far end's; undefined lets it pass. */
  refusalOf(request: SipRequest): SipResponse | undefined {
    return this.#timer.refusalOf(request);
  }

  /** We answer an INVITE or UPDATE with 2xx. @returns what it says of the session */
  accept(request: SipRequest): readonly HeaderField[] {
    return this.#timer.accept(request);
  }

  /** A 2xx to an INVITE or UPDATE of ours. */
  onAccepted(response: SipResponse): void {
    this.#timer.onAccepted(response);
  }

  /** A 422 to one. @returns whether it may be sent again */
  onTooSmall(response: SipResponse): boolean {
    return this.#timer.onTooSmall(response);
  }

  stop(): void {
    this.#timer.stop();
  }

  onRefreshDue(): void {
    this.#refresh();
  }

  onExpired(): void {
    this.#portOf().onExpired();
  }

  #refresh(): void {
    if (!this.#portOf().isReady()) this.#timer.onRefreshFailed();
    else if (this.#far.allowsUpdate) this.#update();
    else this.#reinvite();
  }

  /** RFC 4028 §7.4: an UPDATE without an offer. */
  #update(): void {
    const fields = (): readonly HeaderField[] => [
      ...this.#portOf().updateFields(),
      ...this.#timer.requestFields,
    ];
    this.#requests.send("UPDATE", { fields }, (outcome) => this.#onUpdated(outcome));
  }

  /** RFC 4028 §7.4: what the far end has already, in the same version. */
  #reinvite(): void {
    const sdp = this.#portOf().localSdp();
    if (sdp === undefined) {
      this.#timer.onRefreshFailed();
      return;
    }
    void this.#portOf()
      .reinvite(sdp)
      .then((result) => {
        if (!result.ok) this.#timer.onRefreshFailed();
      });
  }

  #onUpdated(outcome: ExchangeOutcome): void {
    const status = outcome.kind === "response" ? outcome.response.statusCode : 408;
    if (outcome.kind === "response" && status < 300) {
      this.#portOf().onRefreshed(outcome.response);
      this.#timer.onAccepted(outcome.response);
    } else if (outcome.kind === "response" && this.#timer.onTooSmall(outcome.response)) {
      this.#refresh();
    } else if (status === 405 || status === 501) {
      this.#far.refusedUpdate();
      this.#refresh();
    } else {
      this.#portOf().onRefused(outcome);
      this.#timer.onRefreshFailed();
    }
  }
}
