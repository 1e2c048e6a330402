import { isIP } from "node:net";
import { AddressSet, formatSocketAddress } from "../../../core/address.ts";
import type { SocketAddress } from "../../../core/address.ts";

/** The transports over which we reach a server: browsers come to us, so WS and WSS are not here. */
export type TargetTransport = "UDP" | "TCP" | "TLS";

/** One place where a request can be sent (RFC 3263 §4): the outcome of locating a server. */
export interface Target {
  readonly transport: TargetTransport;
  readonly remote: SocketAddress;
  /** The host of the URI: the name that a certificate must hold (RFC 5922 §7.3). */
  readonly domain: string;
}

/** `UDP 192.0.2.1:5060`: one target is another one's equal when these are. */
export function targetKey(target: Target): string {
  return `${target.transport} ${formatSocketAddress(target.remote)}`;
}

const NOBODY = new AddressSet([
  "0.0.0.0/8", // "this host": the system takes it for loopback
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and 255.255.255.255
  "::",
  "ff00::/8",
]);

/**
 * Whether a SIP server can be there. A name that leads to a multicast, broadcast or unspecified
 * address, or to an IPv4 address in disguise (RFC 4291 §2.5.5), is a mistake or a trick.
 */
export function isUnicastHost(host: string): boolean {
  const isMapped = host.includes(":") && host.includes(".");
  return isIP(host) !== 0 && !isMapped && !host.includes("%") && !NOBODY.has(host);
}
