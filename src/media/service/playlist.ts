import { readFileSync } from "node:fs";
import { FRAME_SAMPLES } from "./rtp-sender.ts";
import { SILENCE } from "./g711.ts";

/** A sound of src/media/service/sounds, without its ending. */
export type SoundName = "announcement" | "press-keys" | "star" | "hash" | (string & {});

const cache = new Map<SoundName, Buffer>();

/**
 * A sound in µ-law, 8 kHz. Read once in the life of the process.
 *
 * @throws Error when there is no such file
 */
export function loadSound(name: SoundName): Buffer {
  let sound = cache.get(name);
  if (sound === undefined) {
    sound = readFileSync(new URL(`sounds/${name}.ulaw`, import.meta.url));
    cache.set(name, sound);
  }
  return sound;
}

/** The sound that speaks a digit `0-9*#A-D`. */
export function digitSound(digit: string): SoundName {
  switch (digit) {
    case "*":
      return "star";
    case "#":
      return "hash";
    default:
      return digit.toLowerCase();
  }
}

/** Sounds in a row, handed out in frames of 20 ms. */
export class Playlist {
  #sounds: Buffer[] = [];
  #position = 0;

  get isEmpty(): boolean {
    return this.#sounds.length === 0;
  }

  add(sound: Buffer): void {
    if (sound.length > 0) this.#sounds.push(sound);
  }

  /** Adds silence. */
  addPause(durationMs: number): void {
    this.add(Buffer.alloc(Math.round(durationMs * 8), SILENCE.PCMU));
  }

  clear(): void {
    this.#sounds = [];
    this.#position = 0;
  }

  /** The next 160 octets of µ-law, the last ones filled with silence; undefined at the end. */
  nextFrame(): Buffer | undefined {
    const sound = this.#sounds[0];
    if (sound === undefined) return undefined;
    const frame = sound.subarray(this.#position, this.#position + FRAME_SAMPLES);
    this.#position += FRAME_SAMPLES;
    if (this.#position >= sound.length) {
      this.#sounds.shift();
      this.#position = 0;
    }
    if (frame.length === FRAME_SAMPLES) return frame;
    return Buffer.concat([frame, Buffer.alloc(FRAME_SAMPLES - frame.length, SILENCE.PCMU)]);
  }
}
