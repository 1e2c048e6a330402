/**
 * WebRTC under a SIP session: one peer connection with one audio section, and one for pictures where
 * there are any. SIP.js brings a handler of its own; ours differs where users would notice: it does not wait for ICE to finish gathering,
 * after a hold it always offers sound both ways again, it keeps queued digits, and it can go on with
 * a new peer connection in the middle of a call: when the browser's network has changed, and when
 * the far end's DTLS fingerprint has.
 *
 * The old connection plays until the new one has its answer, and stays when that is refused. One that
 * the gateway has moved away from is silent then, and closed a little later: it says good-bye to a
 * port that its dead media relay had, and that the next relay may have given to the new connection.
 * rtpengine 10.5 answers such a word, in the middle of a handshake, with its ClientHello.
 */
import type { BodyAndContentType, SessionDescriptionHandler } from "sip.js";
import { keepBundleGroup } from "./bundle-group.ts";
import type { OpenMicrophone } from "./open-microphone.ts";
import { preferOpus } from "./opus-preference.ts";
import type { IceServer } from "./phone-agent.ts";
import { audioDirectionOf, isHolding, showsVideo } from "./sdp-direction.ts";
import { SoundWatch } from "./sound-watch.ts";
import {
  hasVideoSection,
  picturesOf,
  replaceCamera,
  sendKeyFrame,
  videoStateOf,
  type VideoState,
  wishVideo,
} from "./video-section.ts";

/** What the handler tells. */
export interface DescriptionHandlerEvents {
  /** Another stream each time that the peer connection is another one. */
  onRemoteStream(stream: MediaStream): void;
  /** Of the connection that stands, as far as its sound goes. */
  onConnectionState(state: RTCPeerConnectionState): void;
  /** The peer's hold, as a re-INVITE or the answer to ours says it. */
  onHeldByPeer(isHeld: boolean): void;
  /**
   * After each description that both sides have agreed on.
   *
   * @param isHeld by either side: what is not sent now comes again
   */
  onVideo(video: VideoState, isHeld: boolean): void;
}

/**
 * The first host candidate is there after 2 ms, while "complete" takes 120 ms; and the gateway's
 * media relay learns the rest from the checks.
 */
const GATHERING_MS = 10;
/** How long a section without any candidate may wait for a first one on a busy machine. */
const FIRST_CANDIDATE_MS = 200;
/** The same where it must come from a TURN server. */
const FIRST_RELAY_MS = 2_000;
/** Longer than a handshake takes, and shorter than the gateway's patience with a silent old path. */
const FAREWELL_MS = 3_000;
const TONE_MS = 100;
const TONE_GAP_MS = 70;

/** One peer connection and what hangs on it. */
interface Line {
  readonly connection: RTCPeerConnection;
  readonly sound: SoundWatch;
  readonly remoteStream: MediaStream;
  readonly iceTransportPolicy: RTCIceTransportPolicy;
  sender: RTCRtpSender | undefined;
}

/** See the head of this file. */
export class DescriptionHandler implements SessionDescriptionHandler {
  #microphone: OpenMicrophone;
  /** What goes out: the microphone's track, or a mix that somebody else makes. */
  #track: MediaStreamTrack | undefined;
  readonly #iceServers: readonly IceServer[];
  readonly #events: DescriptionHandlerEvents;
  /** The connection that stands. */
  #line: Line;
  /** The one that takes its place once the far end has agreed. */
  #next: Line | undefined;
  /** The one that the gateway has moved away from, until it is closed. */
  #left: RTCPeerConnection | undefined;
  /** Whether the next offer is to come from a new connection, and how that may reach the gateway. */
  #renewal: RTCIceTransportPolicy | undefined;
  #isHeld = false;
  #isOpusAlone = false;
  readonly #isVideoAllowed: boolean;
  #camera: MediaStreamTrack | undefined;
  /** The user does not want the pictures that the far end shows now. */
  #isVideoDeclined = false;
  /** The far end's pictures, whichever connection they come over. */
  readonly remotePictures = new MediaStream();
  #descriptions = 0;
  #isHeldByPeer = false;

  constructor(
    microphone: OpenMicrophone,
    options: { readonly iceServers: readonly IceServer[]; readonly isVideoAllowed: boolean },
    events: DescriptionHandlerEvents,
  ) {
    this.#microphone = microphone;
    this.#track = trackOf(microphone);
    this.#iceServers = options.iceServers;
    this.#isVideoAllowed = options.isVideoAllowed;
    this.#events = events;
    this.#line = this.#open("all");
  }

  get peerConnection(): RTCPeerConnection {
    return this.#line.connection;
  }

  get remoteStream(): MediaStream {
    return this.#line.remoteStream;
  }

  /** Whether the sound has a way to the gateway now. */
  get isConnected(): boolean {
    return this.#line.sound.state === "connected";
  }

  /** Takes effect with the next offer or answer; undefined: no pictures of ours. */
  setCamera(camera: MediaStreamTrack | undefined): void {
    this.#camera = camera;
  }

  /** Goes on with another camera, without an offer. */
  replaceCamera(camera: MediaStreamTrack): void {
    this.#camera = camera;
    replaceCamera(this.#line.connection, camera);
    if (this.#next !== undefined) replaceCamera(this.#next.connection, camera);
  }

  /** Takes effect with the next offer, and ends when the far end stops showing what it shows. */
  declineVideo(): void {
    this.#isVideoDeclined = true;
  }

  /** The far end wants a whole picture. */
  sendKeyFrame(): void {
    sendKeyFrame(this.#line.connection);
  }

  /** The next offer comes from a new connection. @param isRelayOnly over a TURN server alone */
  renew(isRelayOnly: boolean): void {
    this.#renewal = isRelayOnly ? "relay" : "all";
  }

  /**
   * Goes on with another microphone, without an offer (W3C WebRTC §5.2 `replaceTrack`).
   *
   * @param mix what goes out instead of its track
   */
  replaceMicrophone(microphone: OpenMicrophone, mix?: MediaStreamTrack): void {
    const before = this.#microphone;
    this.#microphone = microphone;
    this.send(mix);
    if (before !== microphone) before.close();
  }

  /** Sends this track; undefined: the microphone's own. */
  send(mix: MediaStreamTrack | undefined): void {
    this.#track = mix ?? trackOf(this.#microphone);
    for (const sender of [this.#line.sender, this.#next?.sender]) {
      sender?.replaceTrack(this.#track ?? null).catch(ignore);
    }
  }

  /** Takes effect with the next offer or answer. */
  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /** Whether the next offers have Opus alone, or everything that the browser knows. */
  setOpusAlone(isOpusAlone: boolean): void {
    this.#isOpusAlone = isOpusAlone;
  }

  /** The offer or answer of this side, with its first candidates. */
  async getDescription(): Promise<BodyAndContentType> {
    const isAnswer = this.#current.connection.signalingState === "have-remote-offer";
    const renewal =
      this.#renewal ?? (this.#needsOther() ? this.#line.iceTransportPolicy : undefined);
    if (renewal !== undefined && !isAnswer) {
      this.#renewal = undefined;
      this.#discardNext();
      this.#next = this.#open(renewal);
    }
    const line = this.#current;
    const { connection } = line;
    line.sender ??= this.#addMicrophone(connection);
    wishVideo(
      connection,
      {
        isAllowed: this.#isVideoAllowed,
        camera: this.#camera,
        isDeclined: this.#isVideoDeclined,
        isHeld: this.#isHeld,
      },
      { isAnswer, hadSection: hasVideoSection(this.#line.connection) },
    );
    for (const transceiver of connection.getTransceivers()) {
      if (transceiver.receiver.track.kind === "video") continue;
      transceiver.direction = this.#isHeld ? "sendonly" : "sendrecv";
      if (this.#isOpusAlone) preferOpus(transceiver);
      else transceiver.setCodecPreferences([]);
    }
    await connection.setLocalDescription(
      isAnswer ? await this.#answer(connection) : await connection.createOffer(),
    );
    line.sound.follow();
    // A relay-only offer has no candidate before the TURN server has answered.
    await gatherCandidates(connection, renewal === "relay" ? FIRST_RELAY_MS : FIRST_CANDIDATE_MS);
    const description = connection.localDescription;
    if (description === null) throw new Error("The peer connection was closed meanwhile.");
    if (isAnswer) this.#agreed("answer");
    return { body: description.sdp, contentType: "application/sdp" };
  }

  /** Takes the peer's offer or answer. */
  async setDescription(received: string): Promise<void> {
    const type =
      this.#current.connection.signalingState === "have-local-offer" ? "answer" : "offer";
    if (type === "offer" && this.#isOtherEndpoint(received)) {
      this.#discardNext();
      this.#next = this.#open("all");
    }
    const sdp = keepBundleGroup(received, settledAnswerOf(this.#current.connection));
    const isHeldByPeer = isHolding(audioDirectionOf(sdp));
    const isOpened = type === "offer" && this.#isHeldByPeer && !isHeldByPeer;
    // A new connection has none to forget, and its role in DTLS is still to be said.
    if (isOpened && this.#next === undefined) await this.#forgetSources(sdp);
    this.#isHeldByPeer = isHeldByPeer && !(type === "answer" && this.#isHeld);
    if (!isHeldByPeer && !this.#isHeld && !showsVideo(sdp)) this.#isVideoDeclined = false;
    await this.#current.connection.setRemoteDescription({ type, sdp });
    if (type === "answer") this.#agreed("offer");
    this.#descriptions += 1;
    // The first description may be one-way without anybody holding: an announcement, say. And the
    // answer to our own hold is one-way by right.
    if (this.#descriptions === 1 || (type === "answer" && this.#isHeld)) return;
    this.#events.onHeldByPeer(isHeldByPeer);
  }

  /**
   * Music on hold has an SSRC of its own, and no SSRC is signalled. Chromium binds the track to the
   * newest it has seen and stays there when the far end's comes back: no meter moves and no
   * conference hears it. A moment without any stream, which the far end never learns of, clears that.
   */
  async #forgetSources(offer: string): Promise<void> {
    const { connection } = this.#current;
    const sdp = offer.replaceAll(/^a=(?:sendrecv|sendonly)(?=\r?$)/gm, "a=inactive");
    await connection.setRemoteDescription({ type: "offer", sdp });
    await connection.setLocalDescription(await connection.createAnswer());
  }

  /**
   * A connection that answers a move of the gateway's leaves the first word in DTLS to the media
   * relay (RFC 8842 §5.3). Its own ClientHello would often be there before its answer, when the relay
   * still takes itself for the client, and end the handshake.
   */
  async #answer(connection: RTCPeerConnection): Promise<RTCSessionDescriptionInit> {
    const { type, sdp = "" } = await connection.createAnswer();
    if (this.#next === undefined) return { type, sdp };
    return { type, sdp: sdp.replaceAll("a=setup:active", "a=setup:passive") };
  }

  hasDescription(contentType: string): boolean {
    return contentType === "application/sdp";
  }

  async rollbackDescription(): Promise<void> {
    if (this.#next !== undefined) {
      this.#discardNext();
      return;
    }
    switch (this.peerConnection.signalingState) {
      case "have-local-offer":
        await this.peerConnection.setLocalDescription({ type: "rollback" });
        return;
      case "have-remote-offer":
        await this.peerConnection.setRemoteDescription({ type: "rollback" });
        return;
      default:
    }
  }

  /** RFC 4733 events. Digits that still wait keep their turn. */
  sendDtmf(tones: string): boolean {
    const dtmf = this.#line.sender?.dtmf;
    if (dtmf == null || !dtmf.canInsertDTMF) return false;
    dtmf.insertDTMF(`${dtmf.toneBuffer}${tones}`, TONE_MS, TONE_GAP_MS);
    return true;
  }

  close(): void {
    this.#microphone.close();
    this.#discardNext();
    this.#left?.close();
    this.#line.connection.close();
  }

  /** The connection that descriptions are about. */
  get #current(): Line {
    return this.#next ?? this.#line;
  }

  #open(iceTransportPolicy: RTCIceTransportPolicy): Line {
    // The default policy takes answers without a group, and gives each section a transport then.
    const connection = new RTCPeerConnection({
      iceServers: [...this.#iceServers],
      iceTransportPolicy,
    });
    const remoteStream = new MediaStream();
    const sound = new SoundWatch(connection, (state) => {
      if (this.#line === line) this.#events.onConnectionState(state);
    });
    const line: Line = {
      connection,
      sound,
      remoteStream,
      iceTransportPolicy,
      sender: undefined,
    };
    connection.addEventListener("track", ({ track }) => {
      if (track.kind === "video") return;
      remoteStream.addTrack(track);
      if (this.#line === line) this.#events.onRemoteStream(remoteStream);
    });
    return line;
  }

  /**
   * Whether the next offer cannot come from the connection that stands: it is about pictures. One
   * that carries sound already offers them over the transport of the sound (RFC 8843 §7), and one
   * that has answered with two transports offers one for both; but the gateway's relay has a port
   * for each. A new connection offers both apart.
   */
  #needsOther(): boolean {
    const { connection } = this.#line;
    if (connection.remoteDescription === null) return false;
    return this.#camera !== undefined || hasVideoSection(connection);
  }

  /** Both sides have agreed. @param ours which of the two descriptions is this side's */
  #agreed(ours: "offer" | "answer"): void {
    this.#advance(ours);
    const { connection } = this.#line;
    const theirs = picturesOf(connection);
    for (const track of this.remotePictures.getTracks()) {
      if (track !== theirs) this.remotePictures.removeTrack(track);
    }
    if (theirs !== undefined) this.remotePictures.addTrack(theirs);
    this.#events.onVideo(videoStateOf(connection), this.#isHeld || this.#isHeldByPeer);
  }

  /** The new connection takes the place of the old one. */
  #advance(ours: "offer" | "answer"): void {
    const next = this.#next;
    if (next === undefined) return;
    const old = this.#line;
    this.#line = next;
    this.#next = undefined;
    if (next.remoteStream.getTracks().length > 0) this.#events.onRemoteStream(next.remoteStream);
    this.#events.onConnectionState(next.sound.state);
    if (ours === "offer") old.connection.close();
    else this.#leave(old.connection);
  }

  /** Falls silent now, and closes when nobody listens any more. */
  #leave(connection: RTCPeerConnection): void {
    this.#left?.close();
    this.#left = connection;
    for (const sender of connection.getSenders()) sender.replaceTrack(null).catch(ignore);
    setTimeout(() => {
      if (this.#left !== connection) return;
      connection.close();
      this.#left = undefined;
    }, FAREWELL_MS);
  }

  #discardNext(): void {
    this.#next?.connection.close();
    this.#next = undefined;
  }

  /**
   * Whether an offer comes from another DTLS endpoint than the one that we are connected to: the
   * gateway has moved the call to another media relay.
   */
  #isOtherEndpoint(sdp: string): boolean {
    const before = fingerprintOf(this.#line.connection.remoteDescription?.sdp ?? "");
    const now = fingerprintOf(sdp);
    return before !== undefined && now !== undefined && before !== now;
  }

  #addMicrophone(connection: RTCPeerConnection): RTCRtpSender {
    if (this.#track === undefined) throw new Error("The microphone has no track.");
    return connection.addTrack(this.#track, this.#microphone.stream);
  }
}

function trackOf(microphone: OpenMicrophone): MediaStreamTrack | undefined {
  return microphone.stream.getAudioTracks()[0];
}

function ignore(): void {
  // The connection was closed meanwhile.
}

function settledAnswerOf(connection: RTCPeerConnection): string | undefined {
  const { currentLocalDescription, currentRemoteDescription } = connection;
  return [currentLocalDescription, currentRemoteDescription].find(
    (description) => description?.type === "answer",
  )?.sdp;
}

/** The first `a=fingerprint` of an SDP, its hash in lower case (RFC 8122 §5). */
function fingerprintOf(sdp: string): string | undefined {
  return /^a=fingerprint:(.+?)\s*$/m.exec(sdp)?.[1]?.toLowerCase();
}

/** @param firstMs how long to wait for a first candidate of each section that has none yet */
async function gatherCandidates(connection: RTCPeerConnection, firstMs: number): Promise<void> {
  await gathered(connection, GATHERING_MS, () => false);
  const isEnough = (): boolean => hasCandidates(connection.localDescription?.sdp ?? "");
  if (!isEnough()) await gathered(connection, firstMs, isEnough);
}

/** Whether every section in use has a candidate: it may have a transport of its own. */
function hasCandidates(sdp: string): boolean {
  const [, ...sections] = sdp.split(/^m=/m);
  return sections.every((one) => /^\S+ 0 /.test(one) || one.includes("a=candidate:"));
}

/** Resolves when gathering is complete, when a candidate makes it enough, else after the time. */
function gathered(
  connection: RTCPeerConnection,
  milliseconds: number,
  isEnough: () => boolean,
): Promise<void> {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const listening = new AbortController();
    const finish = (): void => {
      clearTimeout(timer);
      listening.abort();
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    connection.addEventListener(
      "icecandidate",
      ({ candidate }) => {
        if (candidate === null || isEnough()) finish();
      },
      { signal: listening.signal },
    );
  });
}
