/**
 * What the phone needs of SIP and media, in the phone's own words. The adapter over SIP.js stands
 * in `sip-agent.ts`; nothing outside `agent/` knows which library is behind it.
 */
import type { LampState, Voicemail } from "../around.ts";
import type { CallEnd } from "../call-end.ts";
import type { QualityReading } from "../quality.ts";
import type { VideoProblem } from "../video.ts";

/** What a signed-in phone needs to register: the answer of `POST /api/v1/session`. */
export interface Session {
  readonly user: { readonly id: string; readonly name: string };
  readonly sip: {
    /** Address of record, `sip:1001@voice.example.com`. */
    readonly uri: string;
    readonly webSocketUrl: string;
    /** The user name for digest authentication, not the one in the URI. */
    readonly username: string;
    readonly password: string;
  };
  /** Opens what the user has set for its calls; missing where a PBX owns the user. */
  readonly token?: string;
  readonly iceServers: readonly IceServer[];
  /** ISO 8601. */
  readonly expiresAt: string;
  /** The password is the user's own, for a PBX: it stays in memory and nowhere else. */
  readonly hasTypedPassword?: boolean;
  /** What the network plays while a call rings, and when it is busy. */
  readonly tones?: NetworkTones;
  /** False: the gateway lets no pictures through. */
  readonly hasVideo?: boolean;
}

/** A tone: frequencies in Hz together; seconds on, off, on, off, …: one period. */
export interface CallTone {
  readonly frequencies: readonly number[];
  readonly cadence: readonly number[];
}

/** The tones of a country's network. */
export interface NetworkTones {
  readonly ringBack: CallTone;
  readonly busy: CallTone;
}

/** One entry of W3C WebRTC's `RTCIceServer`. */
export interface IceServer {
  readonly urls: string[];
  readonly username?: string;
  readonly credential?: string;
}

/** Sound that goes out; its owner closes it, which switches the microphone's lamp off. */
export interface OutgoingAudio {
  close(): void;
}

/** One part of the way of the sound, as the gateway names it. */
export type LossSegment =
  | "browser-uplink"
  | "browser-downlink"
  | "carrier-inbound"
  | "carrier-outbound"
  | "gateway";

/** Why a call is turned away before it is answered. */
export type Refusal = "declined" | "busy";

/**
 * SIP and media of one signed-in user. Every command is for one call by its id, chosen by the
 * caller for outgoing calls and by the agent for incoming ones, and does nothing for an id that is
 * unknown or over. Nothing throws and nothing is returned: what comes of a command is told to the
 * {@link PhoneAgentHandler}.
 */
export interface PhoneAgent<Audio extends OutgoingAudio> {
  /** Connects and registers, and keeps both up for ever. */
  start(): void;
  /** Tries at once what would be tried later; checks a connection that seems up. */
  reconnectNow(): void;
  /**
   * The browser is in another network, or may be.
   *
   * @param isCertain false makes sure first, and changes nothing where all is well
   */
  networkChanged(isCertain: boolean): void;
  /**
   * Sends the INVITE. `audio` is closed by the agent when the call ends.
   *
   * @param camera the id of the camera whose pictures go along, `""` for the one that the browser
   *   prefers; undefined: none
   */
  call(id: string, number: string, audio: Audio, camera?: string): void;
  /** Tells the caller that the phone rings. */
  ring(id: string): void;
  /** @param camera as in `call` */
  answer(id: string, audio: Audio, camera?: string): void;
  refuse(id: string, refusal: Refusal): void;
  /** Ends a call in whatever state it is. */
  hangUp(id: string): void;
  setHeld(id: string, isHeld: boolean): void;
  setMuted(id: string, isMuted: boolean): void;
  /** Sends digits as RFC 4733 events, after those that are still being sent. */
  sendDigits(id: string, digits: string): void;
  /** Goes on with another microphone, without a word to the far end; closes the one before. */
  replaceAudio(id: string, audio: Audio): void;
  /** Lets all these calls hear each other and us; an empty list: each call is alone again. */
  setConference(ids: readonly string[]): void;
  /**
   * Holds the call and asks its far end to call a number instead (REFER, RFC 3515). What comes of
   * it is told by `onTransferProgress` and then `onTransferred` or `onTransferFailed`.
   */
  transfer(id: string, number: string): void;
  /** The same with a call that is up: its far end is called with Replaces (RFC 3891). */
  transferTo(id: string, otherId: string): void;
  /** Calls whom the far end has named, under the new id. `audio` is closed by the agent. */
  acceptReferral(id: string, newId: string, audio: Audio): void;
  refuseReferral(id: string): void;
  /**
   * Shows a camera to the far end; `onVideo` tells what stands then.
   *
   * @param camera as in `call`; undefined: no longer
   */
  setVideo(id: string, camera: string | undefined): void;
  /** Takes the pictures that the far end shows now no longer. */
  declineVideo(id: string): void;
  /** Goes on with another camera in all calls that show one. */
  replaceCamera(camera: string): void;
  /** Whether calls may have pictures at all, from the next one on; at the begin they may. */
  allowVideo(isAllowed: boolean): void;
  /** Sends a written message (RFC 3428); `onMessageSettled` follows. */
  sendMessage(id: string, number: string, text: string): void;
  /** Watches what these numbers' phones do, and no others (RFC 4235). */
  watchLamps(numbers: readonly string[]): void;
  /** Ends every call and the registration in this very moment: for a page that goes away. */
  leave(): void;
  /** Ends every call and the registration, then closes the connection. */
  stop(): void;
}

/** What the agent tells. Never called after `stop` or `leave`. */
export interface PhoneAgentHandler {
  onConnecting(): void;
  onRegistering(): void;
  onReady(): void;
  /** The next attempt, number `attempt`, comes in `retryInMs`. */
  onLost(attempt: number, retryInMs: number): void;
  onRefused(status: number, reasonPhrase: string): void;
  /** A call arrived, perhaps with pictures: answer with `ring` or `refuse`. */
  onIncoming(id: string, number: string, name: string | undefined, hasVideo?: boolean): void;
  onRinging(id: string): void;
  onEarlyMedia(id: string): void;
  onConnected(id: string, name: string | undefined): void;
  /** How holding stands now, whether or not it is what was asked for. */
  onHeld(id: string, isHeld: boolean): void;
  onHeldByPeer(id: string, isHeld: boolean): void;
  onMedia(id: string, state: "flowing" | "interrupted"): void;
  /** Where packets are lost that people miss; undefined when it is good again. */
  onLoss(id: string, segment: LossSegment | undefined): void;
  onEnded(id: string, end: CallEnd): void;
  /** @param status of the new call, 100 to 199 */
  onTransferProgress(id: string, status: number): void;
  /** The far end has reached the target: the call is over as far as we go. */
  onTransferred(id: string): void;
  onTransferFailed(id: string, status: number, reasonPhrase: string): void;
  /** The far end asks us to call `target`; undefined: it no longer does. */
  onReferral(id: string, target: string | undefined): void;
  /** Whether our camera is on for the call, and whether the far end's pictures come. */
  onVideo(id: string, isSending: boolean, isReceiving: boolean): void;
  /** Why our camera is off all the same. */
  onVideoProblem(id: string, problem: VideoProblem): void;
  /** Once a second while the call is up. */
  onQuality(id: string, reading: QualityReading): void;
  onVoicemail(voicemail: Voicemail): void;
  onLamp(number: string, state: LampState): void;
  onMessage(from: string, name: string | undefined, text: string): void;
  onMessageSettled(id: string, isSent: boolean): void;
}
