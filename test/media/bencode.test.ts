import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { encodeBencode } from "../../src/media/bencode.ts";
import type { NgValue } from "../../src/media/bencode.ts";
import { cookieOf, decodeNgDatagram } from "../../src/media/ng-datagram.ts";

/** `__proto__` is no key that rtpengine has, and a reply with it is refused; see below. */
const key = fc.string({ minLength: 1 }).filter((name) => name !== "__proto__");
const ngValue: fc.Arbitrary<NgValue> = fc.letrec<{ value: NgValue }>((tie) => ({
  value: fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4 }),
  ),
})).value;

describe("bencode", () => {
  it("sorts keys, counts octets, leaves out what has no value", () => {
    const octets = encodeBencode({ z: "ü", a: [1, "x", { k: -3 }], none: undefined });
    expect(octets.toString()).toBe("d1:ali1e1:xd1:ki-3eee1:z2:üe");
  });

  it("keeps the octets of a sound that are no UTF-8", () => {
    const blob = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
    const octets = encodeBencode({ blob });
    expect(octets.subarray(0, 11).toString("latin1")).toBe("d4:blob256:");
    expect(octets.subarray(11, -1).equals(blob)).toBe(true);
  });

  it("is what the decoder of the replies reads", () => {
    const cookie = "0".repeat(36);
    const datagram = Buffer.concat([
      Buffer.from(`${cookie} `),
      encodeBencode({ sdp: "v=0", n: 7 }),
    ]);
    expect(cookieOf(datagram)).toBe(cookie);
    expect(decodeNgDatagram(datagram)).toEqual({ sdp: "v=0", n: 7 });
  });

  it("says whatever the decoder of the replies reads back", () => {
    fc.assert(
      fc.property(fc.dictionary(key, ngValue), (message) => {
        const cookie = "c".repeat(36);
        const datagram = encodeBencode(message, `${cookie} `);
        const data = decodeNgDatagram(datagram);
        expect(cookieOf(datagram)).toBe(cookie);
        expect(JSON.stringify(sorted(data))).toBe(JSON.stringify(sorted(message)));
      }),
    );
  });

  it("lets no reply set a prototype, at any depth, but takes the name as a text", () => {
    const cookie = "c".repeat(36);
    const bad = "d9:__proto__d6:resultl2:okeee";
    for (const body of [bad, `d4:tags${bad}e`, `d5:callsl${bad}ee`]) {
      expect(() => decodeNgDatagram(Buffer.from(`${cookie} ${body}`))).toThrow("__proto__");
    }
    const text = encodeBencode({ sdp: "9:__proto__", "__proto__ ": { n: 1 } }, `${cookie} `);
    expect(decodeNgDatagram(text)).toMatchObject({ sdp: "9:__proto__" });
  });

  it("puts texts before, between and behind octets in their order", () => {
    const octets = encodeBencode(
      { a: "ä", b: Buffer.from([0xff]), c: ["x", Buffer.from("y"), 1] },
      "p ",
    );
    const expected = [
      Buffer.from("p d1:a2:ä1:b1:"),
      Buffer.from([0xff]),
      Buffer.from("1:cl1:x1:yi1eee"),
    ];
    expect(octets.equals(Buffer.concat(expected))).toBe(true);
  });
});

/** With its keys in order at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, item]) => [key, sorted(item)]);
}
