import type { EndReason } from "../core/end-reason.ts";
import type { Exchange, MediaLeg, MediaSession } from "../media/session.ts";
import { offersVideo } from "../media/video.ts";
import type {
  Dialog,
  ExtraHeaders,
  Identity,
  IncomingInvite,
  IncomingReinvite,
  IncomingRequest,
  InviteFailure,
  InviteTarget,
  OutgoingInvite,
  ProvisionalResponse,
} from "../signaling/engine.ts";
import { mayFailOver, reasonForCaller, refusesMedia } from "./cause.ts";
import { callRefused } from "./channels.ts";
import type { CodecChoice } from "./codec-choice.ts";
import type { CallContext } from "./context.ts";
import { reasonOfMediaError } from "./media-reason.ts";
import { identifyCallee, type CallerIdentity } from "./presentation.ts";
import { partyOf } from "./refused.ts";
import { trickleFields } from "./trickle-ice.ts";

/** What an attempt tells the hunt that made it. `onAnswered` or `onFailed` comes once, last. */
export interface AttemptHandler {
  onProgress(attempt: Attempt, response: ProvisionalResponse): void;
  /** The handler attaches to the dialog before it returns. */
  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void;
  onFailed(attempt: Attempt, reason: EndReason, mayFailOver: boolean): void;
  /** In place of `onFailed`: the far end asks the caller, and not us, who it is. */
  onChallenged(attempt: Attempt, reason: EndReason, challenge: ExtraHeaders): void;
  /** An INFO of the callee's before it answers. The handler responds. */
  onInfo(attempt: Attempt, request: IncomingRequest): void;
  /** An offer of the callee's before it answers, in UPDATE (RFC 3311). The handler answers it. */
  onEarlyOffer(attempt: Attempt, offer: IncomingReinvite): void;
}

type AttemptState = "offering" | "trying" | "ringing" | "answered" | "ended";

/**
 * One outgoing INVITE to one contact or trunk, with its own branch and offer in the media session,
 * so that forks and failover leave the caller's media alone.
 */
export class Attempt {
  readonly target: InviteTarget;
  /** Whether the call is recorded when this attempt answers; undefined: as before. */
  readonly isRecorded: boolean | undefined;
  readonly codecs: CodecChoice;
  /** The caller's own header fields that go on to the callee. */
  readonly crossing: ExtraHeaders;
  readonly #hasAlternative: boolean;
  readonly #context: CallContext;
  readonly #media: MediaSession;
  readonly #handler: AttemptHandler;
  readonly #from: Identity;
  readonly #to: Identity;
  readonly #headers: ExtraHeaders | undefined;
  readonly #onBehalfOf: IncomingInvite;
  #exchange: Exchange;
  #state: AttemptState = "offering";
  #invite: OutgoingInvite | undefined;
  #callerOffer: () => string | undefined = () => undefined;
  #callerSdp: string | undefined;
  #localSdp: string | undefined;

  constructor(options: {
    readonly context: CallContext;
    readonly media: MediaSession;
    readonly handler: AttemptHandler;
    readonly caller: MediaLeg;
    readonly isStandIn: boolean;
    readonly leg: MediaLeg;
    readonly target: InviteTarget;
    readonly codecs: CodecChoice;
    readonly from: Identity;
    readonly to: Identity;
    readonly headers?: ExtraHeaders | undefined;
    /** Of `headers`, those of the caller's own. Default none. */
    readonly crossing?: ExtraHeaders;
    /** Whether others are tried when the target says nothing. Default false. */
    readonly hasAlternative?: boolean;
    /** The call that this attempt is made for: a loop is found by it. */
    readonly onBehalfOf: IncomingInvite;
    readonly isRecorded: boolean | undefined;
  }) {
    this.#context = options.context;
    this.#media = options.media;
    this.#handler = options.handler;
    this.target = options.target;
    this.codecs = options.codecs;
    this.crossing = options.crossing ?? [];
    this.#hasAlternative = options.hasAlternative ?? false;
    this.#exchange = {
      offerer: options.caller,
      answerer: options.leg,
      branch: options.leg.tag,
      policy: options.codecs.policy,
      isStandIn: options.isStandIn,
    };
    this.#from = options.from;
    this.#to = options.to;
    this.#headers = options.headers;
    this.#onBehalfOf = options.onBehalfOf;
    this.isRecorded = options.isRecorded;
  }

  get exchange(): Exchange {
    return this.#exchange;
  }

  get leg(): MediaLeg {
    return this.#exchange.answerer;
  }

  /** Who is called, as one who calls others. */
  get callee(): CallerIdentity {
    return identifyCallee(this.target, this.#context);
  }

  get state(): AttemptState {
    return this.#state;
  }

  /** What the caller offered when the callee was called. */
  get callerSdp(): string | undefined {
    return this.#callerSdp;
  }

  /** What the callee has last been sent; undefined when it is asked for an offer. */
  get localSdp(): string | undefined {
    return this.#localSdp;
  }

  /** The callee's own offer has been answered. */
  answered(sdp: string): void {
    this.#localSdp = sdp;
  }

  /** Our INVITE, once it has been sent and until it is answered. */
  get invite(): OutgoingInvite | undefined {
    return this.#invite;
  }

  /** @param callerOffer what the caller offers now; undefined asks the callee for one (late offer) */
  async start(callerOffer: () => string | undefined): Promise<void> {
    const callerSdp = callerOffer();
    this.#callerOffer = callerOffer;
    this.#callerSdp = callerSdp;
    let sdp: string | undefined;
    if (callerSdp !== undefined) {
      try {
        sdp = await this.#media.offer(this.exchange, callerSdp);
      } catch (error) {
        if (this.#state === "offering") this.#fail(reasonOfMediaError(error), false);
        return;
      }
      // The caller may have hung up while rtpengine worked.
      if (this.#state !== "offering") return;
    }
    this.#state = "trying";
    this.#localSdp = sdp;
    this.#invite = this.#context.engine.invite(
      {
        target: this.target,
        from: this.#from,
        to: this.#to,
        sdp,
        headers: [...(this.#headers ?? []), ...trickleFields(this.leg)],
        ...(this.#hasAlternative && { hasAlternative: true }),
        onBehalfOf: this.#onBehalfOf,
      },
      {
        onProvisional: (response) => this.#onProvisional(response),
        onAccepted: (dialog, answer) => {
          this.#state = "answered";
          // A call lasts longer than what its INVITE has been.
          this.#invite = undefined;
          this.#handler.onAnswered(this, dialog, answer);
        },
        onRequest: (request) => this.#handler.onInfo(this, request),
        onReinvite: (offer) => this.#handler.onEarlyOffer(this, offer),
        onFailed: (failure) => this.#onFailed(failure),
      },
    );
  }

  /** Sends an INFO before the answer. @returns the final status */
  async sendInfo(content: {
    readonly contentType: string;
    readonly body: Buffer;
  }): Promise<number> {
    return (await this.#invite?.info?.(content)) ?? 481;
  }

  /** Gives up. `onFailed` does not follow. */
  cancel(reason: EndReason): void {
    if (this.#state === "ended" || this.#state === "answered") return;
    this.#state = "ended";
    this.#invite?.cancel(reason);
    void this.#media.dropBranch(this.exchange.branch);
  }

  #onProvisional(response: ProvisionalResponse): void {
    if (this.#state !== "trying" && this.#state !== "ringing") return;
    if (response.status > 100) this.#state = "ringing";
    this.#handler.onProgress(this, response);
  }

  #onFailed(failure: InviteFailure): void {
    if (this.#state === "ended") return;
    if (refusesMedia(failure.reason) && offersVideo(this.#localSdp ?? "")) {
      void this.#offerSoundAlone();
      return;
    }
    const hasRung = this.#state === "ringing";
    if (failure.challenge !== undefined) {
      this.#state = "ended";
      void this.#media.dropBranch(this.exchange.branch);
      this.#handler.onChallenged(this, failure.reason, failure.challenge);
      return;
    }
    if (failure.cause === "response" && failure.reason.sipStatus < 400) {
      // A redirect is not followed: where it leads to is the far end's wish, and the caller's cost.
      const { calledNumber } = this.#onBehalfOf;
      callRefused.publish({ reason: "foreign", from: partyOf(this.#onBehalfOf), to: calledNumber });
    }
    this.#fail(reasonForCaller(failure, hasRung), mayFailOver(failure, hasRung));
  }

  /**
   * A telephone without video should reject that one section (RFC 3264 §6); some refuse the call. It
   * is called once more, without: with an offer of its own, for rtpengine counts sections.
   */
  async #offerSoundAlone(): Promise<void> {
    const { branch, answerer } = this.#exchange;
    this.#exchange = {
      ...this.#exchange,
      answerer: { ...answerer, video: false },
      branch: `${branch}-sound`,
    };
    this.#state = "offering";
    void this.#media.dropBranch(branch);
    await this.start(this.#callerOffer);
  }

  #fail(reason: EndReason, canFailOver: boolean): void {
    this.#state = "ended";
    void this.#media.dropBranch(this.exchange.branch);
    this.#handler.onFailed(this, reason, canFailOver);
  }
}
