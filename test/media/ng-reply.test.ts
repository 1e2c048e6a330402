import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { encodeBencode, type NgValue } from "../../src/media/bencode.ts";
import { isDictionary } from "../../src/media/ng-client.ts";
import { decodeNgDatagram } from "../../src/media/ng-datagram.ts";
import { readLegHealth, readMediaStatistics } from "../../src/media/report.ts";

const COOKIE = `${"c".repeat(36)} `;
const TAGS = ["caller", "callee", "never answered"];

/** A reply with this one is refused, or the key stepped over; see below. */
const key = fc.string().filter((name) => name !== "__proto__");
/** What rtpengine says that nobody reads, and what it may say one day. */
const noise: fc.Arbitrary<NgValue> = fc.letrec<{ value: NgValue }>((tie) => ({
  value: fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
})).value;

/** A dictionary with these values, some of them missing or of another kind, among others. */
function among(values: Readonly<Record<string, fc.Arbitrary<NgValue>>>): fc.Arbitrary<NgValue> {
  const known = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      fc.oneof({ weight: 8, arbitrary: value }, { weight: 1, arbitrary: noise }),
    ]),
  );
  return fc
    .tuple(
      fc.dictionary(
        fc.string().map((key) => `other ${key}`),
        noise,
        { maxKeys: 2 },
      ),
      fc.record(known, { requiredKeys: [] }),
    )
    .map(([others, own]) => ({ ...others, ...own }));
}

const count = fc.nat();
const flags = fc.array(
  fc.oneof(
    fc.constantFrom<NgValue>("RTP", "RTCP", "ICE", "confirmed", "transcoding"),
    fc.constantFrom<NgValue>("DTLS fingerprint verified", "DTLS-SRTP", "", 7),
  ),
  { maxLength: 5 },
);
const ssrc = fc.constantFrom(1, 793_827_557);
const score = among({ MOS: count, jitter: count, "round-trip time": count, "packet loss": count });
const stream = among({
  flags,
  SSRC: ssrc,
  "ingress SSRCs": fc.array(among({ SSRC: ssrc }), { maxLength: 2 }),
  stats: among({ packets: count, errors: count }),
});
const media = among({
  type: fc.constantFrom("audio", "video"),
  protocol: fc.constantFrom("RTP/AVP", "UDP/TLS/RTP/SAVPF"),
  flags,
  streams: fc.array(stream, { maxLength: 3 }),
});
const monologue = among({ medias: fc.array(media, { maxLength: 2 }) });
const statistics = among({
  result: fc.constant("ok"),
  tags: fc.record(
    { caller: monologue, callee: monologue, "<untagged 1>": monologue },
    { requiredKeys: [] },
  ),
  SSRC: among({
    "1": among({ "average MOS": score, "lowest MOS": score }),
    "793827557": among({ "average MOS": score, "lowest MOS": score }),
  }),
});

function dictionaryOf(datagram: Buffer, command?: string): Readonly<Record<string, unknown>> {
  const data = decodeNgDatagram(datagram, command);
  if (!isDictionary(data)) throw new Error("no dictionary");
  return data;
}

const description = among({
  result: fc.constant("ok"),
  "error-reason": fc.string({ unit: "grapheme" }),
  sdp: fc.string({ unit: "grapheme" }),
});

describe("the SDP in a reply to offer and answer", () => {
  it("is what the package's decoder reads, whatever stands beside it", () => {
    fc.assert(
      fc.property(description, fc.constantFrom("offer", "answer"), (reply, command) => {
        const datagram = encodeBencode(reply, COOKIE);
        const all = dictionaryOf(datagram);
        const texts = ["result", "error-reason", "sdp"].map((name): [string, unknown] => [
          name,
          typeof all[name] === "object" ? undefined : all[name],
        ]);
        expect(dictionaryOf(datagram, command)).toEqual(Object.fromEntries(texts));
      }),
      { numRuns: 500 },
    );
  });

  it("is refused where the reply is cut off, at each octet", () => {
    const datagram = encodeBencode({ result: "ok", sdp: "v=0\r\n" }, COOKIE);
    for (let end = 0; end < datagram.length; end += 1) {
      expect(() => decodeNgDatagram(datagram.subarray(0, end), "offer")).toThrow("bencode");
    }
  });
});

describe("the statistics in a reply to query and delete", () => {
  it("are those that the package's decoder reads, whatever stands beside them", () => {
    fc.assert(
      fc.property(statistics, fc.constantFrom("query", "delete"), (reply, command) => {
        const datagram = encodeBencode(reply, COOKIE);
        const [some, all] = [dictionaryOf(datagram, command), dictionaryOf(datagram)];
        expect(some["result"]).toEqual(
          typeof all["result"] === "object" ? undefined : all["result"],
        );
        expect(readMediaStatistics(some, TAGS)).toEqual(readMediaStatistics(all, TAGS));
        expect(readLegHealth(some, TAGS)).toEqual(readLegHealth(all, TAGS));
      }),
      { numRuns: 500 },
    );
  });

  it("are all that is taken", () => {
    const reply = {
      created: 1,
      result: "ok",
      tags: { caller: { tag: "caller", medias: [{ index: 1, flags: ["ICE", "transcoding"] }] } },
    };
    expect(decodeNgDatagram(encodeBencode(reply, COOKIE), "query")).toEqual({
      result: "ok",
      tags: { caller: { medias: [{ flags: ["transcoding"] }] } },
    });
  });

  it("are refused where the reply is cut off, at each octet", () => {
    const reply = { result: "ok", SSRC: { "1": {} }, tags: { a: { b: [-1, "x", { c: "y" }] } } };
    const datagram = encodeBencode(reply, COOKIE);
    expect(decodeNgDatagram(datagram, "query")).toMatchObject({ result: "ok" });
    for (let end = 0; end < datagram.length; end += 1) {
      expect(() => decodeNgDatagram(datagram.subarray(0, end), "query")).toThrow("bencode");
    }
  });

  it.each([
    "",
    "x",
    "d",
    "di1e",
    "d-1:ae",
    "d3:tage",
    "d4:tagsd1:a",
    "d6:resulti--1ee",
    "di1ei2ee",
  ])("are refused when the bencode is %o", (text) => {
    expect(() => decodeNgDatagram(Buffer.from(`${COOKIE}${text}`), "query")).toThrow("bencode");
  });

  it("set no prototype", () => {
    const own = Buffer.from(`${COOKIE}d4:tagsd9:__proto__d6:resultl2:okeeee`);
    expect(() => decodeNgDatagram(own, "query")).toThrow("__proto__");
    const stepped = Buffer.from(`${COOKIE}d9:__proto__d6:resultl2:okee6:result2:oke`);
    expect(decodeNgDatagram(stepped, "query")).toEqual({ result: "ok" });
  });

  it("end a reply of any octets at once, with an error or without", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from("ilde:-0129ax")) }), (text) => {
        const datagram = Buffer.from(`${COOKIE}${text}`);
        try {
          decodeNgDatagram(datagram, "query");
        } catch (error) {
          expect(String(error)).toContain("bencode");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
