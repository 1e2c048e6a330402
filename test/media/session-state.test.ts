import { describe, expect, it } from "vitest";

import { formatSdp } from "../../src/media/sdp.ts";
import { readDescription, sdpForRtpengine } from "../../src/media/sdp-filter.ts";
import { withoutTransport } from "../../src/media/session-state.ts";
import { chromiumSdp } from "./samples.ts";

describe("a browser's SDP that stands in for the one it will be asked for", () => {
  /** Its lines of a kind, as rtpengine gets them. */
  function linesOf(kind: RegExp, sdp: string): readonly string[] {
    const description = readDescription(sdp, "webrtc");
    const standIn = withoutTransport(description, { tag: "caller", kind: "webrtc" });
    const sent = sdpForRtpengine(standIn, standIn.codecs, "webrtc", "tls-id", "none");
    const text = formatSdp(sent, { id: "0", version: 0 });
    return text.split("\r\n").filter((line) => kind.test(line));
  }

  it("has nothing of its ICE and DTLS", () => {
    expect(linesOf(/^a=(?:ice-|candidate|fingerprint|setup)/, chromiumSdp())).toEqual([]);
  });

  it("is not on hold, although the browser had no candidate yet", () => {
    const sdp = chromiumSdp().replace("c=IN IP4 192.0.2.77", "c=IN IP4 0.0.0.0");
    expect(linesOf(/^c=/, sdp)).toEqual(["c=IN IP4 192.0.2.1"]);
  });
});
