import { describe, expect, it } from "vitest";
import { Headers } from "../../../src/signaling/message/headers.ts";
import { formatReason, parseReason } from "../../../src/signaling/message/reason.ts";

const read = (...values: string[]): ReturnType<typeof parseReason> =>
  parseReason(Headers.of(values.map((value) => ["Reason", value] as const)));

describe("RFC 3326: Reason", () => {
  it.each([
    [
      ['SIP ;cause=200 ;text="Call completed elsewhere"'],
      { sipStatus: 200, text: "Call completed elsewhere" },
    ],
    [['Q.850 ;cause=16 ;text="Terminated"'], { sipStatus: 200, q850: 16, text: "Terminated" }],
    [["q.850;cause=17, sip;cause=486"], { sipStatus: 486, q850: 17 }],
    [
      ["SIP;cause=600", 'Q.850;cause=21;text="a, \\"b\\""'],
      { sipStatus: 600, q850: 21, text: 'a, "b"' },
    ],
    [["X;cause=1;text=no", "Q.850;cause=31"], { sipStatus: 200, q850: 31 }],
    [["SIP;cause=487", "SIP;cause=200"], { sipStatus: 487 }],
    [['SIP;cause=486;text="\u00C3\u00A4"'], { sipStatus: 486, text: "ä" }],
  ])("reads %j", (values, reason) => {
    expect(read(...values)).toEqual(reason);
  });

  it.each([
    "",
    "SIP",
    "SIP;cause=",
    "SIP;cause=x",
    "SIP;cause=99",
    "SIP;cause=700",
    "Q.850;cause=128",
    "Q.850;cause=16;;",
    'Q.850;cause=16;text="',
    ";cause=16",
    "\u0000",
  ])("passes over %j", (value) => {
    expect(read(value)).toBeUndefined();
  });

  it("takes a default when only a Q.850 cause is given", () => {
    expect(parseReason(Headers.of([["Reason", "Q.850;cause=16"]]), 487)?.sipStatus).toBe(487);
  });

  it("writes one value per protocol", () => {
    expect(formatReason({ sipStatus: 486, q850: 17, text: 'Busy "now"\r\n' })).toEqual([
      'SIP;cause=486;text="Busy \\"now\\"  "',
      'Q.850;cause=17;text="Busy \\"now\\"  "',
    ]);
    expect(formatReason({ sipStatus: 200 })).toEqual(["SIP;cause=200"]);
  });
});
