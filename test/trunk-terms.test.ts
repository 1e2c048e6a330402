import { describe, expect, it } from "vitest";

import { trunkLeg } from "../src/call/context.ts";
import type { TrunkConfig } from "../src/config/config.ts";
import { toTrunkIdentity } from "../src/config/trunk-identity.ts";
import { toTrunkTransfer } from "../src/config/trunk-transfer.ts";
import { trunkTerms } from "../src/trunk-terms.ts";

function termsOf(
  keys: Partial<TrunkConfig>,
  hosts: readonly string[] | (() => readonly string[]),
  hasVideo = true,
) {
  const trunk: TrunkConfig = {
    id: "office",
    peer: "sip:pbx.example.com",
    dtmf: "rfc4733",
    dtmfFallback: "inband",
    srtp: "off",
    nat: "auto",
    video: false,
    pingMisses: 3,
    pingHits: 2,
    failoverAfterMs: 4000,
    registrar: false,
    ...toTrunkIdentity({}, { peer: "sip:pbx.example.com", account: undefined }),
    ...toTrunkTransfer({}, "sip:pbx.example.com"),
    terms: { reliable: "supported", session: undefined },
    ...keys,
  };
  const trunkHosts = typeof hosts === "function" ? hosts : () => hosts;
  return trunkTerms(trunk, { trunkTargets: () => [], trunkHosts }, hasVideo);
}

describe("whether calls with a trunk may have video", () => {
  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
  ])("the trunk's own %s, media.video %s: %s", (video, hasVideo, expected) => {
    expect(termsOf({ video }, [], hasVideo).media?.video).toBe(expected);
  });
});

describe("whether a trunk's packets come straight from the address in its SDP", () => {
  const hosts = ["192.0.2.1", "2001:db8::1"];

  it("auto: when its signaling is there too", () => {
    const { media } = termsOf({}, hosts);
    expect(media?.isDirect?.("192.0.2.1")).toBe(true);
    expect(media?.isDirect?.("2001:db8::1")).toBe(true);
    // Behind a NAT, or media that goes its own way.
    expect(media?.isDirect?.("10.0.0.5")).toBe(false);
  });

  it("auto: also where a call came from", () => {
    const leg = trunkLeg(termsOf({}, hosts), () => "198.51.100.7");
    expect(leg.isDirect?.("198.51.100.7")).toBe(true);
    expect(leg.isDirect?.("192.0.2.1")).toBe(true);
    expect(leg.isDirect?.("198.51.100.8")).toBe(false);
  });

  it("yes and no: as configured", () => {
    expect(termsOf({ nat: "yes" }, hosts).media?.isDirect).toBeUndefined();
    expect(termsOf({ nat: "no" }, hosts).media?.isDirect?.("10.0.0.5")).toBe(true);
  });
});

describe("the family of a trunk's media address", () => {
  it.each([
    [undefined, ["192.0.2.1"], "IP4"],
    [undefined, ["2001:db8::1"], "IP6"],
    [undefined, ["192.0.2.1", "2001:db8::1"], undefined],
    [undefined, [], undefined],
    ["ipv6", ["192.0.2.1"], "IP6"],
    ["ipv4", ["2001:db8::1"], "IP4"],
  ] as const)("%s, servers %j: %s", (wanted, hosts, family) => {
    const keys = wanted === undefined ? {} : { addressFamily: wanted };
    expect(termsOf(keys, hosts).media?.addressFamily).toBe(family);
  });
});

describe("a trunk whose name leads elsewhere meanwhile", () => {
  it("has the family of its servers now, and sends from them", () => {
    let known: readonly string[] = ["192.0.2.1"];
    const terms = termsOf({}, () => known);
    const leg = trunkLeg(terms);
    expect(terms.media).toBe(terms.media);
    known = ["2001:db8::1"];
    expect(terms.media?.addressFamily).toBe("IP6");
    // A leg that was there before, too.
    expect(leg.isDirect?.("2001:db8::1")).toBe(true);
    expect(leg.isDirect?.("192.0.2.1")).toBe(false);
  });
});
