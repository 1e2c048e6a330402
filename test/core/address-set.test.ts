import { describe, expect, it } from "vitest";
import { AddressSet } from "../../src/core/address.ts";

describe("a set of addresses", () => {
  it.each([
    [["192.0.2.1"], "192.0.2.1", true],
    [["192.0.2.1"], "192.0.2.2", false],
    [["192.0.2.1"], "::ffff:192.0.2.1", true],
    [["192.0.2.1"], "2001:db8::1", false],
    [["192.0.2.1"], "no address", false],
    [["192.0.2.1", "198.51.100.0/24"], "198.51.100.7", true],
    [["192.0.2.1", "198.51.100.0/24"], "198.51.101.7", false],
    [["::ffff:192.0.2.1"], "192.0.2.1", true],
    [["2001:DB8:0::1"], "2001:db8::1", true],
    [["2001:db8::/32"], "2001:db8::7", true],
    [[], "192.0.2.1", false],
  ])("of %j: %s is in it: %s", (ranges, host, expected) => {
    expect(new AddressSet(ranges).has(host)).toBe(expected);
  });
});
