import { describe, expect, it } from "vitest";

import { DTMF, DTMF_RELAY, formatDigit, readDigit } from "../../src/call/dtmf-info.ts";
import type { SipRequest } from "../../src/signaling/message/message.ts";
import { parseMessage } from "../../src/signaling/message/parser.ts";

function info(type: string, body: string): SipRequest {
  const message = parseMessage(
    Buffer.from(
      [
        "INFO sip:x@192.0.2.1 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1",
        "From: <sip:a@192.0.2.2>;tag=1",
        "To: <sip:b@192.0.2.1>;tag=2",
        "Call-ID: 1",
        "CSeq: 1 INFO",
        "Max-Forwards: 70",
        `Content-Type: ${type}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        "",
        body,
      ].join("\r\n"),
    ),
  );
  if (message.kind !== "request") throw new Error("not a request");
  return message;
}

describe("digits in SIP INFO", () => {
  it.each([
    [DTMF_RELAY, "Signal=5\r\nDuration=160\r\n", { digit: "5", durationMs: 160 }],
    [DTMF_RELAY, "Signal= *\nDuration= 250", { digit: "*", durationMs: 250 }],
    [DTMF_RELAY, "signal=a\r\n", { digit: "A", durationMs: undefined }],
    [DTMF_RELAY, "Signal=11\r\nDuration=100", { digit: "#", durationMs: 100 }],
    [`${DTMF_RELAY};charset=utf-8`, "Signal=D", { digit: "D", durationMs: undefined }],
    [DTMF, "7", { digit: "7", durationMs: undefined }],
    [DTMF, " # \r\n", { digit: "#", durationMs: undefined }],
  ])("%s %j is read", (type, body, digit) => {
    expect(readDigit(info(type, body))).toEqual(digit);
  });

  it.each([
    [DTMF_RELAY, "", "unusable"],
    [DTMF_RELAY, "Duration=100", "unusable"],
    [DTMF_RELAY, "Signal=16", "unusable"],
    [DTMF_RELAY, "Signal=55", "unusable"],
    [DTMF, "x", "unusable"],
    [DTMF, "1".repeat(300), "unusable"],
    ["application/media_control+xml", "<x/>", "unsupported"],
    ["text/plain", "5", "unsupported"],
  ] as const)("%s %j is %s", (type, body, outcome) => {
    expect(readDigit(info(type, body))).toBe(outcome);
  });

  it("reads what it writes, for every digit", () => {
    for (const digit of "0123456789*#ABCD") {
      for (const type of [DTMF_RELAY, DTMF] as const) {
        const body = formatDigit(type, { digit, durationMs: 120 }).toString();
        expect(readDigit(info(type, body))).toMatchObject({ digit });
      }
    }
  });
});
