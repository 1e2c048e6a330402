import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
const POOL_BYTES = 4096;

let pool = Buffer.alloc(0);
let position = 0;

/**
 * A random token of `length` characters out of 64 that are legal in a SIP token, a URI and a file
 * name: 6 bits each, so 22 characters hold 132 bits. Cryptographically random (RFC 3261 §19.3
 * asks for 32 bits in a tag; ids that must not be guessed take 22).
 */
export function randomToken(length: number): string {
  let text = "";
  while (text.length < length) {
    if (position === pool.length) {
      pool = randomBytes(POOL_BYTES);
      position = 0;
    }
    const octet = pool[position] ?? 0;
    position += 1;
    text += ALPHABET[octet & 63];
  }
  return text;
}
