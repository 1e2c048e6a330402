import { describe, expect, it } from "vitest";

import { answerAgain } from "../../src/media/answer-again.ts";
import { codecsOf, formatCodec } from "../../src/media/codecs.ts";
import { parseSdp } from "../../src/media/sdp.ts";
import { browserSdp } from "../harness/browser-sdp.ts";

function codecs(sdp: string): readonly string[] {
  return parseSdp(sdp).media.flatMap((section) =>
    codecsOf(section).map((codec) => `${codec.payloadType} ${formatCodec(codec)}`),
  );
}

describe("an offerer's word on an offer that it is not asked about", () => {
  it("has the codecs of the answer, by its own payload types and in the answer's order", () => {
    const answer = [
      "v=0",
      "o=- 1 1 IN IP4 192.0.2.1",
      "s=-",
      "t=0 0",
      "m=audio 4000 UDP/TLS/RTP/SAVPF 8 101 0",
      "a=rtpmap:8 PCMA/8000",
      "a=rtpmap:101 telephone-event/8000",
      "",
    ].join("\r\n");
    const again = answerAgain(browserSdp(), answer);
    expect(codecs(again)).toEqual(["8 PCMA/8000", "126 telephone-event/8000", "0 PCMU/8000"]);
    expect(again).toContain("a=ice-ufrag:");
  });

  it("throws at what is no SDP", () => {
    expect(() => answerAgain("none", browserSdp())).toThrow();
  });
});
