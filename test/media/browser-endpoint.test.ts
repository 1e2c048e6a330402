import { describe, expect, it } from "vitest";
import { asDtlsClient, followEndpoint } from "../../src/media/browser-endpoint.ts";
import { readDescription } from "../../src/media/sdp-filter.ts";
import { parseSdp } from "../../src/media/sdp.ts";
import { chromiumSdp } from "./samples.ts";

const first = readDescription(chromiumSdp(), "webrtc");
const other = readDescription(chromiumSdp().replace("sha-256 85:", "sha-256 86:"), "webrtc");

describe("RFC 8842 the DTLS endpoint of a browser", () => {
  it("is new when an offer brings another fingerprint, and stays what it is", () => {
    const known = followEndpoint(undefined, first, "offer");
    expect(known?.isNew).toBe(false);
    expect(followEndpoint(known, first, "offer")).toBe(known);
    const moved = followEndpoint(known, other, "offer");
    expect(moved?.isNew).toBe(true);
    expect(followEndpoint(moved, other, "answer")).toBe(moved);
  });

  it("leaves the choice to rtpengine's own offer", () => {
    const known = followEndpoint(undefined, first, "answer");
    expect(followEndpoint(known, other, "answer")?.isNew).toBe(false);
  });

  it("becomes the DTLS client where the offer leaves the choice", () => {
    const setups = (text: string): (string | undefined)[] =>
      asDtlsClient(parseSdp(text)).media.flatMap(({ attributes }) =>
        attributes.filter(({ name }) => name === "setup").map(({ value }) => value),
      );
    expect(setups(chromiumSdp())).toEqual(["active"]);
    expect(setups(chromiumSdp({ setup: "passive" }))).toEqual(["passive"]);
  });
});
