import { describe, expect, it } from "vitest";
import { lossOf, readStats } from "../../web-phone/src/agent/stats-reading.ts";

const REPORT = [
  { type: "inbound-rtp", kind: "video", packetsReceived: 1 },
  {
    type: "inbound-rtp",
    kind: "audio",
    packetsReceived: 240,
    packetsLost: 10,
    jitter: 0.0042,
    concealedSamples: 4_800,
    totalSamplesReceived: 240_000,
  },
  { type: "outbound-rtp", kind: "audio", packetsSent: 250 },
  {
    type: "remote-inbound-rtp",
    kind: "audio",
    packetsLost: 5,
    jitter: 0.001,
    roundTripTime: 0.031,
  },
  { type: "transport", selectedCandidatePairId: "P2" },
  { type: "candidate-pair", id: "P1", currentRoundTripTime: 9 },
  { type: "candidate-pair", id: "P2", currentRoundTripTime: 0.02 },
];

describe("getStats of a call", () => {
  it("gives each direction of the audio, and the selected pair's round trip", () => {
    expect(readStats(REPORT, 7)).toEqual({
      atMs: 7,
      inbound: { packets: 240, lost: 10, jitterMs: 4.2 },
      outbound: { packets: 250, lost: 5, jitterMs: 1 },
      concealedSamples: 4_800,
      receivedSamples: 240_000,
      iceRoundTripMs: 20,
      roundTripMs: 31,
    });
  });

  it("takes what is missing or no number for nothing", () => {
    const reading = readStats([{ type: "inbound-rtp", kind: "audio", packetsLost: -3 }, null], 0);
    expect(reading.inbound).toEqual({ packets: 0, lost: 0, jitterMs: undefined });
    expect(reading.roundTripMs).toBeUndefined();
  });

  it("counts loss among what was expected", () => {
    expect(lossOf({ packets: 90, lost: 10 }, true)).toBeCloseTo(0.1);
    expect(lossOf({ packets: 100, lost: 10 }, false)).toBeCloseTo(0.1);
    expect(lossOf({ packets: 0, lost: 0 }, true)).toBe(0);
    expect(lossOf({ packets: 2, lost: 10 }, false)).toBe(1);
  });
});
