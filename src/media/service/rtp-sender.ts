import { randomBytes } from "node:crypto";
import { formatRtp, timestampDistance } from "./rtp.ts";
import type { RtpPacket } from "./rtp.ts";

/** Timestamp units in 20 ms of 8 kHz audio. */
export const FRAME_SAMPLES = 160;

/** After this much of our own silence a reflected stream begins a new talkspurt. */
const FORWARD_LIMIT_SAMPLES = 8000;

/**
 * One outgoing RTP stream: our own SSRC, sequence numbers without a gap, a timestamp that only
 * goes forward (RFC 3550 §5.1: all of them begin at random).
 */
export class RtpSender {
  readonly #transmit: (octets: Buffer) => void;
  readonly #ssrc: number;
  #sequenceNumber: number;
  #timestamp: number;
  /** The reflected stream and what is added to its timestamps. */
  #reflected: { readonly ssrc: number; readonly offset: number } | undefined;

  constructor(transmit: (octets: Buffer) => void) {
    this.#transmit = transmit;
    const random = randomBytes(10);
    this.#ssrc = random.readUInt32BE(0);
    this.#sequenceNumber = random.readUInt16BE(4);
    this.#timestamp = random.readUInt32BE(6);
  }

  /** Sends the next 20 ms, after `skippedFrames` that were never sent. */
  sendFrame(payloadType: number, payload: Buffer, hasMarker: boolean, skippedFrames = 0): void {
    this.#timestamp = (this.#timestamp + FRAME_SAMPLES * (1 + skippedFrames)) >>> 0;
    this.#send(payloadType, payload, hasMarker, this.#timestamp);
  }

  /** Sends a received packet back in our own stream; its timestamps keep their distances. */
  reflect(packet: RtpPacket): void {
    let offset = this.#reflected?.ssrc === packet.ssrc ? this.#reflected.offset : undefined;
    let timestamp = (packet.timestamp + (offset ?? 0)) >>> 0;
    const ahead = timestampDistance(this.#timestamp, timestamp);
    const isNewSpurt =
      offset === undefined || ahead < -FORWARD_LIMIT_SAMPLES || ahead > 100 * FORWARD_LIMIT_SAMPLES;
    if (isNewSpurt) {
      timestamp = (this.#timestamp + FRAME_SAMPLES) >>> 0;
      offset = (timestamp - packet.timestamp) >>> 0;
      this.#reflected = { ssrc: packet.ssrc, offset };
    }
    if (timestampDistance(this.#timestamp, timestamp) > 0) this.#timestamp = timestamp;
    this.#send(packet.payloadType, packet.payload, packet.hasMarker || isNewSpurt, timestamp);
  }

  /** The reflected stream paused while we sent silence: its next packet follows our last one. */
  endSpurt(): void {
    this.#reflected = undefined;
  }

  #send(payloadType: number, payload: Buffer, hasMarker: boolean, timestamp: number): void {
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff;
    this.#transmit(
      formatRtp({
        payloadType,
        hasMarker,
        sequenceNumber: this.#sequenceNumber,
        timestamp,
        ssrc: this.#ssrc,
        payload,
      }),
    );
  }
}
