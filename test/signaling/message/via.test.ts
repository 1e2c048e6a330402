import { describe, expect, it } from "vitest";
import { SipParseError } from "../../../src/signaling/message/errors.ts";
import { Via } from "../../../src/signaling/message/via.ts";

describe("RFC 3261 §20.42: Via", () => {
  it.each([
    [
      "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7",
      "UDP",
      "erlang.bell-telephone.com",
      5060,
      "z9hG4bK87asdks7",
    ],
    [
      "SIP / 2.0 / tcp  first.example.com : 4000 ;ttl=16 ; branch = z9hG4bKa7c6a8dlze.1",
      "TCP",
      "first.example.com",
      4000,
      "z9hG4bKa7c6a8dlze.1",
    ],
    [
      "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks",
      "WSS",
      "df7jal23ls0d.invalid",
      undefined,
      "z9hG4bK56sdasks",
    ],
    ["SIP/2.0/UDP [2001:db8::9:1]:6050", "UDP", "[2001:db8::9:1]", 6050, undefined],
    ["SIP/2.0/X-NEW host_1", "X-NEW", "host_1", undefined, undefined],
  ])("reads %s", (text, transport, host, port, branch) => {
    const via = Via.parse(text);
    expect(via).toMatchObject({ protocol: "SIP/2.0", transport, host, port });
    expect(via.branch).toBe(branch);
    expect(via.toString()).toBe(text);
  });

  it("reads lists", () => {
    expect(Via.parseList("SIP/2.0/UDP a , SIP/2.0/TCP b").map(({ host }) => host)).toEqual([
      "a",
      "b",
    ]);
    expect(() => Via.parseList("SIP/2.0/UDP a,")).toThrow(SipParseError);
  });

  it("reads rport as a question and as an answer (RFC 3581 §3)", () => {
    expect(Via.parse("SIP/2.0/UDP a;rport").rport).toBe(true);
    expect(Via.parse("SIP/2.0/UDP a;rport=").rport).toBe(true);
    expect(Via.parse("SIP/2.0/UDP a;rport=9988").rport).toBe(9988);
    expect(Via.parse("SIP/2.0/UDP a;rport=x").rport).toBeUndefined();
    expect(Via.parse("SIP/2.0/UDP a").rport).toBeUndefined();
  });

  it("reads received with and without brackets (RFC 5118 §4.5)", () => {
    const received = (value: string): string | undefined =>
      Via.parse(`SIP/2.0/UDP a;received=${value}`).received;
    expect(received("192.0.2.1")).toBe("192.0.2.1");
    expect(received("[2001:db8::1]")).toBe("2001:db8::1");
    expect(received("2001:db8::1")).toBe("2001:db8::1");
    expect(received("evil.example.com")).toBeUndefined();
  });

  it("answers received and rport, keeping everything else (RFC 3581 §4)", () => {
    const via = Via.parse('SIP/2.0/UDP Host:5070;rport;branch=z9hG4bK1;x="a b";y');
    const stamped = via.withParams({ received: "2001:db8::1", rport: 6001 });
    expect(stamped.toString()).toBe(
      'SIP/2.0/UDP Host:5070;rport=6001;branch=z9hG4bK1;x="a b";y;received=2001:db8::1',
    );
    const again = Via.parse(stamped.toString());
    expect(again.received).toBe("2001:db8::1");
    expect(again.rport).toBe(6001);
    expect(again.params.get("x")).toBe("a b");
    expect(via.received).toBeUndefined();
    expect(via.withParams({ rport: true }).rport).toBe(true);
  });

  it.each([
    "",
    "SIP/2.0",
    "SIP/2.0/UDP",
    "SIP/2.0/UDP ",
    "SIP/2.0/UDPa",
    "SIP/2.0 UDP a",
    "SIP//UDP a",
    "SIP/2.0/UDP a b",
    "SIP/2.0/UDP a:",
    "SIP/2.0/UDP a:x",
    "SIP/2.0/UDP a;",
    "SIP/2.0/UDP a;;",
    "SIP/2.0/UDP [::1",
    "SIP/2.0/UDP a;branch",
    "SIP/2.0/UDP a;branch=",
    `SIP/2.0/UDP a;branch=${"b".repeat(513)}`,
  ])("refuses %j", (text) => {
    expect(() => Via.parse(text)).toThrow(SipParseError);
  });
});
