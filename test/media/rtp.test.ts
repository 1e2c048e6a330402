import { describe, expect, it } from "vitest";

import { DigitReceiver } from "../../src/media/service/digit-receiver.ts";
import { fromMuLaw } from "../../src/media/service/g711.ts";
import {
  formatRtp,
  timestampDistance,
  tryParseRtp,
  type RtpPacket,
} from "../../src/media/service/rtp.ts";

describe("G.711 µ-law to A-law", () => {
  it.each([
    ["zero", 0xff, 0xd5],
    ["the other zero", 0x7f, 0xd5],
    ["the positive peak", 0x80, 0xaa],
    ["the negative peak", 0x00, 0x2a],
  ])("%s", (_what, muLaw, aLaw) => {
    expect(fromMuLaw(Buffer.of(muLaw), "PCMA")).toEqual(Buffer.of(aLaw));
    expect(fromMuLaw(Buffer.of(muLaw), "PCMU")).toEqual(Buffer.of(muLaw));
  });

  it("keeps the order of levels", () => {
    const positive = Array.from({ length: 128 }, (_, index) => 0xff - index);
    const levels = [...fromMuLaw(Buffer.from(positive), "PCMA")].map((octet) => octet ^ 0xd5);
    expect(levels).toEqual(levels.toSorted((left, right) => left - right));
  });
});

const PACKET: RtpPacket = {
  payloadType: 101,
  hasMarker: true,
  sequenceNumber: 65_535,
  timestamp: 4_294_967_295,
  ssrc: 7,
  payload: Buffer.of(5, 10, 0, 160),
};

describe("RFC 3550 §5.1 RTP", () => {
  it("reads what it writes", () => {
    expect(tryParseRtp(formatRtp(PACKET))).toEqual(PACKET);
  });

  it("skips CSRCs, an extension and padding", () => {
    const packet = Buffer.concat([
      Buffer.of(0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
      Buffer.of(0, 0, 0, 9),
      Buffer.of(0xbe, 0xde, 0, 1, 1, 2, 3, 4),
      Buffer.of(0x22, 0x23, 0, 2),
    ]);
    expect(tryParseRtp(packet)?.payload).toEqual(Buffer.of(0x22, 0x23));
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a short one", Buffer.alloc(11, 0x80)],
    ["another version", Buffer.alloc(20, 0x40)],
    ["RTCP", Buffer.of(0x80, 200, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)],
    ["more padding than packet", Buffer.of(0xa0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 200)],
    ["an extension that is not there", Buffer.of(0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)],
    ["an extension that is too long", Buffer.of(0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 9, 9)],
  ])("refuses %s", (_what, octets) => {
    expect(tryParseRtp(octets)).toBeUndefined();
  });

  it("counts timestamps across their end", () => {
    expect(timestampDistance(4_294_967_295, 159)).toBe(160);
    expect(timestampDistance(159, 4_294_967_295)).toBe(-160);
  });
});

describe("RFC 4733 §2.3 telephone-event", () => {
  it("counts a digit at its first packet, once, also when its end or begin is lost", () => {
    const receiver = new DigitReceiver();
    const at = (timestamp: number, code = 5): string | undefined =>
      receiver.receive({ ...PACKET, timestamp, payload: Buffer.of(code, 10, 0, 160) });
    expect([at(1000), at(1000), at(1000)]).toEqual(["5", undefined, undefined]);
    expect([at(2000), at(1000), at(2000)]).toEqual(["5", undefined, undefined]);
    expect([at(3000, 11), at(4000, 15), at(5000, 16)]).toEqual(["#", "D", undefined]);
  });

  it("begins anew with another stream, and refuses a payload that is too short", () => {
    const receiver = new DigitReceiver();
    expect(receiver.receive(PACKET)).toBe("5");
    expect(receiver.receive({ ...PACKET, ssrc: 8, timestamp: 1 })).toBe("5");
    expect(receiver.receive({ ...PACKET, ssrc: 9, payload: Buffer.of(5, 10, 0) })).toBeUndefined();
  });
});
