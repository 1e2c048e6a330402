import { isIPv6 } from "node:net";
import type { AddressSet } from "../core/address.ts";

/** Counts open connections by where they come from, and says when one address has too many. */
export class ConnectionCap {
  readonly #limit: number;
  readonly #exempt: AddressSet;
  readonly #counts = new Map<string, number>();

  /**
   * @param options.limit connections of one IPv4 address or one IPv6 /64
   * @param options.exempt addresses that are not counted, such as a reverse proxy's
   */
  constructor(options: { readonly limit: number; readonly exempt: AddressSet }) {
    this.#limit = options.limit;
    this.#exempt = options.exempt;
  }

  /** @returns a function to call when the connection ends; undefined when it is one too many */
  tryEnter(address: string): (() => void) | undefined {
    if (this.#exempt.has(address)) return () => {};
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#limit) return undefined;
    this.#counts.set(network, count + 1);
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      const left = (this.#counts.get(network) ?? 1) - 1;
      if (left === 0) this.#counts.delete(network);
      else this.#counts.set(network, left);
    };
  }
}

/** Whoever has one IPv6 address has its whole /64 (RFC 4291 §2.5.4). */
export function networkOf(address: string): string {
  const plain = address.split("%", 1)[0] ?? "";
  if (!isIPv6(plain) || plain.startsWith("::ffff:")) return address;
  const [head = "", tail] = plain.split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const tailLength = tail === "" ? 0 : tail.split(":").length;
    const zeros = Math.max(0, 8 - groups.length - tailLength);
    groups.push(
      ...Array.from({ length: zeros }, () => "0"),
      ...(tail === "" ? [] : tail.split(":")),
    );
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}
