import { describe, expect, it } from "vitest";

import { type LossSample, OpusWish, speaksOpus } from "../../web-phone/src/agent/opus-wish.ts";

function sample(
  inbound: LossSample["inbound"],
  outbound: LossSample["outbound"] = { packets: 250, lost: 0 },
): LossSample {
  return { inbound, outbound };
}

describe("when the phone asks for Opus", () => {
  it.each([
    ["3 % inbound: not yet", sample({ packets: 97, lost: 3 }), false],
    ["more than 3 % inbound", sample({ packets: 96, lost: 4 }), true],
    ["more than 3 % outbound", sample({ packets: 250, lost: 0 }, { packets: 250, lost: 10 }), true],
    ["too few packets to tell", sample({ packets: 20, lost: 20 }), false],
    ["no loss", sample({ packets: 250, lost: 0 }), false],
  ])("%s", (_what, one, asks) => {
    expect(new OpusWish().onSample(one, false)).toBe(asks);
  });

  it("asks no more once it has Opus, while it asks, and after two refusals", () => {
    const bad = sample({ packets: 200, lost: 50 });
    expect(new OpusWish().onSample(bad, true)).toBe(false);
    const given = new OpusWish();
    expect(given.onSample(bad, false)).toBe(true);
    expect(given.onSample(bad, false)).toBe(false);
    given.onOutcome(true);
    expect(given.onSample(bad, false)).toBe(false);
    const refused = new OpusWish();
    expect(refused.onSample(bad, false)).toBe(true);
    refused.onOutcome(false);
    expect(refused.onSample(bad, false)).toBe(true);
    refused.onOutcome(false);
    expect(refused.onSample(bad, false)).toBe(false);
  });
});

describe("speaksOpus", () => {
  it.each([
    ["m=audio 9 UDP/TLS/RTP/SAVPF 111 110\r\na=rtpmap:111 opus/48000/2\r\n", true],
    ["m=audio 9 UDP/TLS/RTP/SAVPF 0 126\r\na=rtpmap:0 PCMU/8000\r\n", false],
    ["m=audio 9 RTP/SAVPF 0 111\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:111 opus/48000/2\r\n", false],
    ["m=audio 9 RTP/SAVPF 0\r\n", false],
    ["", false],
  ])("%j", (sdp, speaks) => {
    expect(speaksOpus(sdp)).toBe(speaks);
  });
});
