import type { EndReason } from "../core/end-reason.ts";
import { tryParseAnnouncement } from "../dialplan/announce.ts";
import type { Decision } from "../dialplan/decision.ts";
import type {
  Exchange,
  MediaLeg,
  MediaReport,
  MediaSession,
  ServiceEndpoint,
} from "../media/session.ts";
import type {
  Dialog,
  IncomingInvite,
  IncomingMessage,
  IncomingRefer,
  IncomingReinvite,
  IncomingRequest,
  ProvisionalResponse,
} from "../signaling/engine.ts";
import { Announcement } from "./announcement.ts";
import type { Attempt } from "./attempt.ts";
import { farEndOf, type EndSdps } from "./call-end.ts";
import { CallerProgress } from "./caller-progress.ts";
import { CANCELLED, completeReason, NORMAL_CLEARING, resultOf } from "./cause.ts";
import { callChanged, callEnded, callMedia, callStarted } from "./channels.ts";
import { chooseCodecs, choiceAfterReinvite, type CodecChoice } from "./codec-choice.ts";
import { CallTexts } from "./call-text.ts";
import { callerLeg, type CallContext } from "./context.ts";
import { Departure } from "./departure.ts";
import { DialogEnd, type DialogEndOwner } from "./dialog-end.ts";
import { digitPathOf, DigitRelay, type DigitPath } from "./digit-relay.ts";
import { CallSounds } from "./call-sounds.ts";
import { ANSWERED_ELSEWHERE, Hunt, type HuntHandler } from "./hunt.ts";
import { joinedAnswer } from "./joined-answer.ts";
import type { Leaving } from "./leaving.ts";
import { reasonOfMediaError } from "./media-reason.ts";
import { MediaKeeper } from "./media-keeper.ts";
import { silence, type RingingCall } from "./pickup.ts";
import { playRingBack } from "./ring-back.ts";
import { reanchor, type ReanchorOutcome } from "./reanchor.ts";
import type { CallerIdentity } from "./presentation.ts";
import { QualityWatch } from "./quality-watch.ts";
import type { CallView, TransferNote } from "./record.ts";
import { renegotiate, type Peer } from "./renegotiation.ts";
import {
  acknowledgeLate,
  createServiceOf,
  sdpForCaller,
  serviceExchange,
  type ServiceChoice,
} from "./service-call.ts";
import { SERVICE_LEG } from "./service-leg.ts";
import { rejectInvite } from "./refused.ts";
import { logEnded, Story } from "./story.ts";
import { Takeover, type TakenEnds } from "./takeover.ts";
import type { CallSurroundings, TransferringCall } from "./transfers.ts";
import { infoPackagesOf, takesTrickle, trickleFields } from "./trickle-ice.ts";

/**
 * `hunting`: looking for someone who answers; `answering`: someone did, media is being joined;
 * `connected`: both ends talk; `ended`: everything is given back.
 */
type CallState = "hunting" | "answering" | "connected" | "ended";

/**
 * One call from its INVITE to its record: the caller's leg, a hunt for the callee, and the two ends
 * bridged. Whatever happens behind it (forks, failover, a service), the caller sees one dialog.
 *
 * It owns its media session and gives it back exactly once, in `#end`, whichever side ends it and
 * in whichever state.
 */
export class Call implements HuntHandler, DialogEndOwner, TransferringCall, RingingCall {
  readonly id: string;
  readonly #context: CallContext;
  readonly #invite: IncomingInvite;
  readonly #callerLeg: MediaLeg;
  readonly #media: MediaSession;
  readonly #keeper: MediaKeeper;
  readonly #hunt: Hunt;
  readonly #story: Story;
  readonly #quality: QualityWatch;
  readonly #digits: DigitRelay;
  readonly #texts = new CallTexts();
  /** How codecs are chosen now, and how before the phone asked for anything. */
  #codecs: CodecChoice;
  #usualCodecs: CodecChoice;
  readonly #progress: CallerProgress;
  readonly #sounds: CallSounds;
  readonly #identity: CallerIdentity;
  readonly #surroundings: CallSurroundings;
  readonly transferDepth: number;
  /** The ends that come from other calls. */
  readonly #takeover: Takeover | undefined;
  readonly #departure: Departure;
  #release: () => void;
  readonly #onEnded: (call: Call) => void;
  #state: CallState = "hunting";
  #caller: DialogEnd | undefined;
  #callee: DialogEnd | undefined;
  #service: ServiceEndpoint | undefined;
  #announcement: Announcement | undefined;
  /** The exchange that joined the two ends; its branch serves every later one. */
  #exchange: Exchange | undefined;
  #isRenegotiating = false;
  #hangsUpAtOnce = false;
  /** Whether the route wants the call recorded; undefined: it does not say. */
  #isRecorded: boolean | undefined;

  constructor(options: {
    readonly id: string;
    readonly context: CallContext;
    readonly invite: IncomingInvite;
    readonly identity: CallerIdentity;
    readonly decision: Decision;
    /** Gives the call's places under the limits back. */
    readonly release: () => void;
    readonly onEnded: (call: Call) => void;
    readonly surroundings: CallSurroundings;
    readonly taken?: TakenEnds | undefined;
  }) {
    const { context, invite, decision, taken } = options;
    this.id = options.id;
    this.#identity = options.identity;
    this.#surroundings = options.surroundings;
    this.transferDepth = taken?.depth ?? 0;
    this.#context = context;
    this.#invite = invite;
    this.#release = options.release;
    this.#onEnded = options.onEnded;
    const trunk = invite.party.kind === "trunk" ? context.trunk(invite.party.trunkId) : undefined;
    this.#callerLeg = {
      ...(taken?.caller?.end.leg ?? callerLeg(invite, trunk, context)),
      tag: "caller",
    };
    const [callerTrunk, usual] = [trunk?.codecPolicy, context.codecPolicy];
    this.#usualCodecs = chooseCodecs({ callerTrunk, usual });
    this.#codecs = this.#usualCodecs;
    this.#media = context.media.createSession({
      policy: this.#codecs.policy,
      handler: {
        onDigit: (...event) => this.#digits.onEvent(...event),
        onNodeLost: (detail) => this.#onNodeLost(detail),
        onAnchorChanged: (leg, changed) => this.#onAnchorChanged(leg, changed),
      },
    });
    const log = context.logger.child({ call: options.id });
    this.#progress = new CallerProgress(invite, this.#media, log, trickleFields(this.#callerLeg));
    this.#takeover = taken && new Takeover({ ...taken, media: this.#media });
    this.#keeper = new MediaKeeper({
      media: this.#media,
      clock: context.clock,
      logger: log,
      pace: context.mediaPace,
      ends: () => this.#ends(),
      reanchor: (ends, isUseless) => this.#reanchor(ends, isUseless),
      told: (event, detail) => {
        this.#story.mediaChanged(event, detail);
        callMedia.publish({ call: this.id, event, detail });
        this.#publishChange();
      },
      end: (reason) => this.#end(reason, "gateway"),
    });
    this.#digits = new DigitRelay({
      media: this.#media,
      logger: log,
      clock: context.clock,
      path: () => this.#digitPath(),
      onCarried: () => this.#noteMedia(),
    });
    this.#quality = new QualityWatch({
      clock: context.clock,
      media: this.#media,
      farEndOf: (tag) => farEndOf(this.#exchange, tag),
      onChanged: (report) => {
        if (this.#state === "connected") this.#noteMedia(report);
      },
    });
    this.#story = new Story({
      id: options.id,
      clock: context.clock,
      invite,
      callerNumber: options.identity.shown.user,
      decision,
      codecs: this.#codecs,
      transferredFrom: taken?.from,
    });
    this.#sounds = new CallSounds({
      context,
      media: this.#media,
      callId: options.id,
      story: this.#story,
      onChange: () => this.#publishChange(),
      pair: () =>
        this.#state === "connected" && !this.#isBusy
          ? { branch: this.#exchange?.branch ?? "", policy: this.#codecs.policy }
          : undefined,
    });
    this.#departure = new Departure({
      id: options.id,
      media: this.#media,
      caller: () => this.#caller,
      callee: () => this.#callee,
      takePlaces: (whose) => this.#takePlaces(whose),
      // One that was picked up has nobody to record yet.
      isRecorded: () =>
        this.#callee === undefined ? this.#isRecorded === true : this.#sounds.isRecording,
      repair: () => this.#keeper.move("a transfer came to nothing"),
      end: (...how) => this.#end(...how),
    });
    this.#hunt = new Hunt({
      id: options.id,
      decision,
      context,
      media: this.#media,
      handler: this,
      caller: {
        invite,
        leg: this.#callerLeg,
        identity: options.identity,
        isStandIn: taken?.caller !== undefined,
        headersFor: taken?.headersFor,
        offer: () => this.#progress.offers.sdp,
      },
    });
  }

  start(): void {
    this.#invite.attach({
      onCancelled: (reason = CANCELLED) => this.#end(reason, "caller"),
      infoPackages: infoPackagesOf(this.#callerLeg),
      onRequest: (request) => this.#onInfo(this.#callerLeg, request),
      ...this.#progress.offers.handler,
    });
    if (callStarted.hasSubscribers) callStarted.publish(this.view());
    const takeover = this.#takeover;
    if (takeover?.callee !== undefined) this.#takeOver(takeover, takeover.callee);
    else this.#progress.offers.begin(this.#callerLeg, () => this.#hunt.start());
  }

  /** Ends the call from our side: an operator, or the end of a drain. */
  hangUp(reason: EndReason = NORMAL_CLEARING): void {
    this.#end(reason, "gateway");
  }

  view(): CallView {
    return this.#story.view();
  }

  /** As `view`; somebody looks closely, so what comes next is fresh. */
  look(): CallView {
    if (this.#state === "connected") this.#quality.refresh();
    return this.#story.view();
  }

  /** @returns false when the call is in no state for that */
  record(action: "start" | "stop"): boolean {
    if (action === "stop") return this.#sounds.stopRecording();
    const callee = this.#state === "connected" ? this.#callee : undefined;
    return callee !== undefined && this.#sounds.startRecording(this.#callerLeg, callee.leg);
  }

  noteTransfer(transfer: TransferNote): void {
    this.#story.transferNoted(transfer);
    this.#publishChange();
  }

  leaveFrom(end: DialogEnd): Leaving | undefined {
    const peer = this.#peerOf(end);
    const isFree = this.#state === "connected" && !this.#departure.isUnderWay;
    if (!isFree || this.#isRenegotiating || peer?.kind !== "dialog") return undefined;
    if (peer.end.remoteSdp === undefined || peer.end.isGone) return undefined;
    return this.#departure.begin(peer.end);
  }

  async pickUp(attempt: Attempt): Promise<Leaving | undefined> {
    if (!this.#isHunting()) return undefined;
    this.#hunt.cancel(ANSWERED_ELSEWHERE);
    await this.#progress.settled();
    if (!this.#isHunting()) return undefined;
    this.#story.note("picked up", attempt.leg.tag);
    this.#isRecorded = attempt.isRecorded;
    const ready = this.#departure.callerReady();
    const { early, sdp } = this.#progress;
    if (early === undefined || sdp === undefined) this.onService(silence());
    else {
      this.#state = "answering";
      this.#exchange = early.exchange;
      void this.#join(() => Promise.resolve(sdp));
    }
    return ready;
  }

  // The hunt

  onAttempt(attempt: Attempt): void {
    this.#story.attemptStarted(attempt);
  }

  onProgress(attempt: Attempt, response: ProvisionalResponse): void {
    if (this.#state !== "hunting") return;
    this.#surroundings.ringing.add(this, attempt);
    if (this.#story.attemptRang(attempt, response.status)) this.#publishChange();
    this.#progress.onProgress(attempt, response, {
      isHeard: !this.#progress.offers.isLate && this.#takeover === undefined,
      isOpen: (stage) => this.#state === (stage === "ringing" ? "hunting" : "answering"),
    });
  }

  onMovedOn(reason: EndReason): void {
    // RFC 6228: a caller with several early dialogs loses this one; ringing begins anew.
    if (this.#invite.endEarlyDialog?.(reason) === true) this.#progress.restart();
  }

  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void {
    const callee = this.#newEnd("callee", attempt.leg, dialog, attempt.callee, {
      remoteSdp: sdp,
      localSdp: attempt.localSdp,
    });
    this.#callee = callee;
    this.#exchange = attempt.exchange;
    this.#usualCodecs = attempt.codecs;
    this.#choose(attempt.codecs);
    this.#state = "answering";
    this.#isRecorded = attempt.isRecorded;
    this.#story.attemptAnswered(attempt, dialog);
    if (sdp === undefined) {
      this.#end({ sipStatus: 502, q850: 88, text: "The far end answered without SDP" }, "gateway");
      return;
    }
    void this.#join(() =>
      joinedAnswer({
        media: this.#media,
        keeper: this.#keeper,
        takeover: this.#takeover,
        callee,
        attempt,
        sdp,
        progress: this.#progress,
        isOver: () => this.#state !== "answering",
        onMoved: (why) => this.#story.note("media moved", why),
      }),
    );
  }

  onService(choice: ServiceChoice): void {
    this.#state = "answering";
    const isStandIn = this.#takeover?.caller !== undefined;
    const exchange = serviceExchange(this.#callerLeg, this.#progress.offers.isLate, isStandIn);
    this.#exchange = exchange;
    this.#story.serviceChosen(choice.kind);
    void this.#join(async () => {
      const service = await createServiceOf(choice, this.#context, {
        onFinished: () => this.#end(NORMAL_CLEARING, "callee"),
        onDigit: (digit) => this.#story.note("digit", digit),
      });
      if (this.#state === "ended") {
        service.close();
        return "";
      }
      this.#service = service;
      const answer = await sdpForCaller(this.#media, service, exchange, this.#progress.offers);
      return this.#takeover?.bring(exchange, service.sdp ?? "") ?? answer;
    });
  }

  onEarlyOffer(attempt: Attempt, offer: IncomingReinvite): void {
    void this.#progress.answerOffer(attempt, offer);
  }

  onInfo(attempt: Attempt, request: IncomingRequest): void {
    this.#digits.onInfo(attempt.leg.tag, request);
  }

  onExhausted(reason: EndReason, announce: string | undefined): void {
    const by = this.#story.hasCallee ? "callee" : "gateway";
    const isHeard = !this.#progress.offers.isLate && this.#takeover === undefined;
    if (announce === undefined || !isHeard || this.#state === "ended") {
      this.#end(reason, by);
      return;
    }
    this.#story.note("announcement", tryParseAnnouncement(announce) ?? "file");
    this.#announcement = new Announcement({
      context: this.#context,
      offers: this.#progress.offers,
      callerLeg: this.#callerLeg,
      progress: (sdp) => this.#progress.send(183, sdp),
      onOver: () => this.#end(reason, by),
    });
    void this.#announcement.start(announce, completeReason(reason));
  }

  onHangUp(): void {
    this.#hangsUpAtOnce = true;
    this.onService({ kind: "play", file: undefined });
  }

  // The two ends

  onEndConfirmed(end: DialogEnd, sdp: string | undefined): void {
    if (sdp === undefined) return;
    const exchange = this.#exchange;
    if (end.remoteSdp !== undefined) this.#onLateAnswer(end, sdp);
    else if (end.role === "caller" && this.#progress.offers.isLate && exchange !== undefined) {
      end.remoteSdp = sdp;
      void this.#acknowledgeLate(exchange, sdp);
    }
  }

  onEndReinvite(end: DialogEnd, reinvite: IncomingReinvite): void {
    const peer = this.#peerOf(end);
    if (this.#sounds.putsOff(() => this.onEndReinvite(end, reinvite))) return;
    if (this.#state !== "connected" || peer === undefined || this.#isBusy) {
      // RFC 3261 §14.2: the other side's change is under way; this one may be tried again.
      reinvite.reject(this.#state === "ended" ? 481 : 491);
      return;
    }
    void this.#renegotiate(end, peer, reinvite);
  }

  onEndInfo(end: DialogEnd, request: IncomingRequest): void {
    if (end.leg.kind === "webrtc" && QualityWatch.isReport(request)) {
      const told = (detail: string): void => this.#story.note("loss", detail);
      void this.#quality.answer(end, request, () => this.#state === "connected", told);
      return;
    }
    this.#onInfo(end.leg, request);
  }

  onEndMessage(end: DialogEnd, message: IncomingMessage): void {
    const peer = this.#state === "connected" ? this.#peerOf(end) : undefined;
    void this.#texts.carry(message, peer?.kind === "dialog" ? peer.end : undefined);
  }

  onEndRefer(end: DialogEnd, refer: IncomingRefer): void {
    this.#surroundings.onRefer(this, end, refer);
  }

  onEndGone(end: DialogEnd, reason: EndReason): void {
    const survivor = this.#departure.survivor(end, reason);
    if (survivor !== undefined) {
      this.#story.note("transferor left", end.leg.tag);
      void playRingBack(this.#media, survivor.leg.tag, end.leg.tag, this.#context);
    } else this.#end(reason, end.role);
  }

  onEndFlow(end: DialogEnd, isUp: boolean): void {
    this.#story.note(isUp ? "connection restored" : "connection lost", end.leg.tag);
  }

  // The media

  #onNodeLost(detail: string): void {
    if (this.#state === "ended") return;
    this.#story.note("media lost", detail);
    this.#publishChange();
    this.#keeper.move(detail);
  }

  #onAnchorChanged(leg: string, changed: readonly string[]): "refuse" | "send" {
    this.#story.note("media alarm", `rtpengine changed its ${changed.join(", ")} toward ${leg}`);
    this.#publishChange();
    // A leg that is only being set up may still take it; one that talks would fall silent.
    if (this.#state !== "connected") return "send";
    this.#keeper.move(`rtpengine changed its ${changed.join(", ")}`);
    return "refuse";
  }

  #ends(): readonly [Peer, Peer] | undefined {
    if (this.#state !== "connected" || this.#caller === undefined) return undefined;
    if (this.#departure.isInTheWay) return undefined;
    const peer = this.#peerOf(this.#caller);
    return peer === undefined ? undefined : [{ kind: "dialog", end: this.#caller }, peer];
  }

  async #reanchor(ends: readonly [Peer, Peer], isUseless: boolean): Promise<ReanchorOutcome> {
    if (this.#isBusy) return { kind: "busy" };
    this.#isRenegotiating = true;
    const outcome = await reanchor({
      media: this.#media,
      branch: this.#exchange?.branch ?? "",
      policy: this.#codecs.policy,
      ends,
      isUseless,
      logger: this.#context.logger.child({ call: this.id }),
    });
    this.#isRenegotiating = false;
    if (outcome.kind === "moved" && this.#state === "connected") this.#noteMedia();
    return outcome;
  }

  // Within

  /** Whether the media must not be changed now. */
  get #isBusy(): boolean {
    return this.#isRenegotiating || this.#departure.isInTheWay;
  }

  #isHunting(): boolean {
    return this.#state === "hunting";
  }

  #takePlaces(whose: "call" | "callee"): readonly (() => void)[] {
    if (whose === "callee") return this.#hunt.takePlaces();
    const release = this.#release;
    this.#release = () => {};
    return [release];
  }

  #newEnd(
    role: DialogEnd["role"],
    leg: MediaLeg,
    dialog: Dialog,
    identity: CallerIdentity,
    sdps: EndSdps,
  ): DialogEnd {
    const [context, index] = [this.#context, this.#surroundings.ends];
    return new DialogEnd({ dialog, leg, role, owner: this, context, identity, index, sdps });
  }

  /** In place of a hunt: somebody who talks in another call is to be the callee. */
  #takeOver(takeover: Takeover, callee: Leaving): void {
    const { policy } = this.#codecs;
    const exchange = takeover.exchangeWith(this.#callerLeg, callee.end.leg, policy);
    this.#state = "answering";
    this.#exchange = exchange;
    this.#story.calleeTaken(exchange.answerer.tag, callee.end.dialog);
    void this.#join(() => takeover.join(callee, exchange, this.#invite.sdp));
  }

  /** Everybody has gone over to this call: the others let go of them. */
  #completeTakeover(takeover: Takeover): void {
    const wasRecorded = takeover.complete();
    this.#isRecorded ??= wasRecorded;
    if (takeover.callee === undefined || this.#exchange === undefined) return;
    const { dialog, identity } = takeover.callee.end;
    const { answerer } = this.#exchange;
    this.#callee = this.#newEnd("callee", answerer, dialog, identity, takeover.calleeSdps);
  }

  #peerOf(end: DialogEnd): Peer | undefined {
    if (end === this.#callee) {
      return this.#caller === undefined ? undefined : { kind: "dialog", end: this.#caller };
    }
    if (this.#callee !== undefined) return { kind: "dialog", end: this.#callee };
    return this.#service === undefined || this.#exchange === undefined
      ? undefined
      : { kind: "service", service: this.#service, leg: SERVICE_LEG };
  }

  /** How the digits of this call cross now. */
  #digitPath(): DigitPath | undefined {
    if (this.#state === "ended") return undefined;
    const early = this.#state === "hunting" ? this.#progress.early : undefined;
    return digitPathOf({ early, exchange: this.#exchange, ends: [this.#caller, this.#callee] });
  }

  #onInfo(leg: MediaLeg, info: IncomingRequest): void {
    if (!takesTrickle(this.#media, leg, info, this.#context)) this.#digits.onInfo(leg.tag, info);
  }

  #choose(codecs: CodecChoice): void {
    this.#codecs = codecs;
    this.#story.codecsChosen(codecs);
  }

  /** Answers the caller with the SDP that `negotiate` brings, and connects the call. */
  async #join(negotiate: () => Promise<string>): Promise<void> {
    let sdp: string;
    try {
      sdp = await this.#progress.offers.conclude(negotiate);
    } catch (error) {
      this.#end(reasonOfMediaError(error), "gateway");
      return;
    }
    // Either side may have gone while rtpengine worked.
    if (this.#state !== "answering") return;
    const dialog = this.#invite.accept(sdp, { headers: trickleFields(this.#callerLeg) });
    if (dialog === undefined) {
      this.#end(CANCELLED, "caller");
      return;
    }
    if (this.#takeover !== undefined) this.#completeTakeover(this.#takeover);
    this.#caller = this.#newEnd("caller", this.#callerLeg, dialog, this.#identity, {
      remoteSdp: this.#takeover?.callerSdp ?? this.#progress.offers.sdp,
      localSdp: sdp,
      direction: this.#progress.offers.direction,
    });
    this.#state = "connected";
    this.#surroundings.ringing.forget(this);
    this.#story.answered();
    this.#noteMedia();
    if (this.#isRecorded === true) this.record("start");
    this.#sounds.onConnected(this.#caller, this.#callee);
    this.#publishChange();
    this.#keeper.onJoined();
    if (this.#hangsUpAtOnce) this.#end(NORMAL_CLEARING, "gateway");
    if (!this.#progress.offers.isLate) this.#departure.onCallerReady(this.#caller);
  }

  /** Brings the caller's answer to a late offer to the callee, in our ACK, or to the service. */
  async #acknowledgeLate(exchange: Exchange, sdp: string): Promise<void> {
    const [callee, service] = [this.#callee, this.#service];
    try {
      await acknowledgeLate(this.#media, { callee, service }, exchange, sdp);
      if (this.#caller !== undefined) this.#departure.onCallerReady(this.#caller);
    } catch (error) {
      this.#end(reasonOfMediaError(error), "gateway");
    }
  }

  /**
   * The answer to our offer in a re-INVITE that brought none (RFC 3261 §14.2): what is new in it,
   * such as the place where a PBX wants the sound now, is carried to the other end as an offer is.
   */
  #onLateAnswer(end: DialogEnd, sdp: string): void {
    const peer = this.#peerOf(end);
    const isNews = sdp !== end.remoteSdp;
    if (!isNews || this.#state !== "connected" || peer === undefined || this.#isRenegotiating)
      return;
    // The far end has our answer already: it was our offer.
    void this.#renegotiate(end, peer, { method: "INVITE", sdp, accept() {}, reject() {} });
  }

  async #renegotiate(end: DialogEnd, peer: Peer, reinvite: IncomingReinvite): Promise<void> {
    this.#isRenegotiating = true;
    const codecs = choiceAfterReinvite(end.leg, reinvite.sdp, this.#codecs, this.#usualCodecs);
    const change = await renegotiate({
      media: this.#media,
      branch: this.#exchange?.branch ?? "",
      policy: codecs.policy,
      // A browser that asks for other codecs is no business of the far end's.
      isOwnAffair: codecs !== this.#codecs,
      from: end,
      to: peer,
      reinvite,
      logger: this.#context.logger,
      hasMusic: this.#context.holdMusic !== undefined,
    });
    this.#isRenegotiating = false;
    this.#keeper.onRenegotiated(change?.whyMove);
    if (this.#state !== "connected" || change === undefined) return;
    if (codecs !== this.#codecs) this.#choose(codecs);
    this.#story.directionChanged(end.leg.tag, end.direction);
    if (peer.kind === "dialog") this.#sounds.onChange(end, peer.end, change);
    this.#noteMedia();
    this.#publishChange();
  }

  /** Keeps what was negotiated for the views of the live call. */
  #noteMedia(report: MediaReport = this.#media.negotiated()): void {
    this.#story.mediaReported(report, this.#digits.views(), this.#quality.view());
  }

  /** A view is made only for those who look. */
  #publishChange(): void {
    if (this.#state !== "ended" && callChanged.hasSubscribers) callChanged.publish(this.view());
  }

  #end(reason: EndReason, by: "caller" | "callee" | "gateway"): void {
    if (this.#state === "ended") return;
    const complete = completeReason(reason);
    const before = this.#state;
    this.#state = "ended";
    this.#departure.cancel(complete);
    // Before anybody hears of the end: whoever dials again at once must find the place free.
    this.#release();
    this.#keeper.close();
    if (before === "hunting") this.#hunt.cancel(complete);
    else this.#hunt.releasePlaces();
    // Refusing an INVITE that was answered or cancelled does nothing.
    if (this.#caller === undefined) {
      rejectInvite(this.#invite, complete);
    }
    this.#takeover?.abandon(complete);
    this.#caller?.hangUp(complete, this.#callee);
    this.#callee?.hangUp(complete, this.#caller);
    this.#service?.close();
    this.#announcement?.close();
    this.#digits.close();
    const result = resultOf(complete, before === "connected", by !== "gateway");
    this.#story.ended(complete, by, result);
    void this.#publishRecord();
  }

  /** The last step: the media is given back, then the record is final. */
  async #publishRecord(): Promise<void> {
    await this.#sounds.close();
    const report = await this.#media.close();
    if (report !== undefined) {
      this.#quality.finish(report);
      this.#noteMedia(report);
    }
    const record = this.#story.record();
    logEnded(this.#context.logger, record);
    callEnded.publish(record);
    this.#onEnded(this);
  }
}
