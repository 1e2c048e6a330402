import type { MediaDirection } from "./direction.ts";

/**
 * What src/call needs of media: one MediaSession a call, one offer/answer exchange after another.
 *
 * The ng call-id and tags are ours, not SIP's, and each attempt at a callee has a branch of its own
 * (rtpengine's via-branch), so forks, failover and transfers never disturb the caller's side.
 */

/** `webrtc`: DTLS-SRTP with ICE (a browser). `rtp`: plain RTP (a trunk, a service of ours). */
export type LegKind = "webrtc" | "rtp";

/**
 * How a plain leg is encrypted. `off`: not at all; `sdes`: keys in the SDP (RFC 4568); `dtls`:
 * DTLS-SRTP without ICE (RFC 5764); `optional`: SDES is offered in a plain offer, and whatever the
 * far end takes is taken (RFC 8643).
 */
export type LegSrtp = "off" | "sdes" | "dtls" | "optional";

/**
 * How digits go to a leg. `rfc4733`: as events in RTP; `info`: in SIP, past the media; `inband`: as
 * tones in the sound. What comes from a leg is understood in each form.
 */
export type DtmfWay = "rfc4733" | "info" | "inband";

/** One end of the media of a call. */
export interface MediaLeg {
  /** Unique within the session: `caller`, `callee-1`, … It becomes the ng tag. */
  readonly tag: string;
  readonly kind: LegKind;
  /** Codec names that the far end takes, in order of preference; undefined: the default set. */
  readonly codecs?: readonly string[] | undefined;
  /**
   * `rtp`: its packets come from exactly the address in its SDP, so nothing is learned and nobody
   * else can send into the call. True for a service of ours and for a peer that is known to be
   * behind no NAT; default false.
   */
  readonly hasFixedAddress?: boolean | undefined;
  /**
   * `rtp`: as `hasFixedAddress`, but by the address of each SDP that the leg sends: whether its
   * packets come from there.
   */
  readonly isDirect?: ((host: string) => boolean) | undefined;
  /** Whether it may have video beside its audio, passed through as it is; default false. */
  readonly video?: boolean | undefined;
  /** `rtp`: default `off`. */
  readonly srtp?: LegSrtp | undefined;
  /** `rtp`: the family of the address that the far end gets; undefined: rtpengine's choice. */
  readonly addressFamily?: "IP4" | "IP6" | undefined;
  /** Default `rfc4733`. */
  readonly dtmf?: DtmfWay | undefined;
  /** What becomes of `rfc4733` when the far end has no telephone-event. Default `inband`. */
  readonly dtmfFallback?: "info" | "inband" | undefined;
}

/**
 * `narrow`: G.722, PCMU, PCMA and telephone-event/8000 end to end, no transcoding;
 * `opus`: Opus at the browser, transcoded where the other side has none;
 * `auto`: narrow, or Opus end to end where the other side lists it.
 */
export type CodecPolicy = "auto" | "narrow" | "opus";

export interface Exchange {
  /** Whose SDP the offer is. */
  readonly offerer: MediaLeg;
  /** Who shall get it. */
  readonly answerer: MediaLeg;
  /**
   * The SDP is not new but stands in for an offerer that will be asked for its own next, with new
   * ICE credentials: rtpengine must not hold it to the old ones.
   */
  readonly isStandIn?: boolean | undefined;
  /** The offer restarts ICE on our side; no other leg of the exchange has any. */
  readonly restartsIce?: boolean | undefined;
  /** The attempt: the same for the offer, its answers and every later exchange of the pair. */
  readonly branch: string;
  /** How codecs are chosen; undefined: as the session was made. */
  readonly policy?: CodecPolicy | undefined;
}

/** What senders of Opus are asked for (RFC 7587 §6.1). */
export interface OpusParameters {
  readonly fec: boolean;
  readonly dtx: boolean;
  readonly ptimeMs: number;
  /** Bits a second; undefined: the sender's choice. */
  readonly bitrate?: number | undefined;
}

/** A digit that is played into the media. */
export interface PlayedDigit {
  /** Tag of the leg that it comes from. */
  readonly from: string;
  /** One of `0-9*#A-D`. */
  readonly digit: string;
  /** Default 100; at least 100, at most 1000 ms are played. */
  readonly durationMs?: number | undefined;
}

/** What a session tells of by itself. */
export interface MediaSessionHandler {
  /**
   * A leg has sent a digit in RTP.
   * @param isHeld its RTP was held back, for a leg that gets its digits by SIP INFO
   */
  onDigit(fromTag: string, digit: string, durationMs: number, isHeld: boolean): void;
  /**
   * The rtpengine that had this call has lost it or does not answer, and another one can take it:
   * `move` the session. Nothing is called again before that.
   */
  onNodeLost?(detail: string): void;
  /**
   * rtpengine changed its side toward a browser in the middle of a call (an alarm has been raised).
   *
   * @returns `refuse`: the SDP must not go out, the exchange fails; `send`: it goes out as it is,
   *   for a leg that is only being set up
   */
  onAnchorChanged?(leg: string, changed: readonly string[]): "refuse" | "send";
}

/** One leg: its packets as rtpengine received them, and what it says of those that it receives. */
export interface StreamQuality {
  readonly packets: number;
  /** Packets that could not be used: not decrypted, say. */
  readonly errors: number;
  /** Of its own RTCP reports, averaged; missing when it sends none. MOS 1 to 4.5. */
  readonly mos?: number;
  readonly lowestMos?: number;
  readonly jitterMs?: number;
  readonly roundTripMs?: number;
  /** 0 to 100. */
  readonly lossPercent?: number;
}

/** What the media of a call amounted to, for its record. */
export interface MediaReport {
  /** Codec names as negotiated, such as `PCMU/8000`; undefined before an answer. */
  readonly codecs: Readonly<Record<string, string>>;
  readonly isTranscoded: boolean;
  /** Packets received by rtpengine from each leg's tag. */
  readonly packetsFrom: Readonly<Record<string, number>>;
  /** By leg tag; only where rtpengine was asked. */
  readonly quality?: Readonly<Record<string, StreamQuality>>;
  /** How digits go to each leg; `none` where there is no way. Only legs with an answer. */
  readonly dtmf?: Readonly<Record<string, DtmfWay | "none">>;
  /** How each plain leg is encrypted, as negotiated. */
  readonly srtp?: Readonly<Record<string, "none" | "sdes" | "dtls">>;
  /** rtpengine's mean opinion score ×1 (1 to 4.5), lowest of the call, when RTCP gave one. */
  readonly mos?: number;
}

/** A session on its way from one rtpengine call to another. */
export interface MediaMove {
  /** The new call carries the sound: the old one is deleted, if its rtpengine still answers. */
  keep(): Promise<void>;
  /** Back to the old call; the new one is deleted. */
  undo(): Promise<void>;
}

/** What rtpengine has seen of a leg. */
export interface LegHealth {
  /** Packets from it since the last move, RTP and RTCP. */
  readonly packets: number;
  /** Its DTLS handshake is complete, or it uses none. */
  readonly isSecured: boolean;
  /** Its ICE has found a way. */
  readonly hasPath: boolean;
  /** It uses DTLS, and packets come of which not one could be read. */
  readonly isUnreadable: boolean;
}

/** A sound that a leg hears in place of another leg's. */
export interface PlayOptions {
  /** The tag of the leg that hears it. */
  readonly to: string;
  /** The tags of the legs whose own sound is kept back meanwhile. */
  readonly instead: readonly string[];
  /** µ-law of 8 kHz. */
  readonly sound: Buffer;
  /** The file that the sound came from, for an rtpengine on this machine. */
  readonly file?: string | undefined;
  readonly isLooped: boolean;
}

/** What a session does beside joining its legs. */
export interface MediaSounds {
  /**
   * Plays to a leg, in place of what it heard from us before.
   * @throws MediaError when rtpengine refuses; everything is as before then
   */
  play(options: PlayOptions): Promise<void>;
  /** Ends it, and lets the kept-back sound through again. Never throws. */
  stopPlaying(to: string): Promise<void>;
  /**
   * Has rtpengine copy what it receives from a leg, as PCMU, to a receiver of ours.
   *
   * @param receiver names the copy; unique within the session
   * @param answer makes the receiver's answer to rtpengine's offer
   * @throws MediaError
   */
  subscribe(tag: string, receiver: string, answer: (offer: string) => string): Promise<void>;
  /** Ends a copy. Never throws. */
  unsubscribe(receiver: string): Promise<void>;
}

export interface MediaSession {
  /** The ng call-id; another one after a move. */
  readonly id: string;
  readonly sounds: MediaSounds;
  /**
   * Gives the offerer's SDP to rtpengine.
   * @param direction what the answerer is told instead of the offer's own
   * @returns the SDP to send to the answerer
   * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` (488: the SDP is unusable) or
   *   `ERR_OFFHOOK_MEDIA_UNAVAILABLE` (503: no rtpengine answered)
   */
  offer(exchange: Exchange, sdp: string, direction?: MediaDirection): Promise<string>;
  /**
   * Gives the answerer's SDP to rtpengine. One offer may have many answers: 183, then 200.
   * @returns the SDP to send to the offerer
   * @throws MediaError as `offer`
   */
  answer(exchange: Exchange, sdp: string): Promise<string>;
  /**
   * Sends a digit from one leg of an answered exchange to the other, as the other takes it:
   * `rfc4733` or `inband`. Digits keep their order; each takes as long as it sounds, with a pause.
   * @param way as `negotiated().dtmf` says it; `info` is not the media's business
   * @throws MediaError when rtpengine cannot, or when the sender has sent no packet for 2 s
   */
  playDigit(exchange: Pick<Exchange, "branch">, digit: PlayedDigit): Promise<void>;
  /**
   * Begins a new rtpengine call, on any healthy rtpengine; until `keep` the old one goes on. Every
   * port, key and credential is new, so both legs must be negotiated again: first an offer toward a
   * browser, made from the other leg's last SDP. Fails as `offer` when there is no rtpengine.
   *
   * @param options.isUseless the old call carries no sound and cannot: it is ended at once. The first
   *   DTLS packet of a browser that begins anew may still go to the old port, and a call that waits
   *   for a handshake there would take it in the place of the new one (measured with Chromium 156).
   */
  move(options?: { readonly isUseless: boolean }): Promise<MediaMove>;
  /**
   * Takes over what another session knows of a leg, whose far end goes on in this one: its origin,
   * its ICE, its role in DTLS. Before the first exchange; `move` follows, as if the leg had been
   * here. Again later: only what its far end has seen meanwhile.
   */
  adopt(tag: string, from: MediaSession, fromTag: string): void;
  /** What has come from each leg, by tag, from rtpengine. @throws MediaError */
  health(): Promise<Readonly<Record<string, LegHealth>>>;
  /**
   * Gives candidates that a browser has found after its SDP to rtpengine (RFC 8840).
   * @param fragment the body of type `application/trickle-ice-sdpfrag`
   * @returns `stale` when they belong to another generation of its ICE; nothing was done
   * @throws MediaError as `offer`
   */
  addCandidates(leg: MediaLeg, fragment: string): Promise<"taken" | "stale">;
  /** Drops a lost attempt. Never throws. */
  dropBranch(branch: string): Promise<void>;
  /** What has been negotiated so far; asks nobody, so it counts no packets. */
  negotiated(): MediaReport;
  /** Statistics of the live call, from rtpengine. @throws MediaError */
  query(): Promise<MediaReport>;
  /** Ends the media. Idempotent, never throws; undefined when rtpengine no longer knew the call. */
  close(): Promise<MediaReport | undefined>;
}

/** A service of ours that answers a call instead of a person. Plain RTP, PCMU and PCMA. */
export type ServiceKind = "echo" | "play" | "read-digits";

export interface ServiceOptions {
  /** `play`: this sound once, µ-law of 8 kHz; default: the built-in announcement, twice. */
  readonly sound?: Buffer | undefined;
}

export interface ServiceHandler {
  /** The service is done (an announcement has ended) and the call may be hung up. */
  onFinished(): void;
  /** `read-digits`: a digit `0-9*#A-D` was received. */
  onDigit(digit: string): void;
}

/** An RTP endpoint inside the gateway, the far end of a service call. */
export interface ServiceEndpoint {
  /** Answers an offer that rtpengine made for a plain `rtp` leg, also again in a later exchange. */
  answer(sdp: string): Promise<string>;
  /** An offer of the service's own, for a caller that brought none. */
  offer(): Promise<string>;
  /** The answer to that offer, as rtpengine made it for the service. */
  accept(sdp: string): Promise<void>;
  /** What it last answered or offered. */
  readonly sdp: string | undefined;
  close(): void;
}

/** One rtpengine as operators see it. */
export interface MediaNodeView {
  /** `host:port` of its ng socket; `managed` for our own. */
  readonly name: string;
  readonly state: "up" | "down";
  readonly isDraining: boolean;
  readonly weight: number;
  /** Calls of this gateway on it. */
  readonly calls: number;
  readonly version?: string;
  readonly uptimeSeconds?: number;
  /** CVE numbers of the holes that its release is known to have. */
  readonly knownHoles: readonly string[];
}

export interface RecordingOptions {
  /** Unique within the session. */
  readonly id: string;
  /** Absolute path of the WAV file; it must not be there yet. */
  readonly path: string;
  /** The tags of the legs in the two channels. */
  readonly left: string;
  readonly right: string;
  /** It has ended by itself: the disk is full, or the file cannot be written. */
  readonly onFault: (detail: string) => void;
}

/** A recording that runs. */
export interface Recording {
  /** Milliseconds in the file so far. */
  readonly durationMs: number;
  /** Writes what is there and closes the file. Idempotent, never throws. */
  stop(): Promise<void>;
}

export interface MediaEngine {
  /** Whether calls can be taken now: some rtpengine answers its pings. */
  readonly isReady: boolean;
  /** Connects, or starts the managed rtpengine. @throws MediaError with what to do */
  start(): Promise<void>;
  stop(): Promise<void>;
  createSession(options: {
    readonly policy: CodecPolicy;
    readonly handler?: MediaSessionHandler | undefined;
  }): MediaSession;
  /** @throws MediaError when no port could be bound */
  createService(
    kind: ServiceKind,
    handler: ServiceHandler,
    options?: ServiceOptions,
  ): Promise<ServiceEndpoint>;
  /** Every rtpengine, for operators. */
  nodes(): readonly MediaNodeView[];
  /**
   * Drains a node, or takes it back.
   *
   * @param move also moves the calls that it has to the other nodes
   * @returns its view, undefined when there is none of that name
   */
  setDraining(name: string, isDraining: boolean, move?: boolean): MediaNodeView | undefined;
  /**
   * Records two legs of a session into a stereo WAV file.
   *
   * @throws MediaError, or what the file system throws; the call is as before then
   */
  record(session: MediaSession, options: RecordingOptions): Promise<Recording>;
  /** Sessions that rtpengine holds now (ng `list`). @throws MediaError */
  sessionCount(): Promise<number>;
  /**
   * How long rtpengine keeps commands waiting, since this was last asked, in milliseconds: of
   * several nodes the quickest. 0 when there were too few commands to tell.
   */
  takeDelayMs(): number;
}
