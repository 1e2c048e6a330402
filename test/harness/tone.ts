import { readFile, writeFile } from "node:fs/promises";

/** 16-bit sound, one channel. */
export interface Sound {
  readonly sampleRate: number;
  readonly samples: Int16Array;
}

export interface ToneOptions {
  /** Multiples of 50 Hz fit a 20 ms frame exactly. */
  readonly frequencyHz: number;
  readonly seconds: number;
  /** Default 48000. */
  readonly sampleRate?: number;
  /** 0 to 1; default 0.5. */
  readonly amplitude?: number;
}

/** A sine that can be played in a loop without a click, as long as `seconds` is a whole number. */
export function generateTone(options: ToneOptions): Sound {
  const sampleRate = options.sampleRate ?? 48_000;
  const peak = (options.amplitude ?? 0.5) * 32_767;
  const samples = new Int16Array(Math.round(options.seconds * sampleRate));
  const step = (2 * Math.PI * options.frequencyHz) / sampleRate;
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] = Math.round(peak * Math.sin(step * index));
  }
  return { sampleRate, samples };
}

/** Writes a RIFF WAVE file: 16 bits, one channel. */
export async function writeWav(path: string, sound: Sound): Promise<void> {
  const data = Buffer.alloc(sound.samples.length * 2);
  sound.samples.forEach((sample, index) => data.writeInt16LE(sample, index * 2));
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(sound.sampleRate, 24);
  head.writeUInt32LE(sound.sampleRate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(data.length, 40);
  await writeFile(path, Buffer.concat([head, data]));
}

/**
 * Reads one channel of a 16-bit WAV file.
 *
 * A recorder that was stopped leaves a length of 0 or too much in the header; then the file's end
 * counts.
 *
 * @throws when it is no 16-bit PCM WAV file
 */
export async function readWav(path: string, channel = 0): Promise<Sound> {
  const file = await readFile(path);
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE") {
    throw new Error(`${path} is no WAV file`);
  }
  let channels = 0;
  let sampleRate = 0;
  for (let offset = 12; offset + 8 <= file.length;) {
    const id = file.toString("latin1", offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const start = offset + 8;
    if (id === "fmt ") {
      channels = file.readUInt16LE(start + 2);
      sampleRate = file.readUInt32LE(start + 4);
      if (file.readUInt16LE(start + 14) !== 16) throw new Error(`${path} is not 16-bit`);
    } else if (id === "data") {
      if (channels === 0) throw new Error(`${path} has data before its format`);
      const end = size === 0 || start + size > file.length ? file.length : start + size;
      const samples = new Int16Array(Math.floor((end - start) / (2 * channels)));
      for (let index = 0; index < samples.length; index += 1) {
        samples[index] = file.readInt16LE(start + (index * channels + channel) * 2);
      }
      return { sampleRate, samples };
    }
    offset = start + size + (size % 2);
  }
  throw new Error(`${path} has no data`);
}

/**
 * The share of a frame's energy that lies at one frequency: 1 for a pure tone, near 0 for another
 * tone, for noise and for silence (Goertzel's algorithm).
 */
export function toneShare(
  frame: ArrayLike<number>,
  sampleRate: number,
  frequencyHz: number,
): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequencyHz) / sampleRate);
  let previous = 0;
  let beforePrevious = 0;
  let energy = 0;
  for (let index = 0; index < frame.length; index += 1) {
    const sample = frame[index] ?? 0;
    const current = sample + coefficient * previous - beforePrevious;
    beforePrevious = previous;
    previous = current;
    energy += sample * sample;
  }
  if (energy === 0) return 0;
  const power =
    previous * previous + beforePrevious * beforePrevious - coefficient * previous * beforePrevious;
  return (2 * power) / (frame.length * energy);
}

export interface ToneMeasurement {
  /** Whole 20 ms frames looked at. */
  readonly frames: number;
  /** Share of frames in which the tone holds more than 80 % of the energy; 0.95 is a clean call. */
  readonly share: number;
  /** Longest run of neighbouring frames with the tone, in milliseconds. */
  readonly longestMs: number;
  /** Share of frames that are not silent (above -60 dBFS). */
  readonly audible: number;
}

const FRAME_MS = 20;

/** Measures a tone in a piece of sound. @param fromMs @param toMs the piece; default all of it */
export function measureTone(
  sound: Sound,
  frequencyHz: number,
  fromMs = 0,
  toMs = Number.POSITIVE_INFINITY,
): ToneMeasurement {
  const length = Math.round((sound.sampleRate * FRAME_MS) / 1000);
  const first = Math.round((sound.sampleRate * fromMs) / 1000);
  const last = Math.min(sound.samples.length, Math.round((sound.sampleRate * toMs) / 1000));
  let frames = 0;
  let withTone = 0;
  let audible = 0;
  let run = 0;
  let longest = 0;
  for (let start = first; start + length <= last; start += length) {
    const frame = sound.samples.subarray(start, start + length);
    const level = Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / length);
    frames += 1;
    const isAudible = level > 32.767;
    if (isAudible) audible += 1;
    if (isAudible && toneShare(frame, sound.sampleRate, frequencyHz) > 0.8) {
      withTone += 1;
      run += 1;
      longest = Math.max(longest, run);
    } else {
      run = 0;
    }
  }
  return {
    frames,
    share: frames === 0 ? 0 : withTone / frames,
    longestMs: longest * FRAME_MS,
    audible: frames === 0 ? 0 : audible / frames,
  };
}

/**
 * The clearest stretch of a tone in a piece of sound: for a recording whose begin and end, and what
 * else was in it, are not to be judged.
 */
export function bestTone(sound: Sound, frequencyHz: number, lengthMs: number): ToneMeasurement {
  const endMs = (sound.samples.length / sound.sampleRate) * 1000;
  let best = measureTone(sound, frequencyHz, 0, lengthMs);
  for (let fromMs = FRAME_MS; fromMs + lengthMs <= endMs; fromMs += FRAME_MS) {
    const next = measureTone(sound, frequencyHz, fromMs, fromMs + lengthMs);
    if (next.share > best.share) best = next;
  }
  return best;
}
