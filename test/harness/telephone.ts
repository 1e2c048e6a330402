import { encodeMuLaw, toLinear } from "../../src/media/service/g711.ts";
import { audioPortOf, RtpPeer } from "./rtpengine.ts";
import { generateTone, type Sound } from "./tone.ts";

const FRAME = 160;
const FRAME_MS = 20;

/**
 * The sound of a telephone that a test plays: it sends a pure tone in PCMU, 50 packets a second,
 * and keeps what it hears.
 */
export class Telephone implements AsyncDisposable {
  readonly rtp: RtpPeer;
  readonly #tone: Buffer;
  #position = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param toneHz a multiple of 50, so that the tone repeats without a click */
  static async open(toneHz: number): Promise<Telephone> {
    return new Telephone(await RtpPeer.open(), toneHz);
  }

  private constructor(rtp: RtpPeer, toneHz: number) {
    this.rtp = rtp;
    const { samples } = generateTone({
      frequencyHz: toneHz,
      seconds: 1,
      amplitude: 0.4,
      sampleRate: 8000,
    });
    this.#tone = Buffer.from(Uint8Array.from(samples, encodeMuLaw));
  }

  sdp(direction = "sendrecv"): string {
    return this.rtp.sdp("0 101", direction);
  }

  /** Sends its tone to where this SDP of the gateway says, until `silence()`. */
  talk(sdp: string): void {
    this.silence();
    const port = audioPortOf(sdp);
    this.#timer = setInterval(() => {
      const payload = this.#tone.subarray(this.#position, this.#position + FRAME);
      this.#position = (this.#position + FRAME) % this.#tone.length;
      this.rtp.send(port, 0, payload);
    }, FRAME_MS);
  }

  silence(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** What came since `sinceMs` of the monotonic clock, packet after packet. */
  heard(sinceMs = 0): Sound {
    const packets = this.rtp.received.filter(
      ({ atMs, payloadType }) => payloadType === 0 && atMs >= sinceMs,
    );
    const octets = Buffer.concat(packets.map(({ payload }) => payload));
    return { sampleRate: 8000, samples: toLinear(octets, "PCMU") };
  }

  /** Listens for so long. */
  async listen(durationMs: number): Promise<Sound> {
    const since = performance.now();
    await new Promise((resolve) => {
      setTimeout(resolve, durationMs);
    });
    return this.heard(since);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.silence();
    await this.rtp[Symbol.asyncDispose]();
  }
}
