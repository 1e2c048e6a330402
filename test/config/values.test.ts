import { describe, expect, it } from "vitest";

import { expandEnvironment } from "../../src/config/environment.ts";
import { ownAddress } from "../../src/config/own-address.ts";
import type { Interfaces } from "../../src/config/own-address.ts";
import {
  tryParseHost,
  tryParseListen,
  tryParseMediaAddress,
  tryParseNameServer,
  tryParseNgSocket,
  tryParseOrigin,
  tryParsePeerUri,
  tryParsePortRange,
  tryParseRange,
  tryParseSipListen,
  tryParseTurnUrl,
} from "../../src/config/values.ts";
import { tryParseDuration } from "../../src/dialplan/scalar.ts";

type Row = readonly [text: string, value: unknown];

const TABLES: readonly (readonly [string, (text: string) => unknown, readonly Row[]])[] = [
  [
    "listen addresses",
    tryParseListen,
    [
      ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
      ["0.0.0.0:8080", { host: "0.0.0.0", port: 8080 }],
      ["[::1]:8080", { host: "::1", port: 8080 }],
      ["localhost:0", { host: "127.0.0.1", port: 0 }],
      ["127.0.0.1", undefined],
      ["127.0.0.1:65536", undefined],
      ["127.0.0.1:", undefined],
      ["127.0.0.1:-1", undefined],
      ["::1:8080", undefined],
      ["[127.0.0.1]:8080", undefined],
      ["256.0.0.1:80", undefined],
      ["example.com:80", undefined],
      [":8080", undefined],
      ["8080", undefined],
    ],
  ],
  [
    "SIP listeners",
    tryParseSipListen,
    [
      ["udp:192.0.2.10:5060", { transport: "udp", host: "192.0.2.10", port: 5060 }],
      ["tcp:[2001:db8::1]:5060", { transport: "tcp", host: "2001:db8::1", port: 5060 }],
      ["tls:192.0.2.10:5061", { transport: "tls", host: "192.0.2.10", port: 5061 }],
      ["udp:127.0.0.1:0", { transport: "udp", host: "127.0.0.1", port: 0 }],
      ["192.0.2.10:5060", undefined],
      ["UDP:192.0.2.10:5060", undefined],
      ["sctp:192.0.2.10:5060", undefined],
      ["udp:5060", undefined],
    ],
  ],
  [
    "ng sockets",
    tryParseNgSocket,
    [
      ["udp:10.0.0.5:22222", { host: "10.0.0.5", port: 22222 }],
      ["udp:10.0.0.5:0", undefined],
      ["tcp:10.0.0.5:22222", undefined],
      ["10.0.0.5:22222", undefined],
    ],
  ],
  [
    "name servers",
    tryParseNameServer,
    [
      ["192.0.2.53", "192.0.2.53"],
      ["192.0.2.53:5353", "192.0.2.53:5353"],
      ["2001:db8::53", "2001:db8::53"],
      ["[2001:db8::53]:5353", "[2001:db8::53]:5353"],
      ["192.0.2.53:0", undefined],
      ["dns.example.com", undefined],
    ],
  ],
  [
    "port ranges",
    tryParsePortRange,
    [
      ["30000-39999", { min: 30000, max: 39999 }],
      ["30000-30003", { min: 30000, max: 30003 }],
      ["30000-30002", undefined],
      ["39999-30000", undefined],
      ["80-90", undefined],
      ["60000-70000", undefined],
      ["30000", undefined],
    ],
  ],
  [
    "media addresses",
    tryParseMediaAddress,
    [
      ["192.0.2.10", "192.0.2.10"],
      ["10.0.0.4!192.0.2.10", "10.0.0.4!192.0.2.10"],
      ["2001:db8::1", "2001:db8::1"],
      ["a!b", undefined],
      ["10.0.0.4!", undefined],
      ["1.2.3.4!1.2.3.4!1.2.3.4", undefined],
    ],
  ],
  [
    "ranges",
    tryParseRange,
    [
      ["198.51.100.0/24", "198.51.100.0/24"],
      ["192.0.2.1", "192.0.2.1"],
      ["2001:db8::/32", "2001:db8::/32"],
      ["198.51.100.0/33", undefined],
      ["198.51.100.0/", undefined],
      ["pbx.example.com", undefined],
    ],
  ],
  [
    "host names",
    tryParseHost,
    [
      ["Voice.Example.com", "voice.example.com"],
      ["localhost", "localhost"],
      ["192.0.2.1", "192.0.2.1"],
      ["1.2.3", undefined],
      ["a..b", undefined],
      ["-a.example", undefined],
      ["a b", undefined],
      ["a:5060", undefined],
      ["", undefined],
    ],
  ],
  [
    "peers",
    tryParsePeerUri,
    [
      [
        "sip:pbx.example.com:5060;transport=udp",
        { scheme: "sip", host: "pbx.example.com", port: 5060, transport: "udp" },
      ],
      [
        "sip:192.0.2.7",
        { scheme: "sip", host: "192.0.2.7", port: undefined, transport: undefined },
      ],
      [
        "SIPS:gw@[2001:db8::1]:5061;lr;Transport=TLS",
        { scheme: "sips", host: "2001:db8::1", port: 5061, transport: "tls" },
      ],
      ["pbx.example.com", undefined],
      ["sip:", undefined],
      ["sip:a:0", undefined],
      ["sip:a:99999", undefined],
      ["sip:a b", undefined],
      ["sip:a\r\nVia: x", undefined],
      ["tel:+4930", undefined],
      ["http://a", undefined],
    ],
  ],
  [
    "origins",
    tryParseOrigin,
    [
      ["https://voice.example.com", "https://voice.example.com"],
      ["http://127.0.0.1:8080/", "http://127.0.0.1:8080"],
      ["https://a.example/path", undefined],
      ["voice.example.com", undefined],
      ["*", undefined],
      ["file:///x", undefined],
    ],
  ],
  [
    "TURN URLs (RFC 7065)",
    tryParseTurnUrl,
    [
      ["turn:192.0.2.10:3478", "turn:192.0.2.10:3478"],
      ["turns:turn.example.com:5349?transport=tcp", "turns:turn.example.com:5349?transport=tcp"],
      ["stun:a", undefined],
      ["turn:", undefined],
    ],
  ],
  [
    "durations",
    tryParseDuration,
    [
      ["500ms", 500],
      ["20s", 20_000],
      ["1.5s", 1500],
      ["5m", 300_000],
      ["1h", 3_600_000],
      ["1d", 86_400_000],
      ["20", undefined],
      ["s", undefined],
      ["-1s", undefined],
      ["1 s", undefined],
      ["1w", undefined],
    ],
  ],
];

describe.each(TABLES)("%s", (_, parse, rows) => {
  it.each(rows)("%j", (text, value) => {
    expect(parse(text)).toEqual(value);
  });
});

describe("variables of the environment", () => {
  const environment = { NAME: "value", EMPTY: "", ODD: "${NAME} $& $1" };

  it.each([
    ["plain", "plain"],
    ["${NAME}", "value"],
    ["a${NAME}b${NAME}", "avaluebvalue"],
    ["${MISSING:-default}", "default"],
    ["${MISSING:-}", ""],
    ["${EMPTY}", ""],
    ["${EMPTY:-default}", "default"],
    ["${NAME:-default}", "value"],
    ["${MISSING:-a:-b $1}", "a:-b $1"],
    ["$${NAME}", "${NAME}"],
    ["$1 $NAME {NAME}", "$1 $NAME {NAME}"],
    ["${ODD}", "${NAME} $& $1"],
  ])("%s", (text, expected) => {
    expect(expandEnvironment(text, environment)).toEqual({ text: expected, problems: [] });
  });

  it.each([
    ["${MISSING}", "the environment variable MISSING is not set"],
    ["${toString}", "the environment variable toString is not set"],
    ["${}", '"${}" is not a variable'],
    ["${a-b}", '"${a-b}" is not a variable'],
    ["${NAME", '"${NAME" is not a variable'],
  ])("%s is a mistake", (text, message) => {
    expect(expandEnvironment(text, environment).problems).toEqual([
      expect.stringContaining(message),
    ]);
  });
});

describe("the machine's own address", () => {
  const nic = (address: string, prefix: number, internal = false) => ({
    address,
    netmask: "",
    family: "IPv4" as const,
    mac: "",
    internal,
    cidr: `${address}/${prefix}`,
  });
  const machine: Interfaces = {
    lo: [nic("127.0.0.1", 8, true)],
    docker0: [nic("172.17.0.1", 16)],
    eth0: [nic("192.0.2.2", 24)],
    eth1: [nic("10.1.0.2", 16)],
  };

  it.each<[readonly string[], string]>([
    [[], "192.0.2.2"],
    [["10.1.200.1"], "10.1.0.2"],
    [["pbx.example.com", "172.17.0.9"], "172.17.0.1"],
    [["203.0.113.1"], "192.0.2.2"],
  ])("toward %j is %s", (peers, address) => {
    expect(ownAddress(machine, peers)).toBe(address);
  });

  it("is unknown with a loopback alone", () => {
    expect(ownAddress({ lo: machine["lo"] })).toBeUndefined();
    expect(ownAddress({ docker0: machine["docker0"] })).toBe("172.17.0.1");
  });
});
