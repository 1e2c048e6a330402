import { describe, expect, it } from "vitest";
import { SipFormatError } from "../../../src/signaling/message/errors.ts";
import { Headers } from "../../../src/signaling/message/headers.ts";

const headers = Headers.of([
  ["Via", "a"],
  ["Route", '<sip:x;a=",">, "q, \\" r" <sip:y>'],
  ["v", "b"],
  ["X-One", "1"],
  ["ROUTE", "<sip:z>"],
]);

const lines = (from: Headers): string[] => [...from].map(([name, value]) => `${name}: ${value}`);

describe("Headers", () => {
  it("finds names without case and in both forms (RFC 3261 §7.3.3)", () => {
    expect(headers.get("VIA")).toBe("a");
    expect(headers.getAll("V")).toEqual(["a", "b"]);
    expect(headers.has("x-one")).toBe(true);
    expect(headers.count("via")).toBe(2);
    expect(headers.get("x")).toBeUndefined();
    expect(headers.getAll("To")).toEqual([]);
    expect(headers.size).toBe(5);
  });

  it("splits lists at commas outside quotes and brackets (§7.3.1)", () => {
    expect(headers.list("Route")).toEqual(['<sip:x;a=",">', '"q, \\" r" <sip:y>', "<sip:z>"]);
    expect(headers.list("X-None")).toEqual([]);
    expect(Headers.of([["Allow", " INVITE ,, ACK,"]]).list("Allow")).toEqual(["INVITE", "ACK"]);
  });

  it("replaces all lines of a name where the first stood", () => {
    expect(lines(headers.with("Via", "c", "d")).slice(0, 3)).toEqual([
      "Via: c",
      "Via: d",
      expect.stringMatching(/^Route/),
    ]);
    expect(headers.with("Via", "c").count("Via")).toBe(1);
    expect(lines(headers.with("X-New", "n")).at(-1)).toBe("X-New: n");
    expect(headers.without("via").has("Via")).toBe(false);
    expect(headers.without("X-None")).toBe(headers);
  });

  it("never changes itself", () => {
    const before = lines(headers);
    headers.prepend("Via", "z");
    headers.append("Via", "z");
    headers.with("Via", "z");
    expect(lines(headers)).toEqual(before);
  });

  it("adds lines at both ends", () => {
    expect(lines(headers.prepend("Via", "z"))[0]).toBe("Via: z");
    expect(lines(headers.append("Via", "z")).at(-1)).toBe("Via: z");
  });

  it.each([
    ["X", "a\r\nInjected: 1"],
    ["X", "a\rb"],
    ["X", "a\nb"],
    ["X\r\nY", "a"],
    ["X Y", "a"],
    ["", "a"],
    ["X:", "a"],
  ])("refuses to write %j: %j", (name, value) => {
    expect(() => Headers.of([[name, value]])).toThrow(SipFormatError);
    expect(() => headers.with(name, value)).toThrow(SipFormatError);
    expect(() => headers.prepend(name, value)).toThrow(SipFormatError);
    expect(() => headers.append(name, value)).toThrow(SipFormatError);
  });

  it("encodes text above U+00FF, so that no octet of it can become a line break", () => {
    const value = Headers.of([["Subject", "a\u010Ab\u010D"]]).get("Subject");
    expect(Buffer.from(value ?? "", "latin1").toString("utf8")).toBe("a\u010Ab\u010D");
  });
});
