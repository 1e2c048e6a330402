import { encodeMuLaw, fromMuLaw, type G711Law, toLinear } from "../../src/media/service/g711.ts";
import { audioPortOf, RtpPeer } from "./rtpengine.ts";
import { generateTone, type Sound } from "./tone.ts";

const FRAME = 160;
const FRAME_MS = 20;

/**
 * The sound of a telephone that a test plays: it sends a pure tone in G.711, 50 packets a second,
 * and keeps what it hears.
 */
export class Telephone implements AsyncDisposable {
  readonly rtp: RtpPeer;
  readonly #law: G711Law;
  readonly #tone: Buffer;
  #position = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param toneHz a multiple of 50, so that the tone repeats without a click */
  static async open(toneHz: number, law: G711Law = "PCMU"): Promise<Telephone> {
    return new Telephone(await RtpPeer.open(), toneHz, law);
  }

  private constructor(rtp: RtpPeer, toneHz: number, law: G711Law) {
    this.rtp = rtp;
    this.#law = law;
    const { samples } = generateTone({
      frequencyHz: toneHz,
      seconds: 1,
      amplitude: 0.4,
      sampleRate: 8000,
    });
    this.#tone = fromMuLaw(Buffer.from(Uint8Array.from(samples, encodeMuLaw)), law);
  }

  get #payloadType(): number {
    return this.#law === "PCMU" ? 0 : 8;
  }

  sdp(direction = "sendrecv"): string {
    return this.rtp.sdp(`${this.#payloadType} 101`, direction);
  }

  /** Sends its tone to where this SDP of the gateway says, until `silence()`. */
  talk(sdp: string): void {
    this.silence();
    const port = audioPortOf(sdp);
    let dueMs = performance.now();
    this.#timer = setInterval(() => {
      // A busy machine is late; a telephone is not.
      for (; dueMs <= performance.now(); dueMs += FRAME_MS) {
        const payload = this.#tone.subarray(this.#position, this.#position + FRAME);
        this.#position = (this.#position + FRAME) % this.#tone.length;
        this.rtp.send(port, this.#payloadType, payload);
      }
    }, FRAME_MS / 2);
  }

  silence(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** What came since `sinceMs` of the monotonic clock, packet after packet. */
  heard(sinceMs = 0): Sound {
    const packets = this.rtp.received.filter(
      ({ atMs, payloadType }) => payloadType === this.#payloadType && atMs >= sinceMs,
    );
    const octets = Buffer.concat(packets.map(({ payload }) => payload));
    return { sampleRate: 8000, samples: toLinear(octets, this.#law) };
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
