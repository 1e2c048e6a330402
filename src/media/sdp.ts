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
  if (text.length > SDP_LIMITS.octets || Buffer.byteLength(text) > SDP_LIMITS.octets) {
    throw unusable(`longer than ${SDP_LIMITS.octets} octets`);
  }
  const lines = text.split("\n", SDP_LIMITS.lines + 1);
  if (lines.length > SDP_LIMITS.lines) throw unusable(`more than ${SDP_LIMITS.lines} lines`);
  const sessionAttributes: SdpAttribute[] = [];
  let sessionConnection: SdpConnection | undefined;
  const media: OpenMedia[] = [];
  let hasVersion = false;
  for (const raw of lines) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line === "") continue;
    checkLine(line);
    const value = line.slice(2);
    if (!hasVersion) {
      // RFC 8866 §5: v= is the first line of a session description.
      if (line !== "v=0") throw unusable("it does not begin with v=0");
      hasVersion = true;
      continue;
    }
    const current = media.at(-1);
    switch (line[0]) {
      case "m":
        if (media.length === limits.media) throw unusable(`more than ${media.length} m= lines`);
        media.push({ head: parseMediaLine(value), connection: undefined, attributes: [] });
        break;
      case "c":
        if (current === undefined) sessionConnection = parseConnection(value);
        else current.connection ??= parseConnection(value);
        break;
      case "a":
        (current?.attributes ?? sessionAttributes).push(parseAttribute(value));
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
  const lines = [
    "v=0",
    // RFC 8866 §5.2: the address is only there to make the origin unique.
    `o=- ${origin.id} ${origin.version} IN ${formatConnection(connection)}`,
    "s=-",
    ...(sdp.connection === undefined ? [] : [`c=IN ${formatConnection(sdp.connection)}`]),
    "t=0 0",
    ...sdp.attributes.map(formatAttribute),
  ];
  for (const media of sdp.media) {
    lines.push(
      `m=${media.type} ${media.port} ${media.protocol} ${media.formats.join(" ")}`,
      ...(media.connection === undefined ? [] : [`c=IN ${formatConnection(media.connection)}`]),
      ...media.attributes.map(formatAttribute),
    );
  }
  return `${lines.join("\r\n")}\r\n`;
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

function checkLine(line: string): void {
  if (line.length > SDP_LIMITS.lineLength) throw unusable("a line is too long");
  if (line.length < 2 || line[1] !== "=") throw unusable("a line is not of the form x=…");
  for (let index = 0; index < line.length; index += 1) {
    const code = line.charCodeAt(index);
    // RFC 8866 §5: NUL, CR and LF may be in no value; no other control character has a meaning.
    if (code < 0x20 && code !== 0x09) throw unusable("a control character");
  }
}

function parseMediaLine(value: string): Omit<SdpMedia, "connection" | "attributes"> {
  const [type, portText, protocol, ...formats] = value.split(" ").filter((part) => part !== "");
  if (type === undefined || portText === undefined || protocol === undefined) {
    throw unusable("a broken m= line");
  }
  // RFC 8866 §5.14: `port/count` is for layered multicast; we read the first port.
  const port = parseInteger(portText.split("/", 1)[0] ?? "", 65_535);
  if (port === undefined) throw unusable("a broken port in an m= line");
  if (formats.length === 0) throw unusable("an m= line without a format");
  if (formats.length > SDP_LIMITS.formats) throw unusable("too many formats in an m= line");
  if (![type, protocol, ...formats].every(isSdpToken)) throw unusable("a broken m= line");
  return { type, port, protocol, formats };
}

/** Reads the value of a `c=` line. @throws MediaError when it is not one literal unicast address */
function parseConnection(value: string): SdpConnection {
  const [network, family, address] = value.trim().split(" ");
  // RFC 4566 §5.7: a multicast address carries /ttl or /count.
  const host = address?.split("/", 1)[0] ?? "";
  const version = isIP(host);
  if (network === "IN" && family === "IP4" && version === 4) return { family, host };
  if (network === "IN" && family === "IP6" && version === 6) return { family, host };
  throw unusable("a c= line without a literal address");
}

function formatConnection(connection: SdpConnection | undefined): string {
  return connection === undefined ? "IP4 0.0.0.0" : `${connection.family} ${connection.host}`;
}

function parseAttribute(value: string): SdpAttribute {
  const colon = value.indexOf(":");
  return colon < 0
    ? { name: value.trimEnd(), value: undefined }
    : { name: value.slice(0, colon), value: value.slice(colon + 1).trimEnd() };
}

function formatAttribute(attribute: SdpAttribute): string {
  return attribute.value === undefined
    ? `a=${attribute.name}`
    : `a=${attribute.name}:${attribute.value}`;
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
