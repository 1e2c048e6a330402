import { z } from "zod";

import { compact } from "../dialplan/schema-tools.ts";
import { duration, scalar, text, wholeNumber, word } from "../dialplan/scalar.ts";
import type { LimitsConfig } from "./config.ts";
import { tryParseRange } from "./values.ts";

/** What is taken at most, of whom, and how fast: the section `limits` of the file. */

const count = (max: number) => wholeNumber(1, max);

/** Nobody but the machine itself speaks from these, and a reverse proxy on it for many others. */
const OWN_ADDRESSES: readonly string[] = ["127.0.0.0/8", "::1"];

const SCANNERS: readonly string[] = [
  "friendly-scanner",
  "friendly-request",
  "sipvicious",
  "sip-scan",
  "sundayddr",
  "sipcli",
  "vaxsipuseragent",
  "pplsip",
];

export const limitsSchema = z.strictObject({
  "max-calls": count(1_000_000).optional().meta({
    description: "Calls at once in the whole gateway; one more gets 503",
    default: "1000",
  }),
  "max-calls-per-user": count(1_000_000)
    .optional()
    .meta({ description: "Calls at once of one user; one more gets 403", default: "10" }),
  "max-calls-per-second": count(1_000_000).optional().meta({
    description: "New calls a second in the whole gateway; more get 503",
    default: "500",
  }),
  "max-transactions": count(10_000_000).optional().meta({
    description:
      "Live SIP transactions that others began, and as many that we began; a request above it gets 503",
    default: "100000",
  }),
  "max-contacts-per-user": count(1000)
    .optional()
    .meta({ description: "Browsers and tabs of one user; one more gets 403", default: "10" }),
  "max-connections": count(1_000_000)
    .optional()
    .meta({
      description:
        "SIP connections at once over WebSocket, over TCP and over TLS, each; " +
        "twice as many HTTP connections, WebSockets included",
      default: "10000",
    }),
  "max-connections-per-address": count(1_000_000).optional().meta({
    description:
      "The same of one address (IPv6: of one /64); twice as many HTTP connections, WebSockets included",
    default: "100",
  }),
  "max-connections-per-second": count(1_000_000).optional().meta({
    description:
      "New WebSocket connections a second; more wait for up to 4s, then get 503 and a random Retry-After",
    default: "200",
  }),
  "first-message": duration("1s", "10m").optional().meta({
    description: "When the first SIP message must have come on a new connection",
    default: "10s",
  }),
  "max-message-size": wholeNumber(1024, 16_777_216).optional().meta({
    description: "Octets of a SIP message over WebSocket, TCP or TLS",
    default: "65536",
  }),
  "max-datagram-size": wholeNumber(1024, 65_507).optional().meta({
    description: "Octets of a SIP message over UDP; a larger one gets 513",
    default: "16384",
  }),
  "max-headers": wholeNumber(16, 10_000)
    .optional()
    .meta({ description: "Header lines of a SIP message", default: "128" }),
  "max-header-size": wholeNumber(256, 65_536)
    .optional()
    .meta({ description: "Octets of one header line", default: "8192" }),
  "max-vias": count(1000)
    .optional()
    .meta({ description: "Via values of a SIP message", default: "70" }),
  "max-uri-size": wholeNumber(64, 65_536).optional().meta({
    description: "Octets of a Request-URI; a longer one gets 414",
    default: "1024",
  }),
  "max-media-lines": count(1000)
    .optional()
    .meta({ description: "m= lines of an SDP; more get 488", default: "16" }),
  "max-candidates": count(10_000).optional().meta({
    description: "ICE candidates of an SDP that are used; the others are left out",
    default: "100",
  }),
  "sign-ins": z
    .strictObject({
      failures: count(1_000_000)
        .optional()
        .meta({ description: "Wrong passwords that are allowed within `window`", default: "20" }),
      window: duration("1s", "1d")
        .optional()
        .meta({ description: "From the first of them on", default: "1m" }),
      ban: duration("1s", "30d")
        .optional()
        .meta({ description: "How long sign-ins are refused then", default: "5m" }),
    })
    .optional()
    .meta({
      description: "Wrong passwords from one address, and for one user, over SIP and HTTP together",
      default: "see below",
    }),
  requests: z
    .strictObject({
      "per-second": count(1_000_000).optional().meta({
        description: "SIP requests a second from one address that has not signed in",
        default: "30",
      }),
      burst: count(1_000_000)
        .optional()
        .meta({ description: "As many at once after a quiet time", default: "500" }),
      "ban-after": count(10_000_000).optional().meta({
        description: "Requests beyond both after which the address is banned",
        default: "1000",
      }),
      ban: duration("1s", "30d").optional().meta({
        description: "How long; `DELETE /api/v1/bans/{address}` lifts a ban before",
        default: "5m",
      }),
      "strangers-per-second": count(1_000_000).optional().meta({
        description:
          "SIP requests a second over UDP from all addresses together that are no trunk's; more are dropped unread",
        default: "200",
      }),
      "per-user-connection": count(1_000_000).optional().meta({
        description: "SIP requests a second on one connection of a user who has signed in",
        default: "100",
      }),
    })
    .optional()
    .meta({
      description: "SIP requests of one address (IPv6: of one /64); trunks are not counted",
      default: "see below",
    }),
  overload: z
    .union([
      word("off"),
      z.strictObject({
        delay: duration("10ms", "10s").optional().meta({
          description:
            "How late the event loop may be, as the 99th percentile of 5 s, and how long rtpengine may keep commands waiting, as the median of 0.5 s",
          default: "100ms",
        }),
      }),
    ])
    .optional()
    .meta({
      description:
        "When new calls and sign-ins are rationed, with 503 and a random Retry-After, so that those in progress go on; `off`: never",
      default: "see below",
    }),
  exempt: z
    .array(
      scalar<string>({
        expected: "an address or a range such as 198.51.100.0/24",
        parse: tryParseRange,
        json: { type: "string" },
      }),
    )
    .optional()
    .meta({
      description:
        "Addresses that no limit by address holds for, such as a reverse proxy's; trunks are never limited",
      default: '["127.0.0.0/8", "::1"]',
      example: '["10.0.0.7"]',
    }),
  scanners: z
    .array(text("a part of a User-Agent"))
    .optional()
    .meta({
      description:
        "Requests of strangers with one of these in their User-Agent get no answer; upper and lower case are alike",
      default: `[${SCANNERS.join(", ")}]`,
    }),
});

type LimitsValues = z.output<typeof limitsSchema> | undefined;

/** Fills in the defaults. */
export function toLimits(values: LimitsValues): LimitsConfig {
  const { requests, overload } = values ?? {};
  const signIns = values?.["sign-ins"];
  return compact({
    maxCalls: values?.["max-calls"] ?? 1000,
    maxCallsPerUser: values?.["max-calls-per-user"] ?? 10,
    maxCallsPerSecond: values?.["max-calls-per-second"] ?? 500,
    maxTransactions: values?.["max-transactions"] ?? 100_000,
    maxContactsPerUser: values?.["max-contacts-per-user"] ?? 10,
    maxConnections: values?.["max-connections"] ?? 10_000,
    maxConnectionsPerAddress: values?.["max-connections-per-address"] ?? 100,
    maxConnectionsPerSecond: values?.["max-connections-per-second"] ?? 200,
    firstMessageMs: values?.["first-message"] ?? 10_000,
    message: {
      messageOctets: values?.["max-message-size"] ?? 65_536,
      headerLines: values?.["max-headers"] ?? 128,
      headerOctets: values?.["max-header-size"] ?? 8192,
      vias: values?.["max-vias"] ?? 70,
      requestUriOctets: values?.["max-uri-size"] ?? 1024,
    },
    maxDatagramOctets: values?.["max-datagram-size"] ?? 16_384,
    sdp: {
      media: values?.["max-media-lines"] ?? 16,
      candidates: values?.["max-candidates"] ?? 100,
    },
    signIns: {
      maxFailures: signIns?.failures ?? 20,
      windowMs: signIns?.window ?? 60_000,
      blockMs: signIns?.ban ?? 300_000,
    },
    requests: {
      perSecond: requests?.["per-second"] ?? 30,
      burst: requests?.burst ?? 500,
      banAfter: requests?.["ban-after"] ?? 1000,
      banMs: requests?.ban ?? 300_000,
      strangersPerSecond: requests?.["strangers-per-second"] ?? 200,
      perUserConnection: requests?.["per-user-connection"] ?? 100,
    },
    overload: overload === "off" ? undefined : { delayMs: overload?.delay ?? 100 },
    exempt: values?.exempt ?? OWN_ADDRESSES,
    scanners: (values?.scanners ?? SCANNERS).map((name) => name.toLowerCase()),
  });
}
