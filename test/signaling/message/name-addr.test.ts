import { describe, expect, it } from "vitest";
import { SipFormatError, SipParseError } from "../../../src/signaling/message/errors.ts";
import { NameAddr, formatNameAddr } from "../../../src/signaling/message/name-addr.ts";

describe("RFC 3261 §20.10: name-addr and addr-spec", () => {
  it.each([
    ['"A. G. Bell" <sip:agb@bell.com> ;tag=a48s', "A. G. Bell", "sip:agb@bell.com", "a48s"],
    ["sip:+12125551212@server.com;tag=887s", undefined, "sip:+12125551212@server.com", "887s"],
    [
      "Anonymous <sip:c8oqz@anonymous.invalid>;tag = hyh8",
      "Anonymous",
      "sip:c8oqz@anonymous.invalid",
      "hyh8",
    ],
    ["The Operator<sip:op@cs.com>", "The Operator", "sip:op@cs.com", undefined],
    ["<sip:a@b;lr?x=y,z>", undefined, "sip:a@b;lr?x=y,z", undefined],
    ['"" <sip:a@b>', undefined, "sip:a@b", undefined],
    ['"\\"<sip:x@y>\\\\" <sip:a@b>', '"<sip:x@y>\\', "sip:a@b", undefined],
    ["\u00C3\u00A4 <sip:a@b>", "ä", "sip:a@b", undefined],
    ['"\u00C3\u00A4" <sip:a@b>', "ä", "sip:a@b", undefined],
    ["<tel:+1>", undefined, "tel:+1", undefined],
    ["\t <sip:a@b>\t ;\ttag\t=\t1 ", undefined, "sip:a@b", "1"],
  ])("reads %s", (text, displayName, uri, tag) => {
    const value = NameAddr.parse(text);
    expect(value).toMatchObject({ displayName, uri });
    expect(value.tag).toBe(tag);
    expect(value.toString()).toBe(text);
  });

  it("gives quoted parameters without their quotes", () => {
    const contact = NameAddr.parse(
      '<sip:a@b.invalid;transport=ws>;reg-id=1;+sip.instance="<urn:uuid:1>";ob;q="a\\"b"',
    );
    expect([...contact.params]).toEqual([
      ["reg-id", "1"],
      ["+sip.instance", "<urn:uuid:1>"],
      ["ob", undefined],
      ["q", 'a"b'],
    ]);
    expect(contact.sipUri.params.get("transport")).toBe("ws");
  });

  it("gives a semicolon outside brackets to the header", () => {
    const value = NameAddr.parse("sip:a@b;transport=tcp");
    expect(value.sipUri.params.size).toBe(0);
    expect(value.params.get("transport")).toBe("tcp");
  });

  it("joins a URI that was folded before a semicolon (RFC 7118 §8.2)", () => {
    const value = NameAddr.parse("A <sip:a@b ;gr=urn:uuid:1 ;ob>;q=1");
    expect(value.uri).toBe("sip:a@b;gr=urn:uuid:1;ob");
    expect(value.toString()).toBe("A <sip:a@b;gr=urn:uuid:1;ob>;q=1");
  });

  it("reads lists", () => {
    const list = NameAddr.parseList('"a, b" <sip:a,b@c>;q=1 , sip:d@e');
    expect(list.map(({ uri }) => uri)).toEqual(["sip:a,b@c", "sip:d@e"]);
  });

  it.each([
    "",
    "<>",
    "*",
    "<sip:a@b",
    "sip:a@b>",
    "<<sip:a@b>>",
    "< sip:a@b >",
    "<sip:a@b;x y>",
    '"a <sip:a@b>',
    '"a" b <sip:a@b>',
    '"a" sip:a@b',
    "a, b <sip:a@b>",
    "a;b <sip:a@b>",
    "(a) <sip:a@b>",
    "sip:a@b?x=y",
    "sip:a@b,c",
    "<sip:a@b>x",
    "<sip:a@b>;",
    "<sip:a@b>;;x",
    "<sip:a@b>;=x",
    '<sip:a@b>;x="y',
    "<sip:a@b>;x=y z",
    "<sip:a@b>;tag",
    "<sip:a@b>;tag=1;tag=2",
    "<sip:a@b> <sip:c@d>",
  ])("refuses %j", (text) => {
    expect(() => NameAddr.parse(text)).toThrow(SipParseError);
  });

  it("refuses an empty element in a list", () => {
    expect(() => NameAddr.parseList("<sip:a@b>,")).toThrow(SipParseError);
  });
});

describe("formatNameAddr", () => {
  it.each([
    [{ uri: "sip:a@b" }, "<sip:a@b>"],
    [{ displayName: "", uri: "sip:a@b" }, "<sip:a@b>"],
    [{ displayName: 'A "B" \\', uri: "sip:a@b" }, '"A \\"B\\" \\\\" <sip:a@b>'],
    [{ displayName: "ä", uri: "sip:a@b" }, '"\u00C3\u00A4" <sip:a@b>'],
    [{ displayName: "a\r\nX: y\u0000", uri: "sip:a@b" }, '"a  X: y " <sip:a@b>'],
    [
      {
        uri: "sip:a@b",
        params: [
          ["tag", "1"],
          ["lr", undefined],
          ["x", "a b\r\n"],
          ["y", ""],
          ["z", "<q>"],
        ] as const,
      },
      '<sip:a@b>;tag=1;lr;x="a b  ";y="";z="<q>"',
    ],
  ])("%j makes %s", (parts, text) => {
    expect(formatNameAddr(parts)).toBe(text);
  });

  it.each(["", "sip:a@b>\r\nX: y", "sip:a b", "sip:a\nb", "sip:ä@b"])(
    "refuses the URI %j",
    (uri) => {
      expect(() => formatNameAddr({ uri })).toThrow(SipFormatError);
    },
  );

  it("refuses a parameter whose name is no token", () => {
    expect(() => formatNameAddr({ uri: "sip:a", params: [["x\r\nY", "1"]] })).toThrow(
      SipFormatError,
    );
  });
});
