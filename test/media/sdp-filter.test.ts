import { describe, expect, it } from "vitest";

import { isSpeech } from "../../src/media/codecs.ts";
import { formatSdp } from "../../src/media/sdp.ts";
import {
  readDescription,
  sdpForLeg,
  sdpForRtpengine,
  selectAnswerCodecs,
  selectOfferCodecs,
} from "../../src/media/sdp-filter.ts";
import type { LegKind } from "../../src/media/session.ts";
import { asteriskSdp, BARESIP_OFFER, chromiumSdp, FIREFOX_OFFER } from "./samples.ts";

const ORIGIN = { id: "1", version: 1 };
const TLS_ID = "constant-of-this-leg-0123";

function toRtpengine(text: string, kind: LegKind, keep: readonly string[]): string {
  const description = readDescription(text, kind);
  const codecs = selectOfferCodecs(description.codecs, keep);
  return formatSdp(sdpForRtpengine(description, codecs, kind, TLS_ID), ORIGIN);
}

/** What rtpengine 10.5 makes of Chromium's offer for a telephone, leaks included. */
const RTPENGINE_OFFER = [
  "v=0",
  "o=- 1796298770395869764 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=extmap-allow-mixed",
  "a=msid-semantic: WMS 6d2dd6de-0e8c-4524-99d2-2f5066db5e63",
  "m=audio 31000 RTP/AVP 9 0 8 126",
  "c=IN IP4 203.0.113.5",
  "a=msid:6d2dd6de-0e8c-4524-99d2-2f5066db5e63 8a51a3e7-88e6-4dd5-943f-21fa2deb1189",
  "a=rtcp-rsize",
  "a=rtcp-xr:rcvr-rtt=all",
  "a=ssrc:793827557 cname:d5UEATT9OU5hbOBT",
  "a=tls-id:constant-of-this-leg-0123",
  "a=mid:0",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:126 telephone-event/8000",
  "a=sendrecv",
  "a=rtcp:31001",
  "",
].join("\r\n");

/** What rtpengine 26 answers a browser: both telephone-events, an SSRC of the peer. */
const RTPENGINE_ANSWER = [
  "v=0",
  "o=- 22 4 IN IP4 127.0.0.1",
  "s=Asterisk",
  "t=0 0",
  "m=audio 31017 UDP/TLS/RTP/SAVPF 111 126 110",
  "c=IN IP4 203.0.113.5",
  "a=mid:7",
  "a=ssrc:311651804 cname:peer-secret",
  "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 stereo=0; useinbandfec=1",
  "a=rtcp-fb:111 transport-cc",
  "a=rtpmap:126 telephone-event/8000",
  "a=fmtp:126 0-16",
  "a=rtpmap:110 telephone-event/48000",
  "a=sendrecv",
  "a=rtcp:31017",
  "a=rtcp-mux",
  "a=setup:active",
  "a=fingerprint:sha-256 F2:9D",
  "a=tls-id:9d29b4d9b833a006abc6a519922af010",
  "a=ice-ufrag:oCbqo1Pz",
  "a=ice-pwd:WiGhWeyosZrevRiHiEV56voVv0",
  "a=ice-options:trickle",
  "a=candidate:FBshZhwj1j4MvpDO 1 UDP 2130706431 203.0.113.5 31017 typ host",
  "a=end-of-candidates",
  "",
].join("\r\n");

describe("before rtpengine", () => {
  it("passes of a browser's offer what carries audio, and nothing else", () => {
    expect(toRtpengine(chromiumSdp(), "webrtc", ["pcma", "pcmu"]).split("\r\n")).toEqual([
      "v=0",
      "o=- 1 1 IN IP4 192.0.2.77",
      "s=-",
      "c=IN IP4 192.0.2.77",
      "t=0 0",
      "m=audio 56641 UDP/TLS/RTP/SAVPF 8 0 126",
      "a=ice-ufrag:4vih",
      "a=ice-pwd:4afKBKa81TwoEmxF3219QbCE",
      "a=ice-options:trickle",
      expect.stringMatching(/^a=fingerprint:sha-256 /),
      "a=setup:actpass",
      "a=sendrecv",
      "a=rtcp-mux",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:8 PCMA/8000",
      "a=rtpmap:126 telephone-event/8000",
      "a=candidate:1297688256 1 udp 2122260223 192.0.2.77 56641 typ host",
      `a=tls-id:${TLS_ID}`,
      "",
    ]);
  });

  it("leaves telephone-event/8000 out beside Opus alone", () => {
    expect(toRtpengine(chromiumSdp(), "webrtc", ["opus"])).toContain(" 111 110\r\n");
  });

  it("keeps the telephone-event of each clock when codecs are mixed", () => {
    expect(toRtpengine(chromiumSdp(), "webrtc", ["opus", "pcma"])).toContain(" 111 8 110 126\r\n");
  });

  it("keeps Firefox's only telephone-event, and its DTLS and direction from the session level", () => {
    const text = toRtpengine(FIREFOX_OFFER, "webrtc", ["opus"]);
    expect(text).toContain(" 109 101\r\n");
    expect(text.match(/a=fingerprint:/g)).toHaveLength(1);
    expect(text.match(/a=sendrecv/g)).toHaveLength(1);
  });

  it("gives a telephone's audio alone, without its SSRC and tool", () => {
    const text = toRtpengine(BARESIP_OFFER, "rtp", ["pcmu"]);
    expect(text).toContain("m=audio 21374 RTP/AVP 0 101\r\n");
    expect(text).not.toMatch(/video|ssrc|tool|label|b=AS|tls-id/);
  });

  it("gives rtpengine at most 100 candidates", () => {
    const many = "a=candidate:1 1 udp 1 192.0.2.1 4000 typ host\r\n".repeat(500);
    const text = toRtpengine(chromiumSdp() + many, "webrtc", ["pcmu"]);
    expect(text.match(/a=candidate/g)).toHaveLength(100);
  });

  it.each([
    ["an answer with telephone-event alone", chromiumSdp({ formats: "97" }), "webrtc"],
    ["no audio section", asteriskSdp().replace("m=audio", "m=video"), "rtp"],
    ["a rejected audio section", asteriskSdp().replace("m=audio 18032", "m=audio 0"), "rtp"],
    ["a fax", asteriskSdp().replace("m=audio 18032 RTP/AVP 0", "m=image 4 udptl t38"), "rtp"],
    ["no address", asteriskSdp().replace("c=IN IP4 192.0.2.99\r\n", ""), "rtp"],
    ["a browser without DTLS", chromiumSdp().replace("a=fingerprint", "a=fp"), "webrtc"],
    ["a browser without ICE", chromiumSdp().replace("a=ice-ufrag", "a=uf"), "webrtc"],
  ] as const)("refuses %s", (_what, text, kind) => {
    expect(() => readDescription(text, kind)).toThrow(
      expect.objectContaining({ code: "ERR_OFFHOOK_MEDIA_SDP" }),
    );
  });

  it("chooses plain RTP where a telephone offers it beside SRTP", () => {
    const both = asteriskSdp().replace(
      "m=audio 18032",
      "m=audio 18030 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\nm=audio 18032",
    );
    expect(readDescription(both, "rtp").audio.port).toBe(18_032);
  });

  it("lets an answer name one telephone-event, of its first codec's clock", () => {
    const { codecs } = readDescription(chromiumSdp({ formats: "111 0 126 110" }), "webrtc");
    expect(selectAnswerCodecs(codecs).map((codec) => codec.payloadType)).toEqual([
      "111",
      "0",
      "110",
    ]);
  });
});

describe("after rtpengine", () => {
  it("gives a telephone a short SDP with no trace of the browser", () => {
    const { sdp } = sdpForLeg(RTPENGINE_OFFER, { kind: "rtp", role: "offer", layout: undefined });
    expect(formatSdp(sdp, ORIGIN).split("\r\n")).toEqual([
      "v=0",
      "o=- 1 1 IN IP4 203.0.113.5",
      "s=-",
      "c=IN IP4 203.0.113.5",
      "t=0 0",
      "m=audio 31000 RTP/AVP 9 0 8 126",
      "a=rtpmap:9 G722/8000",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:8 PCMA/8000",
      "a=rtpmap:126 telephone-event/8000",
      "a=sendrecv",
      "a=rtcp:31001",
      "",
    ]);
  });

  it("gives a browser its own mid and BUNDLE, one telephone-event, and no SSRC", () => {
    const { layout } = readDescription(chromiumSdp(), "webrtc");
    const { sdp, codecs } = sdpForLeg(RTPENGINE_ANSWER, { kind: "webrtc", role: "answer", layout });
    const text = formatSdp(sdp, ORIGIN);
    expect(text).toContain("a=group:BUNDLE 0\r\n");
    expect(text).toContain("a=mid:0\r\n");
    expect(text).toContain("m=audio 31017 UDP/TLS/RTP/SAVPF 111 110\r\n");
    expect(text).not.toMatch(/ssrc|tls-id|mid:7|Asterisk|telephone-event\/8000|127\.0\.0\.1/);
    expect(codecs.find(isSpeech)?.name).toBe("opus");
  });

  it("names no BUNDLE to a client that offered none", () => {
    const plain = chromiumSdp().replace("a=group:BUNDLE 0\r\n", "");
    const { layout } = readDescription(plain, "webrtc");
    const { sdp } = sdpForLeg(RTPENGINE_ANSWER, { kind: "webrtc", role: "answer", layout });
    expect(formatSdp(sdp, ORIGIN)).not.toContain("BUNDLE");
  });

  it.each([
    [{ fec: true, dtx: false, ptimeMs: 20 }, "minptime=10;useinbandfec=1", "20"],
    [
      { fec: false, dtx: true, ptimeMs: 60, bitrate: 24_000 },
      "minptime=10;useinbandfec=0;usedtx=1;maxaveragebitrate=24000",
      "60",
    ],
  ] as const)("RFC 7587 §6.1: asks for Opus as configured: %j", (opus, parameters, ptime) => {
    const answer = RTPENGINE_ANSWER.replace("a=sendrecv", "a=ptime:30\r\na=sendrecv");
    const { sdp } = sdpForLeg(answer, { kind: "webrtc", role: "answer", layout: undefined, opus });
    const lines = formatSdp(sdp, ORIGIN).split("\r\n");
    expect(lines.filter((line) => line.startsWith("a=fmtp:111 "))).toEqual([
      `a=fmtp:111 ${parameters}`,
    ]);
    expect(lines.filter((line) => line.startsWith("a=ptime:"))).toEqual([`a=ptime:${ptime}`]);
  });

  it("asks nothing of a leg that has no Opus, and no ptime of one that prefers another codec", () => {
    const opus = { fec: true, dtx: false, ptimeMs: 60 } as const;
    const render = (text: string): string =>
      formatSdp(
        sdpForLeg(text, { kind: "rtp", role: "offer", layout: undefined, opus }).sdp,
        ORIGIN,
      );
    expect(render(RTPENGINE_OFFER)).not.toMatch(/useinbandfec|a=ptime/);
    const second = RTPENGINE_OFFER.replace("9 0 8 126", "9 111 126").replace(
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:111 opus/48000/2",
    );
    expect(render(second)).toContain("a=fmtp:111 minptime=10;useinbandfec=1\r\n");
    expect(render(second)).not.toContain("a=ptime:60");
  });

  it("RFC 3264 §6: rejects the sections that it does not carry, in their places", () => {
    const { layout } = readDescription(BARESIP_OFFER, "rtp");
    const { sdp } = sdpForLeg(RTPENGINE_OFFER, { kind: "rtp", role: "answer", layout });
    expect(
      formatSdp(sdp, ORIGIN)
        .split("\r\n")
        .filter((line) => line.startsWith("m=")),
    ).toEqual(["m=audio 31000 RTP/AVP 9 0 8 126", "m=video 0 RTP/AVP 97"]);
  });

  it("refuses an answer in which only telephone-event is left", () => {
    const empty = RTPENGINE_OFFER.replace("RTP/AVP 9 0 8 126", "RTP/AVP 126");
    expect(() => sdpForLeg(empty, { kind: "rtp", role: "answer", layout: undefined })).toThrow(
      expect.objectContaining({ code: "ERR_OFFHOOK_MEDIA_SDP" }),
    );
  });
});

describe("video beside the audio", () => {
  const ICE = [
    "a=ice-ufrag:4vih",
    "a=ice-pwd:4afKBKa81TwoEmxF3219QbCE",
    "a=fingerprint:sha-256 85:34",
    "a=setup:actpass",
    "a=rtcp-mux",
  ];
  const browserOffer = (videoPort: number, ...more: string[]): string =>
    [
      "v=0",
      "o=- 1 2 IN IP4 127.0.0.1",
      "s=-",
      "t=0 0",
      "a=group:BUNDLE 0 1",
      "c=IN IP4 127.0.0.1",
      "m=audio 50000 UDP/TLS/RTP/SAVPF 0",
      ...ICE,
      "a=mid:0",
      "a=rtpmap:0 PCMU/8000",
      `m=video ${videoPort} UDP/TLS/RTP/SAVPF 96 97 98`,
      ...ICE,
      "a=mid:1",
      "a=rtpmap:96 VP8/90000",
      "a=rtcp-fb:96 nack pli",
      "a=rtcp-fb:96 transport-cc",
      "a=rtpmap:97 rtx/90000",
      "a=fmtp:97 apt=96",
      "a=rtpmap:98 VP9/90000",
      "a=ssrc:42 cname:secret",
      ...more,
      "",
    ].join("\r\n");
  const forRtpengine = (
    text: string,
    kind: LegKind,
    video: "own" | "rejected" | "none",
  ): string => {
    const description = readDescription(text, kind);
    return formatSdp(sdpForRtpengine(description, description.codecs, kind, TLS_ID, video), ORIGIN);
  };

  it("passes of a browser's offer VP8 and H.264 and the feedback that needs no extension", () => {
    const text = forRtpengine(browserOffer(50_002), "webrtc", "own");
    expect(text).toContain("m=video 50002 UDP/TLS/RTP/SAVPF 96\r\n");
    expect(text).toContain("a=rtcp-fb:96 nack pli");
    expect(text).not.toMatch(/transport-cc|rtx|VP9|ssrc/);
  });

  it("keeps the section, rejected, for an rtpengine that knows it", () => {
    expect(forRtpengine(browserOffer(50_002), "webrtc", "rejected")).toContain("m=video 0 ");
    expect(forRtpengine(browserOffer(50_002), "webrtc", "none")).not.toContain("m=video");
    expect(forRtpengine(browserOffer(0), "webrtc", "own")).toContain("m=video 0 ");
  });

  it("has no video of a page with max-bundle, whose audio goes on (RFC 8843 §7.3.3)", () => {
    const offer = browserOffer(0, "a=bundle-only");
    expect(readDescription(offer, "webrtc").video).toBeUndefined();
    expect(forRtpengine(offer, "webrtc", "own")).toContain("m=audio 50000 ");
  });

  it("tells rtpengine of a telephone's feedback, and the telephone of the profile that it knows", () => {
    const phone = [
      "v=0",
      "o=- 1 2 IN IP4 127.0.0.1",
      "s=-",
      "c=IN IP4 127.0.0.1",
      "t=0 0",
      "m=audio 6000 RTP/AVP 0",
      "m=video 6002 RTP/AVP 96",
      "a=rtpmap:96 VP8/90000",
      "a=rtcp-fb:* nack pli",
      "",
    ].join("\r\n");
    const toRtpengineText = forRtpengine(phone, "rtp", "own");
    expect(toRtpengineText).toContain("m=video 6002 RTP/AVPF 96");
    expect(toRtpengineText).toContain("a=rtcp-fb:96 nack pli");
    const { sdp, hasVideo } = sdpForLeg(toRtpengineText, {
      kind: "rtp",
      role: "offer",
      layout: undefined,
    });
    expect(hasVideo).toBe(true);
    const toPhone = formatSdp(sdp, ORIGIN);
    expect(toPhone).toContain("m=audio 6000 RTP/AVP 0");
    expect(toPhone).toContain("m=video 6002 RTP/AVP 96");
    expect(toPhone).toContain("a=rtcp-fb:96 nack pli");
  });

  it("answers in the offer's places, and without a group when there is video", () => {
    const { layout } = readDescription(browserOffer(50_002), "webrtc");
    const reply = browserOffer(31_000).replace("a=mid:1", "a=mid:7");
    const answer = formatSdp(
      sdpForLeg(reply, { kind: "webrtc", role: "answer", layout }).sdp,
      ORIGIN,
    );
    expect(answer).toContain("m=video 31000 ");
    expect(answer).toContain("a=mid:1");
    expect(answer).not.toContain("a=group");
    const refused = formatSdp(
      sdpForLeg(browserOffer(0), { kind: "webrtc", role: "answer", layout }).sdp,
      ORIGIN,
    );
    expect(refused).toContain("m=video 0 ");
    expect(refused).toContain("a=group:BUNDLE 0\r\n");
  });

  it("adds a section to a leg that has had none, with a mid of its own", () => {
    const { layout } = readDescription(chromiumSdp(), "webrtc");
    const { sdp } = sdpForLeg(browserOffer(31_000), { kind: "webrtc", role: "offer", layout });
    const [audio, video] = sdp.media;
    const midOf = (media: typeof audio) =>
      media?.attributes.find(({ name }) => name === "mid")?.value;
    expect(video?.type).toBe("video");
    expect(midOf(video)).toBeDefined();
    expect(midOf(video)).not.toBe(midOf(audio));
  });
});
