import { randomBytes } from "node:crypto";

const ALPHABET = Buffer.from("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
const POOL_OCTETS = 4096;

/** Random characters that no token has used yet, from `position` on. */
let pool = Buffer.alloc(0);
let position = 0;

/**
 * A random token of `length` characters, at most 4096, out of 64 that are legal in a SIP token, a
 * URI and a file name: 6 bits each, so 22 characters hold 132 bits. Cryptographically random (RFC
 * 3261 §19.3 asks for 32 bits in a tag; ids that must not be guessed take 22).
 */
export function randomToken(length: number): string {
  if (position + length > pool.length) {
    pool = randomBytes(POOL_OCTETS);
    // An iterator would make two objects for each octet.
    for (let index = 0; index < POOL_OCTETS; index += 1) {
      pool[index] = ALPHABET[(pool[index] ?? 0) & 63] ?? 0;
    }
    position = 0;
  }
  position += length;
  return pool.toString("latin1", position - length, position);
}
