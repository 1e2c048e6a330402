import { describe, expect, it } from "vitest";

import type { MediaReport } from "../../src/media/session.ts";
import { addReports, readMediaStatistics } from "../../src/media/report.ts";

const stream = (packets: number, ...flags: string[]): object => ({ flags, stats: { packets } });

const QUERY = {
  result: "ok",
  SSRC: {
    "793827557": {
      "average MOS": { MOS: 43, jitter: 3, "packet loss": 1, "round-trip time": 12_345 },
      "lowest MOS": { MOS: 38 },
    },
    "311651804": { "lowest MOS": { MOS: 41 } },
    "1": {},
  },
  tags: {
    caller: {
      medias: [
        {
          flags: ["initialized", "rtcp-mux", "DTLS-SRTP", "transcoding"],
          streams: [
            {
              flags: ["RTP", "RTCP", "ICE"],
              SSRC: 793_827_557,
              stats: { packets: 500, errors: 2 },
            },
            stream(7, "RTCP", "fallback RTCP"),
          ],
        },
      ],
    },
    callee: {
      medias: [{ flags: ["initialized"], streams: [stream(480, "RTP"), stream(6, "RTCP")] }],
    },
    "<untagged 1>": { medias: [{ flags: [], streams: [stream(99, "RTP")] }] },
  },
};

describe("readMediaStatistics", () => {
  it("counts the RTP of our legs, sees transcoding, and takes the lowest score", () => {
    expect(readMediaStatistics(QUERY, ["caller", "callee", "never answered"])).toEqual({
      isTranscoded: true,
      packetsFrom: { caller: 500, callee: 480 },
      quality: {
        caller: {
          packets: 500,
          errors: 2,
          mos: 4.3,
          lowestMos: 3.8,
          jitterMs: 3,
          roundTripMs: 12.3,
          lossPercent: 1,
        },
        callee: { packets: 480, errors: 0 },
      },
      mos: 3.8,
    });
  });

  it.each([
    {},
    { tags: [], SSRC: 7 },
    { tags: { caller: "x" } },
    { tags: { caller: { medias: 1 } } },
  ])("makes nothing out of %j", (reply) => {
    const { isTranscoded, mos } = readMediaStatistics(reply, ["caller"]);
    expect(isTranscoded).toBe(false);
    expect(mos).toBeUndefined();
  });
});

describe("the reports of a call that has moved", () => {
  const report = (quality: MediaReport["quality"], packets: number): MediaReport => ({
    codecs: {},
    isTranscoded: false,
    packetsFrom: { caller: packets },
    ...(quality === undefined ? {} : { quality }),
  });

  it("count together, and average by the packets that they are about", () => {
    const before = report(
      {
        caller: { packets: 300, errors: 1, mos: 4, lowestMos: 2.1, jitterMs: 8, lossPercent: 4 },
        gone: { packets: 7, errors: 0 },
      },
      300,
    );
    const last = report(
      {
        caller: { packets: 100, errors: 2, mos: 2, lowestMos: 1.9, roundTripMs: 20 },
        new: { packets: 5, errors: 0, mos: 4.4 },
      },
      100,
    );
    expect(addReports(before, last)).toMatchObject({
      packetsFrom: { caller: 400 },
      quality: {
        caller: {
          packets: 400,
          errors: 3,
          mos: 3.5,
          lowestMos: 1.9,
          jitterMs: 8,
          roundTripMs: 20,
          lossPercent: 4,
        },
        gone: { packets: 7, errors: 0 },
        new: { packets: 5, errors: 0, mos: 4.4 },
      },
    });
  });

  it("are the one that there is, where there is only one", () => {
    const only = report({ caller: { packets: 0, errors: 0 } }, 0);
    expect(addReports(undefined, only)).toBe(only);
    expect(addReports(only, undefined)).toBe(only);
    expect(addReports(undefined, undefined)).toBeUndefined();
    expect(addReports(only, only).quality).toEqual({ caller: { packets: 0, errors: 0 } });
  });
});
