/**
 * WebRTC under a SIP session: one peer connection with one audio section. SIP.js brings a handler of
 * its own; ours differs where users would notice: it does not wait for ICE to finish gathering,
 * after a hold it always offers sound both ways again, and it keeps queued digits.
 */
import type { BodyAndContentType, SessionDescriptionHandler } from "sip.js";
import type { OpenMicrophone } from "./open-microphone.ts";
import type { IceServer } from "./phone-agent.ts";
import { audioDirectionOf, isHolding } from "./sdp-direction.ts";

/** What the handler tells. */
export interface DescriptionHandlerEvents {
  onRemoteStream(stream: MediaStream): void;
  onConnectionState(state: RTCPeerConnectionState): void;
  /** The peer's hold, as a re-INVITE or the answer to ours says it. */
  onHeldByPeer(isHeld: boolean): void;
}

/**
 * The first host candidate is there after 2 ms, while "complete" takes 120 ms; and the gateway's
 * media relay learns the rest from the checks.
 */
const GATHERING_MS = 10;
/** How long an offer without any candidate may wait for a first one on a busy machine. */
const FIRST_CANDIDATE_MS = 200;
const TONE_MS = 100;
const TONE_GAP_MS = 70;

/** See the head of this file. */
export class DescriptionHandler implements SessionDescriptionHandler {
  readonly peerConnection: RTCPeerConnection;
  readonly remoteStream = new MediaStream();
  readonly #microphone: OpenMicrophone;
  readonly #events: DescriptionHandlerEvents;
  #sender: RTCRtpSender | undefined;
  #isHeld = false;
  #descriptions = 0;

  constructor(
    microphone: OpenMicrophone,
    iceServers: readonly IceServer[],
    events: DescriptionHandlerEvents,
  ) {
    this.#microphone = microphone;
    this.#events = events;
    // One section has nothing to bundle: the default policy also takes answers without a group.
    this.peerConnection = new RTCPeerConnection({ iceServers: [...iceServers] });
    this.peerConnection.addEventListener("track", ({ track }) => {
      this.remoteStream.addTrack(track);
      events.onRemoteStream(this.remoteStream);
    });
    this.peerConnection.addEventListener("connectionstatechange", () => {
      events.onConnectionState(this.peerConnection.connectionState);
    });
  }

  /** Takes effect with the next offer or answer. */
  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /** The offer or answer of this side, with its first candidates. */
  async getDescription(): Promise<BodyAndContentType> {
    const connection = this.peerConnection;
    this.#sender ??= this.#addMicrophone();
    for (const transceiver of connection.getTransceivers()) {
      transceiver.direction = this.#isHeld ? "sendonly" : "sendrecv";
    }
    const isAnswer = connection.signalingState === "have-remote-offer";
    await connection.setLocalDescription(
      isAnswer ? await connection.createAnswer() : await connection.createOffer(),
    );
    await this.#gatherCandidates();
    const description = connection.localDescription;
    if (description === null) throw new Error("The peer connection was closed meanwhile.");
    return { body: description.sdp, contentType: "application/sdp" };
  }

  /** Takes the peer's offer or answer. */
  async setDescription(sdp: string): Promise<void> {
    const connection = this.peerConnection;
    const type = connection.signalingState === "have-local-offer" ? "answer" : "offer";
    await connection.setRemoteDescription({ type, sdp });
    this.#descriptions += 1;
    // The first description may be one-way without anybody holding: an announcement, say. And the
    // answer to our own hold is one-way by right.
    if (this.#descriptions === 1 || (type === "answer" && this.#isHeld)) return;
    this.#events.onHeldByPeer(isHolding(audioDirectionOf(sdp)));
  }

  hasDescription(contentType: string): boolean {
    return contentType === "application/sdp";
  }

  async rollbackDescription(): Promise<void> {
    if (this.peerConnection.signalingState === "have-local-offer") {
      await this.peerConnection.setLocalDescription({ type: "rollback" });
    }
  }

  /** RFC 4733 events. Digits that still wait keep their turn. */
  sendDtmf(tones: string): boolean {
    const dtmf = this.#sender?.dtmf;
    if (dtmf == null || !dtmf.canInsertDTMF) return false;
    dtmf.insertDTMF(`${dtmf.toneBuffer}${tones}`, TONE_MS, TONE_GAP_MS);
    return true;
  }

  close(): void {
    this.#microphone.close();
    this.peerConnection.close();
  }

  #addMicrophone(): RTCRtpSender {
    const stream = this.#microphone.stream;
    const [track] = stream.getAudioTracks();
    if (track === undefined) throw new Error("The microphone has no track.");
    return this.peerConnection.addTrack(track, stream);
  }

  async #gatherCandidates(): Promise<void> {
    await this.#gathered(GATHERING_MS, false);
    if (this.peerConnection.localDescription?.sdp.includes("a=candidate:") === true) return;
    await this.#gathered(FIRST_CANDIDATE_MS, true);
  }

  /** Resolves when gathering is complete, at the first candidate if asked, else after the time. */
  #gathered(milliseconds: number, isFirstEnough: boolean): Promise<void> {
    const connection = this.peerConnection;
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
          if (candidate === null || isFirstEnough) finish();
        },
        { signal: listening.signal },
      );
    });
  }
}
