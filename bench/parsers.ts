import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Parser } from "sip.js/lib/core/messages/parser.js";
import { parseMessage } from "../src/signaling/message/parser.ts";
import { serializeMessage } from "../src/signaling/message/serializer.ts";
import { BROWSER_OFFER } from "./browser-offer.ts";

/**
 * Messages per second: our parser and serializer, and the parsers of other SIP stacks in
 * JavaScript, over one INVITE of a browser in one process.
 */

const INVITE = [
  "INVITE sip:1002@gateway.example.com SIP/2.0",
  "Via: SIP/2.0/WSS 5vk2sbqbdq1r.invalid;branch=z9hG4bK3287610",
  "To: <sip:1002@gateway.example.com>",
  'From: "Alice Müller" <sip:alice@gateway.example.com>;tag=qvd4l1p3ko',
  "CSeq: 2 INVITE",
  "Call-ID: 6vbgt0hs5cq1upp3ejtl",
  "Max-Forwards: 70",
  'Authorization: Digest algorithm=SHA-256, username="alice", realm="gateway.example.com", nonce="bm9uY2Utb2Ytb3Vycw", uri="sip:1002@gateway.example.com", response="6629fae49393a05397450978507c4ef1a5d3f2b0c1e44f0a9d1b2c3d4e5f6071", qop=auth, cnonce="0a4f113b", nc=00000001',
  "Contact: <sip:k3q0h2sa@5vk2sbqbdq1r.invalid;transport=ws;ob>",
  "Allow: ACK,CANCEL,INVITE,MESSAGE,BYE,OPTIONS,INFO,NOTIFY,REFER",
  "Supported: outbound",
  "User-Agent: Offhook/1.0 SIP.js/0.21.2",
  "Content-Type: application/sdp",
  `Content-Length: ${Buffer.byteLength(BROWSER_OFFER)}`,
  "",
  BROWSER_OFFER,
].join("\r\n");

/** One parser's figures. */
export interface ParserFigures {
  readonly name: string;
  /** Messages per second, the best of several rounds. */
  readonly perSecond: number;
  /** Of the messages that RFC 4475 wants refused, how many it refuses; undefined: no parser. */
  readonly refused: { readonly count: number; readonly of: number } | undefined;
}

/** @throws or gives undefined for what it does not take */
type Parse = (octets: Buffer) => unknown;

interface Contender {
  readonly name: string;
  readonly run: (octets: Buffer) => unknown;
  readonly isParser: boolean;
}

const require = createRequire(import.meta.url);

/** A function of a CommonJS package that has no types. */
function foreign(path: string, name: string): (...args: readonly unknown[]) => unknown {
  const exported: unknown = require(path);
  const found: unknown = (exported as Readonly<Record<string, unknown>>)[name];
  if (typeof found !== "function") throw new TypeError(`${path} has no ${name} any more`);
  return found as (...args: readonly unknown[]) => unknown;
}

function contenders(): readonly Contender[] {
  const silent = (): void => undefined;
  const logger = { log: silent, warn: silent, error: silent, debug: silent };
  const jsSip = foreign("jssip/lib/Parser.js", "parseMessage");
  const drachtio = foreign("drachtio-srf/lib/sip-parser/parser.js", "parseSipMessage");
  const sip = foreign("sip", "parse");
  const received = parseMessage(Buffer.from(INVITE, "utf8"));
  const parser = (name: string, run: Parse): Contender => ({ name, run, isParser: true });
  return [
    parser("Offhook: parse, read Via, From, To, CSeq, Call-ID", (octets) => {
      const message = parseMessage(octets);
      const { topmostVia, fromTag, to, cseq, callId } = message;
      return topmostVia.host + String(fromTag) + to.uri + String(cseq.number) + callId;
    }),
    parser("SIP.js 0.21: parse", (octets) =>
      // It takes text; its transport decodes the frame.
      Parser.parseMessage(octets.toString("utf8"), logger as never),
    ),
    parser("JsSIP 3: parse", (octets) => jsSip(octets.toString("utf8"), {})),
    parser("drachtio-srf 5: parse", (octets) => drachtio(octets.toString("utf8"), true)),
    parser("sip 0.0.6: parse", (octets) => sip(octets.toString("latin1"))),
    {
      name: "Offhook: serialize",
      run: () => serializeMessage(received),
      isParser: false,
    },
    {
      name: "Offhook: parse and serialize",
      run: (octets) => serializeMessage(parseMessage(octets)),
      isParser: false,
    },
  ];
}

/** @param effort milliseconds of one round and the number of rounds */
export function measureParsers(effort: {
  readonly roundMs: number;
  readonly rounds: number;
}): readonly ParserFigures[] {
  const octets = Buffer.from(INVITE, "utf8");
  const all = contenders();
  const best = new Map<string, number>();
  // Rounds are interleaved, so that a busy machine is unfair to nobody; the best round counts.
  for (let round = 0; round < effort.rounds; round += 1) {
    for (const { name, run } of all) {
      best.set(
        name,
        Math.max(
          best.get(name) ?? 0,
          measure(() => run(octets), effort.roundMs),
        ),
      );
    }
  }
  const torture = tortureMessages();
  return all.map(({ name, run, isParser }) => ({
    name,
    perSecond: best.get(name) ?? 0,
    refused: isParser
      ? { count: torture.filter((message) => isRefused(run, message)).length, of: torture.length }
      : undefined,
  }));
}

function measure(run: () => unknown, roundMs: number): number {
  const start = performance.now();
  let count = 0;
  let sink = 0;
  while (performance.now() - start < roundMs) {
    for (let index = 0; index < 20; index += 1) sink += run() === undefined ? 1 : 0;
    count += 20;
  }
  if (sink > 0) throw new Error("A parser refused the INVITE that is measured");
  return (count * 1000) / (performance.now() - start);
}

/** The messages of RFC 4475 that a parser must not take, as far as a parser can know. */
function tortureMessages(): readonly Buffer[] {
  const directory = join(import.meta.dirname, "../test/fixtures/sip");
  const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")) as {
    readonly files: readonly { readonly file: string; readonly outcome: string }[];
  };
  return manifest.files
    .filter(({ file, outcome }) => file.startsWith("rfc4475/") && outcome === "refuse")
    .map(({ file }) => readFileSync(join(directory, file)));
}

function isRefused(run: (octets: Buffer) => unknown, octets: Buffer): boolean {
  try {
    const message = run(octets);
    return message === undefined || message === null || message === false;
  } catch {
    return true;
  }
}
