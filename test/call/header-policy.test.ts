import { describe, expect, it } from "vitest";

import { crossingHeaders } from "../../src/call/header-policy.ts";
import { isHeaderPattern } from "../../src/config/header-pattern.ts";
import { Headers } from "../../src/signaling/message/headers.ts";

const rules = (...names: string[]) => ({ toTrunk: names, fromTrunk: names });
const fields = (count: number, value = "1") =>
  Headers.of(Array.from({ length: count }, (_, index) => [`X-A-${index}`, value] as const));

describe("headers that cross", () => {
  it("are bounded in number, length and octets", () => {
    expect(crossingHeaders(fields(100), undefined, rules("x-a-*"))).toHaveLength(16);
    expect(crossingHeaders(fields(1, "x".repeat(513)), undefined, rules("x-a-*"))).toEqual([]);
    const all = crossingHeaders(fields(16, "x".repeat(500)), undefined, rules("x-a-*"));
    expect(all).toHaveLength(4);
  });

  it("need the lists of both trunks", () => {
    const both = crossingHeaders(fields(3), rules("x-a-0", "x-a-1"), rules("x-a-1", "x-a-2"));
    expect(both).toEqual([["X-A-1", "1"]]);
    expect(crossingHeaders(fields(3), rules("x-a-0"), rules())).toEqual([]);
    expect(crossingHeaders(fields(3), undefined, undefined)).toEqual([]);
  });

  it("have no control characters", () => {
    const raw = Headers.ofChecked(["X-A"], ["x-a"], ["a\u0000b"]);
    expect(crossingHeaders(raw, undefined, rules("x-a"))).toEqual([]);
  });
});

describe("which headers a trunk may name", () => {
  it.each(["X-Customer", "x-crm-*", "X-1", "User-to-User", "Subject", "Priority"])(
    "takes %s",
    (name) => expect(isHeaderPattern(name)).toBe(true),
  );

  it.each(
    "Via Route Record-Route Contact Authorization Proxy-Authorization From To Call-ID CSeq Replaces Refer-To P-Asserted-Identity Privacy Identity Alert-Info Call-Info Content-Type Max-Forwards Offhook-Hops * X-* X-".split(
      " ",
    ),
  )("refuses %s", (name) => expect(isHeaderPattern(name)).toBe(false));
});
