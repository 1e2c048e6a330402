/**
 * One SIP session with its sound: places or takes the call, and tells every step and the end of it,
 * once. After the end was told, whatever SIP.js still does to tidy up is silent.
 */
import {
  type Bye,
  type Cancel,
  type Info,
  type Invitation,
  Inviter,
  type Referral,
  type Session,
  type SessionDelegate,
  SessionState,
  type URI,
} from "sip.js";
import {
  type CallEnd,
  type EndKind,
  endKindOfBye,
  endKindOfStatus,
  isAnsweredElsewhere,
} from "../call-end.ts";
import { CallPictures } from "./call-pictures.ts";
import type { ConferenceMember } from "./conference-mixer.ts";
import { DescriptionHandler, type DescriptionHandlerEvents } from "./description-handler.ts";
import { InfoDigits } from "./info-digits.ts";
import { MediaRenewal } from "./media-renewal.ts";
import type { OpenMicrophone } from "./open-microphone.ts";
import { OpusWish, speaksOpus } from "./opus-wish.ts";
import { isPathAlive } from "./path-check.ts";
import type { IceServer, PhoneAgentHandler, Refusal } from "./phone-agent.ts";
import { isPictureUpdate } from "./picture-update.ts";
import { sendQuality, tryParseVerdict } from "./quality-info.ts";
import { QualityReader } from "./quality-reader.ts";
import { QualitySampler, type QualitySample } from "./quality-sampler.ts";
import { requestTransfer } from "./transfer-request.ts";

/** What a call needs from its agent. */
export interface SipCallContext {
  readonly handler: PhoneAgentHandler;
  readonly iceServers: readonly IceServer[];
  /** Whether pictures are taken from anybody. */
  readonly isVideoAllowed: () => boolean;
  readonly isConnected: () => boolean;
  /** Whether a request would reach the gateway now. */
  readonly isLinkReady: () => boolean;
  /** Makes a new connection to the gateway. */
  readonly renewLink: () => void;
  /** A stream of the call, to the far end or from it, is another one. */
  readonly onStreams: (call: SipCall) => void;
  /** The call is over and forgotten. */
  readonly onOver: (call: SipCall) => void;
  /** A BYE could not be sent for lack of a connection. */
  readonly onUnsentBye: (call: SipCall) => void;
}

/** The part of a SIP message that explains. */
interface Explanation {
  readonly statusCode?: number | undefined;
  readonly reasonPhrase?: string | undefined;
  readonly callId?: string | undefined;
  getHeader(name: string): string | undefined;
}

const HOLD_TRIES = 3;
/** The far end's request would end by itself after 32 s (RFC 3261 Timer F). */
const REFERRAL_MS = 25_000;
/** How long to look for an arriving packet: with sound, and while nobody sends any. */
const ALIVE_MS = 1_000;
const ALIVE_WHEN_HELD_MS = 3_500;

/** See the head of this file. */
export class SipCall implements ConferenceMember {
  readonly id: string;
  readonly session: Inviter | Invitation;
  readonly #context: SipCallContext;
  #microphone: OpenMicrophone | undefined;
  #descriptionHandler: DescriptionHandler | undefined;
  #isOver = false;
  #wasFlowing = false;
  #isAnswered = false;
  #hasResponse = false;
  #isMuted = false;
  #isHeld = false;
  #isHeldByPeer = false;
  readonly #infoDigits: InfoDigits;
  readonly #opusWish = new OpusWish();
  #sampler: QualitySampler | undefined;
  #reader: QualityReader | undefined;
  readonly #pictures: CallPictures;
  /** What goes out instead of the microphone alone. */
  #mix: MediaStreamTrack | undefined;
  #stopTransfer: () => void = ignore;
  #referral:
    | { readonly referral: Referral; readonly timer: ReturnType<typeof setTimeout> }
    | undefined;
  #holdTimer: ReturnType<typeof setTimeout> | undefined;
  /** The re-INVITE that is out, or settled: the next one waits for it. */
  #lastChange: Promise<unknown> = Promise.resolve();
  readonly #renewal: MediaRenewal;

  constructor(id: string, session: Inviter | Invitation, context: SipCallContext) {
    this.id = id;
    this.session = session;
    this.#context = context;
    this.#renewal = new MediaRenewal({
      renew: (isRelayOnly) => this.#renew(isRelayOnly),
      isLinkReady: context.isLinkReady,
      renewLink: context.renewLink,
      isPathAlive: () => this.#isPathAlive(),
      hasRelay: context.iceServers.some(({ urls }) => urls.some((url) => url.startsWith("turn"))),
      onGivenUp: () => this.#onGivenUp(),
    });
    this.#infoDigits = new InfoDigits(session);
    this.#pictures = new CallPictures({
      media: () => this.#descriptionHandler,
      isOver: () => this.#isOver,
      change: (prepare) => this.#change(prepare),
      glareMs: () => this.#glareMs(),
      onVideo: (...video) => context.handler.onVideo(id, ...video),
      onProblem: (problem) => context.handler.onVideoProblem(id, problem),
    });
    session.delegate = this.#delegate();
    session.stateChange.addListener((state) => this.#onState(state));
  }

  /** The far end has answered and the call goes on. */
  get isAnswered(): boolean {
    return this.#isAnswered && !this.#isOver;
  }

  /** The browser is in another network. */
  onNetworkChanged(): void {
    this.#renewal.onNetworkChanged();
  }

  /** The browser may be in another network. */
  onNetworkHint(): void {
    this.#renewal.onNetworkHint();
  }

  /** The way to the gateway stands again. */
  onLinkReady(): void {
    this.#renewal.onLinkReady();
  }

  get peerConnection(): RTCPeerConnection | undefined {
    return this.#descriptionHandler?.peerConnection;
  }

  get remoteStream(): MediaStream | undefined {
    return this.#descriptionHandler?.remoteStream;
  }

  get remotePictures(): MediaStream | undefined {
    return this.#descriptionHandler?.remotePictures;
  }

  get localPictures(): MediaStream | undefined {
    return this.#pictures.camera;
  }

  get localStream(): MediaStream | undefined {
    return this.#microphone?.stream;
  }

  /** For SIP.js's factory: the WebRTC side, made once per call. */
  createDescriptionHandler(): DescriptionHandler {
    if (this.#microphone === undefined) throw new Error("No microphone for this call.");
    this.#descriptionHandler = new DescriptionHandler(
      this.#microphone,
      {
        iceServers: this.#context.iceServers,
        isVideoAllowed: this.#context.isVideoAllowed(),
      },
      this.#mediaEvents(),
    );
    this.#descriptionHandler.send(this.#mix);
    this.#descriptionHandler.setCamera(this.#pictures.camera?.getVideoTracks()[0]);
    return this.#descriptionHandler;
  }

  /** Sends the INVITE. @param camera whose pictures go along; undefined: none */
  async invite(microphone: OpenMicrophone, camera?: string): Promise<void> {
    this.#microphone = microphone;
    if (camera !== undefined) await this.#pictures.prepare(camera);
    if (!(this.session instanceof Inviter) || this.#isOver) return;
    this.session
      .invite({
        requestDelegate: {
          onTrying: () => {
            this.#hasResponse = true;
          },
          onProgress: ({ message }) => {
            this.#hasResponse = true;
            this.#onProgress(message.statusCode ?? 0, message.body !== "");
          },
          onRedirect: ({ message }) => this.#finishWith(message),
          onReject: ({ message }) => this.#finishWith(message),
        },
      })
      .catch(() => this.#finish({ kind: "failed", details: {} }));
  }

  ring(): void {
    if (this.session instanceof Inviter) return;
    this.session.progress({ statusCode: 180 }).catch(ignore);
  }

  /** @param camera whose pictures go along; undefined: none */
  async answer(microphone: OpenMicrophone, camera?: string): Promise<void> {
    if (this.session instanceof Inviter || this.#isOver) {
      microphone.close();
      return;
    }
    this.#microphone = microphone;
    if (camera !== undefined) await this.#pictures.prepare(camera);
    if (this.#isOver) return;
    this.session
      .accept()
      .catch(() => this.#finish({ kind: "audio-mismatch", details: { status: 488 } }));
  }

  refuse(refusal: Refusal): void {
    const statusCode = refusal === "busy" ? 486 : 603;
    this.#silence();
    if (!(this.session instanceof Inviter) && isEarly(this.session.state)) {
      this.session.reject({ statusCode }).catch(ignore);
    } else {
      this.sendBye();
    }
  }

  hangUp(): void {
    this.#silence();
    if (this.session instanceof Inviter && isEarly(this.session.state)) {
      this.session.cancel().catch(ignore);
    } else if (!(this.session instanceof Inviter) && isEarly(this.session.state)) {
      this.session.reject({ statusCode: 480 }).catch(ignore);
    } else {
      this.sendBye();
    }
  }

  /** Ends the established dialog; put off by the agent while there is no connection. */
  sendBye(): void {
    if (this.session.state !== SessionState.Established) return;
    if (!this.#context.isConnected()) {
      this.#context.onUnsentBye(this);
      return;
    }
    this.session.bye().catch(ignore);
  }

  setMuted(isMuted: boolean): void {
    this.#isMuted = isMuted;
    this.#applySending();
  }

  setHeld(isHeld: boolean): void {
    this.#hold(isHeld, 1);
  }

  replaceMicrophone(microphone: OpenMicrophone): void {
    const media = this.#descriptionHandler;
    if (media === undefined || this.#isOver) {
      microphone.close();
      return;
    }
    this.#microphone = microphone;
    this.#applySending();
    media.replaceMicrophone(microphone, this.#mix);
    this.#context.onStreams(this);
  }

  send(track: MediaStreamTrack | undefined): void {
    this.#mix = track;
    this.#descriptionHandler?.send(track);
  }

  /** @param camera to show to the far end; undefined: none any more */
  setVideo(camera: string | undefined): void {
    if (this.#isOver || !this.#isAnswered) return;
    void (camera === undefined ? this.#pictures.hide() : this.#pictures.show(camera));
  }

  declineVideo(): void {
    if (!this.#isOver && this.#isAnswered) void this.#pictures.decline();
  }

  replaceCamera(camera: string): void {
    if (!this.#isOver) void this.#pictures.replace(camera);
  }

  /** Holds the call and asks its far end to call the target, or that call's far end, instead. */
  transfer(target: URI | Session): void {
    const { handler } = this.#context;
    this.#hold(true, 1);
    const change = this.#lastChange.then(() => {
      if (this.#isOver) return;
      this.#stopTransfer = requestTransfer(this.session, target, {
        onProgress: (status) => handler.onTransferProgress(this.id, status),
        onDone: () => handler.onTransferred(this.id),
        onFailed: (status, reasonPhrase) => handler.onTransferFailed(this.id, status, reasonPhrase),
      });
    });
    this.#lastChange = change.catch(ignore);
  }

  /** The far end's wish that we call somebody, taken once; undefined when there is none. */
  takeReferral(): Referral | undefined {
    const waiting = this.#referral;
    if (waiting === undefined) return undefined;
    clearTimeout(waiting.timer);
    this.#referral = undefined;
    return waiting.referral;
  }

  sendDigits(digits: string): void {
    // Without telephone-event in the answer the browser has no way of its own.
    if (this.#descriptionHandler?.sendDtmf(digits) !== true) this.#infoDigits.send(digits);
  }

  #delegate(): SessionDelegate {
    return {
      onBye: (bye: Bye) => {
        bye.accept().catch(ignore);
        const reason = bye.request.getHeader("Reason");
        this.#finish({ kind: endKindOfBye(reason), details: { reason } });
      },
      onCancel: (cancel: Cancel) => {
        const reason = cancel.request.getHeader("Reason");
        const kind = isAnsweredElsewhere(reason) ? "answered-elsewhere" : "missed";
        this.#finish({ kind, details: { reason } });
      },
      onInfo: (info: Info) => {
        info.accept().catch(ignore);
        if (isPictureUpdate(info.request)) {
          this.#descriptionHandler?.sendKeyFrame();
          return;
        }
        const segment = tryParseVerdict(info.request);
        if (segment === "none" || this.#isOver) return;
        this.#context.handler.onLoss(this.id, segment);
      },
      // Without this, SIP.js calls whatever number a REFER names, at the user's cost.
      onRefer: (referral: Referral) => this.#onRefer(referral),
    };
  }

  /** Only the user can say that somebody is called. */
  #onRefer(referral: Referral): void {
    if (this.#referral !== undefined || this.#isOver) {
      referral.reject({ statusCode: 603 }).catch(ignore);
      return;
    }
    const timer = setTimeout(() => {
      this.takeReferral()?.reject({ statusCode: 603 }).catch(ignore);
      this.#context.handler.onReferral(this.id, undefined);
    }, REFERRAL_MS);
    this.#referral = { referral, timer };
    this.#context.handler.onReferral(this.id, referral.referTo.uri.user ?? "");
  }

  #mediaEvents(): DescriptionHandlerEvents {
    return {
      onRemoteStream: () => {
        if (!this.#isOver) this.#context.onStreams(this);
      },
      onHeldByPeer: (isHeld) => {
        this.#isHeldByPeer = isHeld;
        if (!this.#isOver) this.#context.handler.onHeldByPeer(this.id, isHeld);
      },
      onVideo: (video, isHeld) => this.#pictures.onAgreed(video, isHeld),
      onConnectionState: (state) => this.#onConnectionState(state),
    };
  }

  #onConnectionState(state: RTCPeerConnectionState): void {
    if (this.#isOver) return;
    switch (state) {
      case "connected":
        this.#wasFlowing = true;
        this.#context.handler.onMedia(this.id, "flowing");
        break;
      case "disconnected":
        this.#context.handler.onMedia(this.id, "interrupted");
        break;
      case "failed":
        this.#context.handler.onMedia(this.id, "interrupted");
        break;
      case "new":
      case "connecting":
      case "closed":
    }
    this.#renewal.onConnectionState(state);
  }

  /** A call without sound is no call. */
  #onGivenUp(): void {
    if (this.#isOver) return;
    const kind: EndKind = this.#wasFlowing ? "connection-lost" : "audio-failed";
    this.hangUp();
    this.#context.handler.onEnded(this.id, { kind, details: this.#ownDetails() });
  }

  async #isPathAlive(): Promise<boolean> {
    const connection = this.peerConnection;
    if (connection === undefined) return true;
    const isQuiet = this.#isHeld || this.#isHeldByPeer;
    return await isPathAlive(connection, isQuiet ? ALIVE_WHEN_HELD_MS : ALIVE_MS);
  }

  /** Goes on with a new peer connection. @returns whether the far end has accepted it */
  async #renew(isRelayOnly: boolean): Promise<boolean> {
    const media = this.#descriptionHandler;
    if (media === undefined || this.#isOver) return false;
    return (await this.#change(() => media.renew(isRelayOnly))) === "accepted";
  }

  /** Sends a re-INVITE when those before it are settled. @param prepare says what it is to be about */
  #change(prepare: () => void): Promise<number | "accepted"> {
    const change = this.#lastChange.then(async () => {
      prepare();
      return await this.#reinvite();
    });
    this.#lastChange = change.catch(ignore);
    return change;
  }

  /** Sends a re-INVITE. @returns `accepted`, or the status that refused it */
  #reinvite(): Promise<number | "accepted"> {
    return new Promise((resolve) => {
      this.session
        .invite({
          requestDelegate: {
            onAccept: () => resolve("accepted"),
            onReject: ({ message }) => resolve(message.statusCode ?? 0),
          },
        })
        .catch(() => resolve(0));
    });
  }

  #onProgress(status: number, hasSound: boolean): void {
    if (this.#isOver) return;
    if (hasSound) this.#context.handler.onEarlyMedia(this.id);
    else if (status === 180) this.#context.handler.onRinging(this.id);
  }

  #onState(state: SessionState): void {
    switch (state) {
      case SessionState.Established:
        this.#isAnswered = true;
        this.#renewal.onAnswered(this.#descriptionHandler?.isConnected === true);
        this.#sampler ??= new QualitySampler(
          () => this.peerConnection,
          (sample) => this.#onSample(sample),
        );
        this.#reader ??= new QualityReader(
          () => this.peerConnection,
          (reading) => this.#context.handler.onQuality(this.id, reading),
        );
        this.#applySending();
        if (!this.#isOver) {
          const name = this.session.assertedIdentity?.displayName;
          this.#context.handler.onConnected(this.id, name === "" ? undefined : name);
        }
        return;
      case SessionState.Terminated:
        // SIP.js tells the state before the response that caused it.
        queueMicrotask(() => {
          const kind: EndKind = this.#isAnswered ? "connection-lost" : "audio-mismatch";
          this.#finish({ kind, details: this.#ownDetails() });
        });
        return;
      case SessionState.Initial:
      case SessionState.Establishing:
      case SessionState.Terminating:
    }
  }

  #onSample(sample: QualitySample): void {
    if (!this.#isOver) sendQuality(this.session, sample);
    const media = this.#descriptionHandler;
    const answer = media?.peerConnection.remoteDescription?.sdp;
    if (media === undefined || answer === undefined || this.#isOver || this.#isHeld) return;
    if (!this.#opusWish.onSample(sample, speaksOpus(answer))) return;
    const settle = (isGiven: boolean): void => {
      media.setOpusAlone(isGiven);
      this.#opusWish.onOutcome(isGiven);
    };
    const change = this.#lastChange.then(async () => {
      media.setOpusAlone(true);
      settle((await this.#reinvite()) === "accepted");
    });
    this.#lastChange = change.catch(ignore);
  }

  #hold(isHeld: boolean, attempt: number): void {
    const media = this.#descriptionHandler;
    if (media === undefined || this.#isOver) return;
    const settle = (stands: boolean): void => {
      this.#isHeld = stands;
      media.setHeld(stands);
      this.#applySending();
      if (!this.#isOver) this.#context.handler.onHeld(this.id, stands);
    };
    const change = this.#lastChange.then(async () => {
      if (this.#isHeld === isHeld) {
        settle(isHeld);
        return;
      }
      media.setHeld(isHeld);
      const outcome = await this.#reinvite();
      if (outcome === "accepted") {
        settle(isHeld);
      } else if (outcome === 491 && attempt < HOLD_TRIES && !this.#isOver) {
        // RFC 3261 §14.1: both sides asked at once; one of them comes back a little later.
        media.setHeld(this.#isHeld);
        this.#holdTimer = setTimeout(() => this.#hold(isHeld, attempt + 1), this.#glareMs());
      } else {
        settle(this.#isHeld);
      }
    });
    this.#lastChange = change.catch(ignore);
  }

  #glareMs(): number {
    const isOwner = this.session instanceof Inviter;
    return isOwner ? 2_100 + Math.random() * 1_900 : Math.random() * 2_000;
  }

  #applySending(): void {
    this.#microphone?.setSending(!this.#isMuted && !this.#isHeld);
  }

  #ownDetails(): CallEnd["details"] {
    return { callId: this.session.request.callId };
  }

  #finishWith(message: Explanation): void {
    const status = message.statusCode ?? 0;
    const reason = message.getHeader("Reason");
    // SIP.js makes up a 503 when it cannot send and a 408 when nobody answers at all.
    const isOurs = !this.#hasResponse && (status === 408 || status === 503);
    const isUnreachable = isOurs && (status === 408 || !this.#context.isConnected());
    this.#finish({
      kind: isUnreachable ? "server-unreachable" : endKindOfStatus(status),
      details: { status, reasonPhrase: message.reasonPhrase, reason, callId: message.callId },
    });
  }

  #finish(end: CallEnd): void {
    if (this.#isOver) return;
    this.#silence();
    this.#context.handler.onEnded(this.id, end);
  }

  /** Nothing is told from here on, and the microphone's lamp goes out. */
  #silence(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#holdTimer);
    this.#renewal.close();
    this.#sampler?.stop();
    this.#reader?.stop();
    this.#stopTransfer();
    this.takeReferral()?.reject({ statusCode: 603 }).catch(ignore);
    this.#microphone?.close();
    this.#pictures.close();
    this.#descriptionHandler?.close();
    this.#context.onOver(this);
  }
}

function isEarly(state: SessionState): boolean {
  return state === SessionState.Initial || state === SessionState.Establishing;
}

function ignore(): void {
  // The session is over; SIP.js has nothing more to say that would help.
}
