/**
 * The least of STUN (RFC 5389): a binding request on the SIP port, which phones send to keep their
 * NAT open (RFC 5626 §4.4.2), gets the address that it came from. No state, no authentication.
 */
import { isIPv4 } from "node:net";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";

const HEADER_OCTETS = 20;
const MAGIC_COOKIE = 0x2112_a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const XOR_MAPPED_ADDRESS = 0x0020;

/** RFC 5764 §5.1.2: the first octet of STUN is 0 or 1; no SIP message begins so. */
export function isStun(octets: Buffer): boolean {
  return (octets[0] ?? 0xff) < 2 && octets.length >= HEADER_OCTETS;
}

/**
 * The answer to a binding request.
 *
 * @returns undefined for any other STUN, and for what only looks like it
 */
export function stunAnswer(octets: Buffer, source: SocketAddress): Buffer | undefined {
  // RFC 5389 §7.3: type, length and magic cookie first; what fails there is dropped in silence.
  const isBindingRequest =
    octets.length >= HEADER_OCTETS &&
    octets.readUInt16BE(0) === BINDING_REQUEST &&
    octets.readUInt16BE(2) === octets.length - HEADER_OCTETS &&
    octets.length % 4 === 0 &&
    octets.readUInt32BE(4) === MAGIC_COOKIE;
  if (!isBindingRequest) return undefined;
  const address = addressOctets(source.host);
  if (address === undefined) return undefined;
  const answer = Buffer.alloc(HEADER_OCTETS + 8 + address.length);
  answer.writeUInt16BE(BINDING_SUCCESS, 0);
  answer.writeUInt16BE(8 + address.length, 2);
  octets.copy(answer, 4, 4, HEADER_OCTETS);
  // RFC 5389 §15.2: port and address are XORed with the cookie, an IPv6 one with the id as well.
  answer.writeUInt16BE(XOR_MAPPED_ADDRESS, 20);
  answer.writeUInt16BE(4 + address.length, 22);
  answer.writeUInt8(address.length === 4 ? 1 : 2, 25);
  answer.writeUInt16BE(source.port ^ (MAGIC_COOKIE >>> 16), 26);
  for (const [index, octet] of address.entries()) {
    answer.writeUInt8(octet ^ (octets[4 + index] ?? 0), 28 + index);
  }
  return answer;
}

function addressOctets(host: string): Buffer | undefined {
  if (isIPv4(host)) return Buffer.from(host.split(".").map(Number));
  const plain = host.split("%", 1)[0] ?? "";
  // The parser of URLs writes every IPv6 address in hexadecimal groups.
  const written = URL.parse(`http://[${plain}]/`)?.hostname.slice(1, -1);
  if (written === undefined) return undefined;
  const [head = "", tail] = written.split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const octets = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries()) {
    octets.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  }
  return octets;
}

const WINDOW_MS = 1000;
const ANSWERS_PER_HOST = 10;
const MAX_HOSTS = 4096;

/**
 * Keeps us from being anyone's amplifier: an answer is at most 24 octets longer than its question,
 * and one address gets at most ten a second, however many claim to come from it.
 */
export class StunLimit {
  readonly #clock: Clock;
  readonly #answers = new Map<string, number>();
  #windowEndsMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this address may have one more answer now. */
  tryTake(host: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#windowEndsMs) {
      this.#answers.clear();
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    const count = this.#answers.get(host) ?? 0;
    if (count >= ANSWERS_PER_HOST || (count === 0 && this.#answers.size >= MAX_HOSTS)) return false;
    this.#answers.set(host, count + 1);
    return true;
  }
}
