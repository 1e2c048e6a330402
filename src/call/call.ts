import type { EndReason } from "../core/end-reason.ts";
import { tryParseAnnouncement } from "../dialplan/announce.ts";
import type { Decision } from "../dialplan/decision.ts";
import { speechCodecsOf } from "../media/codecs.ts";
import { MediaError } from "../media/errors.ts";
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
  IncomingReinvite,
  IncomingRequest,
  ProvisionalResponse,
} from "../signaling/engine.ts";
import type { SipRequest } from "../signaling/message/message.ts";
import { Announcement } from "./announcement.ts";
import type { Attempt } from "./attempt.ts";
import { completeReason, NORMAL_CLEARING, resultOf } from "./cause.ts";
import { callChanged, callEnded, callMedia, callStarted } from "./channels.ts";
import { chooseCodecs, choiceAfterOffer, type CodecChoice } from "./codec-choice.ts";
import { trunkLeg, type CallContext } from "./context.ts";
import { DialogEnd, type DialogEndOwner } from "./dialog-end.ts";
import { DigitRelay, type DigitPath, type SendInfo } from "./digit-relay.ts";
import { CallSounds } from "./call-sounds.ts";
import { Hunt, type HuntHandler } from "./hunt.ts";
import { isNodeLost, reasonOfMediaError } from "./media-reason.ts";
import { MediaKeeper } from "./media-keeper.ts";
import { reanchor, type ReanchorOutcome } from "./reanchor.ts";
import type { CallerIdentity } from "./presentation.ts";
import { QUALITY_TYPE } from "./quality-info.ts";
import { QualityWatch } from "./quality-watch.ts";
import type { CallView } from "./record.ts";
import { renegotiate, type Peer } from "./renegotiation.ts";
import {
  acknowledgeService,
  createServiceOf,
  sdpForCaller,
  serviceExchange,
  type ServiceChoice,
} from "./service-call.ts";
import { SERVICE_LEG } from "./service-leg.ts";
import { Story } from "./story.ts";

/**
 * `hunting`: looking for someone who answers; `answering`: someone did, media is being joined;
 * `connected`: both ends talk; `ended`: everything is given back.
 */
type CallState = "hunting" | "answering" | "connected" | "ended";

/** How the timeline names what happens to the media. */
const MEDIA_EVENTS = {
  moved: "media moved",
  "move-failed": "media not moved",
  repaired: "media repaired",
  "timed-out": "media timed out",
} as const;

/**
 * One call from its INVITE to its record: the caller's leg, a hunt for the callee, and the two ends
 * bridged. Whatever happens behind it (forks, failover, a service), the caller sees one dialog.
 *
 * It owns its media session and gives it back exactly once, in `#end`, whichever side ends it and
 * in whichever state.
 */
export class Call implements HuntHandler, DialogEndOwner {
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
  /** How codecs are chosen now, and how before the phone asked for anything. */
  #codecs: CodecChoice;
  #usualCodecs: CodecChoice;
  /** Whose early media plays. */
  #early: Attempt | undefined;
  readonly #sounds: CallSounds;
  readonly #release: () => void;
  readonly #onEnded: (call: Call) => void;
  #state: CallState = "hunting";
  #caller: DialogEnd | undefined;
  #callee: DialogEnd | undefined;
  #service: ServiceEndpoint | undefined;
  #announcement: Announcement | undefined;
  /** The exchange that joined the two ends; its branch serves every later one. */
  #exchange: Exchange | undefined;
  /** Whether the caller's offer is still to come, in its ACK. */
  readonly #isLateOffer: boolean;
  #isRenegotiating = false;
  #hangsUpAtOnce = false;
  /** SDP last sent to the caller in a provisional response. */
  #earlySdp: string | undefined;
  #lastProgress = 0;
  /** Whether the route wants the call recorded. */
  #isRecorded = false;

  constructor(options: {
    readonly id: string;
    readonly context: CallContext;
    readonly invite: IncomingInvite;
    readonly identity: CallerIdentity;
    readonly decision: Decision;
    /** Gives the call's places under the limits back. */
    readonly release: () => void;
    readonly onEnded: (call: Call) => void;
  }) {
    const { context, invite, decision } = options;
    this.id = options.id;
    this.#context = context;
    this.#invite = invite;
    this.#release = options.release;
    this.#onEnded = options.onEnded;
    this.#isLateOffer = invite.sdp === undefined;
    const trunk = invite.party.kind === "trunk" ? context.trunk(invite.party.trunkId) : undefined;
    this.#callerLeg =
      invite.party.kind === "user"
        ? { tag: "caller", kind: "webrtc", video: context.hasVideo }
        : { tag: "caller", ...trunkLeg(trunk, () => sourceOf(invite.request)) };
    this.#usualCodecs = chooseCodecs({
      route: undefined,
      calleeTrunk: undefined,
      callerTrunk: trunk?.codecPolicy,
      usual: context.codecPolicy,
    });
    this.#codecs = this.#usualCodecs;
    this.#media = context.media.createSession({
      policy: this.#codecs.policy,
      handler: {
        onDigit: (...event) => this.#digits.onEvent(...event),
        onNodeLost: (detail) => this.#onNodeLost(detail),
        onAnchorChanged: (leg, changed) => this.#onAnchorChanged(leg, changed),
      },
    });
    this.#keeper = new MediaKeeper({
      media: this.#media,
      clock: context.clock,
      logger: context.logger.child({ call: options.id }),
      timeoutMs: context.mediaTimeoutMs,
      ends: () => this.#ends(),
      reanchor: (ends) => this.#reanchor(ends),
      told: (event, detail) => {
        this.#story.note(MEDIA_EVENTS[event], detail);
        callMedia.publish({ call: this.id, event, detail });
        this.#publishChange();
      },
      end: (reason) => this.#end(reason, "gateway"),
    });
    this.#digits = new DigitRelay({
      media: this.#media,
      logger: context.logger.child({ call: options.id }),
      clock: context.clock,
      path: () => this.#digitPath(),
      onCarried: () => this.#noteMedia(),
    });
    this.#quality = new QualityWatch({
      clock: context.clock,
      media: this.#media,
      farEndOf: (tag) => this.#farEndOf(tag),
      onChanged: (report) => {
        if (this.#state === "connected") this.#noteMedia(report);
      },
    });
    this.#story = new Story({
      id: options.id,
      clock: context.clock,
      invite,
      callerNumber: options.identity.shown.user,
      route: decision.route,
      codecs: this.#codecs,
      trace: decision.trace,
      omitted: decision.omitted ?? 0,
    });
    this.#sounds = new CallSounds({
      context,
      media: this.#media,
      callId: options.id,
      story: this.#story,
      onChange: () => this.#publishChange(),
      pair: () =>
        this.#state === "connected" && !this.#isRenegotiating
          ? { branch: this.#exchange?.branch ?? "", policy: this.#codecs.policy }
          : undefined,
    });
    this.#hunt = new Hunt({
      context,
      media: this.#media,
      handler: this,
      caller: { invite, leg: this.#callerLeg, identity: options.identity },
      dialled: invite.calledNumber,
      callerSdp: invite.sdp,
      action: decision.action,
      question: { call: options.id, to: invite.calledNumber, route: decision.route },
    });
  }

  start(): void {
    this.#invite.attach({
      onCancelled: (reason) => {
        this.#end(
          reason ?? { sipStatus: 487, q850: 16, text: "Cancelled by the caller" },
          "caller",
        );
      },
      onRequest: (request) => this.#digits.onInfo("caller", request),
    });
    if (callStarted.hasSubscribers) callStarted.publish(this.view());
    this.#hunt.start();
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

  // The hunt

  onAttempt(attempt: Attempt): void {
    this.#story.attemptStarted(attempt);
  }

  onProgress(attempt: Attempt, response: ProvisionalResponse): void {
    if (this.#state !== "hunting") return;
    if (this.#story.attemptRang(attempt, response.status)) this.#publishChange();
    const { sdp } = response;
    if (sdp === undefined || this.#isLateOffer) {
      this.#sendProgress(response.status === 183 ? 180 : response.status, undefined);
      return;
    }
    void this.#joinEarly(attempt, sdp);
  }

  onMovedOn(reason: EndReason): void {
    // RFC 6228: a caller with several early dialogs loses this one; ringing begins anew.
    if (this.#invite.endEarlyDialog?.(reason) !== true) return;
    this.#earlySdp = undefined;
    this.#lastProgress = 0;
  }

  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void {
    const callee = new DialogEnd({
      dialog,
      leg: attempt.leg,
      role: "callee",
      owner: this,
      context: this.#context,
    });
    callee.remoteSdp = sdp;
    callee.localSdp = attempt.offer;
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
    const { exchange } = attempt;
    void this.#join(async () =>
      this.#isLateOffer
        ? // The callee's 200 is the offer, the caller's ACK will bring the answer.
          this.#media.offer({ ...exchange, offerer: callee.leg, answerer: this.#callerLeg }, sdp)
        : this.#answerOf(callee, exchange, sdp),
    );
  }

  /** Takes the callee's answer to rtpengine, or the call to another one when that is lost. */
  async #answerOf(callee: DialogEnd, exchange: Exchange, sdp: string): Promise<string> {
    // A caller that has heard early media has an answer already; the call moves once it is joined.
    const early = this.#earlySdp;
    if (!this.#keeper.isLost) {
      try {
        return await this.#media.answer(exchange, sdp);
      } catch (error) {
        if (!isNodeLost(error)) throw error;
        this.#keeper.move("its rtpengine was lost while it rang");
      }
    }
    if (early !== undefined) return early;
    const offer = this.#invite.sdp;
    if (offer === undefined || this.#state !== "answering")
      return this.#media.answer(exchange, sdp);
    // The callee was offered a port that is gone: it gets another one before the caller hears of it.
    const move = await this.#media.move();
    const toCallee = await this.#media.offer(exchange, offer);
    const result = await callee.dialog.reinvite(toCallee);
    if (!result.ok || result.sdp === undefined) {
      throw new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "the callee could not be moved");
    }
    callee.localSdp = toCallee;
    callee.remoteSdp = result.sdp;
    const answer = await this.#media.answer(exchange, result.sdp);
    await move.keep();
    this.#keeper.onMoved();
    this.#story.note("media moved", "its rtpengine was lost while it rang");
    return answer;
  }

  onService(choice: ServiceChoice): void {
    this.#state = "answering";
    const exchange = serviceExchange(this.#callerLeg, this.#isLateOffer);
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
      return sdpForCaller(this.#media, service, exchange, this.#invite.sdp);
    });
  }

  onInfo(attempt: Attempt, request: IncomingRequest): void {
    this.#digits.onInfo(attempt.leg.tag, request);
  }

  onExhausted(reason: EndReason, announce: string | undefined): void {
    const by = this.#story.hasCallee ? "callee" : "gateway";
    const offer = this.#invite.sdp;
    if (announce === undefined || offer === undefined || this.#state === "ended") {
      this.#end(reason, by);
      return;
    }
    this.#story.note("announcement", tryParseAnnouncement(announce) ?? "file");
    this.#announcement = new Announcement({
      context: this.#context,
      media: this.#media,
      callerLeg: this.#callerLeg,
      progress: (sdp) => this.#sendProgress(183, sdp),
      onOver: () => this.#end(reason, by),
    });
    void this.#announcement.start(announce, completeReason(reason), offer);
  }

  onHangUp(): void {
    this.#hangsUpAtOnce = true;
    this.onService({ kind: "play", file: undefined });
  }

  // The two ends

  onEndConfirmed(end: DialogEnd, sdp: string | undefined): void {
    if (sdp !== undefined && end.remoteSdp !== undefined) {
      this.#onLateAnswer(end, sdp);
      return;
    }
    if (end.role !== "caller" || !this.#isLateOffer || sdp === undefined) return;
    const exchange = this.#exchange;
    if (exchange === undefined || end.remoteSdp !== undefined) return;
    end.remoteSdp = sdp;
    void this.#acknowledgeLate(exchange, sdp);
  }

  onEndReinvite(end: DialogEnd, reinvite: IncomingReinvite): void {
    const peer = this.#peerOf(end);
    if (this.#sounds.putsOff(() => this.onEndReinvite(end, reinvite))) return;
    if (this.#state !== "connected" || peer === undefined || this.#isRenegotiating) {
      // RFC 3261 §14.2: the other side's change is under way; this one may be tried again.
      reinvite.reject(this.#state === "ended" ? 481 : 491);
      return;
    }
    void this.#renegotiate(end, peer, reinvite);
  }

  onEndInfo(end: DialogEnd, request: IncomingRequest): void {
    if (end.leg.kind === "webrtc" && QualityWatch.isReport(request)) {
      void this.#onQuality(end, request);
      return;
    }
    this.#digits.onInfo(end.leg.tag, request);
  }

  onEndGone(end: DialogEnd, reason: EndReason): void {
    this.#end(reason, end.role);
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
    const peer = this.#peerOf(this.#caller);
    return peer === undefined ? undefined : [{ kind: "dialog", end: this.#caller }, peer];
  }

  async #reanchor(ends: readonly [Peer, Peer]): Promise<ReanchorOutcome> {
    if (this.#isRenegotiating) return { kind: "busy" };
    this.#isRenegotiating = true;
    const outcome = await reanchor({
      media: this.#media,
      branch: this.#exchange?.branch ?? "",
      policy: this.#codecs.policy,
      ends,
      logger: this.#context.logger.child({ call: this.id }),
    });
    this.#isRenegotiating = false;
    if (outcome.kind === "moved" && this.#state === "connected") this.#noteMedia();
    return outcome;
  }

  // Within

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
    const early = this.#early;
    if (this.#state === "hunting" && early !== undefined) {
      const send: SendInfo = (content) => early.sendInfo(content);
      return {
        exchange: early.exchange,
        infoTo: (tag) => (tag === early.leg.tag ? send : undefined),
      };
    }
    const exchange = this.#exchange;
    if (exchange === undefined || this.#state === "ended") return undefined;
    return {
      exchange,
      infoTo: (tag) => {
        const end = [this.#caller, this.#callee].find((each) => each?.leg.tag === tag);
        return end === undefined ? undefined : (content) => end.dialog.request("INFO", content);
      },
    };
  }

  #choose(codecs: CodecChoice): void {
    this.#codecs = codecs;
    this.#story.codecsChosen(codecs);
  }

  #sendProgress(status: number, sdp: string | undefined): void {
    const isNews = status !== this.#lastProgress || sdp !== this.#earlySdp;
    // Once early media plays, a 180 without SDP must not stop it.
    if (!isNews || (this.#earlySdp !== undefined && sdp === undefined)) return;
    this.#lastProgress = status;
    this.#earlySdp = sdp;
    this.#invite.progress(status, sdp === undefined ? {} : { sdp });
  }

  /** Lets the caller hear what the callee sends before it answers. */
  async #joinEarly(attempt: Attempt, sdp: string): Promise<void> {
    try {
      const answer = await this.#media.answer(attempt.exchange, sdp);
      this.#early = attempt;
      // The callee may have answered meanwhile. Its answer waits its turn in the media session, so the
      // caller still hears of the two in their order.
      if (this.#state === "hunting" || this.#state === "answering") this.#sendProgress(183, answer);
    } catch (error) {
      // The final answer brings another chance; ringing is told all the same.
      this.#context.logger.warn("early media could not be joined", {
        call: this.id,
        reason: reasonOfMediaError(error).text,
      });
      if (this.#state === "hunting") this.#sendProgress(180, undefined);
    }
  }

  /** Answers the caller with the SDP that `negotiate` brings, and connects the call. */
  async #join(negotiate: () => Promise<string>): Promise<void> {
    let sdp: string;
    try {
      sdp = await negotiate();
    } catch (error) {
      this.#end(reasonOfMediaError(error), "gateway");
      return;
    }
    // Either side may have gone while rtpengine worked.
    if (this.#state !== "answering") return;
    const dialog = this.#invite.accept(sdp);
    if (dialog === undefined) {
      this.#end({ sipStatus: 487, q850: 16, text: "Cancelled by the caller" }, "caller");
      return;
    }
    this.#caller = new DialogEnd({
      dialog,
      leg: this.#callerLeg,
      role: "caller",
      owner: this,
      context: this.#context,
    });
    this.#caller.remoteSdp = this.#invite.sdp;
    this.#caller.localSdp = sdp;
    this.#state = "connected";
    this.#story.answered();
    this.#noteMedia();
    if (this.#isRecorded) this.record("start");
    this.#publishChange();
    this.#keeper.onJoined();
    if (this.#hangsUpAtOnce) this.#end(NORMAL_CLEARING, "gateway");
  }

  /** Brings the caller's answer to a late offer to the callee, in our ACK, or to the service. */
  async #acknowledgeLate(exchange: Exchange, sdp: string): Promise<void> {
    const callee = this.#callee;
    try {
      if (callee === undefined) {
        if (this.#service !== undefined) {
          await acknowledgeService(this.#media, this.#service, exchange, sdp);
        }
        return;
      }
      const answer = await this.#media.answer(
        { ...exchange, offerer: callee.leg, answerer: this.#callerLeg },
        sdp,
      );
      callee.localSdp = answer;
      callee.dialog.acknowledge(answer);
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
    const codecs =
      end.leg.kind === "webrtc" && reinvite.sdp !== undefined
        ? choiceAfterOffer(this.#codecs, this.#usualCodecs, speechCodecsOf(reinvite.sdp))
        : this.#codecs;
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
    this.#keeper.onRenegotiated();
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

  /** A browser says how its sound is, and is told when it suffers, and when no more. */
  async #onQuality(end: DialogEnd, request: IncomingRequest): Promise<void> {
    const segment = await this.#quality.onReport(end.leg.tag, request);
    if (segment === "refused" || this.#state !== "connected" || end.isGone) return;
    if (segment === end.toldSegment) return;
    end.toldSegment = segment;
    if (segment !== undefined) this.#story.note("loss", `${end.leg.tag} ${segment}`);
    await end.dialog.request("INFO", {
      contentType: QUALITY_TYPE,
      body: Buffer.from(JSON.stringify({ segment: segment ?? null })),
    });
  }

  #farEndOf(tag: string): string | undefined {
    const exchange = this.#exchange;
    if (exchange === undefined) return undefined;
    return exchange.offerer.tag === tag ? exchange.answerer.tag : exchange.offerer.tag;
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
    // Before anybody hears of the end: whoever dials again at once must find the place free.
    this.#release();
    this.#keeper.close();
    if (before === "hunting") this.#hunt.cancel(complete);
    else this.#hunt.releasePlaces();
    // Refusing an INVITE that was answered or cancelled does nothing.
    if (this.#caller === undefined) {
      this.#invite.reject(complete.sipStatus < 300 ? 480 : complete.sipStatus, {
        reason: complete,
        ...(complete.sipStatus === 503 ? { headers: [["Retry-After", "5"]] } : {}),
      });
    }
    this.#caller?.hangUp(complete);
    this.#callee?.hangUp(complete);
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
    this.#context.logger.info("call ended", {
      call: record.id,
      from: record.from.id,
      to: record.to,
      route: record.route,
      result: record.result,
      sip: record.end.sipStatus,
      q850: record.end.q850,
      reason: record.end.text,
      by: record.end.by,
      setupMs: record.setupMs,
      durationMs: record.durationMs,
    });
    callEnded.publish(record);
    this.#onEnded(this);
  }
}

/** Where a request came from, as the transport has found it (RFC 3261 §18.2.1). */
function sourceOf(request: SipRequest): string {
  const via = request.topmostVia;
  return via.received ?? via.host;
}
