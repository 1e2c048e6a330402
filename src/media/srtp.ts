/**
 * What the SDP of a plain leg says about encryption: which of its `a=crypto` lines may pass, and
 * whether it keeps to what its trunk demands. Keys go from one SDP to the other and nowhere else:
 * nothing here puts one into a message or an error.
 */
import type { SdpAttribute, SdpMedia } from "./sdp.ts";
import { findAttribute, unusable } from "./sdp.ts";
import type { LegSrtp } from "./session.ts";

/** How a section is encrypted. */
export type MediaSecurity = "none" | "sdes" | "dtls";

/** RFC 4568, RFC 6188, RFC 7714: an authentication tag of 80 bits and more, and a real cipher. */
const STRONG_SUITES: ReadonlySet<string> = new Set([
  "AEAD_AES_256_GCM",
  "AEAD_AES_128_GCM",
  "AES_256_CM_HMAC_SHA1_80",
  "AES_192_CM_HMAC_SHA1_80",
  "AES_CM_128_HMAC_SHA1_80",
]);

/** The other suites that rtpengine would offer. */
export const WEAK_SUITES: readonly string[] = [
  "AES_256_CM_HMAC_SHA1_32",
  "AES_192_CM_HMAC_SHA1_32",
  "AES_CM_128_HMAC_SHA1_32",
  "F8_128_HMAC_SHA1_80",
  "F8_128_HMAC_SHA1_32",
  "NULL_HMAC_SHA1_80",
  "NULL_HMAC_SHA1_32",
];

const MAX_CRYPTO_LINES = 16;

/**
 * The `a=crypto` lines that may pass: strong suites, and no session parameter that would leave
 * packets in the clear or unauthenticated (RFC 4568 §6.3).
 */
export function strongCryptoOf(attributes: readonly SdpAttribute[]): readonly SdpAttribute[] {
  return attributes.filter(isStrongCrypto).slice(0, MAX_CRYPTO_LINES);
}

/** Whether an attribute is an `a=crypto` line that may pass. */
export function isStrongCrypto({ name, value }: SdpAttribute): boolean {
  if (name !== "crypto" || value === undefined) return false;
  const [tag, suite, key, ...parameters] = value.split(" ").filter((part) => part !== "");
  return (
    tag !== undefined &&
    suite !== undefined &&
    STRONG_SUITES.has(suite) &&
    key !== undefined &&
    key.startsWith("inline:") &&
    !parameters.some((parameter) => parameter.startsWith("UN"))
  );
}

/** `RTP/SAVP` for `RTP/AVP`, `RTP/SAVPF` for `RTP/AVPF`; others as they are. */
export function secureProtocol(protocol: string): string {
  return protocol.replace(/^RTP\/AVP/, "RTP/SAVP");
}

/** How a section is encrypted, by its protocol; with RTP/AVP also by its keys (RFC 8643). */
export function securityOf(
  media: Pick<SdpMedia, "protocol" | "attributes">,
  srtp: LegSrtp | undefined,
): MediaSecurity {
  if (media.protocol.includes("TLS")) return "dtls";
  if (media.protocol.includes("SAVP")) {
    const hasKeys = strongCryptoOf(media.attributes).length > 0;
    // RFC 5764 §8 has a protocol of its own; some telephones offer DTLS with RTP/SAVP all the same.
    if (!hasKeys && findAttribute(media.attributes, "fingerprint") !== undefined) return "dtls";
    return "sdes";
  }
  return srtp === "optional" && media.attributes.some(isStrongCrypto) ? "sdes" : "none";
}

/**
 * Holds a section to what its trunk demands: encryption that was configured is never given up
 * because the far end says so.
 *
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP`
 */
export function demandSecurity(
  media: Pick<SdpMedia, "protocol" | "attributes">,
  srtp: LegSrtp | undefined,
): MediaSecurity {
  const security = securityOf(media, srtp);
  if (security === "sdes" && strongCryptoOf(media.attributes).length === 0) {
    throw unusable("SRTP without a key of a strong suite");
  }
  if (security === "dtls" && findAttribute(media.attributes, "fingerprint") === undefined) {
    throw unusable("DTLS-SRTP without a fingerprint");
  }
  if (srtp === "sdes" && security !== "sdes") {
    throw unusable(`the trunk demands SDES-SRTP, and the far end has ${NAMES[security]}`);
  }
  if (srtp === "dtls" && security !== "dtls") {
    throw unusable(`the trunk demands DTLS-SRTP, and the far end has ${NAMES[security]}`);
  }
  return security;
}

const NAMES: Readonly<Record<MediaSecurity, string>> = {
  none: "plain RTP",
  sdes: "SDES-SRTP",
  dtls: "DTLS-SRTP",
};
