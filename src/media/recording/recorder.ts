import type { Clock, Timer } from "../../core/clock.ts";
import type { MediaSession, RecordingOptions, Recording } from "../session.ts";
import { toLinear } from "../service/g711.ts";
import type { RtpPacket } from "../service/rtp.ts";
import { SOUND_RATE } from "../sound/wav.ts";
import { CopyReceiver } from "./receiver.ts";
import { StereoWavFile } from "./stereo-wav.ts";
import { Timeline } from "./timeline.ts";

const SAMPLES_PER_MS = SOUND_RATE / 1000;
/** How often sound goes to the file. */
const FLUSH_MS = 200;
/** How long late packets are waited for before their place is written. */
const DELAY_MS = 400;

interface Side {
  readonly tag: string;
  /** The ng tag of the subscription. */
  readonly receiverTag: string;
  readonly timeline: Timeline;
  receiver: CopyReceiver | undefined;
}

/**
 * Records a call: rtpengine copies what each leg sends to a port of ours, one leg to the left and
 * the other to the right of one WAV file. It owns the ports, the subscriptions and the file; it
 * never touches the call's own media, and a fault of its own ends it alone.
 */
export class Recorder implements Recording {
  readonly #clock: Clock;
  readonly #session: MediaSession;
  readonly #file: StereoWavFile;
  readonly #onFault: (detail: string) => void;
  readonly #sides: readonly [Side, Side];
  readonly #startedMs: number;
  #state: "recording" | "ended" = "recording";
  #timer: Timer | undefined;

  /** @throws what the file system or rtpengine throws; nothing is left of it then */
  static async start(options: {
    readonly clock: Clock;
    /** Where rtpengine reaches us. */
    readonly address: string;
    readonly session: MediaSession;
    readonly recording: RecordingOptions;
  }): Promise<Recorder> {
    const file = new StereoWavFile(options.recording.path);
    const recorder = new Recorder(options, file);
    try {
      for (const side of recorder.#sides) await recorder.#subscribe(side, options.address);
    } catch (error) {
      await recorder.stop();
      throw error;
    }
    recorder.#schedule();
    return recorder;
  }

  private constructor(
    options: {
      readonly clock: Clock;
      readonly session: MediaSession;
      readonly recording: RecordingOptions;
    },
    file: StereoWavFile,
  ) {
    const { left, right, id, onFault } = options.recording;
    this.#clock = options.clock;
    this.#session = options.session;
    this.#file = file;
    this.#onFault = onFault;
    this.#startedMs = options.clock.monotonicMs();
    const side = (tag: string): Side => ({
      tag,
      receiverTag: `${id}-${tag}`,
      timeline: new Timeline(),
      receiver: undefined,
    });
    this.#sides = [side(left), side(right)];
  }

  get durationMs(): number {
    return this.#file.durationMs;
  }

  async stop(): Promise<void> {
    if (this.#state === "ended") return;
    this.#flush(0);
    this.#end();
    for (const { receiverTag } of this.#sides) await this.#session.sounds.unsubscribe(receiverTag);
  }

  async #subscribe(side: Side, address: string): Promise<void> {
    const receiver = await CopyReceiver.open(address, (packet) => this.#onPacket(side, packet));
    side.receiver = receiver;
    await this.#session.sounds.subscribe(side.tag, side.receiverTag, (offer) =>
      receiver.answer(offer),
    );
  }

  #onPacket(side: Side, packet: RtpPacket): void {
    side.timeline.add(packet, toLinear(packet.payload, "PCMU"), this.#now());
  }

  /** The time of the recording, in samples. */
  #now(): number {
    return Math.round((this.#clock.monotonicMs() - this.#startedMs) * SAMPLES_PER_MS);
  }

  #schedule(): void {
    this.#timer = this.#clock.after(FLUSH_MS, () => {
      this.#flush(DELAY_MS);
      if (this.#state === "recording") this.#schedule();
    });
  }

  #flush(delayMs: number): void {
    if (this.#state !== "recording") return;
    const end = this.#now() - delayMs * SAMPLES_PER_MS;
    if (end <= 0) return;
    const [left, right] = this.#sides;
    const samples = left.timeline.takeUntil(end);
    try {
      if (!this.#file.hasRoomFor(samples.length)) throw new Error("the file is full");
      this.#file.append(samples, right.timeline.takeUntil(end));
    } catch (error) {
      this.#end();
      for (const { receiverTag } of this.#sides) void this.#session.sounds.unsubscribe(receiverTag);
      this.#onFault(error instanceof Error ? error.message : String(error));
    }
  }

  #end(): void {
    this.#state = "ended";
    this.#timer?.cancel();
    for (const { receiver } of this.#sides) receiver?.close();
    try {
      this.#file.close();
    } catch {
      // What was written stays under its `.part` name.
    }
  }
}
