import { timestampDistance } from "../service/rtp.ts";
import type { RtpPacket } from "../service/rtp.ts";
import { SOUND_RATE } from "../sound/wav.ts";

/** How much is kept for packets that come late. */
const WINDOW_SAMPLES = 2 * SOUND_RATE;
/** A timestamp that is this far from where the clock says it should be begins a new stream. */
const RESYNC_SAMPLES = SOUND_RATE / 2;

/**
 * One side of a recording: places the samples of an RTP stream where they belong in the time of the
 * recording. Within a stream its timestamps decide, so that jitter and loss move nothing; a new
 * stream (another SSRC, a jump) begins when it arrives. What never came is silence.
 */
export class Timeline {
  readonly #ring = new Int16Array(WINDOW_SAMPLES);
  /** Samples that have been taken away. */
  #taken = 0;
  #stream: { readonly ssrc: number; readonly offset: number } | undefined;

  /** @param at the time of the recording, in samples, at which the packet arrived */
  add(packet: Pick<RtpPacket, "ssrc" | "timestamp">, samples: Int16Array, at: number): void {
    let position = this.#positionOf(packet);
    if (position === undefined || Math.abs(position + samples.length - at) > RESYNC_SAMPLES) {
      position = Math.max(0, at - samples.length);
      this.#stream = { ssrc: packet.ssrc, offset: (position - packet.timestamp) | 0 };
    }
    for (let index = 0; index < samples.length; index += 1) {
      const place = position + index;
      if (place < this.#taken || place >= this.#taken + WINDOW_SAMPLES) continue;
      this.#ring[place % WINDOW_SAMPLES] = samples[index] ?? 0;
    }
  }

  /** The samples up to this time, which nothing can change any more. */
  takeUntil(end: number): Int16Array {
    const out = new Int16Array(Math.max(0, end - this.#taken));
    for (let index = 0; index < out.length; index += 1) {
      const place = (this.#taken + index) % WINDOW_SAMPLES;
      out[index] = this.#ring[place] ?? 0;
      this.#ring[place] = 0;
    }
    this.#taken += out.length;
    return out;
  }

  #positionOf({ ssrc, timestamp }: Pick<RtpPacket, "ssrc" | "timestamp">): number | undefined {
    const stream = this.#stream;
    if (stream === undefined || stream.ssrc !== ssrc) return undefined;
    // Both go round at 2^32; what lies between them does not.
    const wrapped = (timestamp + stream.offset) | 0;
    return this.#taken + timestampDistance(this.#taken | 0, wrapped);
  }
}
