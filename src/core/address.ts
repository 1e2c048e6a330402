import { BlockList, isIPv4, isIPv6 } from "node:net";

/** An IP address and a port. `host` is a literal address without brackets. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** `192.0.2.1:5060` or `[2001:db8::1]:5060`. */
export function formatSocketAddress(address: SocketAddress): string {
  // Of a literal address; each message has some of them printed.
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/**
 * Reads `host:port` or `[v6]:port`.
 *
 * @returns undefined when the text is anything else or the port is not 1 to 65535.
 */
export function tryParseSocketAddress(text: string): SocketAddress | undefined {
  const colon = text.lastIndexOf(":");
  if (colon <= 0) return undefined;
  let host = text.slice(0, colon);
  const digits = text.slice(colon + 1);
  if (host.startsWith("[") && host.endsWith("]")) {
    host = host.slice(1, -1);
    if (!isIPv6(host)) return undefined;
  } else if (host.includes(":")) {
    return undefined;
  }
  const port = Number(digits);
  if (digits === "" || digits.length > 5 || !Number.isInteger(port)) return undefined;
  return port >= 1 && port <= 65535 ? { host, port } : undefined;
}

/** A set of addresses and CIDR ranges; IPv4-mapped IPv6 addresses count as IPv4. */
export class AddressSet {
  readonly #list = new BlockList();
  /** The single addresses as they were written: found without a walk through the list. */
  readonly #single = new Set<string>();
  /** No IPv4 address is in it but those that are written there. */
  #isPlain = true;

  /** @param ranges each `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32` or the like */
  constructor(ranges: Iterable<string> = []) {
    for (const range of ranges) this.add(range);
  }

  /**
   * Adds one address or range.
   *
   * @returns false, and adds nothing, when the text is neither.
   */
  add(range: string): boolean {
    const slash = range.indexOf("/");
    const host = slash < 0 ? range : range.slice(0, slash);
    const family = isIPv4(host) ? "ipv4" : isIPv6(host) ? "ipv6" : undefined;
    if (family === undefined) return false;
    if (slash < 0) {
      this.#list.addAddress(host, family);
      this.#single.add(host);
      if (family === "ipv6") this.#isPlain = false;
      return true;
    }
    const prefix = Number(range.slice(slash + 1));
    const bits = family === "ipv4" ? 32 : 128;
    if (range.length === slash + 1 || !Number.isInteger(prefix) || prefix < 0 || prefix > bits) {
      return false;
    }
    this.#list.addSubnet(host, prefix, family);
    this.#isPlain = false;
    return true;
  }

  has(host: string): boolean {
    const plain = host.startsWith("::ffff:") && isIPv4(host.slice(7)) ? host.slice(7) : host;
    if (this.#single.has(plain)) return true;
    if (isIPv4(plain)) return !this.#isPlain && this.#list.check(plain, "ipv4");
    return isIPv6(plain) && this.#list.check(plain, "ipv6");
  }
}

/** An IPv4 address that a dual-stack socket shows as `::ffff:192.0.2.1` in its plain form. */
export function plainHost(host: string): string {
  if (!host.startsWith("::ffff:")) return host;
  const v4 = host.slice(7);
  return isIPv4(v4) ? v4 : host;
}

/**
 * What one party has at its disposal: an IPv4 address, or the /64 of an IPv6 address, written as
 * its first address (RFC 4291 §2.5.4). Text that is no address is its own network.
 */
export function networkOf(host: string): string {
  if (!host.includes(":")) return host;
  const plain = plainHost(host.split("%", 1)[0] ?? "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    const missing = Math.max(0, 8 - groups.length - after.length);
    groups.push(...Array.from({ length: missing }, () => "0"), ...after);
  }
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  while (network.at(-1) === "0") network.pop();
  return `${network.join(":")}::`;
}
