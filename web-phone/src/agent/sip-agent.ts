/** The {@link PhoneAgent} over SIP.js's core: one user agent, its link and its calls. */
import { type Invitation, Inviter, type Session as SipSession, URI, UserAgent } from "sip.js";
import { ConferenceMixer } from "./conference-mixer.ts";
import type { OpenMicrophone } from "./open-microphone.ts";
import type { PhoneAgent, PhoneAgentHandler, Refusal, Session } from "./phone-agent.ts";
import { offersVideo } from "./sdp-direction.ts";
import { SipAround } from "./sip-around.ts";
import { SipCall, type SipCallContext } from "./sip-call.ts";
import { canReach } from "./reach.ts";
import { SipLink, type SipLinkEvents } from "./sip-link.ts";

/** What plays the far ends; the agent knows no DOM. */
export interface RemoteSound {
  /** Mixes a conference. */
  readonly context: AudioContext;
  /** Plays this stream of the call, instead of another one of the same call. */
  attach(id: string, stream: MediaStream): void;
  /** The call is over. */
  detach(id: string): void;
}

/** The sound of one call, for meters and measurements. */
export interface CallMedia {
  readonly peerConnection: RTCPeerConnection | undefined;
  readonly localStream: MediaStream | undefined;
  readonly remoteStream: MediaStream | undefined;
  readonly localPictures: MediaStream | undefined;
  readonly remotePictures: MediaStream | undefined;
}

/** See the head of this file. */
export class SipAgent implements PhoneAgent<OpenMicrophone> {
  readonly #session: Session;
  readonly #handler: PhoneAgentHandler;
  readonly #sound: RemoteSound;
  readonly #userAgent: UserAgent;
  readonly #link: SipLink;
  readonly #domain: string;
  readonly #calls = new Map<string, SipCall>();
  readonly #callsBySession = new WeakMap<SipSession, SipCall>();
  readonly #unsentByes = new Set<SipCall>();
  readonly #mixer: ConferenceMixer;
  readonly #around: SipAround;
  #conference: readonly string[] = [];
  #isVideoAllowed = true;

  /**
   * @param instanceId UUID that tells this tab from the user's other phones
   * @throws Error when the session's address of record is no SIP URI
   */
  constructor(
    session: Session,
    handler: PhoneAgentHandler,
    sound: RemoteSound,
    instanceId: string,
  ) {
    const uri = UserAgent.makeURI(session.sip.uri);
    if (uri === undefined) throw new Error(`Not a SIP URI: ${session.sip.uri}`);
    this.#session = session;
    this.#handler = handler;
    this.#sound = sound;
    this.#domain = uri.host;
    this.#userAgent = new UserAgent({
      uri,
      authorizationUsername: session.sip.username,
      authorizationPassword: session.sip.password,
      contactName: session.user.id,
      instanceId,
      logBuiltinEnabled: false,
      logConfiguration: false,
      // A second caller gets 486 and no 180 before it.
      sendInitialProvisionalResponse: false,
      sessionDescriptionHandlerFactory: (sipSession) => {
        const call = this.#callsBySession.get(sipSession);
        if (call === undefined) throw new Error("A session that no call knows.");
        return call.createDescriptionHandler();
      },
      transportOptions: {
        server: session.sip.webSocketUrl,
        connectionTimeout: 5,
        keepAliveInterval: 25,
        traceSip: false,
      },
      userAgentString: "Offhook web phone",
      delegate: {
        onInvite: (invitation) => this.#onInvite(invitation),
        onDisconnect: () => this.#link.onDisconnected(),
        onMessage: (message) => this.#around.receive(message),
        onNotify: (notification) => this.#around.told(notification),
        onReferRequest: (request) => {
          request.reject({ statusCode: 603 });
        },
      },
    });
    this.#mixer = new ConferenceMixer(() => sound.context);
    this.#around = new SipAround({
      userAgent: this.#userAgent,
      handler,
      self: uri,
      targetOf: (number) => this.#targetOf(number),
    });
    const link: SipLinkEvents = {
      onConnecting: () => handler.onConnecting(),
      onRegistering: () => handler.onRegistering(),
      onReady: () => {
        this.#sendLateByes();
        for (const call of this.#calls.values()) call.onLinkReady();
        this.#around.onReady();
        handler.onReady();
      },
      onLost: (attempt, retryInMs) => handler.onLost(attempt, retryInMs),
      onRefused: (status, reasonPhrase) => handler.onRefused(status, reasonPhrase),
    };
    this.#link = new SipLink(this.#userAgent, link, () => canReach(session.sip.webSocketUrl));
  }

  start(): void {
    this.#link.start();
  }

  reconnectNow(): void {
    this.#link.retryNow();
  }

  networkChanged(isCertain: boolean): void {
    const inCall = [...this.#calls.values()].some((call) => call.isAnswered);
    if (!isCertain) {
      for (const call of this.#calls.values()) call.onNetworkHint();
      return;
    }
    if (inCall) this.#link.renew();
    else this.#link.retryNow();
    for (const call of this.#calls.values()) call.onNetworkChanged();
  }

  call(id: string, number: string, audio: OpenMicrophone, camera?: string): void {
    const inviter = new Inviter(this.#userAgent, this.#targetOf(number), { earlyMedia: true });
    void this.#add(id, inviter).invite(audio, camera);
  }

  ring(id: string): void {
    this.#calls.get(id)?.ring();
  }

  answer(id: string, audio: OpenMicrophone, camera?: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) audio.close();
    else void call.answer(audio, camera);
  }

  refuse(id: string, refusal: Refusal): void {
    this.#calls.get(id)?.refuse(refusal);
  }

  hangUp(id: string): void {
    this.#calls.get(id)?.hangUp();
  }

  setHeld(id: string, isHeld: boolean): void {
    this.#calls.get(id)?.setHeld(isHeld);
  }

  setMuted(id: string, isMuted: boolean): void {
    this.#calls.get(id)?.setMuted(isMuted);
  }

  sendDigits(id: string, digits: string): void {
    this.#calls.get(id)?.sendDigits(digits);
  }

  replaceAudio(id: string, audio: OpenMicrophone): void {
    const call = this.#calls.get(id);
    if (call === undefined) audio.close();
    else call.replaceMicrophone(audio);
  }

  setConference(ids: readonly string[]): void {
    this.#conference = ids;
    this.#mix();
  }

  transfer(id: string, number: string): void {
    this.#calls.get(id)?.transfer(this.#targetOf(number));
  }

  transferTo(id: string, otherId: string): void {
    const other = this.#calls.get(otherId);
    if (other !== undefined) this.#calls.get(id)?.transfer(other.session);
  }

  acceptReferral(id: string, newId: string, audio: OpenMicrophone): void {
    const referral = this.#calls.get(id)?.takeReferral();
    if (referral === undefined) {
      audio.close();
      this.#handler.onEnded(newId, { kind: "cancelled", details: {} });
      return;
    }
    referral.accept().catch(() => undefined);
    void this.#add(newId, referral.makeInviter({ earlyMedia: true })).invite(audio);
  }

  refuseReferral(id: string): void {
    this.#calls
      .get(id)
      ?.takeReferral()
      ?.reject({ statusCode: 603 })
      .catch(() => undefined);
  }

  setVideo(id: string, camera: string | undefined): void {
    this.#calls.get(id)?.setVideo(camera);
  }

  declineVideo(id: string): void {
    this.#calls.get(id)?.declineVideo();
  }

  replaceCamera(camera: string): void {
    for (const call of this.#calls.values()) call.replaceCamera(camera);
  }

  allowVideo(isAllowed: boolean): void {
    this.#isVideoAllowed = isAllowed;
  }

  sendMessage(id: string, number: string, text: string): void {
    this.#around.send(id, number, text);
  }

  watchLamps(numbers: readonly string[]): void {
    this.#around.watch(numbers);
  }

  /** The sound of a call, undefined when it is over. */
  mediaOf(id: string): CallMedia | undefined {
    return this.#calls.get(id);
  }

  leave(): void {
    this.#hangUpAll();
    this.#around.stop();
    this.#link.leave();
  }

  stop(): void {
    this.#hangUpAll();
    this.#around.stop();
    this.#link.stop();
    this.#userAgent.stop().catch(() => {
      // The connection was gone already.
    });
  }

  #hangUpAll(): void {
    for (const call of this.#calls.values()) call.hangUp();
  }

  #targetOf(number: string): URI {
    const at = number.lastIndexOf("@");
    const user = at < 0 ? number : number.slice(0, at);
    const host = at < 0 ? this.#domain : number.slice(at + 1);
    // SIP.js decodes before it escapes; "#" and "%" must reach it escaped.
    return new URI("sip", encodeURIComponent(user), host);
  }

  #onInvite(invitation: Invitation): void {
    const identity = invitation.assertedIdentity ?? invitation.remoteIdentity;
    const name = identity.displayName;
    const id = crypto.randomUUID();
    this.#add(id, invitation);
    const hasVideo = this.#isVideoAllowed && offersVideo(invitation.body ?? "");
    this.#handler.onIncoming(id, identity.uri.user ?? "", name === "" ? undefined : name, hasVideo);
  }

  #add(id: string, sipSession: Inviter | Invitation): SipCall {
    const context: SipCallContext = {
      handler: this.#handler,
      iceServers: this.#session.iceServers,
      isVideoAllowed: () => this.#isVideoAllowed,
      isConnected: () => this.#link.isConnected,
      isLinkReady: () => this.#link.isReady,
      renewLink: () => this.#link.renew(),
      onStreams: (changed) => {
        if (changed.remoteStream !== undefined) this.#sound.attach(id, changed.remoteStream);
        if (this.#conference.includes(id)) this.#mix();
      },
      onOver: (over) => {
        this.#calls.delete(over.id);
        this.#sound.detach(over.id);
        if (this.#conference.includes(over.id)) this.#mix();
      },
      onUnsentBye: (unsent) => this.#unsentByes.add(unsent),
    };
    const call = new SipCall(id, sipSession, context);
    this.#calls.set(id, call);
    this.#callsBySession.set(sipSession, call);
    return call;
  }

  #mix(): void {
    this.#mixer.mix(
      this.#conference.map((id) => this.#calls.get(id)).filter((call) => call !== undefined),
    );
  }

  /** Calls that were hung up without a connection are ended for the far end as well. */
  #sendLateByes(): void {
    for (const call of this.#unsentByes) call.sendBye();
    this.#unsentByes.clear();
  }
}
