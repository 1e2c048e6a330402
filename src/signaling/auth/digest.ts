import { createHash, timingSafeEqual } from "node:crypto";

/**
 * Digest computation of RFC 7616 §3.4, the part that both sides share. Nothing here holds state.
 */

/** The algorithms that we offer and answer (RFC 8760 §2); the order of preference is elsewhere. */
export type DigestAlgorithm = "MD5" | "SHA-256";

/** Everything that goes into a `response` with `qop=auth`. */
export interface DigestInput {
  readonly algorithm: DigestAlgorithm;
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly nonce: string;
  /** Eight hexadecimal digits, as on the wire. */
  readonly nonceCount: string;
  readonly cnonce: string;
  readonly method: string;
  /** The `uri` parameter, as on the wire. */
  readonly uri: string;
}

function hash(algorithm: DigestAlgorithm, text: string): string {
  const name = algorithm === "MD5" ? "md5" : "sha256";
  return createHash(name).update(text, "utf8").digest("hex");
}

/** The `response` for `qop=auth`, lower-case hexadecimal (RFC 7616 §3.4.1 to §3.4.3). */
export function digestResponse(input: DigestInput): string {
  const { algorithm, username, realm, password, nonce, nonceCount, cnonce, method, uri } = input;
  const ha1 = hash(algorithm, `${username}:${realm}:${password}`);
  const ha2 = hash(algorithm, `${method}:${uri}`);
  return hash(algorithm, `${ha1}:${nonce}:${nonceCount}:${cnonce}:auth:${ha2}`);
}

/** The `response` for a challenge without `qop` (RFC 2069, kept by RFC 3261 §22.4). */
export function legacyDigestResponse(input: Omit<DigestInput, "nonceCount" | "cnonce">): string {
  const { algorithm, username, realm, password, nonce, method, uri } = input;
  const ha1 = hash(algorithm, `${username}:${realm}:${password}`);
  return hash(algorithm, `${ha1}:${nonce}:${hash(algorithm, `${method}:${uri}`)}`);
}

/**
 * The algorithm that a parameter names; absent means MD5 (RFC 7616 §3.3).
 *
 * @returns undefined for one that we do not know
 */
export function tryParseAlgorithm(text: string | undefined): DigestAlgorithm | undefined {
  const name = (text ?? "MD5").toUpperCase();
  return name === "MD5" || name === "SHA-256" ? name : undefined;
}

/** Compares two texts in a time that depends on neither's content. */
export function equalInConstantTime(left: string, right: string): boolean {
  // Equal lengths whatever comes in: the digests of the texts are compared, not the texts.
  const digest = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(digest(left), digest(right));
}
