import { describe, expect, it } from "vitest";

import { tryLoadConfigText } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { SDP_LIMITS } from "../../src/media/sdp.ts";
import { DEFAULT_OVERLOAD_LIMITS } from "../../src/signaling/guard/overload.ts";
import { SCANNERS } from "../../src/signaling/guard/scanners.ts";
import { DEFAULT_SOURCE_LIMITS } from "../../src/signaling/guard/source-limit.ts";
import { PARSER_LIMITS } from "../../src/signaling/message/limits.ts";
import { interfaces } from "./fixture.ts";

function limitsOf(text: string) {
  const result = tryLoadConfigText(text, "/etc/offhook.yaml", {}, { interfaces });
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config.limits;
}

describe("limits without a word in the file", () => {
  const limits = limitsOf("");

  it("are those of the rooms that they are for", () => {
    expect(limits.message).toEqual(PARSER_LIMITS);
    expect(limits.sdp).toEqual({ media: SDP_LIMITS.media, candidates: SDP_LIMITS.candidates });
    expect({ ...limits.requests, maxSources: DEFAULT_SOURCE_LIMITS.maxSources }).toEqual(
      DEFAULT_SOURCE_LIMITS,
    );
    expect(limits.overload).toEqual(DEFAULT_OVERLOAD_LIMITS);
    expect(limits.scanners).toEqual(SCANNERS);
  });

  it("are those that were set for a gateway on the Internet", () => {
    expect(limits).toMatchObject({
      maxCalls: 1000,
      maxCallsPerUser: 10,
      maxCallsPerSecond: 500,
      maxTransactions: 100_000,
      maxContactsPerUser: 10,
      maxConnections: 10_000,
      maxConnectionsPerAddress: 100,
      maxConnectionsPerSecond: 200,
      firstMessageMs: 10_000,
      message: { messageOctets: 65_536, headerLines: 128, vias: 70, requestUriOctets: 1024 },
      maxDatagramOctets: 16_384,
      sdp: { media: 16, candidates: 100 },
      signIns: { maxFailures: 20, windowMs: 60_000, blockMs: 300_000 },
      exempt: ["127.0.0.0/8", "::1"],
    });
  });
});

describe("limits of the file", () => {
  it("count, each of them", () => {
    const limits = limitsOf(`limits:
  max-calls: 2001
  max-calls-per-user: 11
  max-calls-per-second: 12
  max-transactions: 13
  max-contacts-per-user: 14
  max-connections: 15
  max-connections-per-address: 16
  max-connections-per-second: 17
  first-message: 18s
  max-message-size: 1900
  max-datagram-size: 2000
  max-headers: 21
  max-header-size: 2200
  max-vias: 23
  max-uri-size: 240
  max-media-lines: 25
  max-candidates: 26
  sign-ins: { failures: 27, window: 28s, ban: 29s }
  requests:
    per-second: 30
    burst: 31
    ban-after: 32
    ban: 33s
    strangers-per-second: 34
    per-user-connection: 35
  overload: { delay: 36ms }
  exempt: [192.0.2.0/24]
  scanners: [Bad-Agent]
`);
    expect(limits).toEqual({
      maxCalls: 2001,
      maxCallsPerUser: 11,
      maxCallsPerSecond: 12,
      maxTransactions: 13,
      maxContactsPerUser: 14,
      maxConnections: 15,
      maxConnectionsPerAddress: 16,
      maxConnectionsPerSecond: 17,
      firstMessageMs: 18_000,
      message: {
        messageOctets: 1900,
        headerLines: 21,
        headerOctets: 2200,
        vias: 23,
        requestUriOctets: 240,
      },
      maxDatagramOctets: 2000,
      sdp: { media: 25, candidates: 26 },
      signIns: { maxFailures: 27, windowMs: 28_000, blockMs: 29_000 },
      requests: {
        perSecond: 30,
        burst: 31,
        banAfter: 32,
        banMs: 33_000,
        strangersPerSecond: 34,
        perUserConnection: 35,
      },
      overload: { delayMs: 36 },
      exempt: ["192.0.2.0/24"],
      scanners: ["bad-agent"],
    });
  });

  it("may be none at all where that is meant", () => {
    const limits = limitsOf("limits: { overload: off, exempt: [], scanners: [] }");
    expect(limits.overload).toBeUndefined();
    expect(limits.exempt).toEqual([]);
    expect(limits.scanners).toEqual([]);
  });

  it.each(["max-calls: 0", "max-uri-size: 10", "exempt: [everybody]", "overload: on"])(
    "refuse %s",
    (line) => {
      expect(() => limitsOf(`limits: { ${line} }`)).toThrow(/limits/);
    },
  );
});
