import { describe, expect, it } from "vitest";

import { MediaError } from "../../src/media/errors.ts";
import { planCodecs, profileOf } from "../../src/media/profile.ts";
import type { CodecPolicy, LegKind } from "../../src/media/session.ts";

const BROWSER = ["opus", "g722", "pcmu", "pcma"];

describe("profileOf", () => {
  it("gives a telephone plain RTP without ICE, mux or SDES", () => {
    expect(profileOf({ sender: { kind: "webrtc" }, receiver: { kind: "rtp" } })).toEqual({
      "transport-protocol": "RTP/AVP",
      ICE: "remove",
      SDES: ["off"],
      "rtcp-mux": ["demux"],
      replace: ["origin"],
      flags: ["strip extmap", "port latching", "strict source"],
    });
  });

  it("gives a browser DTLS-SRTP with rtpengine as its only candidate", () => {
    expect(profileOf({ sender: { kind: "webrtc" }, receiver: { kind: "webrtc" } })).toEqual({
      "transport-protocol": "UDP/TLS/RTP/SAVPF",
      ICE: "force",
      SDES: ["off"],
      "rtcp-mux": ["require"],
      replace: ["origin"],
      flags: ["generate mid", "no rtcp attribute", "strict source"],
      "DTLS-fingerprint": "sha-256",
    });
  });

  it.each(["rtp", "webrtc"] as const)(
    "learns a telephone's address by the heuristic toward %s, unless it is fixed",
    (kind) => {
      const learned = profileOf({ sender: { kind: "rtp" }, receiver: { kind } });
      const fixed = profileOf({
        sender: { kind: "rtp", hasFixedAddress: true },
        receiver: { kind },
      });
      expect(learned["flags"]).toContain("endpoint-learning-heuristic");
      expect(learned["flags"]).toContain("strict source");
      expect(fixed["flags"]).toContain("endpoint-learning-off");
      expect(fixed["flags"]).not.toContain("endpoint-learning-heuristic");
    },
  );

  it.each(["rtp", "webrtc"] as const)("forces no DTLS role toward %s", (kind) => {
    const profile = profileOf({ sender: { kind: "webrtc" }, receiver: { kind } });
    expect(Object.keys(profile)).not.toContain("DTLS");
    expect(JSON.stringify(profile)).not.toContain("passive");
  });
});

type Row = readonly [
  policy: CodecPolicy,
  from: LegKind,
  to: LegKind,
  offered: readonly string[],
  accepted: readonly string[] | undefined,
  keep: readonly string[],
  transcoding: Readonly<Record<string, readonly string[]>> | undefined,
];

const TABLE: readonly Row[] = [
  // Browser to telephone.
  ["narrow", "webrtc", "rtp", BROWSER, undefined, ["g722", "pcmu", "pcma"], undefined],
  ["narrow", "webrtc", "rtp", BROWSER, ["PCMA", "PCMU"], ["pcma", "pcmu"], undefined],
  ["narrow", "webrtc", "rtp", BROWSER, ["opus", "PCMA"], ["pcma"], undefined],
  ["auto", "webrtc", "rtp", BROWSER, undefined, ["g722", "pcmu", "pcma"], undefined],
  ["auto", "webrtc", "rtp", BROWSER, ["opus", "PCMA"], ["opus", "pcma"], undefined],
  [
    "opus",
    "webrtc",
    "rtp",
    BROWSER,
    ["PCMA", "PCMU"],
    ["opus"],
    { consume: ["opus"], transcode: ["PCMA", "PCMU"] },
  ],
  ["opus", "webrtc", "rtp", BROWSER, ["PCMA", "opus"], ["opus", "pcma"], { accept: ["opus"] }],
  ["opus", "webrtc", "rtp", ["pcmu"], ["PCMA", "PCMU"], ["pcmu"], undefined],
  [
    "auto",
    "webrtc",
    "rtp",
    BROWSER,
    ["G729"],
    BROWSER,
    { consume: ["opus", "G722", "PCMU", "PCMA"], transcode: ["G729"] },
  ],
  // Telephone to browser.
  ["narrow", "rtp", "webrtc", ["pcma", "g729", "pcmu"], undefined, ["pcma", "pcmu"], undefined],
  ["auto", "rtp", "webrtc", ["pcma", "opus"], undefined, ["pcma", "opus"], undefined],
  [
    "opus",
    "rtp",
    "webrtc",
    ["pcma", "pcmu"],
    undefined,
    ["pcma", "pcmu"],
    { consume: ["PCMA", "PCMU"], transcode: ["opus"] },
  ],
  ["opus", "rtp", "webrtc", ["pcma", "opus"], undefined, ["opus", "pcma"], undefined],
  [
    "narrow",
    "rtp",
    "webrtc",
    ["g729"],
    undefined,
    ["g729"],
    { consume: ["G729"], transcode: ["G722", "PCMU", "PCMA"] },
  ],
  // Browser to browser.
  ["narrow", "webrtc", "webrtc", BROWSER, undefined, ["g722", "pcmu", "pcma"], undefined],
  ["auto", "webrtc", "webrtc", BROWSER, undefined, BROWSER, undefined],
  ["opus", "webrtc", "webrtc", BROWSER, undefined, BROWSER, undefined],
  // Telephone to telephone, or to a service.
  ["narrow", "rtp", "rtp", ["pcma", "pcmu"], ["PCMU", "PCMA"], ["pcmu", "pcma"], undefined],
  ["opus", "rtp", "rtp", ["pcma"], ["PCMU", "PCMA"], ["pcma"], undefined],
  ["auto", "rtp", "rtp", ["g729"], ["PCMU"], ["g729"], { consume: ["G729"], transcode: ["PCMU"] }],
];

describe("planCodecs", () => {
  it.each(TABLE)("%s, %s to %s: offered %j, accepted %j", (...row) => {
    const [policy, offererKind, answererKind, offered, accepted, keep, transcoding] = row;
    expect(planCodecs({ policy, offererKind, answererKind, offered, accepted })).toEqual({
      keep,
      transcoding,
    });
  });

  it("puts the codec in use first, passed through or transcoded", () => {
    const base = { offererKind: "webrtc", answererKind: "rtp", offered: BROWSER } as const;
    const accepted = ["PCMU", "PCMA"];
    expect(planCodecs({ ...base, policy: "narrow", accepted, current: "pcma" }).keep).toEqual([
      "pcma",
      "pcmu",
    ]);
    expect(planCodecs({ ...base, policy: "opus", accepted, current: "pcma" }).transcoding).toEqual({
      consume: ["opus"],
      transcode: ["PCMA", "PCMU"],
    });
    expect(planCodecs({ ...base, policy: "narrow", accepted, current: "g729" }).keep).toEqual([
      "pcmu",
      "pcma",
    ]);
  });

  it("refuses codecs that rtpengine cannot bridge", () => {
    const plan = (): unknown =>
      planCodecs({
        policy: "auto",
        offererKind: "rtp",
        answererKind: "webrtc",
        offered: ["evs"],
        accepted: undefined,
      });
    expect(plan).toThrow(MediaError);
    expect(plan).toThrow(/no codec in common/);
  });
});
