import { describe, expect, it } from "vitest";
import { restartsIce } from "../../src/media/ice-restart.ts";
import { chromiumSdp } from "./samples.ts";

describe("RFC 8445 §9 an ICE restart of a browser", () => {
  it("is another ufrag from the same peer connection", () => {
    expect(restartsIce(chromiumSdp({ ufrag: "bbbb" }), chromiumSdp({ ufrag: "aaaa" }))).toBe(true);
  });

  it.each([
    ["the same ICE", chromiumSdp({ ufrag: "aaaa", direction: "sendonly" })],
    [
      "another peer connection",
      chromiumSdp({ ufrag: "bbbb" }).replace("sha-256 85:", "sha-256 86:"),
    ],
    ["no ICE", "v=0\r\nm=audio 9 RTP/AVP 0\r\n"],
  ])("is none with %s", (_what, sdp) => {
    expect(restartsIce(sdp, chromiumSdp({ ufrag: "aaaa" }))).toBe(false);
  });
});
