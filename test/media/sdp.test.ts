import { array, assert, constantFrom, property, string, tuple } from "fast-check";
import { describe, expect, it } from "vitest";

import { MediaError } from "../../src/media/errors.ts";
import { formatSdp, parseSdp, SDP_LIMITS } from "../../src/media/sdp.ts";
import { asteriskSdp, BARESIP_OFFER, chromiumSdp, FIREFOX_OFFER } from "./samples.ts";

const HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
const AUDIO = "m=audio 4000 RTP/AVP 0\r\n";

describe("RFC 8866 session description", () => {
  it("reads the sections, connections and attributes of a peer", () => {
    const sdp = parseSdp(BARESIP_OFFER);
    expect(sdp.connection).toEqual({ family: "IP4", host: "192.0.2.98" });
    expect(sdp.attributes).toEqual([{ name: "tool", value: "baresip 1.0.0" }]);
    expect(
      sdp.media.map(({ type, port, protocol, formats }) => [type, port, protocol, formats]),
    ).toEqual([
      ["audio", 21_374, "RTP/AVP", ["0", "8", "101"]],
      ["video", 21_376, "RTP/AVP", ["97"]],
    ]);
    expect(sdp.media[0]?.attributes).toContainEqual({ name: "sendrecv", value: undefined });
  });

  it.each([
    ["Chromium", chromiumSdp()],
    ["Firefox", FIREFOX_OFFER],
    ["Asterisk", asteriskSdp()],
    ["baresip", BARESIP_OFFER],
  ])("keeps what it read of %s when printed and read again", (_name, text) => {
    const sdp = parseSdp(text);
    expect(parseSdp(formatSdp(sdp, { id: "1", version: 1 }))).toEqual(sdp);
  });

  it("takes lines that end with LF alone, and an IPv6 address", () => {
    const sdp = parseSdp(
      "v=0\no=- 1 1 IN IP6 ::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\nm=audio 4 RTP/AVP 0\n",
    );
    expect(sdp.connection).toEqual({ family: "IP6", host: "2001:db8::1" });
  });

  it.each([
    ["nothing", ""],
    ["no v=0 first", "o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n"],
    ["another version", "v=1\r\n"],
    ["a NUL", `${HEAD}${AUDIO}a=fmtp\u0000:101 0-16\r\n`],
    ["a lone CR in a line", `${HEAD}${AUDIO}a=x\ra=y\r\n`],
    ["a line without =", `${HEAD}hello\r\n`],
    ["a port above 65535", `${HEAD}m=audio 65536 RTP/AVP 0\r\n`],
    ["a negative port", `${HEAD}m=audio -1 RTP/AVP 0\r\n`],
    ["no format", `${HEAD}m=audio 4000 RTP/AVP\r\n`],
    ["a host name as address", "v=0\r\nc=IN IP4 evil.example\r\n"],
    ["an address of the other family", "v=0\r\nc=IN IP6 192.0.2.1\r\n"],
    ["17 sections", HEAD + AUDIO.repeat(17)],
    ["too many formats", `${HEAD}m=audio 4000 RTP/AVP${" 0".repeat(SDP_LIMITS.formats + 1)}\r\n`],
    ["too many lines", HEAD + AUDIO + "a=x\r\n".repeat(SDP_LIMITS.lines)],
    ["a line too long", `${HEAD}${AUDIO}a=${"x".repeat(SDP_LIMITS.lineLength)}\r\n`],
    ["too many octets", `${HEAD}${AUDIO}a=${"x".repeat(SDP_LIMITS.octets)}\r\n`],
  ])("refuses %s", (_what, text) => {
    expect(() => parseSdp(text)).toThrow(
      expect.objectContaining({ code: "ERR_OFFHOOK_MEDIA_SDP" }),
    );
  });

  it("throws nothing but MediaError, whatever comes", () => {
    const line = tuple(constantFrom("m=", "a=", "c=", "v=", "", "b="), string());
    assert(
      property(array(line, { maxLength: 20 }), (tail) => {
        const text = `v=0\r\n${tail.map((parts) => parts.join("")).join("\r\n")}`;
        try {
          parseSdp(text);
        } catch (error) {
          expect(error).toBeInstanceOf(MediaError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
