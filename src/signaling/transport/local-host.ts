import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { AddressSet, formatSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";

const LOOPBACK = new AddressSet(["127.0.0.0/8", "::1"]);

/** True for 127.0.0.0/8 and ::1. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.has(host);
}

/** True for `0.0.0.0` and `::`. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/**
 * The address of ours that a peer sees: the bound one, or for a wildcard the one of the interface
 * in the peer's network, else the first that is not loopback.
 */
export function localHostToward(boundHost: string, remoteHost: string): string {
  if (!isWildcard(boundHost)) return boundHost;
  const family = isIPv6(boundHost) ? "IPv6" : "IPv4";
  if (isLoopback(remoteHost)) return family === "IPv6" ? "::1" : "127.0.0.1";
  let first: string | undefined;
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, cidr, family: itsFamily, internal } of addresses ?? []) {
      if (internal || itsFamily !== family) continue;
      first ??= address;
      if (cidr !== null && new AddressSet([cidr]).has(remoteHost)) return address;
    }
  }
  return first ?? (family === "IPv6" ? "::1" : "127.0.0.1");
}

/**
 * `host:port` of ours for the Via and the Contact.
 *
 * @param advertise `host` or `host:port` that stands there instead of the listener's address
 */
export function sentByOf(local: SocketAddress, remote: SocketAddress, advertise?: string): string {
  if (advertise === undefined) {
    return formatSocketAddress({
      host: localHostToward(local.host, remote.host),
      port: local.port,
    });
  }
  if (isIPv6(advertise)) return `[${advertise}]:${local.port}`;
  const hasPort = advertise.endsWith("]") ? false : advertise.includes(":");
  return hasPort ? advertise : `${advertise}:${local.port}`;
}

/** The listener of the right family; loopback talks to loopback when there is a choice. */
export function chooseListener<Listener extends { readonly local: SocketAddress }>(
  listeners: readonly Listener[],
  host: string,
): Listener | undefined {
  // Of literal addresses only those of IPv6 have a colon.
  const family = listeners.filter(({ local }) => local.host.includes(":") === host.includes(":"));
  if (family.length <= 1) return family[0];
  const fitting = family.find(
    ({ local }) => isWildcard(local.host) || isLoopback(local.host) === isLoopback(host),
  );
  return fitting ?? family[0];
}
