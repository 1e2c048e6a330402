import { describe, expect, it } from "vitest";
import { SipFormatError, SipParseError } from "../../../src/signaling/message/errors.ts";
import { SipUri, buildSipUri } from "../../../src/signaling/message/uri.ts";

describe("RFC 3261 §19.1.1: SIP URIs", () => {
  it("takes one apart", () => {
    const uri = SipUri.parse(
      "SIPS:al%69ce;x=y:p%40ss@Example.COM:5061;Transport=ws;lr;m%61ddr=a%2Fb?Subject=x&a=b",
    );
    expect(uri).toMatchObject({
      scheme: "sips",
      user: "alice;x=y",
      password: "p@ss",
      host: "example.com",
      port: 5061,
      headers: "Subject=x&a=b",
    });
    expect([...uri.params]).toEqual([
      ["transport", "ws"],
      ["lr", undefined],
      ["maddr", "a/b"],
    ]);
  });

  it("has nothing where nothing is", () => {
    expect(SipUri.parse("sip:example.com")).toMatchObject({
      user: undefined,
      password: undefined,
      port: undefined,
      headers: undefined,
    });
  });

  it("takes '#' and '*' in a user: telephones dial them", () => {
    expect(SipUri.parse("sip:*43#@example.com").user).toBe("*43#");
  });

  it("reads UTF-8, and leaves an escape that is none as it is", () => {
    expect(SipUri.parse("sip:%C3%A4@b").user).toBe("ä");
    expect(SipUri.parse("sip:%e4%41@b").user).toBe("%E4A");
  });

  it("takes a parameter that says the same twice, and not one that contradicts itself", () => {
    expect(SipUri.parse("sip:a@b;user=phone;user=phone").params.get("user")).toBe("phone");
    expect(SipUri.tryParse("sip:a@b;transport=ws;transport=udp")).toBeUndefined();
  });

  it("reads tel (RFC 3966) and leaves other schemes whole", () => {
    const tel = SipUri.parse("tel:+1-201-555;phone-context=example.com");
    expect(tel).toMatchObject({ scheme: "tel", user: "+1-201-555", host: "" });
    expect(tel.params.get("phone-context")).toBe("example.com");
    const urn = SipUri.parse("URN:service:sos");
    expect(urn).toMatchObject({ scheme: "urn", user: undefined, host: "" });
    expect(urn.toString()).toBe("URN:service:sos");
  });

  it.each([
    "",
    "sip",
    "sip:",
    ":a@b",
    "1sip:a@b",
    "s ip:a@b",
    "sip:@b",
    "sip:a@",
    "sip:a@b@c",
    "sip:a b@c",
    "sip:a@b c",
    'sip:"a"@b',
    "sip:a<@b",
    "sip:a[@b",
    "sip:é@b",
    "sip:a@b:",
    "sip:a@b:x",
    "sip:a@b:65536",
    "sip:a@b:-1",
    "sip:a@b;",
    "sip:a@b;;lr",
    "sip:a@b;=x",
    "sip:a@b;x=",
    "sip:a@b;x=y=z",
    "sip:a@b?",
    "sip:%@b",
    "sip:%4@b",
    "sip:%zz@b",
    "sip:a@b;x=%g0",
    "sip:a@b?x=%0",
    "sip:a@[::1",
    "sip:a@[::g]",
    "sip:a@[1.2.3.4]",
    "sip:a@[::1%eth0]",
    "sip:a@::1",
    "sip:a@b\r\n",
    "tel:",
    "tel:;x=y",
    "tel:%zz",
    "http:",
    "http://a b",
  ])("refuses %j", (text) => {
    expect(() => SipUri.parse(text)).toThrow(SipParseError);
    expect(SipUri.tryParse(text)).toBeUndefined();
  });
});

describe("RFC 3261 §19.1.4: URI comparison", () => {
  it.each([
    ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
    [
      "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
      "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ],
    [
      "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
      "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ],
    ["sip:a@[2001:DB8::1]", "sip:a@[2001:db8::1]"],
    ["sip:%2a43@b", "sip:*43@b"],
    ["tel:+1201", "tel:+1201"],
  ])("%s equals %s", (left, right) => {
    expect(SipUri.parse(left).equals(SipUri.parse(right))).toBe(true);
    expect(SipUri.parse(right).equals(SipUri.parse(left))).toBe(true);
  });

  it.each([
    ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
    ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
    ["sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
    ["sip:a@b;maddr=c", "sip:a@b"],
    ["sip:a@b;user=phone", "sip:a@b"],
    ["sip:a@b", "sips:a@b"],
    ["sip:a@b", "sip:b"],
    ["sip:a:x@b", "sip:a@b"],
    ["sip:a%3Bb@c", "sip:a;b@c"],
    ["tel:+1201", "tel:+1202"],
  ])("%s does not equal %s", (left, right) => {
    expect(SipUri.parse(left).equals(SipUri.parse(right))).toBe(false);
    expect(SipUri.parse(right).equals(SipUri.parse(left))).toBe(false);
  });
});

describe("buildSipUri", () => {
  it.each([
    [{ host: "example.com" }, "sip:example.com"],
    [{ user: "alice", host: "example.com", port: 5070 }, "sip:alice@example.com:5070"],
    [{ user: "*43", host: "2001:db8::1" }, "sip:*43@[2001:db8::1]"],
    [{ user: "a@b:c#ä\r\n", host: "h" }, "sip:a%40b%3Ac%23%C3%A4%0D%0A@h"],
    [
      {
        scheme: "sips" as const,
        host: "h",
        params: [
          ["lr", undefined],
          ["x", "a;b"],
        ] as const,
      },
      "sips:h;lr;x=a%3Bb",
    ],
    [{ user: "", host: "h" }, "sip:h"],
  ])("%j makes %s", (parts, text) => {
    expect(buildSipUri(parts)).toBe(text);
  });

  it.each(["", "a b", "a@b", "a;b", "a\r\nb", "[::1", "a:1:x"])("refuses the host %j", (host) => {
    expect(() => buildSipUri({ host })).toThrow(SipFormatError);
  });
});
