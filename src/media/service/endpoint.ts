import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { AddressSet } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Codec } from "../codecs.ts";
import { isTelephoneEvent } from "../codecs.ts";
import { MediaError } from "../errors.ts";
import type { SdpAttribute } from "../sdp.ts";
import { findAttribute, formatSdp, newOriginId, unusable } from "../sdp.ts";
import { readDescription } from "../sdp-filter.ts";
import type { LegDescription } from "../sdp-filter.ts";
import type { ServiceEndpoint, ServiceHandler, ServiceKind } from "../session.ts";
import { DigitReceiver } from "./digit-receiver.ts";
import type { G711Law } from "./g711.ts";
import { SILENCE, fromMuLaw } from "./g711.ts";
import { FRAME_SAMPLES, RtpSender } from "./rtp-sender.ts";
import { tryParseRtp } from "./rtp.ts";
import type { Service } from "./service.ts";
import { createService } from "./service.ts";

export interface ServiceEndpointOptions {
  readonly kind: ServiceKind;
  readonly handler: ServiceHandler;
  /** `play`: what to play, µ-law of 8 kHz; default the built-in announcement. */
  readonly sound?: Buffer | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The address to bind: one that rtpengine can reach. */
  readonly address: string;
  readonly onClosed?: () => void;
}

/** What an offer made of us. */
interface Stream {
  readonly remoteHost: string;
  readonly remoteHosts: AddressSet;
  readonly remotePort: number;
  readonly law: G711Law;
  readonly payloadType: number;
  readonly eventPayloadType: number | undefined;
  readonly canSend: boolean;
}

type State =
  | { readonly name: "idle" }
  | { readonly name: "streaming"; readonly stream: Stream }
  | { readonly name: "closed" };

const FRAME_MS = 20;
/** Without a packet from the caller a service begins this long after the answer. */
const CONNECT_GRACE_MS = 1000;
/** After this much lateness frames are skipped instead of being sent in a burst. */
const LATEST_MS = 200;
/** An echo without a packet for this long sends silence. */
const ECHO_IDLE_MS = 100;
/**
 * The echo gives back a packet every 8 ms in the long run: more than frames of 10 ms with a digit
 * between them. Without this bound two echoes that meet throw each packet back as fast as they can.
 */
const ECHO_INTERVAL_MS = 8;
/** What may come at once after a pause of the network, in packets. */
const ECHO_BURST = 50;

/**
 * An RTP endpoint at an ephemeral port: plain RTP with PCMU or PCMA and telephone-event/8000.
 *
 * It sends a packet every 20 ms by the monotonic clock, silence when there is nothing to say, and
 * takes packets only from the address in the offer, which is rtpengine's.
 *
 * @throws MediaError `ERR_OFFHOOK_MEDIA_PORT` when no port could be bound
 */
export async function createServiceEndpoint(
  options: ServiceEndpointOptions,
): Promise<ServiceEndpoint> {
  const socket = createSocket(isIPv6(options.address) ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, options.address, () => {
        socket.off("error", reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new MediaError(
      "ERR_OFFHOOK_MEDIA_PORT",
      `no UDP port could be bound at ${options.address} for a service`,
      cause,
    );
  }
  return new RtpServiceEndpoint(options, socket);
}

class RtpServiceEndpoint implements ServiceEndpoint {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #onClosed: (() => void) | undefined;
  readonly #service: Service;
  readonly #sender: RtpSender;
  readonly #digits = new DigitReceiver();
  readonly #originId = newOriginId();
  #version = 0;
  #sdp: string | undefined;
  #state: State = { name: "idle" };
  #nextFrameMs = 0;
  #frameTimer: Timer | undefined;
  #connectTimer: Timer | undefined;
  #isConnected = false;
  #hasSent = false;
  #lastPacketMs = -Infinity;
  /** When the echo would have been due for a packet, had none come early. */
  #echoDueMs = -Infinity;

  constructor(options: ServiceEndpointOptions, socket: Socket) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#address = options.address;
    this.#onClosed = options.onClosed;
    this.#socket = socket;
    this.#service = createService(options.kind, options.handler, options.clock, options.sound);
    this.#sender = new RtpSender((octets) => {
      this.#transmit(octets);
    });
    socket.on("message", (octets, from) => {
      this.#onDatagram(octets, from);
    });
    socket.on("error", (error) => {
      this.#logger.debug("service socket error", { error: error.message });
    });
  }

  async answer(sdp: string): Promise<string> {
    if (this.#state.name === "closed") {
      throw new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "the service is closed");
    }
    const { voice, event, direction } = this.#connectTo(sdp);
    this.#version += 1;
    this.#sdp = this.#format([voice], event, direction);
    return this.#sdp;
  }

  async offer(): Promise<string> {
    if (this.#state.name === "closed") {
      throw new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "the service is closed");
    }
    this.#version += 1;
    this.#sdp = this.#format(OFFERED_VOICE, OFFERED_EVENT, "sendrecv");
    return this.#sdp;
  }

  get sdp(): string | undefined {
    return this.#sdp;
  }

  async accept(sdp: string): Promise<void> {
    if (this.#state.name !== "closed") this.#connectTo(sdp);
  }

  close(): void {
    if (this.#state.name === "closed") return;
    this.#state = { name: "closed" };
    this.#frameTimer?.cancel();
    this.#connectTimer?.cancel();
    this.#service.close();
    this.#socket.close();
    this.#onClosed?.();
  }

  /** Takes the far end's SDP, and begins when it is the first one. */
  #connectTo(sdp: string): {
    readonly voice: Codec;
    readonly event: Codec | undefined;
    readonly direction: string;
  } {
    const description = readDescription(sdp, "rtp");
    const voice = description.codecs.find(isG711);
    if (voice === undefined) throw unusable("a service speaks only PCMU and PCMA");
    const event = description.codecs.find(
      (codec) => isTelephoneEvent(codec) && codec.clockRate === 8000,
    );
    const direction = answerDirection(description);
    const { audio } = description;
    const wasIdle = this.#state.name === "idle";
    this.#state = {
      name: "streaming",
      stream: {
        remoteHost: audio.connection.host,
        remoteHosts: new AddressSet([audio.connection.host]),
        remotePort: audio.port,
        law: voice.key === "pcmu" ? "PCMU" : "PCMA",
        payloadType: Number(voice.payloadType),
        eventPayloadType: event === undefined ? undefined : Number(event.payloadType),
        canSend: direction === "sendrecv" || direction === "sendonly",
      },
    };
    if (wasIdle) this.#begin();
    return { voice, event, direction };
  }

  #format(voices: readonly Codec[], event: Codec | undefined, direction: string): string {
    const { port } = this.#socket.address();
    const attributes: SdpAttribute[] = voices.map(({ payloadType, name }) => ({
      name: "rtpmap",
      value: `${payloadType} ${name}/8000`,
    }));
    if (event !== undefined) {
      attributes.push(
        { name: "rtpmap", value: `${event.payloadType} telephone-event/8000` },
        { name: "fmtp", value: `${event.payloadType} 0-15` },
      );
    }
    attributes.push(
      { name: "ptime", value: String(FRAME_MS) },
      { name: direction, value: undefined },
      // RTCP is not used; this keeps it from the next port, which is not ours.
      { name: "rtcp", value: String(port) },
    );
    return formatSdp(
      {
        connection: { family: isIPv6(this.#address) ? "IP6" : "IP4", host: this.#address },
        attributes: [],
        media: [
          {
            type: "audio",
            port,
            protocol: "RTP/AVP",
            formats: [...voices, event].flatMap((codec) => codec?.payloadType ?? []),
            connection: undefined,
            attributes,
          },
        ],
      },
      { id: this.#originId, version: this.#version },
    );
  }

  #begin(): void {
    this.#nextFrameMs = this.#clock.monotonicMs() + FRAME_MS;
    this.#connectTimer = this.#clock.after(CONNECT_GRACE_MS, () => {
      this.#connect();
    });
    this.#scheduleFrame();
  }

  #connect(): void {
    if (this.#isConnected || this.#state.name !== "streaming") return;
    this.#isConnected = true;
    this.#connectTimer?.cancel();
    this.#service.onConnected();
  }

  #scheduleFrame(): void {
    const delayMs = Math.max(0, this.#nextFrameMs - this.#clock.monotonicMs());
    this.#frameTimer = this.#clock.after(delayMs, () => {
      this.#onFrameTime();
    });
  }

  #onFrameTime(): void {
    if (this.#state.name !== "streaming") return;
    const { stream } = this.#state;
    const nowMs = this.#clock.monotonicMs();
    let skippedFrames = 0;
    if (nowMs - this.#nextFrameMs > LATEST_MS) {
      skippedFrames = Math.floor((nowMs - this.#nextFrameMs) / FRAME_MS);
      this.#nextFrameMs += skippedFrames * FRAME_MS;
    }
    this.#nextFrameMs += FRAME_MS;
    if (this.#service.isEcho) this.#fillEcho(stream, nowMs);
    else this.#sendFrame(stream, this.#service.nextFrame(), skippedFrames);
    // The service may have finished, and its owner closed us.
    if (this.#isStreaming()) this.#scheduleFrame();
  }

  #isStreaming(): boolean {
    return this.#state.name === "streaming";
  }

  #fillEcho(stream: Stream, nowMs: number): void {
    if (nowMs - this.#lastPacketMs < ECHO_IDLE_MS) return;
    this.#sender.endSpurt();
    this.#sendFrame(stream, undefined, 0);
  }

  #sendFrame(stream: Stream, frame: Buffer | undefined, skippedFrames: number): void {
    if (!stream.canSend) return;
    const payload =
      frame === undefined
        ? Buffer.alloc(FRAME_SAMPLES, SILENCE[stream.law])
        : fromMuLaw(frame, stream.law);
    this.#sender.sendFrame(stream.payloadType, payload, !this.#hasSent, skippedFrames);
    this.#hasSent = true;
  }

  #transmit(octets: Buffer): void {
    if (this.#state.name !== "streaming") return;
    const { remoteHost, remotePort } = this.#state.stream;
    this.#socket.send(octets, remotePort, remoteHost, (error) => {
      if (error) this.#logger.debug("service send failed", { error: error.message });
    });
  }

  #onDatagram(octets: Buffer, from: RemoteInfo): void {
    if (this.#state.name !== "streaming") return;
    const { stream } = this.#state;
    if (from.port !== stream.remotePort || !stream.remoteHosts.has(from.address)) return;
    const packet = tryParseRtp(octets);
    if (packet === undefined) return;
    const isVoice = packet.payloadType === stream.payloadType;
    const isEvent = packet.payloadType === stream.eventPayloadType;
    if (!isVoice && !isEvent) return;
    this.#lastPacketMs = this.#clock.monotonicMs();
    this.#connect();
    if (this.#service.isEcho) {
      if (stream.canSend && this.#mayEcho()) this.#sender.reflect(packet);
      return;
    }
    if (!isEvent) return;
    const digit = this.#digits.receive(packet);
    if (digit !== undefined) this.#service.onDigit(digit);
    this.#service.onDigitHeld();
  }

  /** Counts one packet against the echo's rate: a leaky bucket of `ECHO_BURST`. */
  #mayEcho(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const dueMs = Math.max(this.#echoDueMs, nowMs) + ECHO_INTERVAL_MS;
    if (dueMs - nowMs > ECHO_BURST * ECHO_INTERVAL_MS) return false;
    this.#echoDueMs = dueMs;
    return true;
  }
}

/** What a service offers when it is asked to. */
const OFFERED_VOICE: readonly Codec[] = [
  { payloadType: "0", name: "PCMU", key: "pcmu", clockRate: 8000, channels: 1 },
  { payloadType: "8", name: "PCMA", key: "pcma", clockRate: 8000, channels: 1 },
];
const OFFERED_EVENT: Codec = {
  payloadType: "101",
  name: "telephone-event",
  key: "telephone-event",
  clockRate: 8000,
  channels: 1,
};

function isG711(codec: Codec): boolean {
  return (codec.key === "pcmu" || codec.key === "pcma") && codec.clockRate === 8000;
}

/** RFC 3264 §6.1. */
function answerDirection(description: LegDescription): string {
  const { attributes, connection } = description.audio;
  const has = (name: string): boolean => findAttribute(attributes, name) !== undefined;
  if (has("inactive") || connection.host === "0.0.0.0") return "inactive";
  if (has("sendonly")) return "recvonly";
  if (has("recvonly")) return "sendonly";
  return "sendrecv";
}
