import { describe, expect, it } from "vitest";
import { differsInPathOnly } from "../../src/media/path-change.ts";

const OFFER = [
  "v=0",
  "o=- 1 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0",
  "a=msid-semantic: WMS a",
  "m=audio 50000 UDP/TLS/RTP/SAVPF 111 0",
  "c=IN IP4 192.0.2.1",
  "a=rtcp:9 IN IP4 0.0.0.0",
  "a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host",
  "a=ice-ufrag:abcd",
  "a=ice-pwd:0123456789012345678901",
  "a=fingerprint:sha-256 AA:BB",
  "a=setup:actpass",
  "a=mid:0",
  "a=sendrecv",
  "a=rtpmap:111 opus/48000/2",
  "a=ssrc:1 cname:x",
  "",
].join("\r\n");

describe("an offer that only comes another way", () => {
  it("has other addresses, ICE credentials, fingerprints and stream names", () => {
    const moved = OFFER.replaceAll("192.0.2.1", "198.51.100.7")
      .replaceAll("50000", "9")
      .replace("abcd", "efgh")
      .replace("AA:BB", "CC:DD")
      .replace("- 1 2", "- 7 9")
      .replace("WMS a", "WMS b")
      .replace("ssrc:1", "ssrc:2");
    expect(differsInPathOnly(moved, OFFER)).toBe(true);
  });

  it.each([
    ["direction", "a=sendrecv", "a=sendonly"],
    ["codecs", "SAVPF 111 0", "SAVPF 0"],
    ["the end of the media", "m=audio 50000", "m=audio 0"],
    ["another section", "a=mid:0", "a=mid:0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96"],
  ])("is none with another %s", (_what, from, to) => {
    expect(differsInPathOnly(OFFER.replace(from, to), OFFER)).toBe(false);
  });
});
