import { describe, expect, it } from "vitest";
import { AddressSet, networkOf } from "../../src/core/address.ts";
import { ConnectionCount } from "../../src/core/connection-count.ts";

describe("ConnectionCount", () => {
  it("lets `limit` connections of an address in, and one more for each that leaves", () => {
    const cap = new ConnectionCount({ limit: 2 });
    const leave = cap.tryEnter("192.0.2.1");
    expect(cap.tryEnter("192.0.2.1")).toBeDefined();
    expect(cap.tryEnter("192.0.2.1")).toBeUndefined();
    expect(cap.tryEnter("192.0.2.2")).toBeDefined();
    leave?.();
    leave?.();
    expect(cap.tryEnter("192.0.2.1")).toBeDefined();
    expect(cap.tryEnter("192.0.2.1")).toBeUndefined();
  });

  it("counts an IPv6 network as one", () => {
    const cap = new ConnectionCount({ limit: 1 });
    expect(cap.tryEnter("2001:db8::1")).toBeDefined();
    expect(cap.tryEnter("2001:db8::2")).toBeUndefined();
    expect(cap.tryEnter("2001:db8:0:1::1")).toBeDefined();
  });

  it("does not count exempt addresses", () => {
    const cap = new ConnectionCount({ limit: 0, exempt: new AddressSet(["10.0.0.0/8"]) });
    expect(cap.tryEnter("10.1.2.3")).toBeDefined();
    expect(cap.tryEnter("::ffff:10.1.2.3")).toBeDefined();
    expect(cap.tryEnter("192.0.2.1")).toBeUndefined();
  });
});

describe("networkOf", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8::"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"],
    ["2001:db8:1:2::", "2001:db8:1:2::"],
    ["::1", "::"],
    ["::", "::"],
    ["fe80::1%eth0", "fe80::"],
    ["2001:0DB8::1", "2001:db8::"],
    ["", ""],
  ])("puts %s into %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
