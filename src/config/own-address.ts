import { isIPv4 } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";

import { AddressSet } from "../core/address.ts";

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Networks that containers and virtual machines make on their host. */
const VIRTUAL = /^(?:docker|br-|veth|virbr|cni|flannel|lxc|podman|tailscale|wg|zt)/;

/**
 * The IPv4 address by which this machine is most likely reached: one in the same network as a peer,
 * else the first of a real network card, else of any.
 *
 * @param peers hosts that will talk to it; names are skipped
 * @returns undefined when the machine has only its loopback
 */
export function ownAddress(
  interfaces: Interfaces,
  peers: Iterable<string> = [],
): string | undefined {
  const candidates = Object.entries(interfaces).flatMap(([name, infos]) =>
    (infos ?? [])
      .filter((info) => info.family === "IPv4" && !info.internal && isIPv4(info.address))
      .map((info) => ({ name, address: info.address, cidr: info.cidr })),
  );
  for (const peer of peers) {
    const near = candidates.find(({ cidr }) => cidr !== null && new AddressSet([cidr]).has(peer));
    if (near !== undefined) return near.address;
  }
  const real = candidates.find(({ name }) => !VIRTUAL.test(name));
  return (real ?? candidates[0])?.address;
}
