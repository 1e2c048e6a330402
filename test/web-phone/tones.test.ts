import { describe, expect, it } from "vitest";

import { callTonesOf } from "../../src/core/call-tones.ts";
import { patternOf } from "../../web-phone/src/audio/patterns.ts";
import { tryParseSession } from "../../web-phone/src/session-client.ts";

const SESSION = {
  user: { id: "1001", name: "Ann" },
  sip: { uri: "sip:1001@x", webSocketUrl: "ws://x/ws", username: "u", password: "p" },
  iceServers: [],
  expiresAt: "2030-01-01T00:00:00Z",
};

describe("ITU-T E.180 in the web phone", () => {
  it("Britain rings twice and pauses", () => {
    const { bursts, periodSeconds } = patternOf("ring-back", callTonesOf("GB"));
    expect(periodSeconds).toBeCloseTo(3);
    expect(bursts.map(({ at, seconds }) => [at, seconds])).toEqual([
      [0, 0.4],
      [expect.closeTo(0.6), 0.4],
    ]);
    expect(bursts[0]?.frequencies).toEqual([400, 450]);
  });

  it.each([
    ["DE", 5, 425],
    ["US", 6, 440],
    ["FR", 5, 440],
  ])("ring-back of %s", (country, period, hz) => {
    const { bursts, periodSeconds } = patternOf("ring-back", callTonesOf(country));
    expect(periodSeconds).toBe(period);
    expect(bursts[0]?.frequencies[0]).toBe(hz);
  });

  it("without a word of the gateway's it is what E.180 recommends", () => {
    expect(patternOf("ring-back").periodSeconds).toBe(5);
  });

  it("the ring of an incoming call is the phone's own everywhere", () => {
    expect(patternOf("ring", callTonesOf("US"))).toBe(patternOf("ring"));
  });

  it("the session brings the tones; broken ones are left out", () => {
    const { ringBack, busy } = callTonesOf("US");
    expect(tryParseSession({ ...SESSION, tones: { ringBack, busy } })?.tones).toEqual({
      ringBack,
      busy,
    });
    const endless = { frequencies: [440], cadence: [0, 0] };
    expect(tryParseSession({ ...SESSION, tones: { ringBack: endless, busy } })?.tones).toBe(
      undefined,
    );
  });
});
