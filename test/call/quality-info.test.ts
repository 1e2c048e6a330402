import { describe, expect, it } from "vitest";
import { tryParseQuality } from "../../src/call/quality-info.ts";

const REPORT = {
  inbound: { packets: 10, lost: 1, jitterMs: 2.5 },
  outbound: { packets: 9, lost: 0 },
  concealedShare: 0.1,
  iceRoundTripMs: 20,
};
const read = (value: unknown) => tryParseQuality(Buffer.from(JSON.stringify(value)));

describe("what a browser says of its sound", () => {
  it("is a few numbers", () => {
    expect(read(REPORT)).toEqual(REPORT);
  });

  it.each([
    ["text in the place of a number", { ...REPORT, concealedShare: "0" }],
    ["a number out of bounds", { ...REPORT, concealedShare: 2 }],
    ["a negative count", { ...REPORT, inbound: { packets: -1, lost: 0 } }],
    ["another key", { ...REPORT, note: "x" }],
    ["nothing", {}],
    ["no object", 7],
  ])("is not taken with %s", (_what, value) => {
    expect(read(value)).toBeUndefined();
  });

  it("is not taken when it is no JSON, or longer than it can be", () => {
    expect(tryParseQuality(Buffer.from("{"))).toBeUndefined();
    expect(tryParseQuality(Buffer.from(JSON.stringify(REPORT).padEnd(2_000)))).toBeUndefined();
  });
});
