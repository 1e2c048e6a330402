import { describe, expect, it } from "vitest";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import {
  SipMessageError,
  parseMessage,
  tryParseMessage,
} from "../../../src/signaling/message/parser.ts";

interface Parts {
  readonly uri?: string;
  readonly via?: string;
  readonly contact?: string;
  readonly to?: string;
}

function octets({
  uri = "sip:user@example.com",
  via = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
  contact = "<sip:caller@[2001:db8::1]>",
  to = "sip:user@example.com",
}: Parts): Buffer {
  const lines = [
    `INVITE ${uri} SIP/2.0`,
    `To: ${to}`,
    "From: sip:user@example.com;tag=81x2",
    `Via: ${via}`,
    "Call-ID: SSG9559905523997077@hlau_4100",
    "Max-Forwards: 70",
    `Contact: ${contact}`,
    "CSeq: 8612 INVITE",
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

function invite(parts: Parts): SipRequest {
  const message = parseMessage(octets(parts));
  if (message.kind !== "request") throw new Error("no request");
  return message;
}

describe("RFC 5118: IPv6 in SIP messages", () => {
  it("§4.1 takes an IPv6 reference in the Request-URI, Via and Contact", () => {
    const message = invite({ uri: "sip:[2001:db8::10]" });
    expect(message.uri).toMatchObject({ host: "[2001:db8::10]", port: undefined });
    expect(message.topmostVia.host).toBe("[2001:db8::9:1]");
    expect(message.contact?.sipUri.host).toBe("[2001:db8::1]");
  });

  it("§4.2 answers an address without brackets with 400", () => {
    const error = tryParseMessage(octets({ uri: "sip:2001:db8::10" }));
    expect(error).toBeInstanceOf(SipMessageError);
    expect(error).toMatchObject({ status: 400 });
  });

  it("§4.3 takes what looks like a port inside the brackets as part of the address", () => {
    expect(invite({ uri: "sip:[2001:db8::10:5070]" }).uri).toMatchObject({
      host: "[2001:db8::10:5070]",
      port: undefined,
    });
  });

  it("§4.4 takes a port behind the brackets", () => {
    expect(invite({ uri: "sip:[2001:db8::10]:5070" }).uri).toMatchObject({
      host: "[2001:db8::10]",
      port: 5070,
    });
  });

  it.each(["[2001:db8::9:255]", "2001:db8::9:255"])("§4.5 takes received=%s", (received) => {
    const via = `SIP/2.0/UDP [2001:db8::9:1];received=${received};branch=z9hG4bKas3-111`;
    expect(invite({ via }).topmostVia.received).toBe("2001:db8::9:255");
  });

  it("§4.7 takes IPv4 and IPv6 in one list", () => {
    const via =
      "SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144";
    expect(invite({ via }).vias.map(({ host }) => host)).toEqual(["[2001:db8::9:1]", "192.0.2.1"]);
  });

  it("§4.9 takes IPv4-mapped addresses", () => {
    const via = "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19";
    const message = invite({ via, contact: '"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>' });
    expect(message.topmostVia).toMatchObject({ host: "[::ffff:192.0.2.10]", port: 19_823 });
    expect(message.contact?.sipUri.host).toBe("[::ffff:192.0.2.2]");
  });

  it.each(["[2001:db8:::192.0.2.1]", "[2001:db8::192.0.2.1]"])(
    "§4.10 takes %s, which the grammar of RFC 3261 makes",
    (host) => {
      const message = invite({ uri: `sip:user@${host}`, to: `sip:user@${host}` });
      expect(message.uri.host).toBe("[2001:db8::192.0.2.1]");
      expect(message.to.sipUri.host).toBe("[2001:db8::192.0.2.1]");
    },
  );

  it.each(["[2001:db8:::10]", "[2001:db8::::192.0.2.1]", "[1::2:::192.0.2.1]", "[:::]", "[]"])(
    "§4.10 takes no other three colons: %s",
    (host) => {
      expect(tryParseMessage(octets({ uri: `sip:user@${host}` }))).toBeInstanceOf(SipMessageError);
    },
  );
});
