import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SystemClock } from "../../../../src/core/clock.ts";
import { SipUri } from "../../../../src/signaling/message/uri.ts";
import { CachingResolver } from "../../../../src/signaling/transport/dns/caching-resolver.ts";
import { HostsFile, parseHosts } from "../../../../src/signaling/transport/dns/hosts-file.ts";
import { locate } from "../../../../src/signaling/transport/dns/locate.ts";
import { NodeResolver } from "../../../../src/signaling/transport/dns/node-resolver.ts";
import { orderTargets } from "../../../../src/signaling/transport/dns/order.ts";
import { targetKey } from "../../../../src/signaling/transport/dns/target.ts";
import { DnsServer } from "../../../harness/dns-server.ts";
import { naptr, srv } from "../../../harness/fake-resolver.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { makeTemporaryDirectory, removeDirectory } from "../../../harness/temporary.ts";

let server: DnsServer;
let resolver: NodeResolver;
let directory: string;

beforeEach(async () => {
  directory = await makeTemporaryDirectory("dns");
  const hostsPath = join(directory, "hosts");
  await writeFile(hostsPath, "192.0.2.66 pbx.office\n2001:db8::66 pbx.office\n");
  server = await DnsServer.start({
    "example.test": {
      naptr: [
        naptr("10 20 s SIP+D2U _sip._udp.example.test"),
        naptr("10 10 S SIPS+D2T _sips._tcp.example.test"),
      ],
    },
    "_sip._udp.example.test": {
      srv: [srv("0 60 5060 sbc1.example.test"), srv("10 0 5070 sbc2.example.test")],
    },
    "sbc1.example.test": { a: ["192.0.2.1"], aaaa: ["2001:db8::1"], ttl: 7 },
    "sbc2.example.test": { a: ["192.0.2.2"], ttl: 300 },
    "big.test": { a: Array.from({ length: 200 }, (_, index) => `198.51.100.${index + 1}`) },
  });
  resolver = new NodeResolver({
    clock: new SystemClock(),
    servers: [server.address],
    hostsPath,
  });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await removeDirectory(directory);
});

describe("the resolver of the system", () => {
  it("reads NAPTR, SRV, A and AAAA", async () => {
    expect(await resolver.naptr("example.test")).toMatchObject({
      items: [
        { order: 10, preference: 20, flags: "s", service: "SIP+D2U" },
        { order: 10, preference: 10, flags: "S", service: "SIPS+D2T" },
      ],
    });
    expect(await resolver.srv("_sip._udp.example.test")).toMatchObject({
      items: [
        { priority: 0, weight: 60, port: 5060, target: "sbc1.example.test" },
        { priority: 10, weight: 0, port: 5070, target: "sbc2.example.test" },
      ],
    });
    expect(await resolver.a("sbc1.example.test")).toEqual({
      kind: "records",
      items: ["192.0.2.1"],
      ttlMs: 7000,
    });
    expect(await resolver.aaaa("sbc1.example.test")).toMatchObject({ items: ["2001:db8::1"] });
  });

  it("tells what is not there from what cannot be asked", async () => {
    expect(await resolver.a("gone.test")).toMatchObject({ kind: "none" });
    expect(await resolver.aaaa("sbc2.example.test")).toMatchObject({ kind: "none" });
    server.mood = "servfail";
    expect(await resolver.a("sbc2.example.test")).toMatchObject({ kind: "failed" });
    server.mood = "junk";
    expect(await resolver.a("sbc1.example.test")).toMatchObject({ kind: "failed" });
  });

  it("asks again over TCP when an answer was truncated", async () => {
    const answer = await resolver.a("big.test");
    expect(answer.kind === "records" && answer.items.length).toBe(200);
    expect(server.asked).toEqual(["A big.test", "A big.test"]);
  });

  it("takes names of the hosts file from there and asks no server about them", async () => {
    expect(await resolver.a("PBX.office")).toMatchObject({ items: ["192.0.2.66"] });
    expect(await resolver.aaaa("pbx.office")).toMatchObject({ items: ["2001:db8::66"] });
    expect(await resolver.a("localhost")).toMatchObject({ items: ["127.0.0.1"] });
    expect(await resolver.naptr("localhost")).toMatchObject({ kind: "none" });
    expect(await resolver.srv("_sip._udp.pbx.office")).toMatchObject({ kind: "none" });
    expect(server.asked).toEqual([]);
  });

  it("locates by NAPTR, SRV and both families", async () => {
    const located = await locate(SipUri.parse("sip:example.test"), {
      resolver,
      supports: (transport) => transport === "UDP",
    });
    if (located.kind !== "found") throw new Error(located.kind);
    const targets = orderTargets(located.tiers, "example.test", () => 0);
    expect(targets.map((target) => targetKey(target))).toEqual([
      "UDP [2001:db8::1]:5060",
      "UDP 192.0.2.1:5060",
      "UDP 192.0.2.2:5070",
    ]);
    expect(located.ttlMs).toBe(7000);
  });
});

describe("a name server that does not answer", () => {
  it("costs 2 s once and never blocks the event loop", async () => {
    const clock = new SystemClock();
    const caching = new CachingResolver(clock, resolver);
    server.mood = "silent";
    const loop = monitorEventLoopDelay({ resolution: 5 });
    loop.enable();
    const start = clock.monotonicMs();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => caching.a(`host${index}.test`)),
    );
    const firstMs = clock.monotonicMs() - start;
    await Promise.all(Array.from({ length: 50 }, (_, index) => caching.a(`host${index}.test`)));
    const secondMs = clock.monotonicMs() - start - firstMs;
    loop.disable();
    expect(answers.every(({ kind }) => kind === "failed")).toBe(true);
    expect(firstMs).toBeGreaterThan(1900);
    expect(firstMs).toBeLessThan(3500);
    expect(secondMs).toBeLessThan(200);
    // p95 and not the maximum: other programs share this machine.
    expect(loop.percentile(95) / 1e6).toBeLessThan(50);
  });
});

describe("hosts(5)", () => {
  it("is read as the system does", () => {
    const names = parseHosts(
      [
        "# comment",
        "127.0.0.1\tlocalhost  Local # more",
        "192.0.2.1 a b\r",
        "192.0.2.1 a",
        "2001:db8::1 a",
        "not-an-address c",
        "fe80::1%eth0 d",
        "",
      ].join("\n"),
    );
    expect(Object.fromEntries(names)).toEqual({
      localhost: ["127.0.0.1"],
      local: ["127.0.0.1"],
      a: ["192.0.2.1", "2001:db8::1"],
      b: ["192.0.2.1"],
    });
  });

  it("is read again when it has changed", async () => {
    const clock = new ManualClock();
    const path = join(directory, "other-hosts");
    const hosts = new HostsFile(clock, path);
    expect(await hosts.addressesOf("a")).toBeUndefined();
    expect(await hosts.addressesOf("sip.localhost")).toEqual(["127.0.0.1", "::1"]);
    await writeFile(path, "192.0.2.1 a\n");
    expect(await hosts.addressesOf("a")).toBeUndefined();
    clock.advance(10_000);
    expect(await hosts.addressesOf("a")).toEqual(["192.0.2.1"]);
    await appendFile(path, "192.0.2.2 b\n");
    clock.advance(10_000);
    expect(await hosts.addressesOf("b")).toEqual(["192.0.2.2"]);
  });
});
