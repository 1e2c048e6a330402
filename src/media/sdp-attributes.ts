/** Which lines of a section may pass between a leg and rtpengine, and in what form. */
import { isIP } from "node:net";
import type { Codec } from "./codecs.ts";
import type { SdpAttribute, SdpMedia } from "./sdp.ts";
import { parseInteger, upTo, wordsOf } from "./sdp.ts";

/** A direction is one attribute with four names. */
export const DIRECTIONS: ReadonlySet<string> = new Set([
  "sendrecv",
  "sendonly",
  "recvonly",
  "inactive",
]);

/** Attributes that belong to a payload type. */
const PER_CODEC: ReadonlySet<string> = new Set(["rtpmap", "fmtp", "rtcp-fb"]);

const PASS_ALWAYS: ReadonlySet<string> = new Set([...DIRECTIONS, "ptime", "maxptime"]);
export const PASS_DTLS: ReadonlySet<string> = new Set(["fingerprint", "setup"]);
export const PASS_ICE: ReadonlySet<string> = new Set([
  "ice-ufrag",
  "ice-pwd",
  "ice-options",
  "end-of-candidates",
]);

/** Attributes that may stand once for the whole session instead of in each section. */
export const SESSION_LEVEL: ReadonlySet<string> = new Set([
  ...DIRECTIONS,
  ...PASS_DTLS,
  ...PASS_ICE,
]);

/** Those of a section that belong to its codecs, every direction, and what else passes. */
export function attributesOf(
  media: SdpMedia,
  codecs: readonly Codec[],
  passes: (attribute: SdpAttribute) => boolean,
): SdpAttribute[] {
  const payloadTypes = new Set(codecs.map((codec) => codec.payloadType));
  return media.attributes.filter((attribute) => {
    const { name, value } = attribute;
    if (PER_CODEC.has(name)) return payloadTypes.has(upTo(value ?? "", " "));
    return PASS_ALWAYS.has(name) || passes(attribute);
  });
}

/** Whether a section has an attribute of its own; any direction counts for each. */
export function hasOwn(media: SdpMedia, name: string): boolean {
  return media.attributes.some((attribute) =>
    DIRECTIONS.has(name) ? DIRECTIONS.has(attribute.name) : attribute.name === name,
  );
}

/**
 * UDP candidates with a literal address. Others are of no use to rtpengine: it takes no TCP, and a
 * name (`….local`) would have it ask a DNS server.
 */
export function candidatesOf(
  media: Pick<SdpMedia, "attributes">,
  max: number,
): readonly SdpAttribute[] {
  const candidates: SdpAttribute[] = [];
  for (const { name, value } of media.attributes) {
    if (name !== "candidate" || value === undefined) continue;
    const fields = wordsOf(value);
    const [, component, transport, , host, port, typ] = fields;
    if (transport?.toLowerCase() !== "udp" || (component !== "1" && component !== "2")) continue;
    if (isIP(host ?? "") === 0 || typ !== "typ") continue;
    if ((parseInteger(port ?? "", 65_535) ?? 0) === 0) continue;
    // RFC 8839 §5.1: eight fields, then raddr and rport; extensions mean nothing to rtpengine.
    const kept = fields.slice(0, fields[8] === "raddr" ? 12 : 8);
    candidates.push({ name, value: kept.join(" ") });
    if (candidates.length === max) break;
  }
  return candidates;
}

/** RFC 3605: `port` or `port IN IP4 address`. */
export function isRtcpValue(value: string | undefined): boolean {
  const [port, network, family, host, ...rest] = (value ?? "").split(" ");
  if ((parseInteger(port ?? "", 65_535) ?? 0) === 0 || rest.length > 0) return false;
  if (network === undefined) return true;
  const version = isIP(host ?? "");
  return (
    network === "IN" && ((family === "IP4" && version === 4) || (family === "IP6" && version === 6))
  );
}
