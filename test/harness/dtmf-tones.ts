/** Digits as pairs of tones in PCMU (ITU-T Q.23), sent, and heard as a PBX does. */

import { encodeMuLaw } from "../../src/media/service/g711.ts";

const LOW_HZ = [697, 770, 852, 941] as const;
const HIGH_HZ = [1209, 1336, 1477, 1633] as const;
const PAD = ["123A", "456B", "789C", "*0#D"] as const;
const RATE = 8000;
/** 12.75 ms: Goertzel's bins are then 78 Hz wide, as detectors of telephones have it. */
const BLOCK = 102;

/** Frames of 20 ms of one digit. */
export function encodeToneDigit(digit: string, frames: number): readonly Buffer[] {
  const row = PAD.findIndex((keys) => keys.includes(digit));
  const lowHz = LOW_HZ[row] ?? 0;
  const highHz = HIGH_HZ[PAD[row]?.indexOf(digit) ?? 0] ?? 0;
  return Array.from({ length: frames }, (_none, frame) =>
    Buffer.from(
      Array.from({ length: 160 }, (_zero, index) => {
        const angle = (2 * Math.PI * (frame * 160 + index)) / RATE;
        return encodeMuLaw(Math.round(6000 * (Math.sin(angle * lowHz) + Math.sin(angle * highHz))));
      }),
    ),
  );
}

/** Digits in PCMU samples, each once as long as it sounds; 30 ms make one, 20 ms end it. */
export function toneDigits(pcmu: Buffer): string {
  let digits = "";
  let current: string | undefined;
  let run = 0;
  let previous: string | undefined;
  for (let start = 0; start + BLOCK <= pcmu.length; start += BLOCK) {
    const heard = digitIn(pcmu.subarray(start, start + BLOCK));
    run = heard === previous ? run + 1 : 1;
    previous = heard;
    if (heard !== current && run >= 2) {
      current = heard;
      if (heard !== undefined) digits += heard;
    }
  }
  return digits;
}

function digitIn(block: Buffer): string | undefined {
  const samples = Array.from(block, fromUlaw);
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  if (energy / samples.length < 1e-4) return undefined;
  const low = strongest(samples, LOW_HZ);
  const high = strongest(samples, HIGH_HZ);
  // Two tones have all the energy of the block between them.
  if ((2 * (low.power + high.power)) / (energy * samples.length) < 0.7) return undefined;
  if (Math.min(low.power, high.power) * 16 < Math.max(low.power, high.power)) return undefined;
  return PAD[low.index]?.[high.index];
}

function strongest(
  samples: readonly number[],
  frequencies: readonly number[],
): { readonly index: number; readonly power: number } {
  const powers = frequencies.map((hz) => goertzel(samples, hz));
  const power = Math.max(...powers);
  return { index: powers.indexOf(power), power };
}

function goertzel(samples: readonly number[], hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / RATE);
  let before = 0;
  let previous = 0;
  for (const sample of samples) {
    const current = sample + coefficient * previous - before;
    before = previous;
    previous = current;
  }
  return previous * previous + before * before - coefficient * previous * before;
}

/** ITU-T G.711 μ-law, to -1…1. */
function fromUlaw(octet: number): number {
  const value = ~octet & 0xff;
  const exponent = (value >> 4) & 7;
  const magnitude = (((value & 0x0f) << 3) + 0x84) << exponent;
  return (value & 0x80 ? 0x84 - magnitude : magnitude - 0x84) / 32_768;
}
