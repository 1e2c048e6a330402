import { describe, expect, it } from "vitest";
import { parseAuthHeader } from "../../../src/signaling/message/auth-header.ts";
import { findPart } from "../../../src/signaling/message/multipart.ts";
import { NameAddr } from "../../../src/signaling/message/name-addr.ts";
import { tryParseMessage } from "../../../src/signaling/message/parser.ts";
import { splitList } from "../../../src/signaling/message/syntax.ts";
import { SipUri } from "../../../src/signaling/message/uri.ts";
import { Via } from "../../../src/signaling/message/via.ts";
import { growthOf } from "../../harness/growth.ts";

const quietly = (read: () => unknown): void => {
  try {
    read();
  } catch {
    // Only the time is of interest.
  }
};

const message = (text: string): void => {
  tryParseMessage(Buffer.from(text, "latin1"));
};

const START = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n";

/** Every scanner with the input that would hurt it most. */
const CASES: readonly (readonly [name: string, run: (size: number) => void])[] = [
  ["header lines without a colon", (n) => message(`${START}${"a\r\n".repeat(n)}:\r\n\r\n`)],
  ["header lines with a colon", (n) => message(`${START}${"a:\r\n".repeat(n)}\r\n`)],
  ["folds", (n) => message(`${START}X: a${"\r\n ".repeat(n)}\r\n\r\n`)],
  ["spaces in a header", (n) => message(`${START}X: ${" ".repeat(n)}a\r\n\r\n`)],
  ["spaces before a colon", (n) => message(`${START}X${" ".repeat(n)}: a\r\n\r\n`)],
  ["a head without end", (n) => message(START + "\r".repeat(n))],
  ["CRLF before the first line", (n) => message("\r\n".repeat(n))],
  ["control characters", (n) => message(`${START}X: ${'"\\\u0001'.repeat(n)}\r\n\r\n`)],
  ["Via lists", (n) => quietly(() => Via.parseList("SIP/2.0/UDP h,".repeat(n)))],
  ["Via parameters", (n) => quietly(() => Via.parse(`SIP/2.0/UDP h${";a".repeat(n)}`))],
  [
    "broken Via parameters",
    (n) => message(`INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h${";a".repeat(n)};;\r\n\r\n`),
  ],
  ["quotes", (n) => quietly(() => NameAddr.parse(`${'"'.repeat(n)}<sip:a@b>`))],
  ["escapes in quotes", (n) => quietly(() => NameAddr.parse(`"${'\\"'.repeat(n)}" <sip:a@b>`))],
  ["open quotes in a list", (n) => quietly(() => splitList('",'.repeat(n)))],
  ["open brackets in a list", (n) => quietly(() => NameAddr.parseList("<,".repeat(n)))],
  ["display name tokens", (n) => quietly(() => NameAddr.parse(`${"a ".repeat(n)}<sip:a@b>`))],
  ["octets above 127", (n) => quietly(() => NameAddr.parse(`${"é".repeat(n)}<sip:a@b>`))],
  ["blanks in a URI", (n) => quietly(() => NameAddr.parse(`<sip:a@b${" ;a".repeat(n)}>`))],
  ["URI parameters", (n) => quietly(() => SipUri.parse(`sip:a@b${";a=b".repeat(n)}`))],
  ["URI parameters without '='", (n) => quietly(() => SipUri.parse(`sip:a@b${";a".repeat(n)}`))],
  ["escapes in a URI", (n) => quietly(() => SipUri.parse(`sip:${"%41%ff".repeat(n)}@b`))],
  [
    "authentication parameters",
    (n) => quietly(() => parseAuthHeader(`Digest ${"a=b,".repeat(n)}`)),
  ],
  [
    "commas in an authentication header",
    (n) => quietly(() => parseAuthHeader(`Digest a=b${",".repeat(n)}`)),
  ],
  [
    "multipart delimiters",
    (n) => void findPart(Buffer.from("--b\r\n".repeat(n)), "multipart/mixed;boundary=b", "x/y"),
  ],
  [
    "multipart lines",
    (n) =>
      void findPart(
        Buffer.from(`--b\r\n${"a\r\n".repeat(n)}\r\n--b--`),
        "multipart/mixed;boundary=b",
        "x/y",
      ),
  ],
];

describe("time grows with the length, not with its square", () => {
  it.each(CASES)("%s", (_, run) => {
    expect(growthOf(run, { size: 16_000, factor: 2, bound: 2.5 })).toBeLessThan(2.5);
  });
});
