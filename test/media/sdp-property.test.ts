import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MediaError } from "../../src/media/errors.ts";
import { formatSdp, parseSdp } from "../../src/media/sdp.ts";
import type { Sdp } from "../../src/media/sdp.ts";

const ORIGIN = { id: "1", version: 1 };

const printable = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
const token = fc.string({ unit: printable, minLength: 1, maxLength: 12 });
/** A value of an attribute: no line end, and no blank at its end. */
const value = fc.string({ unit: "grapheme", maxLength: 40 }).map((text) =>
  text
    .toWellFormed()
    .replaceAll(/[\u0000-\u001F\u007F]/g, "")
    .trimEnd(),
);
const attribute = fc.record({
  name: token.map((name) => name.replaceAll(":", "-")),
  value: fc.option(value, { nil: undefined }),
});
const connection = fc.oneof(
  fc.ipV4().map((host) => ({ family: "IP4" as const, host })),
  fc.ipV6().map((host) => ({ family: "IP6" as const, host })),
);
const sdp: fc.Arbitrary<Sdp> = fc.record({
  connection: fc.option(connection, { nil: undefined }),
  attributes: fc.array(attribute, { maxLength: 6 }),
  media: fc.array(
    fc.record({
      type: fc.constantFrom("audio", "video", "image", "application"),
      port: fc.integer({ min: 0, max: 65_535 }),
      protocol: fc.constantFrom("RTP/AVP", "UDP/TLS/RTP/SAVPF", "udptl"),
      formats: fc.array(token, { minLength: 1, maxLength: 8 }),
      connection: fc.option(connection, { nil: undefined }),
      attributes: fc.array(attribute, { maxLength: 8 }),
    }),
    { maxLength: 6 },
  ),
});

describe("RFC 8866 SDP: format and parse are each other's inverse", () => {
  it("for any description that can be built", () => {
    fc.assert(
      fc.property(sdp, (given) => {
        const text = formatSdp(given, ORIGIN);
        expect(parseSdp(text)).toEqual(given);
        expect(formatSdp(parseSdp(text), ORIGIN)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it("with LF alone, as many send it", () => {
    fc.assert(
      fc.property(sdp, (given) => {
        const text = formatSdp(given, ORIGIN).replaceAll("\r\n", "\n");
        expect(parseSdp(text)).toEqual(given);
      }),
    );
  });

  it("whatever arrives is refused with ERR_OFFHOOK_MEDIA_SDP, or read again as it was read", () => {
    const line = fc.oneof(
      fc.constantFrom("v=0", "s=-", "t=0 0", "m=audio 1 RTP/AVP 0", "c=IN IP4 192.0.2.1", "a=x:y"),
      fc.string({ maxLength: 20 }),
      fc
        .tuple(fc.constantFrom("a=", "m=", "c=", "b="), fc.string({ maxLength: 20 }))
        .map(([type, rest]) => type + rest),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        let read: Sdp;
        try {
          read = parseSdp(["v=0", ...lines].join("\r\n"));
        } catch (error) {
          expect(error).toBeInstanceOf(MediaError);
          return;
        }
        expect(parseSdp(formatSdp(read, ORIGIN))).toEqual(read);
      }),
      { numRuns: 1000 },
    );
  });
});
