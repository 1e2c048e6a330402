/**
 * Messages per second: our parser and serializer, and the parsers of SIP.js and JsSIP, over one
 * INVITE of a browser in one process. Run: `node bench/parse.ts`.
 */
import { createRequire } from "node:module";
import { Parser } from "sip.js/lib/core/messages/parser.js";
import { serializeMessage } from "../src/signaling/message/serializer.ts";
import { parseMessage } from "../src/signaling/message/parser.ts";

const ROUND_MS = 400;
const ROUNDS = 5;

const SDP = [
  "v=0",
  "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0",
  "a=extmap-allow-mixed",
  "a=msid-semantic: WMS 5b1a3e2c-8c3f-4f0a-9f0e-2d1a77c0a9d1",
  "m=audio 51472 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
  "c=IN IP4 192.0.2.44",
  "a=rtcp:9 IN IP4 0.0.0.0",
  "a=candidate:2162486046 1 udp 2122260223 192.0.2.44 51472 typ host generation 0 network-id 1",
  "a=candidate:3482291023 1 tcp 1518280447 192.0.2.44 9 typ host tcptype active generation 0",
  "a=candidate:842163049 1 udp 1686052607 198.51.100.7 51472 typ srflx raddr 192.0.2.44 rport 51472",
  "a=ice-ufrag:EsAw",
  "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
  "a=ice-options:trickle",
  "a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E",
  "a=setup:actpass",
  "a=mid:0",
  "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
  "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
  "a=sendrecv",
  "a=msid:5b1a3e2c-8c3f-4f0a-9f0e-2d1a77c0a9d1 c2c4e1ab-71a1-4b1c-a4f8-b1de6a4bd2f8",
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "a=rtcp-fb:111 transport-cc",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:63 red/48000/2",
  "a=fmtp:63 111/111",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:13 CN/8000",
  "a=rtpmap:110 telephone-event/48000",
  "a=rtpmap:126 telephone-event/8000",
  "a=ssrc:1563240361 cname:sTMzkSxKFFFmHgnA",
  "a=ssrc:1563240361 msid:5b1a3e2c-8c3f-4f0a-9f0e-2d1a77c0a9d1 c2c4e1ab-71a1-4b1c-a4f8-b1de6a4bd2f8",
  "",
].join("\r\n");

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
  `Content-Length: ${Buffer.byteLength(SDP)}`,
  "",
  SDP,
].join("\r\n");

const octets = Buffer.from(INVITE, "utf8");
let sink = 0;

type ForeignParser = (data: string, ua: unknown) => unknown;

function isParser(value: unknown): value is ForeignParser {
  return typeof value === "function";
}

function requireParser(): ForeignParser {
  const exported: unknown = createRequire(import.meta.url)("jssip/lib/Parser.js");
  if (typeof exported !== "object" || exported === null || !("parseMessage" in exported)) {
    throw new TypeError("jssip has no such parser any more");
  }
  const { parseMessage: parse } = exported;
  if (!isParser(parse)) throw new TypeError("jssip has no such parser any more");
  return parse;
}

const parseWithJsSip = requireParser();
const silent = (): void => {};
const sipJsLogger = { log: silent, warn: silent, error: silent, debug: silent };

const received = parseMessage(octets);

const CONTENDERS: readonly (readonly [name: string, run: () => void])[] = [
  [
    "offhook: parse, read Via From To CSeq Call-ID",
    () => {
      const message = parseMessage(octets);
      sink += message.topmostVia.host.length + (message.fromTag?.length ?? 0);
      sink += message.to.uri.length + message.cseq.number + message.callId.length;
    },
  ],
  [
    "offhook: parse and serialize",
    () => {
      sink += serializeMessage(parseMessage(octets)).length;
    },
  ],
  [
    "offhook: serialize",
    () => {
      sink += serializeMessage(received).length;
    },
  ],
  [
    "sip.js 0.21: parse",
    () => {
      // It takes text; its transport decodes the frame.
      const message = Parser.parseMessage(octets.toString("utf8"), sipJsLogger as never);
      sink += message?.callId.length ?? 0;
    },
  ],
  [
    "jssip 3: parse",
    () => {
      const message = parseWithJsSip(octets.toString("utf8"), {});
      sink += message === undefined ? 0 : 1;
    },
  ],
];

function measure(run: () => void): number {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < ROUND_MS) {
    for (let index = 0; index < 20; index += 1) run();
    count += 20;
  }
  return (count * 1000) / (performance.now() - start);
}

// Rounds are interleaved, so that a busy machine is unfair to nobody; the best round counts.
const best = new Map<string, number>();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, run] of CONTENDERS) best.set(name, Math.max(best.get(name) ?? 0, measure(run)));
}
process.stdout.write(`INVITE of ${octets.length} octets, Node ${process.version}\n`);
for (const [name, perSecond] of best) {
  const rate = Math.round(perSecond).toLocaleString("en");
  process.stdout.write(`${name.padEnd(48)}${rate.padStart(12)} /s\n`);
}
if (sink === 0) process.stdout.write("nothing was measured\n");
