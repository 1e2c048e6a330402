import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tryParseAuthHeader } from "../../../src/signaling/message/auth-header.ts";
import { buildRequest } from "../../../src/signaling/message/build.ts";
import { SipFormatError, SipParseError } from "../../../src/signaling/message/errors.ts";
import { Headers } from "../../../src/signaling/message/headers.ts";
import { NameAddr, formatNameAddr } from "../../../src/signaling/message/name-addr.ts";
import {
  SipMessageError,
  parseMessage,
  tryParseMessage,
} from "../../../src/signaling/message/parser.ts";
import { formatReason, parseReason } from "../../../src/signaling/message/reason.ts";
import { serializeMessage } from "../../../src/signaling/message/serializer.ts";
import { SipUri, buildSipUri } from "../../../src/signaling/message/uri.ts";
import { Via } from "../../../src/signaling/message/via.ts";
import { corpus } from "./corpus.ts";

const TOKEN_CHARACTERS = "abcXYZ019-.!%*_+`'~";
const token = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARACTERS.split("")),
  minLength: 1,
  maxLength: 20,
});
const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
);
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const uri = fc
  .record({
    user: fc.option(text, { nil: undefined }),
    host,
    port,
    params: fc.uniqueArray(fc.tuple(token, fc.option(token, { nil: undefined })), {
      selector: ([name]) => name.toLowerCase(),
      maxLength: 3,
    }),
  })
  .map((parts) => ({ ...parts, text: buildSipUri(parts) }));

/** A value as it may stand in an unknown header: any octets but controls. */
const octetValue = fc
  .string({
    unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)),
    maxLength: 60,
  })
  .map((value) => value.replaceAll("\u007F", "").replace(/^ +/, "").replace(/ +$/, ""));

const request = fc
  .record({
    method: token.filter((method) => !/^sip$/i.test(method)),
    requestUri: uri,
    from: uri,
    to: uri,
    display: text,
    tag: token,
    callId: token,
    cseq: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    hosts: fc.array(host, { minLength: 1, maxLength: 4 }),
    extra: fc.array(
      fc.tuple(
        token.map((name) => `X-${name}`),
        octetValue,
      ),
      { maxLength: 5 },
    ),
    body: fc.uint8Array({ maxLength: 200 }),
  })
  .map((r) =>
    buildRequest({
      method: r.method,
      requestUri: r.requestUri.text,
      headers: [
        ...r.hosts.map(
          (sentBy, index) => ["Via", `SIP/2.0/UDP ${sentBy};branch=z9hG4bK${index}`] as const,
        ),
        [
          "From",
          formatNameAddr({ displayName: r.display, uri: r.from.text, params: [["tag", r.tag]] }),
        ],
        ["To", formatNameAddr({ uri: r.to.text })],
        ["Call-ID", r.callId],
        ["CSeq", `${r.cseq} ${r.method}`],
        ...r.extra,
      ],
      body: Buffer.from(r.body),
    }),
  );

function isOnlyParseError(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(SipParseError);
  }
}

function touch(octets: Buffer): void {
  const result = tryParseMessage(octets);
  if (result instanceof SipMessageError) {
    if (result.partial !== undefined) {
      void result.partial.vias;
      serializeMessage(result.partial);
    }
    return;
  }
  // What has been accepted does not throw any more, and is accepted again.
  void [result.vias, result.from.sipUri, result.to.sipUri, result.callId, result.cseq];
  void [result.contacts, result.routes, result.recordRoutes, result.maxForwards, result.expires];
  void [result.sdp, result.contentType, result.kind === "request" && result.uri];
  for (const name of ["Authorization", "WWW-Authenticate"]) {
    for (const value of result.headers.getAll(name)) tryParseAuthHeader(value);
  }
  parseReason(result.headers);
  parseMessage(serializeMessage(result));
}

describe("parse and serialize", () => {
  it("are each other's inverse for any request that can be built", () => {
    fc.assert(
      fc.property(request, (built) => {
        const wire = serializeMessage(built);
        const parsed = parseMessage(wire);
        expect(serializeMessage(parsed).equals(wire)).toBe(true);
        expect(parsed.kind === "request" && parsed.method).toBe(built.method);
        expect(parsed.from.displayName).toBe(built.from.displayName);
        expect(parsed.body.equals(built.body)).toBe(true);
        expect([...parsed.headers].slice(0, -1)).toEqual([...built.headers]);
      }),
      { numRuns: 300 },
    );
  });

  it("keep a display name of any text, but for control characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), uri, (displayName, { text: address }) => {
        const parsed = NameAddr.parse(formatNameAddr({ displayName, uri: address }));
        // A lone surrogate is no text; UTF-8 has nothing for it but U+FFFD.
        const expected = displayName.toWellFormed().replaceAll(/[\u0000-\u001F\u007F]/g, " ");
        expect(parsed.displayName ?? "").toBe(expected);
        expect(parsed.uri).toBe(address);
      }),
    );
  });

  it("is never built so that it reads as another host, or does not read at all", () => {
    const text = fc.oneof(fc.constantFrom("a", "A", "", "a;b", "a:5", "1.2.3.4"), fc.string());
    const params = fc.array(fc.tuple(text, fc.option(text, { nil: undefined })), { maxLength: 3 });
    const parts = fc.record({
      user: fc.option(text, { nil: undefined }),
      host: text,
      port: fc.option(fc.integer({ min: -2, max: 70_000 }), { nil: undefined }),
      params,
    });
    fc.assert(
      fc.property(parts, (all) => {
        let built: string;
        try {
          built = buildSipUri(all);
        } catch (error) {
          expect(error).toBeInstanceOf(SipFormatError);
          return;
        }
        const parsed = SipUri.parse(built);
        const host = all.host.toLowerCase();
        expect([host, `[${host}]`]).toContain(parsed.host);
        expect(parsed.port).toBe(all.port);
        expect(parsed.user ?? "").toBe(all.user ?? "");
      }),
      { numRuns: 2000 },
    );
  });

  it("keep any user part", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1 }),
        host,
        port,
        (user, name, number) => {
          const parsed = SipUri.parse(buildSipUri({ user, host: name, port: number }));
          expect(parsed.user).toBe(user);
          expect(parsed.host).toBe(name.toLowerCase());
          expect(parsed.port).toBe(number);
          expect(parsed.equals(SipUri.parse(parsed.toString()))).toBe(true);
        },
      ),
    );
  });

  it("keep a reason", () => {
    const reason = fc.record({
      sipStatus: fc.integer({ min: 100, max: 699 }),
      q850: fc.integer({ min: 1, max: 127 }),
      text: fc.string({ minLength: 1, unit: "grapheme-ascii" }),
    });
    fc.assert(
      fc.property(reason, (value) => {
        const headers = Headers.of(formatReason(value).map((line) => ["Reason", line] as const));
        expect(parseReason(headers)).toEqual(value);
      }),
    );
  });
});

describe("whatever arrives, nothing but SipParseError is thrown", () => {
  it("for random octets", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        touch(Buffer.from(octets));
      }),
      { numRuns: 500 },
    );
  });

  it("for random octets behind a good start", () => {
    const start = Buffer.from("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        touch(Buffer.concat([start, Buffer.from(octets), Buffer.from("\r\n\r\n")]));
      }),
      { numRuns: 500 },
    );
  });

  it("for real messages with octets changed, put in, taken out and doubled", () => {
    const files = corpus().filter(({ octets }) => octets.length < 4000);
    const spicy = fc.constantFrom(
      ...Buffer.from('\r\n\t "\\<>;,=%:@?[]()\u0000\u007Fé0', "latin1"),
    );
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      kind: fc.constantFrom("change", "insert", "remove", "double"),
      octet: fc.oneof(spicy, fc.integer({ min: 0, max: 255 })),
      length: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        (file, edits) => {
          let octets = file.octets;
          for (const { at, kind, octet, length } of edits) {
            const index = Math.floor(at * octets.length);
            const [before, after] = [octets.subarray(0, index), octets.subarray(index)];
            const piece = after.subarray(0, length);
            const one = Buffer.from([octet]);
            if (kind === "change") octets = Buffer.concat([before, one, after.subarray(1)]);
            if (kind === "insert") octets = Buffer.concat([before, one, after]);
            if (kind === "remove") octets = Buffer.concat([before, after.subarray(length)]);
            if (kind === "double") octets = Buffer.concat([before, piece, after]);
          }
          touch(octets);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("for any text given to a value's parser", () => {
    const spicy = fc.string({
      unit: fc.oneof(
        fc.constantFrom(
          ...'\r\n\t "\\<>;,=%:@?[]/*'.split(""),
          "sip:",
          "SIP/2.0/UDP ",
          "%zz",
          "\uD800",
        ),
        fc.string({ maxLength: 2 }),
      ),
      maxLength: 30,
    });
    fc.assert(
      fc.property(spicy, (value) => {
        isOnlyParseError(() => NameAddr.parse(value));
        isOnlyParseError(() => NameAddr.parseList(value));
        isOnlyParseError(() => Via.parseList(value));
        isOnlyParseError(() => SipUri.parse(value));
        tryParseAuthHeader(value);
      }),
      { numRuns: 2000 },
    );
  });
});
