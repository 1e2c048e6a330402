import { isIPv4, isIPv6 } from "node:net";

/** Counts connections by where they come from, and says when one place has too many. */
export class ConnectionCount {
  readonly #maxPerAddress: number;
  readonly #byNetwork = new Map<string, number>();

  /** @param maxPerAddress of one IPv4 address or one IPv6 /64 */
  constructor(maxPerAddress: number) {
    this.#maxPerAddress = maxPerAddress;
  }

  /** @returns a function to call once when the connection ends; undefined when it is one too many */
  tryEnter(host: string): (() => void) | undefined {
    const network = networkOf(host);
    const count = this.#byNetwork.get(network) ?? 0;
    if (count >= this.#maxPerAddress) return undefined;
    this.#byNetwork.set(network, count + 1);
    return () => {
      const left = (this.#byNetwork.get(network) ?? 1) - 1;
      if (left === 0) this.#byNetwork.delete(network);
      else this.#byNetwork.set(network, left);
    };
  }
}

/** An IPv4 address that a dual-stack socket shows as `::ffff:192.0.2.1` in its plain form. */
export function plainHost(host: string): string {
  const v4 = host.startsWith("::ffff:") ? host.slice(7) : "";
  return isIPv4(v4) ? v4 : host;
}

/** Whoever has one IPv6 address has its whole /64 (RFC 4291 §2.5.4). */
function networkOf(host: string): string {
  const plain = host.split("%", 1)[0] ?? "";
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    const missing = Math.max(0, 8 - groups.length - after.length);
    groups.push(...Array.from({ length: missing }, () => "0"), ...after);
  }
  return groups.slice(0, 4).join(":");
}
