/** RIFF WAVE files: reads what users have, writes µ-law for rtpengine. */
import { encodeMuLaw, toLinear } from "../service/g711.ts";

/** Samples a second of every sound that we send. */
export const SOUND_RATE = 8000;

/** Longer files are not read: ten minutes of stereo at 48 kHz. */
export const MAX_WAV_OCTETS = 120_000_000;

/** Why a file is no sound that we can use, in words for the operator. */
export type WavProblem = string;

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

const PCM = 1;
const A_LAW = 6;
const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;

/**
 * Reads a WAV file (PCM of 8 or 16 bits, or G.711, any rate and number of channels) as µ-law of
 * 8 kHz and one channel.
 */
export function readWav(
  file: Buffer,
): { readonly sound: Buffer } | { readonly problem: WavProblem } {
  if (file.length > MAX_WAV_OCTETS) return { problem: `longer than ${MAX_WAV_OCTETS} octets` };
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE") {
    return { problem: "no WAV file" };
  }
  let format: Format | undefined;
  for (let offset = 12; offset + 8 <= file.length;) {
    const id = file.toString("latin1", offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const start = offset + 8;
    const chunk = file.subarray(start, Math.min(start + size, file.length));
    if (id === "fmt ") {
      if (chunk.length < 16) return { problem: "a broken format chunk" };
      const code = chunk.readUInt16LE(0);
      format = {
        code: code === EXTENSIBLE && chunk.length >= 26 ? chunk.readUInt16LE(24) : code,
        channels: chunk.readUInt16LE(2),
        sampleRate: chunk.readUInt32LE(4),
        bits: chunk.readUInt16LE(14),
      };
    } else if (id === "data") {
      if (format === undefined) return { problem: "data before its format" };
      return toSound(chunk, format);
    }
    offset = start + size + (size % 2);
  }
  return { problem: "no data chunk" };
}

function toSound(
  data: Buffer,
  format: Format,
): { readonly sound: Buffer } | { readonly problem: WavProblem } {
  const { channels, sampleRate } = format;
  if (channels < 1 || channels > 8) return { problem: `${channels} channels` };
  if (sampleRate < 4000 || sampleRate > 192_000) return { problem: `${sampleRate} Hz` };
  const samples = samplesOf(data, format);
  if (samples === undefined) {
    return { problem: `format ${format.code} with ${format.bits} bits; expected PCM or G.711` };
  }
  const mono = channels === 1 ? samples : mixDown(samples, channels);
  if (mono.length === 0) return { problem: "no sound in it" };
  const sound = sampleRate === SOUND_RATE ? mono : resample(mono, sampleRate);
  return { sound: Buffer.from(Uint8Array.from(sound, encodeMuLaw)) };
}

function samplesOf(data: Buffer, { code, bits }: Format): Int16Array | undefined {
  if (code === PCM && bits === 16) {
    const samples = new Int16Array(data.length >> 1);
    for (let index = 0; index < samples.length; index += 1) {
      samples[index] = data.readInt16LE(index * 2);
    }
    return samples;
  }
  if (code === PCM && bits === 8) return Int16Array.from(data, (octet) => (octet - 128) << 8);
  if (code === MU_LAW && bits === 8) return toLinear(data, "PCMU");
  if (code === A_LAW && bits === 8) return toLinear(data, "PCMA");
  return undefined;
}

function mixDown(samples: Int16Array, channels: number): Int16Array {
  const mono = new Int16Array(Math.floor(samples.length / channels));
  for (let index = 0; index < mono.length; index += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      sum += samples[index * channels + channel] ?? 0;
    }
    mono[index] = Math.round(sum / channels);
  }
  return mono;
}

/** To 8 kHz: downward each sample is the mean of those that it stands for, upward a line between. */
function resample(samples: Int16Array, sampleRate: number): Int16Array {
  const step = sampleRate / SOUND_RATE;
  const length = Math.floor(samples.length / step);
  const out = new Int16Array(length);
  for (let index = 0; index < length; index += 1) {
    const from = index * step;
    if (step <= 1) {
      const left = samples[Math.floor(from)] ?? 0;
      const right = samples[Math.floor(from) + 1] ?? left;
      out[index] = Math.round(left + (right - left) * (from % 1));
      continue;
    }
    const first = Math.floor(from);
    const last = Math.max(first + 1, Math.floor(from + step));
    let sum = 0;
    for (let at = first; at < last; at += 1) sum += samples[at] ?? 0;
    out[index] = Math.round(sum / (last - first));
  }
  return out;
}

/** µ-law of 8 kHz as a WAV file. */
export function formatMuLawWav(sound: Buffer): Buffer {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + sound.length, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(MU_LAW, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(SOUND_RATE, 24);
  head.writeUInt32LE(SOUND_RATE, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(sound.length, 40);
  return Buffer.concat([head, sound]);
}
