/** Sounds that are computed: tones, and the music on hold that comes with the gateway. */
import type { CallTone } from "../../core/call-tones.ts";
import { encodeMuLaw } from "../service/g711.ts";
import { SOUND_RATE } from "./wav.ts";

/** Peak of a tone: some -15 dBFS, as loud as speech. */
const TONE_PEAK = 6000;

/** A tone with soft edges, in µ-law. */
export function synthesizeTone(
  frequencies: readonly number[],
  seconds: number,
  peak = TONE_PEAK,
): Buffer {
  const length = Math.round(seconds * SOUND_RATE);
  const edge = Math.min(40, length / 2);
  const out = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1) {
    let value = 0;
    for (const frequency of frequencies) {
      value += Math.sin((2 * Math.PI * frequency * index) / SOUND_RATE);
    }
    const gain = Math.min(1, (index + 1) / edge, (length - index) / edge);
    out[index] = encodeMuLaw(Math.round((peak / frequencies.length) * value * gain));
  }
  return out;
}

/** Silence, in µ-law. */
export function synthesizeSilence(seconds: number): Buffer {
  return Buffer.alloc(Math.round(seconds * SOUND_RATE), encodeMuLaw(0));
}

/** A network's tone for at least so long, in whole periods. */
export function synthesizeCallTone({ frequencies, cadence }: CallTone, seconds: number): Buffer {
  const period = Buffer.concat(
    cadence.map((length, index) =>
      index % 2 === 0 ? synthesizeTone(frequencies, length) : synthesizeSilence(length),
    ),
  );
  const count = Math.ceil((seconds * SOUND_RATE) / period.length);
  return Buffer.concat(Array.from({ length: count }, () => period));
}

/** ITU-T E.180 §6: the special information tone, before an announcement that nobody expects. */
export function synthesizeSpecialInformationTone(): Buffer {
  return Buffer.concat(
    [950, 1400, 1800]
      .map((frequency) => synthesizeTone([frequency], 0.33))
      .concat(synthesizeSilence(0.5)),
  );
}

/** Beats a minute of the music on hold: three bars of four beats are 7.2 s. */
const BEAT_SECONDS = 0.6;
const BARS: readonly (readonly number[])[] = [
  // Semitones above A3, a quaver each; below them the bass of the bar.
  [3, 7, 10, 15, 10, 7, 10, 7],
  [0, 3, 7, 12, 7, 3, 7, 3],
  [5, 8, 12, 10, 7, 10, 2, 7],
];
const BASS: readonly number[] = [-9, -12, -7];

/** The music on hold that comes with the gateway: a quiet loop of 7.2 s, composed for it. */
export function synthesizeMusic(): Buffer {
  const barSamples = Math.round(4 * BEAT_SECONDS * SOUND_RATE);
  const length = barSamples * BARS.length;
  const mix = new Float64Array(length);
  for (const [bar, notes] of BARS.entries()) {
    const start = bar * barSamples;
    pluck(mix, start, BASS[bar] ?? 0, 2.2, 2200);
    for (const [index, semitone] of notes.entries()) {
      const at = start + Math.round((index * BEAT_SECONDS * SOUND_RATE) / 2);
      pluck(mix, at, semitone, 0.9, 3200);
    }
  }
  return Buffer.from(Uint8Array.from(mix, (value) => encodeMuLaw(Math.round(value))));
}

/** A plucked string: its overtones fade faster than its ground; it rings on over the loop's end. */
function pluck(
  mix: Float64Array,
  start: number,
  semitone: number,
  seconds: number,
  peak: number,
): void {
  const frequency = 220 * 2 ** (semitone / 12);
  const length = Math.round(seconds * SOUND_RATE);
  for (let index = 0; index < length; index += 1) {
    const time = index / SOUND_RATE;
    const attack = Math.min(1, index / 24);
    const release = Math.min(1, (length - index) / 400);
    let value = 0;
    for (let overtone = 1; overtone <= 4; overtone += 1) {
      const angle = 2 * Math.PI * frequency * overtone * time;
      value += (Math.sin(angle) / overtone ** 2) * Math.exp(-time * (2 + overtone * 1.5));
    }
    const at = (start + index) % mix.length;
    mix[at] = (mix[at] ?? 0) + peak * attack * release * value;
  }
}
