import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { generateTone, measureTone, readWav, toneShare, writeWav } from "./tone.ts";

describe("tone", () => {
  it.each([8000, 44_100, 48_000])("finds the tone that it made at %i Hz", (sampleRate) => {
    const sound = generateTone({ frequencyHz: 600, seconds: 1, sampleRate });
    expect(measureTone(sound, 600)).toEqual({ frames: 50, share: 1, longestMs: 1000, audible: 1 });
  });

  it("does not find another tone, silence or noise", () => {
    const other = generateTone({ frequencyHz: 1000, seconds: 1 });
    expect(measureTone(other, 600).share).toBe(0);
    const silence = { sampleRate: 8000, samples: new Int16Array(8000) };
    expect(measureTone(silence, 600)).toMatchObject({ share: 0, audible: 0 });
    let seed = 1;
    const noise = Int16Array.from({ length: 8000 }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return (seed >> 8) % 20_000;
    });
    expect(measureTone({ sampleRate: 8000, samples: noise }, 600).share).toBeLessThan(0.05);
  });

  it("tells how much of a mixture is the tone", () => {
    const one = generateTone({ frequencyHz: 600, seconds: 0.02, amplitude: 0.4 });
    const two = generateTone({ frequencyHz: 1000, seconds: 0.02, amplitude: 0.4 });
    const both = one.samples.map((sample, index) => sample + (two.samples[index] ?? 0));
    expect(toneShare(both, one.sampleRate, 600)).toBeCloseTo(0.5, 2);
  });

  it("looks at the asked piece only", () => {
    const tone = generateTone({ frequencyHz: 600, seconds: 1, sampleRate: 8000 });
    const samples = new Int16Array(24_000);
    samples.set(tone.samples, 8000);
    const sound = { sampleRate: 8000, samples };
    expect(measureTone(sound, 600).share).toBeCloseTo(1 / 3, 2);
    expect(measureTone(sound, 600, 1000, 2000)).toMatchObject({ frames: 50, share: 1 });
    expect(measureTone(sound, 600, 2000)).toMatchObject({ frames: 50, share: 0 });
  });

  it("reads back what it wrote", async () => {
    const directory = await mkdtemp(join(tmpdir(), "offhook-tone-"));
    try {
      const sound = generateTone({ frequencyHz: 600, seconds: 1, sampleRate: 16_000 });
      await writeWav(join(directory, "tone.wav"), sound);
      expect(await readWav(join(directory, "tone.wav"))).toEqual(sound);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
