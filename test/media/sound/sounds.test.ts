import { describe, expect, it } from "vitest";

import { callTonesOf } from "../../../src/core/call-tones.ts";
import { encodeMuLaw, fromMuLaw, toLinear } from "../../../src/media/service/g711.ts";
import { announcementSound } from "../../../src/media/sound/announcements.ts";
import { synthesizeCallTone, synthesizeMusic } from "../../../src/media/sound/synthesis.ts";
import { formatMuLawWav, readWav } from "../../../src/media/sound/wav.ts";
import { generateTone, measureTone } from "../../harness/tone.ts";

const OCTETS = Array.from({ length: 256 }, (_, octet) => octet);

function pcmWav(options: {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bits: 8 | 16;
  readonly hz: number;
}): Buffer {
  const { sampleRate, channels, bits, hz } = options;
  const { samples } = generateTone({ frequencyHz: hz, seconds: 1, amplitude: 0.4, sampleRate });
  const width = bits / 8;
  const data = Buffer.alloc(samples.length * channels * width);
  samples.forEach((sample, index) => {
    for (let channel = 0; channel < channels; channel += 1) {
      const at = (index * channels + channel) * width;
      if (bits === 16) data.writeInt16LE(sample, at);
      else data.writeUInt8((sample >> 8) + 128, at);
    }
  });
  const wav = formatMuLawWav(data);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(channels, 22);
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt16LE(bits, 34);
  return wav;
}

describe("G.711", () => {
  it("µ-law: each octet is decoded and encoded to itself, but for the second zero", () => {
    const linear = toLinear(Buffer.from(OCTETS), "PCMU");
    const again = Array.from(linear, encodeMuLaw);
    expect(again.map((octet) => (octet === 0x7f ? 0xff : octet))).toEqual(
      OCTETS.map((octet) => (octet === 0x7f ? 0xff : octet)),
    );
  });

  it("A-law: what was µ-law keeps its value within the step of the coarser law", () => {
    const octets = Buffer.from(OCTETS);
    const direct = toLinear(octets, "PCMU");
    const over = toLinear(fromMuLaw(octets, "PCMA"), "PCMA");
    direct.forEach((sample, index) => {
      expect(Math.abs(sample - (over[index] ?? 0))).toBeLessThanOrEqual(
        Math.max(16, Math.abs(sample) / 16),
      );
    });
  });
});

describe("WAV files", () => {
  it.each([
    { sampleRate: 8000, channels: 1, bits: 16, hz: 600 },
    { sampleRate: 44_100, channels: 2, bits: 16, hz: 600 },
    { sampleRate: 48_000, channels: 1, bits: 16, hz: 600 },
    { sampleRate: 11_025, channels: 1, bits: 8, hz: 600 },
    { sampleRate: 4000, channels: 2, bits: 8, hz: 600 },
  ] as const)("are read as µ-law of 8 kHz: $sampleRate Hz, $channels, $bits bits", (options) => {
    const read = readWav(pcmWav(options));
    if ("problem" in read) throw new Error(read.problem);
    const sound = { sampleRate: 8000, samples: toLinear(read.sound, "PCMU") };
    expect(sound.samples.length).toBeGreaterThan(7990);
    expect(measureTone(sound, options.hz).share).toBeGreaterThan(0.95);
  });

  it("µ-law passes as it is", () => {
    const sound = Buffer.from(OCTETS);
    const read = readWav(formatMuLawWav(sound));
    const expected = Buffer.from(OCTETS.map((octet) => (octet === 0x7f ? 0xff : octet)));
    expect("sound" in read && Buffer.compare(read.sound, expected)).toBe(0);
  });

  it.each([
    ["no RIFF", Buffer.from("something else altogether")],
    ["empty", Buffer.alloc(0)],
    ["a head alone", pcmWav({ sampleRate: 8000, channels: 1, bits: 16, hz: 600 }).subarray(0, 36)],
    [
      "a head without sound",
      pcmWav({ sampleRate: 8000, channels: 1, bits: 16, hz: 600 }).subarray(0, 44),
    ],
    ["no channel", pcmWav({ sampleRate: 8000, channels: 0, bits: 16, hz: 600 })],
    ["no rate", pcmWav({ sampleRate: 0, channels: 1, bits: 16, hz: 600 })],
  ])("a broken one is told: %s", (_, file) => {
    expect(readWav(file)).toHaveProperty("problem");
  });
});

describe("ITU-T E.180", () => {
  it.each([
    ["DE", [425], [1, 4]],
    ["US", [440, 480], [2, 4]],
    ["GB", [400, 450], [0.4, 0.2, 0.4, 2]],
    ["FR", [440], [1.5, 3.5]],
    [undefined, [425], [1, 4]],
    ["constructor", [425], [1, 4]],
  ])("ring-back of %s", (country, frequencies, cadence) => {
    expect(callTonesOf(country).ringBack).toEqual({ frequencies, cadence });
  });

  it("the busy tone of Germany: 480 ms on and off", () => {
    const octets = synthesizeCallTone(callTonesOf("DE").busy, 2);
    expect(octets.length).toBeGreaterThanOrEqual(16_000);
    const heard = measureTone({ sampleRate: 8000, samples: toLinear(octets, "PCMU") }, 425);
    expect(heard.longestMs).toBeGreaterThanOrEqual(440);
    expect(heard.longestMs).toBeLessThanOrEqual(480);
    expect(heard.share).toBeGreaterThan(0.4);
    expect(heard.share).toBeLessThan(0.55);
  });
});

describe("sounds that come with the gateway", () => {
  it.each(["number-unknown", "busy", "congestion", "unavailable"] as const)(
    "%s is spoken in two languages and made once",
    (name) => {
      const english = announcementSound(name, "US");
      expect(english.length).toBeGreaterThan(8000);
      expect(english.length).toBeLessThan(12 * 8000);
      expect(announcementSound(name, "DE").equals(english)).toBe(false);
      expect(announcementSound(name, "US")).toBe(english);
    },
  );

  it("the music is a loop of 7.2 s without a pause and without a peak that clips", () => {
    const music = toLinear(synthesizeMusic(), "PCMU");
    expect(music.length).toBe(57_600);
    expect(measureTone({ sampleRate: 8000, samples: music }, 440).audible).toBeGreaterThan(0.95);
    const peak = music.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(peak).toBeLessThan(16_000);
    expect(peak).toBeGreaterThan(3000);
  });
});
