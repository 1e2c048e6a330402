import { describe, expect, it } from "vitest";

import { formatSdp } from "../../src/media/sdp.ts";
import { readDescription, sdpForRtpengine } from "../../src/media/sdp-filter.ts";
import { withoutTransport } from "../../src/media/session-state.ts";
import { chromiumSdp } from "./samples.ts";

describe("a browser's SDP that stands in for the one it will be asked for", () => {
  /** Its lines of a kind, as rtpengine gets them. @param role rtpengine's so far */
  function linesOf(kind: RegExp, role: string | undefined, sdp: string): readonly string[] {
    const description = readDescription(sdp, "webrtc");
    const standIn = withoutTransport(description, { tag: "caller", kind: "webrtc" }, role);
    const sent = sdpForRtpengine(standIn, standIn.codecs, "webrtc", "tls-id", "none");
    const text = formatSdp(sent, { id: "0", version: 0 });
    return text.split("\r\n").filter((line) => kind.test(line));
  }

  // RFC 8842 §5.3: it keeps its role. As a client it may send its ClientHello before its SDP is here,
  // and a rtpengine that takes itself for the client would answer it with one of its own.
  it.each([
    ["passive", ["a=setup:active"]],
    [undefined, ["a=setup:active"]],
    ["active", []],
  ])("rtpengine's role is %s", (role, expected) => {
    const transport = /^a=(?:ice-|candidate|fingerprint|setup)/;
    expect(linesOf(transport, role, chromiumSdp())).toEqual(expected);
  });

  it("is not on hold, although the browser had no candidate yet", () => {
    const sdp = chromiumSdp().replace("c=IN IP4 192.0.2.77", "c=IN IP4 0.0.0.0");
    expect(linesOf(/^c=/, "passive", sdp)).toEqual(["c=IN IP4 192.0.2.1"]);
  });
});
