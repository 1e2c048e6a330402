import { describe, expect, it } from "vitest";

import { formatSdp } from "../../src/media/sdp.ts";
import { readDescription, sdpForRtpengine } from "../../src/media/sdp-filter.ts";
import { withoutTransport } from "../../src/media/session-state.ts";
import { chromiumSdp } from "./samples.ts";

describe("a browser's SDP that stands in for the one it will be asked for", () => {
  /** Its lines of ICE and DTLS, as rtpengine gets them. @param role rtpengine's so far */
  function transportOf(role: string | undefined): readonly string[] {
    const description = readDescription(chromiumSdp(), "webrtc");
    const standIn = withoutTransport(description, { tag: "caller", kind: "webrtc" }, role);
    const sdp = sdpForRtpengine(standIn, standIn.codecs, "webrtc", "tls-id", "none");
    const text = formatSdp(sdp, { id: "0", version: 0 });
    return text
      .split("\r\n")
      .filter((line) => /^a=(?:ice-|candidate|fingerprint|setup)/.test(line));
  }

  // RFC 8842 §5.3: it keeps its role. As a client it may send its ClientHello before its SDP is here,
  // and a rtpengine that takes itself for the client would answer it with one of its own.
  it.each([
    ["passive", ["a=setup:active"]],
    [undefined, ["a=setup:active"]],
    ["active", []],
  ])("rtpengine's role is %s", (role, expected) => {
    expect(transportOf(role)).toEqual(expected);
  });
});
