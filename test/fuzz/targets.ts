import {
  formatDigestChallenge,
  formatDigestCredentials,
  tryParseAuthHeader,
  tryParseDigestChallenge,
  tryParseDigestCredentials,
} from "../../src/signaling/message/auth-header.ts";
import { buildResponse } from "../../src/signaling/message/build.ts";
import { SipFormatError, SipParseError } from "../../src/signaling/message/errors.ts";
import { NameAddr } from "../../src/signaling/message/name-addr.ts";
import {
  SipMessageError,
  parseMessage,
  tryParseMessage,
} from "../../src/signaling/message/parser.ts";
import type { SipMessage } from "../../src/signaling/message/message.ts";
import { parseReason } from "../../src/signaling/message/reason.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { SipUri, buildSipUri } from "../../src/signaling/message/uri.ts";
import { Via } from "../../src/signaling/message/via.ts";
import { MediaError } from "../../src/media/errors.ts";
import { readDescription, selectOfferCodecs, sdpForRtpengine } from "../../src/media/sdp-filter.ts";
import { formatSdp, parseSdp } from "../../src/media/sdp.ts";
import { BARESIP_OFFER, FIREFOX_OFFER, asteriskSdp, chromiumSdp } from "../media/samples.ts";
import { corpus } from "../signaling/message/corpus.ts";
import type { Target } from "./fuzzer.ts";

function mustBeEqual(left: string, right: string, what: string): void {
  if (left !== right)
    throw new Error(`${what}: ${JSON.stringify(left)} became ${JSON.stringify(right)}`);
}

/** Every value of a message out of the parser: none may throw. */
function touch(message: SipMessage): void {
  void [message.vias, message.from.sipUri, message.to.sipUri, message.callId, message.cseq];
  void [message.contacts, message.contact?.sipUri, message.routes, message.recordRoutes];
  void [message.maxForwards, message.expires, message.contentType, message.sdp];
  if (message.kind === "request") void [message.uri, message.uri.equals(message.uri)];
  for (const name of ["Authorization", "Proxy-Authorization", "WWW-Authenticate"]) {
    for (const value of message.headers.getAll(name)) tryParseAuthHeader(value);
  }
  parseReason(message.headers);
}

function runMessage(octets: Buffer): void {
  tryParseMessage(octets, { stream: true });
  const message = tryParseMessage(octets);
  if (message instanceof SipMessageError) {
    const { partial, status } = message;
    if (partial === undefined) return;
    try {
      serializeMessage(buildResponse(partial, status, { toTag: "t" }));
    } catch (error) {
      // What is left of it may be too little to answer: the receiver drops it then.
      if (!(error instanceof SipParseError || error instanceof SipFormatError)) throw error;
    }
    return;
  }
  touch(message);
  // What was accepted is accepted again, and nothing changes any more.
  const wire = serializeMessage(message);
  const again = parseMessage(wire);
  mustBeEqual(wire.toString("latin1"), serializeMessage(again).toString("latin1"), "a message");
  if (message.kind === "request" && message.method !== "ACK") {
    parseMessage(serializeMessage(buildResponse(message, 486, { toTag: "t" })));
  }
}

function unlessRefused<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SipParseError || error instanceof MediaError) return undefined;
    throw error;
  }
}

function runUri(octets: Buffer): void {
  const text = octets.toString("latin1");
  const uri = unlessRefused(() => SipUri.parse(text));
  if (uri !== undefined) {
    if (!uri.equals(SipUri.parse(uri.toString()))) throw new Error("a URI does not equal itself");
    if (uri.scheme === "sip" && uri.user !== undefined) {
      const { user, host, port } = uri;
      const rebuilt = SipUri.parse(buildSipUri({ user, host, port }));
      mustBeEqual(user, rebuilt.user ?? "", "a user");
      mustBeEqual(host, rebuilt.host, "a host");
    }
  }
  for (const address of unlessRefused(() => NameAddr.parseList(text)) ?? []) {
    void [address.sipUri, address.tag];
    const again = NameAddr.parse(address.toString());
    mustBeEqual(address.uri, again.uri, "the URI of a name-addr");
    mustBeEqual(address.displayName ?? "", again.displayName ?? "", "a display name");
  }
  for (const via of unlessRefused(() => Via.parseList(text)) ?? []) {
    const stamped = via.withParams({ received: "192.0.2.1", rport: 5060 });
    mustBeEqual(stamped.toString(), Via.parse(stamped.toString()).toString(), "a Via");
    mustBeEqual("192.0.2.1", Via.parse(stamped.toString()).received ?? "", "received");
  }
}

function runSdp(octets: Buffer): void {
  const text = octets.toString("utf8");
  const sdp = unlessRefused(() => parseSdp(text));
  if (sdp === undefined) return;
  const printed = formatSdp(sdp, { id: "1", version: 1 });
  mustBeEqual(JSON.stringify(sdp), JSON.stringify(parseSdp(printed)), "an SDP");
  for (const kind of ["webrtc", "rtp"] as const) {
    const description = unlessRefused(() => readDescription(text, kind));
    if (description === undefined) continue;
    const keep = description.codecs.map(({ key }) => key);
    const codecs = selectOfferCodecs(description.codecs, keep);
    parseSdp(
      formatSdp(sdpForRtpengine(description, codecs, kind, "0123456789abcdef0123"), {
        id: "1",
        version: 1,
      }),
    );
  }
}

function runDigest(octets: Buffer): void {
  const text = octets.toString("latin1");
  tryParseAuthHeader(text);
  const challenge = tryParseDigestChallenge(text);
  if (challenge !== undefined) {
    const again = tryParseDigestChallenge(formatDigestChallenge(challenge));
    mustBeEqual(JSON.stringify(challenge), JSON.stringify(again), "a challenge");
  }
  const credentials = tryParseDigestCredentials(text);
  if (credentials !== undefined) {
    const again = tryParseDigestCredentials(formatDigestCredentials(credentials));
    mustBeEqual(JSON.stringify(credentials), JSON.stringify(again), "credentials");
  }
}

function octetsOf(texts: readonly string[]): readonly Buffer[] {
  return texts.map((text) => Buffer.from(text, "latin1"));
}

const HEADER_NAMES = [
  "Via",
  "From",
  "To",
  "Call-ID",
  "CSeq",
  "Contact",
  "Route",
  "Record-Route",
  "Max-Forwards",
  "Expires",
  "Content-Type",
  "Content-Length",
  "Require",
  "Authorization",
  "Reason",
  "Date",
];

const MESSAGE: Target = {
  name: "message",
  seeds: corpus().map(({ octets }) => octets),
  words: [
    ...HEADER_NAMES.map((name) => `\r\n${name}: `),
    ..."vftimclekso".split("").map((letter) => `\r\n${letter}: `),
    "INVITE ",
    "ACK ",
    "REGISTER ",
    " SIP/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "SIP/2.0/UDP ",
    "\r\n\r\n",
    "\r\n ",
    "\r\n\t",
    "\r\n",
    "sip:",
    "sips:",
    "tel:",
    "<sip:a@b>",
    ";tag=",
    ";branch=z9hG4bK",
    ";rport",
    ";received=192.0.2.1",
    "[::1]",
    "multipart/mixed;boundary=b",
    "\r\n--b\r\n",
    "\r\n--b--",
    "application/sdp",
    "Digest ",
    "*",
    '"',
    '\\"',
    "%00",
    "%zz",
    "\u00C3\u00A4",
  ],
  maxOctets: 70_000,
  run: runMessage,
};

const URI: Target = {
  name: "uri",
  seeds: [
    ...octetsOf([
      "sip:alice;x=y:p%40ss@Example.COM:5061;Transport=ws;lr;m%61ddr=a%2Fb?Subject=x&a=b",
      "sips:[2001:db8::1]:5061;lr",
      "tel:+1-201-555;phone-context=example.com",
      "urn:service:sos",
      '"Bob \\"B\\"" <sip:bob@biloxi.com;transport=tcp>;tag=1;q=0.7',
      "SIP / 2.0 / UDP first.example.com: 4000;ttl=16;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
      "SIP/2.0/WSS [::1]:443;rport;received=192.0.2.1, SIP/2.0/UDP h",
    ]),
    ...corpus("rfc4475/").flatMap(({ octets }) => valuesOf(octets)),
  ],
  words: [
    "sip:",
    "sips:",
    "tel:",
    "http:",
    "urn:",
    "@",
    ";",
    "=",
    "?",
    "&",
    "%40",
    "%00",
    "%zz",
    "%C3%A4",
    ";transport=tcp",
    ";lr",
    ";maddr=",
    ";user=phone",
    ";method=",
    ";ttl=1",
    ":5060",
    "[::1]",
    "192.0.2.1",
    "SIP/2.0/UDP ",
    " / ",
    ";branch=z9hG4bK",
    ";rport",
    ";received=",
    ";tag=",
    "<",
    ">",
    '"',
    '\\"',
    ", ",
  ],
  maxOctets: 8192,
  run: runUri,
};

const SDP: Target = {
  name: "sdp",
  seeds: [
    ...octetsOf([chromiumSdp(), FIREFOX_OFFER, asteriskSdp(), BARESIP_OFFER]),
    ...corpus("gateway-attacks/")
      .map(({ octets }) => octets.subarray(octets.indexOf("\r\n\r\n") + 4))
      .filter((body) => body.length > 0),
  ],
  words: [
    "v=0\r\n",
    "m=audio 4000 RTP/AVP 0\r\n",
    "m=video 0 RTP/AVP 31\r\n",
    "c=IN IP4 192.0.2.1\r\n",
    "c=IN IP6 ::1\r\n",
    "a=rtpmap:0 PCMU/8000\r\n",
    "a=rtpmap:101 telephone-event/8000\r\n",
    "a=fmtp:",
    "a=sendrecv\r\n",
    "a=inactive\r\n",
    "a=mid:0\r\n",
    "a=group:BUNDLE 0\r\n",
    "a=rtcp-mux\r\n",
    "a=candidate:",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:",
    "a=fingerprint:sha-256 ",
    "a=setup:actpass\r\n",
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "a=ssrc:",
    "UDP/TLS/RTP/SAVPF",
    "RTP/SAVP",
    " typ host",
    "a=bundle-only\r\n",
  ],
  maxOctets: 70_000,
  run: runSdp,
};

const DIGEST: Target = {
  name: "digest",
  seeds: octetsOf([
    'Digest realm="biloxi.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41", stale=TRUE, algorithm=MD5',
    'Digest username="bob", realm="biloxi.com", nonce="dcd98b7102dd", uri="sip:bob@biloxi.com", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc"',
    "digest username=a,realm=b,nonce=c,uri=d,response=e,algorithm=SHA-256",
    "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    'NoOneKnowsThisScheme opaque-data=here,"',
    'Digest ,,username="a\\"b\\\\", realm="\u00C3\u00A4",,nonce=""',
  ]),
  words: [
    "Digest ",
    "realm=",
    "nonce=",
    "username=",
    "uri=",
    "response=",
    "cnonce=",
    "opaque=",
    "nc=00000001",
    "qop=auth",
    'qop="auth,auth-int"',
    "stale=true",
    "algorithm=SHA-256",
    '"',
    '\\"',
    "\\\\",
    ",",
    ", ",
    "=",
    '=""',
    "userhash=true",
    "domain=",
    "charset=UTF-8",
    "username*=UTF-8''a",
  ],
  maxOctets: 8192,
  run: runDigest,
};

/** The values of the header lines of a message. */
function valuesOf(octets: Buffer): readonly Buffer[] {
  return octetsOf(
    octets
      .toString("latin1")
      .split("\r\n")
      .map((line) => line.slice(line.indexOf(":") + 1).trim())
      .filter((value) => value.includes(":") || value.includes("SIP/2.0/")),
  );
}

/** What `npm run fuzz` knows. */
export const TARGETS: readonly Target[] = [MESSAGE, URI, SDP, DIGEST];
