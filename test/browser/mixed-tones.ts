import type { Page } from "playwright-core";
import { type Sound, toneShare } from "../harness/tone.ts";

/**
 * How far each of some tones stands above everything else in a stream of a page, in decibels: several
 * at once, as a conference has them.
 *
 * @param expression JavaScript that gives the stream
 */
export async function tonesInPage(
  page: Page,
  expression: string,
  frequenciesHz: readonly number[],
): Promise<readonly number[]> {
  return await page.evaluate<readonly number[]>(`(async () => {
    const stream = ${expression};
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 16384;
    analyser.smoothingTimeConstant = 0;
    const source = context.createMediaStreamSource(stream);
    source.connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 900));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    await context.close();
    const width = 48000 / analyser.fftSize;
    // The telephone's band; a tone itself is a few bins wide.
    const band = [...bins.slice(Math.round(300 / width), Math.round(3000 / width))].sort((a, b) => a - b);
    const floor = Math.max(-120, band[Math.floor(band.length / 2)]);
    return ${JSON.stringify(frequenciesHz)}.map((hz) => {
      const at = Math.round(hz / width);
      return Math.max(-120, ...bins.slice(at - 2, at + 3)) - floor;
    });
  })()`);
}

/** Mean share of a tone in the 20 ms frames of a piece of sound, 0 to 1. */
export function meanToneShare({ samples, sampleRate }: Sound, frequencyHz: number): number {
  const length = sampleRate / 50;
  let sum = 0;
  let frames = 0;
  for (let start = 0; start + length <= samples.length; start += length) {
    sum += toneShare(samples.subarray(start, start + length), sampleRate, frequencyHz);
    frames += 1;
  }
  return frames === 0 ? 0 : sum / frames;
}
