/**
 * SDP (RFC 8866) as far as a gateway for audio needs it: split into sections and lines, printed
 * again. It is hostile input, so everything has a bound and no line is scanned twice.
 *
 * Nothing here judges what an attribute means; `sdp-filter.ts` does.
 */
import { randomInt } from "node:crypto";
import { isIP } from "node:net";
import { MediaError } from "./errors.ts";

/** An `a=` line: `a=name` or `a=name:value`. */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string | undefined;
}

/** A `c=` line's address. */
export interface SdpConnection {
  readonly family: "IP4" | "IP6";
  /** A literal address; `0.0.0.0` is the hold of RFC 2543. */
  readonly host: string;
}

/** An `m=` line with its lines below it. */
export interface SdpMedia {
  /** `audio`, `video`, `image`, `application`, … */
  readonly type: string;
  readonly port: number;
  /** `RTP/AVP`, `UDP/TLS/RTP/SAVPF`, … */
  readonly protocol: string;
  /** Payload types as text, in order of preference. */
  readonly formats: readonly string[];
  readonly connection: SdpConnection | undefined;
  readonly attributes: readonly SdpAttribute[];
}

/** A session description: its attributes before the first `m=` line, and its media. */
export interface Sdp {
  readonly connection: SdpConnection | undefined;
  readonly attributes: readonly SdpAttribute[];
  readonly media: readonly SdpMedia[];
}

/** How much of an SDP is taken at most, as far as it can be configured. */
export interface SdpLimits {
  /** m= lines. Default 16. */
  readonly media: number;
  /** Candidates of an audio section that go on; the others are dropped. Default 100. */
  readonly candidates: number;
}

/** Bounds of an SDP that we take. */
export const SDP_LIMITS = {
  octets: 65_536,
  lines: 2000,
  lineLength: 4096,
  media: 16,
  candidates: 100,
  formats: 128,
} as const;

/** Of a UTF-16 code unit in UTF-8. */
const MAX_OCTETS_PER_UNIT = 3;
const CR = 0x0d;

interface OpenMedia {
  readonly head: Omit<SdpMedia, "connection" | "attributes">;
  connection: SdpConnection | undefined;
  readonly attributes: SdpAttribute[];
}

/**
 * Reads a session description.
 *
 * Lines end with CRLF or LF. Lines of other types than `v m c a` are skipped: a gateway writes its
 * own `o= s= t=`, and `i= u= e= p= b= k= z= r=` say nothing about audio.
 *
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` for a control character, a line without `x=`, a bound
 *   that is exceeded, a broken `m=` or `c=`, or no `v=0` at the beginning
 */
export function parseSdp(text: string, limits: SdpLimits = SDP_LIMITS): Sdp {
  const isLong = text.length * MAX_OCTETS_PER_UNIT > SDP_LIMITS.octets;
  if (isLong && Buffer.byteLength(text) > SDP_LIMITS.octets) {
    throw unusable(`longer than ${SDP_LIMITS.octets} octets`);
  }
  const sessionAttributes: SdpAttribute[] = [];
  let sessionConnection: SdpConnection | undefined;
  const media: OpenMedia[] = [];
  let current: OpenMedia | undefined;
  let hasVersion = false;
  let lines = 0;
  for (let start = 0, next = 0; start <= text.length; start = next + 1) {
    lines += 1;
    if (lines > SDP_LIMITS.lines) throw unusable(`more than ${SDP_LIMITS.lines} lines`);
    next = text.indexOf("\n", start);
    if (next < 0) next = text.length;
    const end = next > start && text.charCodeAt(next - 1) === CR ? next - 1 : next;
    if (end === start) continue;
    checkLine(text, start, end);
    if (!hasVersion) {
      // RFC 8866 §5: v= is the first line of a session description.
      if (text.slice(start, end) !== "v=0") throw unusable("it does not begin with v=0");
      hasVersion = true;
      continue;
    }
    switch (text[start]) {
      case "m":
        if (media.length === limits.media) throw unusable(`more than ${media.length} m= lines`);
        current = {
          head: parseMediaLine(text.slice(start + 2, end)),
          connection: undefined,
          attributes: [],
        };
        media.push(current);
        break;
      case "c": {
        const connection = text.slice(start + 2, end);
        if (current === undefined) sessionConnection = parseConnection(connection);
        else current.connection ??= parseConnection(connection);
        break;
      }
      case "a":
        (current?.attributes ?? sessionAttributes).push(parseAttribute(text, start + 2, end));
        break;
      default:
        break;
    }
  }
  if (!hasVersion) throw unusable("it is empty");
  return {
    connection: sessionConnection,
    attributes: sessionAttributes,
    media: media.map(({ head, connection, attributes }) => ({ ...head, connection, attributes })),
  };
}

/** What `formatSdp` puts before the media; `id` and `version` are those of `o=`. */
export interface SdpOrigin {
  readonly id: string;
  readonly version: number;
}

/** Prints a session description with CRLF line ends, `o=-` and `s=-`. */
export function formatSdp(sdp: Sdp, origin: SdpOrigin): string {
  const connection = sdp.connection ?? sdp.media.find((m) => m.connection)?.connection;
  const session = sdp.connection === undefined ? "" : formatConnectionLine(sdp.connection);
  // RFC 8866 §5.2: the address is only there to make the origin unique.
  let text =
    `v=0\r\no=- ${origin.id} ${origin.version} IN ${formatConnection(connection)}\r\n` +
    `s=-\r\n${session}t=0 0\r\n${formatAttributes(sdp.attributes)}`;
  for (const media of sdp.media) {
    text += `m=${media.type} ${media.port} ${media.protocol} ${media.formats.join(" ")}\r\n`;
    if (media.connection !== undefined) text += formatConnectionLine(media.connection);
    text += formatAttributes(media.attributes);
  }
  return text;
}

/** A session id for `o=`, random so that two calls never share one (RFC 8866 §5.2). */
export function newOriginId(): string {
  return String(randomInt(1, 2 ** 31));
}

/** The first attribute of that name, or undefined. */
export function findAttribute(
  attributes: readonly SdpAttribute[],
  name: string,
): SdpAttribute | undefined {
  return attributes.find((attribute) => attribute.name === name);
}

/** An `ERR_OFFHOOK_MEDIA_SDP`. */
export function unusable(why: string): MediaError {
  return new MediaError("ERR_OFFHOOK_MEDIA_SDP", `the SDP cannot be used: ${why}`);
}

function checkLine(text: string, start: number, end: number): void {
  if (end - start > SDP_LIMITS.lineLength) throw unusable("a line is too long");
  if (end - start < 2 || text[start + 1] !== "=") throw unusable("a line is not of the form x=…");
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    // RFC 8866 §5: NUL, CR and LF may be in no value; no other control character has a meaning.
    if (code < 0x20 && code !== 0x09) throw unusable("a control character");
  }
}

function parseMediaLine(value: string): Omit<SdpMedia, "connection" | "attributes"> {
  const formats = wordsOf(value);
  const [type, portText, protocol] = formats.splice(0, 3);
  if (type === undefined || portText === undefined || protocol === undefined) {
    throw unusable("a broken m= line");
  }
  // RFC 8866 §5.14: `port/count` is for layered multicast; we read the first port.
  const port = parseInteger(upTo(portText, "/"), 65_535);
  if (port === undefined) throw unusable("a broken port in an m= line");
  if (formats.length === 0) throw unusable("an m= line without a format");
  if (formats.length > SDP_LIMITS.formats) throw unusable("too many formats in an m= line");
  if (!isSdpToken(type) || !isSdpToken(protocol) || !formats.every(isSdpToken)) {
    throw unusable("a broken m= line");
  }
  return { type, port, protocol, formats };
}

/** The parts between spaces. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (let start = 0; start < text.length;) {
    const space = text.indexOf(" ", start);
    const end = space < 0 ? text.length : space;
    if (end > start) words.push(text.slice(start, end));
    start = end + 1;
  }
  return words;
}

/** A text up to the first such character, or all of it. */
export function upTo(text: string, character: string): string {
  const end = text.indexOf(character);
  return end < 0 ? text : text.slice(0, end);
}

/** Reads the value of a `c=` line. @throws MediaError when it is not one literal unicast address */
function parseConnection(value: string): SdpConnection {
  const text = value.trim();
  // RFC 4566 §5.7: a multicast address carries /ttl or /count.
  const host = upTo(upTo(text.slice("IN IP4 ".length), " "), "/");
  const version = isIP(host);
  if (version === 4 && text.startsWith("IN IP4 ")) return { family: "IP4", host };
  if (version === 6 && text.startsWith("IN IP6 ")) return { family: "IP6", host };
  throw unusable("a c= line without a literal address");
}

function formatConnection(connection: SdpConnection | undefined): string {
  return connection === undefined ? "IP4 0.0.0.0" : `${connection.family} ${connection.host}`;
}

function formatConnectionLine(connection: SdpConnection): string {
  return `c=IN ${formatConnection(connection)}\r\n`;
}

function parseAttribute(text: string, start: number, end: number): SdpAttribute {
  const colon = text.indexOf(":", start);
  return colon < 0 || colon >= end
    ? { name: text.slice(start, end).trimEnd(), value: undefined }
    : { name: text.slice(start, colon), value: text.slice(colon + 1, end).trimEnd() };
}

function formatAttributes(attributes: readonly SdpAttribute[]): string {
  let text = "";
  for (const { name, value } of attributes) {
    text += value === undefined ? `a=${name}\r\n` : `a=${name}:${value}\r\n`;
  }
  return text;
}

/** Decimal digits as a number from 0 to `maximum`, or undefined. */
export function parseInteger(text: string, maximum: number): number | undefined {
  if (text.length === 0 || text.length > 10) return undefined;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return undefined;
  }
  const number = Number(text);
  return number <= maximum ? number : undefined;
}

/** Whether a text is printable ASCII without spaces: what tokens of an SDP are made of. */
export function isSdpToken(text: string): boolean {
  return text !== "" && isPrintable(text) && !text.includes(" ");
}

/** Whether a text is printable ASCII. */
export function isPrintable(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}
