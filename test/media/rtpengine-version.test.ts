import { describe, expect, it } from "vitest";

import {
  knownFlags,
  knownHoles,
  releaseOfSoftware,
  tryParseVersion,
  UNKNOWN_CAPABILITIES,
} from "../../src/media/rtpengine-version.ts";

const of = (versionText: string) => ({
  versionText,
  version: tryParseVersion(versionText),
  hasTlsId: false,
});
const holes = (text: string) => knownHoles(of(text)).map(({ id }) => id);

describe("releases of rtpengine", () => {
  it.each([
    ["Version: 10.5.3.5-1+deb12u1", [10, 5, 3, 5]],
    ["rtpengine-26.0.1.26", [26, 0, 1, 26]],
    ["mr13.4.1.2", [13, 4, 1, 2]],
    ["git-master-1a2b3c", undefined],
  ])("reads %s", (text, version) => {
    expect(tryParseVersion(text)).toEqual(version);
  });

  it.each([
    ["rtpengine-10-5-3-5-1-deb12u1", "10.5.3.5-1+deb12u1"],
    ["rtpengine-12-5-1-31-0-deb13u1", "12.5.1.31-0+deb13u1"],
    ["rtpengine-26-0-1-26", "26.0.1.26"],
    ["rtpengine-10.5.3.5", "10.5.3.5"],
    ["something else", "something else"],
  ])("reads the name in STUN %s", (software, release) => {
    expect(releaseOfSoftware(software)).toBe(release);
  });

  it.each([
    ["10.5.3.5-1", ["CVE-2023-51275", "CVE-2025-53399"]],
    ["10.5.3.5-1+deb12u1", ["CVE-2023-51275"]],
    ["10.5.6.2", ["CVE-2023-51275", "CVE-2025-53399"]],
    ["10.5.6.3", ["CVE-2025-53399"]],
    ["11.1.1.3", ["CVE-2023-51275", "CVE-2025-53399"]],
    ["11.5.1.16", ["CVE-2025-53399"]],
    ["12.0.1.2", ["CVE-2023-51275", "CVE-2025-53399"]],
    ["10.5.8.4", ["CVE-2025-53399"]],
    ["10.5.8.5", []],
    ["10.5.9.1", []],
    ["11.5.1.40", ["CVE-2025-53399"]],
    ["11.5.1.41", []],
    ["12.5.1.31-1", ["CVE-2025-53399"]],
    ["12.5.1.34", ["CVE-2025-53399"]],
    ["12.5.1.35-1", []],
    ["12.5.2.1", ["CVE-2025-53399"]],
    ["13.3.1.6", []],
    ["13.4.1.0", ["CVE-2025-53399"]],
    ["13.4.1.1", []],
    ["26.0.1.26", []],
  ])("knows the holes of %s", (text, expected) => {
    expect(holes(text)).toEqual(expected);
  });

  it("takes an unknown release for one with every hole", () => {
    expect(knownHoles(UNKNOWN_CAPABILITIES)).toHaveLength(2);
  });

  it("leaves flags out that a release does not know, and no others", () => {
    const flags = ["strict source", "no tls-id", "recrypt"];
    expect(knownFlags(flags, of("26.0.1.26"))).toEqual(flags);
    expect(knownFlags(flags, of("13.5.0.1"))).toEqual(["strict source", "recrypt"]);
    expect(knownFlags(flags, of("10.5.3.5"))).toEqual(["strict source"]);
    expect(knownFlags(flags, UNKNOWN_CAPABILITIES)).toEqual(["strict source"]);
  });

  it("keeps `asymmetric` from those to which it means the first packet's source", () => {
    expect(knownFlags(["asymmetric"], of("10.5.3.5"))).toEqual(["asymmetric"]);
    expect(knownFlags(["asymmetric"], of("12.5.1.31"))).toEqual([]);
    expect(knownFlags(["asymmetric"], of("26.0.1.26"))).toEqual([]);
    expect(knownFlags(["asymmetric"], UNKNOWN_CAPABILITIES)).toEqual([]);
  });
});
