import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatDigestChallenge,
  formatDigestCredentials,
  tryParseDigestChallenge,
  tryParseDigestCredentials,
} from "../../../src/signaling/message/auth-header.ts";
import { NameAddr, formatNameAddr } from "../../../src/signaling/message/name-addr.ts";
import { SipUri, buildSipUri } from "../../../src/signaling/message/uri.ts";
import { Via } from "../../../src/signaling/message/via.ts";

const TOKEN = "abcXYZ019-.!%*_+`'~".split("");
const token = fc.string({ unit: fc.constantFrom(...TOKEN), minLength: 1, maxLength: 16 });
const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
);
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
/** Text as it may stand between quotes: anything but control characters and halves of a pair. */
const quotable = fc
  .string({ unit: "grapheme", maxLength: 30 })
  .map((text) => text.toWellFormed().replaceAll(/[\u0000-\u001F\u007F]/g, ""));
const params = fc.uniqueArray(fc.tuple(token, fc.option(token, { nil: undefined })), {
  selector: ([name]) => name.toLowerCase(),
  maxLength: 4,
});

/** Writes what was read, reads that, and must have the same. */
describe("RFC 3261 §22.4, RFC 7616 digest headers: format and parse are each other's inverse", () => {
  it("for any challenge", () => {
    const challenge = fc.record({
      realm: quotable,
      nonce: quotable.filter((nonce) => nonce !== ""),
      algorithm: fc.option(token, { nil: undefined }),
      qop: fc.option(
        fc.array(fc.constantFrom("auth", "auth-int", "x-new"), { minLength: 1, maxLength: 3 }),
        { nil: undefined },
      ),
      opaque: fc.option(quotable, { nil: undefined }),
      isStale: fc.boolean(),
    });
    fc.assert(
      fc.property(challenge, (given) => {
        expect(tryParseDigestChallenge(formatDigestChallenge(given))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  it("for any credentials", () => {
    const some = quotable.filter((text) => text !== "");
    const credentials = fc.record({
      username: quotable,
      realm: quotable,
      nonce: some,
      uri: quotable,
      response: some,
      algorithm: fc.option(token, { nil: undefined }),
      cnonce: fc.option(quotable, { nil: undefined }),
      opaque: fc.option(quotable, { nil: undefined }),
      qop: fc.option(token, { nil: undefined }),
      nc: fc.option(
        fc
          .integer({ min: 0, max: 0xffff_ffff })
          .map((count) => count.toString(16).padStart(8, "0")),
        { nil: undefined },
      ),
    });
    fc.assert(
      fc.property(credentials, (given) => {
        expect(tryParseDigestCredentials(formatDigestCredentials(given))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });
});

describe("RFC 3261 §20.42 Via: format and parse are each other's inverse", () => {
  const via = fc
    .record({
      transport: fc.constantFrom("UDP", "TCP", "TLS", "WS", "WSS", "SCTP", "x-new"),
      host,
      port,
      branch: token,
      params,
    })
    .map((parts) => {
      const sentBy = parts.port === undefined ? parts.host : `${parts.host}:${parts.port}`;
      const own = ["branch", "received", "rport"];
      const others = parts.params.filter(([name]) => !own.includes(name.toLowerCase()));
      const tail = others.map(([name, value]) => (value === undefined ? name : `${name}=${value}`));
      const text = [`SIP/2.0/${parts.transport} ${sentBy}`, `branch=${parts.branch}`, ...tail];
      return { ...parts, params: others, text: text.join(";") };
    });

  it("keeps every part", () => {
    fc.assert(
      fc.property(via, (given) => {
        const parsed = Via.parse(given.text);
        expect(parsed.toString()).toBe(given.text);
        expect(parsed.transport).toBe(given.transport.toUpperCase());
        expect([parsed.host, parsed.port]).toEqual([given.host, given.port]);
        expect(parsed.branch).toBe(given.branch);
        for (const [name, value] of given.params) {
          expect(parsed.params.get(name.toLowerCase())).toBe(value);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps every part when received and rport are set (RFC 3581 §4)", () => {
    const stamp = fc.record({
      received: fc.oneof(fc.ipV4(), fc.ipV6()),
      rport: fc.integer({ min: 1, max: 65_535 }),
    });
    fc.assert(
      fc.property(via, stamp, (given, { received, rport }) => {
        const before = Via.parse(given.text);
        const after = Via.parse(before.withParams({ received, rport }).toString());
        expect([after.host, after.port, after.branch]).toEqual([
          before.host,
          before.port,
          before.branch,
        ]);
        expect([after.received, after.rport]).toEqual([received, rport]);
        for (const [name, value] of before.params) expect(after.params.get(name)).toBe(value);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps the order of a list", () => {
    fc.assert(
      fc.property(fc.array(via, { minLength: 1, maxLength: 6 }), (list) => {
        const parsed = Via.parseList(list.map(({ text }) => text).join(", "));
        expect(parsed.map(String)).toEqual(list.map(({ text }) => text));
      }),
    );
  });
});

const uriParts = fc.record({
  scheme: fc.constantFrom("sip" as const, "sips" as const),
  user: fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), { nil: undefined }),
  host,
  port,
  params,
});

describe("RFC 3261 §20.10 name-addr: format and parse are each other's inverse", () => {
  it("keeps display name, URI and parameters", () => {
    const address = fc.record({ displayName: quotable, uri: uriParts.map(buildSipUri), params });
    fc.assert(
      fc.property(address, (given) => {
        const parsed = NameAddr.parse(formatNameAddr(given));
        expect(parsed.displayName ?? "").toBe(given.displayName);
        expect(parsed.uri).toBe(given.uri);
        expect([...parsed.params]).toEqual(
          given.params.map(([name, value]) => [name.toLowerCase(), value]),
        );
        expect(NameAddr.parse(parsed.toString())).toEqual(parsed);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps the order of a list, whatever the display names have in them", () => {
    const address = fc.record({ displayName: quotable, uri: uriParts.map(buildSipUri) });
    fc.assert(
      fc.property(fc.array(address, { minLength: 1, maxLength: 5 }), (list) => {
        const parsed = NameAddr.parseList(list.map((one) => formatNameAddr(one)).join(", "));
        expect(parsed.map(({ displayName = "", uri }) => ({ displayName, uri }))).toEqual(list);
      }),
    );
  });
});

describe("RFC 3261 §19.1.4 URI comparison", () => {
  const headers = fc.uniqueArray(fc.tuple(token, token), {
    selector: ([name]) => name.toLowerCase(),
    maxLength: 3,
  });
  const someUri = fc
    .tuple(uriParts, headers)
    .map(([parts, list]) =>
      list.length === 0
        ? buildSipUri(parts)
        : `${buildSipUri(parts)}?${list.map(([name, value]) => `${name}=${value}`).join("&")}`,
    )
    // A "%" in a token is no escape, and a URI's must be one.
    .filter((text) => SipUri.tryParse(text) !== undefined);

  it("a URI equals itself, and itself read again", () => {
    fc.assert(
      fc.property(someUri, (text) => {
        const uri = SipUri.parse(text);
        expect(uri.equals(uri)).toBe(true);
        expect(uri.toString()).toBe(text);
        expect(SipUri.parse(uri.toString()).equals(uri)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("is the same both ways", () => {
    const near = fc.constantFrom(
      "sip:alice@example.com",
      "sip:alice@example.com:5060",
      "sip:%61lice@EXAMPLE.com",
      "sips:alice@example.com",
      "sip:alice@example.com;transport=udp",
      "sip:alice@example.com;transport=UDP;x=1",
      "sip:alice@example.com;x=2",
      "sip:alice@example.com?a=b",
      "sip:example.com",
      "tel:+1",
    );
    fc.assert(
      fc.property(fc.oneof(near, someUri), fc.oneof(near, someUri), (left, right) => {
        const [a, b] = [SipUri.parse(left), SipUri.parse(right)];
        expect(a.equals(b)).toBe(b.equals(a));
      }),
      { numRuns: 1000 },
    );
  });

  it("takes no notice of the case of the host, the order of parameters, and escapes without need", () => {
    fc.assert(
      fc.property(uriParts, (parts) => {
        const uri = SipUri.parse(buildSipUri(parts));
        const other = buildSipUri({
          ...parts,
          host: parts.host.toUpperCase(),
          params: parts.params.toReversed(),
        });
        expect(SipUri.parse(other).equals(uri)).toBe(true);
        if (parts.user === undefined || !/^[a-z]/.test(parts.user)) return;
        const escaped = buildSipUri(parts).replace(
          `${parts.scheme}:${parts.user.charAt(0)}`,
          `${parts.scheme}:%${parts.user.charCodeAt(0).toString(16)}`,
        );
        expect(SipUri.parse(escaped).equals(uri)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("takes notice of the user's case, the port and the scheme", () => {
    fc.assert(
      fc.property(uriParts, fc.integer({ min: 1, max: 65_535 }), (parts, other) => {
        const uri = SipUri.parse(buildSipUri(parts));
        const scheme = parts.scheme === "sip" ? "sips" : "sip";
        expect(SipUri.parse(buildSipUri({ ...parts, scheme })).equals(uri)).toBe(false);
        const moved = SipUri.parse(buildSipUri({ ...parts, port: other }));
        expect(moved.equals(uri)).toBe(other === parts.port);
        const { user } = parts;
        if (user === undefined || !/^[a-z]+$/.test(user)) return;
        const loud = SipUri.parse(buildSipUri({ ...parts, user: user.toUpperCase() }));
        expect(loud.equals(uri)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
