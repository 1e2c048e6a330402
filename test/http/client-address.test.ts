import { describe, expect, it } from "vitest";
import { ClientAddress } from "../../src/http/client-address.ts";
import { postJson, startServer } from "./fixture.ts";

function hostOf(
  remote: string,
  headers: Readonly<Record<string, string>>,
  client = new ClientAddress(["10.0.0.0/8", "2001:db8:1::/48"]),
): string | undefined {
  const request = { headers, socket: { remoteAddress: remote, remotePort: 4711 } };
  return client.of(request as unknown as Parameters<ClientAddress["of"]>[0])?.host;
}

describe("the address of a client", () => {
  it.each([
    ["nobody is trusted by default", "10.0.0.1", "192.0.2.1", "10.0.0.1", []],
    ["a stranger's word", "192.0.2.9", "192.0.2.1", "192.0.2.9", undefined],
    ["a proxy's word", "10.0.0.1", "192.0.2.1", "192.0.2.1", undefined],
    ["of two, the right one", "10.0.0.1", "192.0.2.66, 192.0.2.1", "192.0.2.1", undefined],
    ["past our own proxies", "10.0.0.1", "192.0.2.66, 192.0.2.1, 10.9.9.9", "192.0.2.1", undefined],
    ["nothing but proxies", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", undefined],
    ["no word", "10.0.0.1", "", "10.0.0.1", undefined],
    ["no address", "10.0.0.1", "192.0.2.66, unknown", "10.0.0.1", undefined],
    ["half a word", "10.0.0.1", "192.0.2.1, ", "10.0.0.1", undefined],
    ["a port", "10.0.0.1", "192.0.2.1:8080", "192.0.2.1", undefined],
    ["IPv6", "10.0.0.1", "2001:db8::7", "2001:db8::7", undefined],
    ["IPv6 with a port", "10.0.0.1", "[2001:DB8::7]:99", "2001:db8::7", undefined],
    ["IPv4 in IPv6", "::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1", undefined],
    ["a proxy of IPv6", "2001:db8:1::5", "192.0.2.1", "192.0.2.1", undefined],
    ["an injection", "10.0.0.1", "192.0.2.1\u0000x", "10.0.0.1", undefined],
  ] as const)("%s", (_what, remote, header, expected, proxies) => {
    const client = proxies === undefined ? undefined : new ClientAddress(proxies);
    expect(hostOf(remote, { "x-forwarded-for": header }, client)).toBe(expected);
  });

  it.each([
    ["for=192.0.2.1;proto=https", "192.0.2.1"],
    ['For="[2001:db8::7]:47011"', "2001:db8::7"],
    ['for=192.0.2.66, proto=https; for="192.0.2.1:80" , for=10.1.1.1', "192.0.2.1"],
    ["for=_hidden", "10.0.0.1"],
    ["proto=https", "10.0.0.1"],
  ])("Forwarded: %s", (header, expected) => {
    const client = new ClientAddress(["10.0.0.0/8"], "forwarded");
    expect(hostOf("10.0.0.1", { forwarded: header }, client)).toBe(expected);
    // Only the one that the proxy writes: the other one is the client's.
    const both = { forwarded: header, "x-forwarded-for": "192.0.2.77" };
    expect(hostOf("10.0.0.1", both, client)).toBe(expected);
  });

  it("goes no further than 32 hops, however long the field", () => {
    const header = Array.from({ length: 5000 }, () => "10.0.0.2").join(",");
    expect(hostOf("10.0.0.1", { "x-forwarded-for": `192.0.2.1,${header}` })).toBe("10.0.0.2");
  });

  it("is what sign-ins are counted by behind a proxy", async () => {
    const server = await startServer({ clientAddress: new ClientAddress(["127.0.0.1"]) });
    const attempt = (from: string, user: string) =>
      postJson(
        `${server.url}/api/v1/session`,
        { user, password: "wrong" },
        { "X-Forwarded-For": `192.0.2.200, ${from}` },
      );
    for (let count = 0; count < 5; count += 1) await attempt("192.0.2.1", `nobody-${count}`);
    expect((await attempt("192.0.2.1", "x")).status).toBe(429);
    expect((await attempt("192.0.2.2", "y")).status).toBe(401);
  });
});
