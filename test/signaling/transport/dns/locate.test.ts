import { describe, expect, it } from "vitest";
import { SipUri } from "../../../../src/signaling/message/uri.ts";
import { locate } from "../../../../src/signaling/transport/dns/locate.ts";
import type { Located } from "../../../../src/signaling/transport/dns/locate.ts";
import { orderTargets } from "../../../../src/signaling/transport/dns/order.ts";
import { targetKey } from "../../../../src/signaling/transport/dns/target.ts";
import type { TargetTransport } from "../../../../src/signaling/transport/dns/target.ts";
import { FakeResolver, naptr, srv } from "../../../harness/fake-resolver.ts";
import type { Zone } from "../../../harness/fake-resolver.ts";

const ALL: readonly TargetTransport[] = ["UDP", "TCP", "TLS"];

/** The domain of RFC 3263 §4.1's example, with hosts behind it. */
const EXAMPLE: Readonly<Record<string, Zone>> = {
  "example.com": {
    naptr: [
      naptr("100 50 s SIP+D2U _sip._udp.example.com"),
      naptr("50 50 s SIPS+D2T _sips._tcp.example.com"),
      naptr("90 50 s SIP+D2T _sip._tcp.example.com"),
    ],
    hosts: ["192.0.2.9"],
  },
  "_sips._tcp.example.com": { srv: [srv("0 1 5061 server1.example.com")] },
  "_sip._tcp.example.com": {
    srv: [srv("0 1 5060 server1.example.com"), srv("1 2 5062 server2.example.com")],
  },
  "_sip._udp.example.com": { srv: [srv("0 1 5064 server2.example.com")] },
  "server1.example.com": { hosts: ["192.0.2.1"] },
  "server2.example.com": { hosts: ["192.0.2.2", "2001:db8::2"] },
};

interface Case {
  readonly uri: string;
  readonly zones?: Readonly<Record<string, Zone>>;
  /** What we send over; default all. */
  readonly supports?: readonly TargetTransport[];
  /** In the order to try; or `none`, `failed`. */
  readonly expected: readonly string[] | "none" | "failed";
  /** Types of records that may be asked for; default any. */
  readonly asks?: readonly string[];
}

async function outcomeOf({ uri, zones = {}, supports = ALL }: Case) {
  const resolver = new FakeResolver(zones);
  const located = await locate(SipUri.parse(uri), {
    resolver,
    supports: (transport) => supports.includes(transport),
  });
  return { located, asked: resolver.asked };
}

function keysOf(located: Located): readonly string[] | "none" | "failed" {
  return located.kind === "found"
    ? orderTargets(located.tiers, "example.com", () => 0).map((target) => targetKey(target))
    : located.kind;
}

async function expectCase(row: Case): Promise<void> {
  const { located, asked } = await outcomeOf(row);
  expect(keysOf(located)).toEqual(row.expected);
  if (row.asks !== undefined) {
    expect(new Set(asked.map((query) => query.split(" ")[0]))).toEqual(new Set(row.asks));
  }
}

describe("RFC 3263 §4.1 selecting a transport", () => {
  const host = { "pbx.test": { hosts: ["192.0.2.7"] } };

  it.each<readonly [string, Case]>([
    [
      "transport=tcp is taken",
      { uri: "sip:192.0.2.1;transport=tcp", expected: ["TCP 192.0.2.1:5060"] },
    ],
    [
      "transport=UDP in any case",
      { uri: "sip:192.0.2.1;transport=UDP", expected: ["UDP 192.0.2.1:5060"] },
    ],
    [
      "sips with tcp is TLS",
      { uri: "sips:192.0.2.1;transport=tcp", expected: ["TLS 192.0.2.1:5061"] },
    ],
    [
      "transport=tls, deprecated and common",
      { uri: "sip:192.0.2.1;transport=tls", expected: ["TLS 192.0.2.1:5061"] },
    ],
    ["sips over UDP does not exist", { uri: "sips:192.0.2.1;transport=udp", expected: "none" }],
    ["a transport that we do not dial", { uri: "sip:192.0.2.1;transport=sctp", expected: "none" }],
    [
      "WebSocket servers are not dialled",
      { uri: "sip:pbx.test;transport=ws", zones: host, expected: "none" },
    ],
    ["a numeric host is UDP", { uri: "sip:192.0.2.1", expected: ["UDP 192.0.2.1:5060"], asks: [] }],
    [
      "a numeric host of sips is TLS",
      { uri: "sips:192.0.2.1", expected: ["TLS 192.0.2.1:5061"], asks: [] },
    ],
    [
      "an IPv6 literal",
      { uri: "sip:[2001:db8::1]", expected: ["UDP [2001:db8::1]:5060"], asks: [] },
    ],
    [
      "a port without transport is UDP",
      {
        uri: "sip:pbx.test:5070",
        zones: host,
        expected: ["UDP 192.0.2.7:5070"],
        asks: ["A", "AAAA"],
      },
    ],
    [
      "a port of sips is TLS",
      {
        uri: "sips:pbx.test:5070",
        zones: host,
        expected: ["TLS 192.0.2.7:5070"],
        asks: ["A", "AAAA"],
      },
    ],
    [
      "maddr is where it goes",
      {
        uri: "sip:example.com;maddr=192.0.2.8",
        zones: EXAMPLE,
        expected: ["UDP 192.0.2.8:5060"],
        asks: [],
      },
    ],
    ["tel has no server", { uri: "tel:+4930", expected: "none" }],
  ])("%s", (_name, row) => expectCase(row));

  it.each<readonly [string, Case]>([
    [
      "the lowest order that we can use, and nothing behind it",
      { uri: "sip:example.com", zones: EXAMPLE, expected: ["TLS 192.0.2.1:5061"] },
    ],
    [
      "without TLS the next order",
      {
        uri: "sip:example.com",
        zones: EXAMPLE,
        supports: ["UDP", "TCP"],
        expected: ["TCP 192.0.2.1:5060", "TCP [2001:db8::2]:5062", "TCP 192.0.2.2:5062"],
      },
    ],
    [
      "with UDP alone the last order",
      {
        uri: "sip:example.com",
        zones: EXAMPLE,
        supports: ["UDP"],
        expected: ["UDP [2001:db8::2]:5064", "UDP 192.0.2.2:5064"],
      },
    ],
    [
      "sips takes SIPS services alone",
      {
        uri: "sips:example.com",
        zones: {
          ...EXAMPLE,
          "example.com": {
            naptr: [
              naptr("1 1 s SIP+D2U _sip._udp.example.com"),
              naptr("2 1 s SIPS+D2T _sips._tcp.example.com"),
            ],
          },
        },
        expected: ["TLS 192.0.2.1:5061"],
      },
    ],
    [
      "services of one order by preference, as failover",
      {
        uri: "sip:example.com",
        zones: {
          ...EXAMPLE,
          "example.com": {
            naptr: [
              naptr("10 20 s SIP+D2T _sip._tcp.example.com"),
              naptr("10 10 S sip+d2u _sip._udp.example.com"),
              naptr("20 10 s SIPS+D2T _sips._tcp.example.com"),
            ],
          },
        },
        expected: [
          "UDP [2001:db8::2]:5064",
          "UDP 192.0.2.2:5064",
          "TCP 192.0.2.1:5060",
          "TCP [2001:db8::2]:5062",
          "TCP 192.0.2.2:5062",
        ],
      },
    ],
    [
      "D2W, other services, other flags and the root are passed over",
      {
        uri: "sip:example.com",
        zones: {
          ...EXAMPLE,
          "example.com": {
            naptr: [
              naptr("1 1 s SIP+D2W _sip._ws.example.com"),
              naptr("2 1 s E2U+sip _sip._tcp.example.com"),
              naptr("3 1 u SIP+D2T _sip._tcp.example.com"),
              naptr("4 1 s SIP+D2T ."),
              naptr("5 1 s SIP+D2U _sip._udp.example.com"),
            ],
          },
        },
        expected: ["UDP [2001:db8::2]:5064", "UDP 192.0.2.2:5064"],
      },
    ],
    [
      "an order whose SRV leads nowhere gives way to the next",
      {
        uri: "sip:example.com",
        zones: { ...EXAMPLE, "_sips._tcp.example.com": {} },
        expected: ["TCP 192.0.2.1:5060", "TCP [2001:db8::2]:5062", "TCP 192.0.2.2:5062"],
      },
    ],
    [
      "without NAPTR the SRV of each transport of ours, UDP first",
      {
        uri: "sip:example.com",
        zones: { ...EXAMPLE, "example.com": {} },
        expected: [
          "UDP [2001:db8::2]:5064",
          "UDP 192.0.2.2:5064",
          "TCP 192.0.2.1:5060",
          "TCP [2001:db8::2]:5062",
          "TCP 192.0.2.2:5062",
        ],
      },
    ],
    [
      "without NAPTR sips asks for _sips._tcp alone",
      {
        uri: "sips:example.com",
        zones: { ...EXAMPLE, "example.com": {} },
        expected: ["TLS 192.0.2.1:5061"],
        asks: ["A", "AAAA", "NAPTR", "SRV"],
      },
    ],
    [
      "neither NAPTR nor SRV: UDP and the name itself",
      { uri: "sip:pbx.test", zones: host, expected: ["UDP 192.0.2.7:5060"] },
    ],
    [
      "neither NAPTR nor SRV of sips: TLS and the name itself",
      { uri: "sips:pbx.test", zones: host, expected: ["TLS 192.0.2.7:5061"] },
    ],
  ])("NAPTR: %s", (_name, row) => expectCase(row));
});

describe("RFC 3263 §4.2 port and address", () => {
  it.each<readonly [string, Case]>([
    [
      "a transport without port asks SRV, not NAPTR",
      {
        uri: "sip:example.com;transport=tcp",
        zones: EXAMPLE,
        expected: ["TCP 192.0.2.1:5060", "TCP [2001:db8::2]:5062", "TCP 192.0.2.2:5062"],
        asks: ["A", "AAAA", "SRV"],
      },
    ],
    [
      "transport=tls asks _sips._tcp",
      { uri: "sip:example.com;transport=tls", zones: EXAMPLE, expected: ["TLS 192.0.2.1:5061"] },
    ],
    [
      "a transport without SRV is at the name's default port",
      {
        uri: "sip:pbx.test;transport=tcp",
        zones: { "pbx.test": { hosts: ["192.0.2.7"] } },
        expected: ["TCP 192.0.2.7:5060"],
      },
    ],
    [
      "a port asks no SRV",
      {
        uri: "sip:example.com:5080;transport=tcp",
        zones: EXAMPLE,
        expected: ["TCP 192.0.2.9:5080"],
        asks: ["A", "AAAA"],
      },
    ],
    [
      "the root as SRV target: decidedly no service (RFC 2782)",
      {
        uri: "sip:example.com;transport=udp",
        zones: { ...EXAMPLE, "_sip._udp.example.com": { srv: [srv("0 0 0 .")] } },
        expected: "none",
      },
    ],
    [
      "an SRV target without address is passed over",
      {
        uri: "sip:example.com;transport=udp",
        zones: {
          ...EXAMPLE,
          "_sip._udp.example.com": {
            srv: [srv("0 0 5060 gone.example.com"), srv("1 0 5060 server1.example.com")],
          },
        },
        expected: ["UDP 192.0.2.1:5060"],
      },
    ],
    [
      "priorities as numbers, not as text",
      {
        uri: "sip:example.com;transport=udp",
        zones: {
          ...EXAMPLE,
          "_sip._udp.example.com": {
            srv: [srv("10 0 5060 server1.example.com"), srv("9 0 5099 server1.example.com.")],
          },
        },
        expected: ["UDP 192.0.2.1:5099", "UDP 192.0.2.1:5060"],
      },
    ],
    ["a name that is nowhere", { uri: "sip:gone.test", expected: "none" }],
    [
      "name servers that fail",
      {
        uri: "sip:pbx.test",
        zones: { "pbx.test": { naptr: "fails", srv: "fails", hosts: "fails" } },
        expected: "failed",
      },
    ],
  ])("%s", (_name, row) => expectCase(row));

  it("what was found although a question failed is asked again soon", async () => {
    const { located } = await outcomeOf({
      uri: "sip:pbx.test",
      zones: { "pbx.test": { naptr: "fails", hosts: ["192.0.2.7"] } },
      expected: [],
    });
    expect(located).toMatchObject({ kind: "found", ttlMs: 10_000 });
  });
});

describe("RFC 7984 two address families", () => {
  it.each<readonly [string, readonly string[], readonly string[]]>([
    [
      "IPv6 first, then in turn",
      ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"],
      ["[2001:db8::1]", "192.0.2.1", "[2001:db8::2]", "192.0.2.2"],
    ],
    ["IPv4 alone", ["192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.2"]],
    ["IPv6 alone", ["2001:db8::1"], ["[2001:db8::1]"]],
  ])("%s", async (_name, hosts, expected) => {
    await expectCase({
      uri: "sip:pbx.test:5060",
      zones: { "pbx.test": { hosts } },
      expected: expected.map((host) => `UDP ${host}:5060`),
    });
  });

  it("one family that fails does not take the other along", async () => {
    class OnlyV4 extends FakeResolver {
      override async aaaa(): Promise<{ kind: "failed"; detail: string }> {
        return await Promise.resolve({ kind: "failed", detail: "ETIMEOUT" });
      }
    }
    const located = await locate(SipUri.parse("sip:pbx.test:5060"), {
      resolver: new OnlyV4({ "pbx.test": { hosts: ["192.0.2.1"] } }),
      supports: () => true,
    });
    expect(keysOf(located)).toEqual(["UDP 192.0.2.1:5060"]);
  });
});

describe("addresses where no server can be", () => {
  it.each([
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "ff0e::1",
    "::ffff:127.0.0.1",
    "::ffff:192.0.2.1",
  ])("%s is refused, written or looked up", async (host) => {
    const written = host.includes(":") ? `[${host}]` : host;
    await expectCase({ uri: `sip:${written}`, expected: "none" });
    await expectCase({
      uri: "sip:pbx.test:5060",
      zones: { "pbx.test": { hosts: [host] } },
      expected: "none",
    });
    await expectCase({
      uri: "sip:pbx.test:5060",
      zones: { "pbx.test": { hosts: [host, "198.51.100.1"] } },
      expected: ["UDP 198.51.100.1:5060"],
    });
  });

  it("nothing is special about loopback and documentation networks", async () => {
    await expectCase({ uri: "sip:127.0.0.1", expected: ["UDP 127.0.0.1:5060"] });
    await expectCase({ uri: "sip:203.0.113.5", expected: ["UDP 203.0.113.5:5060"] });
    await expectCase({
      uri: "sip:pbx.invalid",
      zones: { "pbx.invalid": { hosts: ["192.0.2.1"] } },
      expected: ["UDP 192.0.2.1:5060"],
    });
  });
});

describe("bounds", () => {
  it("200 SRV records and 200 addresses make 16 targets", async () => {
    const hosts = Array.from({ length: 200 }, (_, index) => `198.51.100.${index + 1}`);
    const records = hosts.map((_, index) => srv(`0 1 5060 h${index}.test`));
    const zones: Record<string, Zone> = { "_sip._udp.big.test": { srv: records } };
    for (const index of hosts.keys()) zones[`h${index}.test`] = { hosts };
    const { located, asked } = await outcomeOf({
      uri: "sip:big.test;transport=udp",
      zones,
      expected: [],
    });
    expect(keysOf(located)).toHaveLength(16);
    expect(asked.length).toBeLessThan(70);
  });
});
