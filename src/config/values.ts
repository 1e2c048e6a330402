import { isIPv4, isIPv6 } from "node:net";

import { AddressSet, formatSocketAddress } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";
import type { SipListen } from "./config.ts";

/** Readers of the small texts that configuration values are made of. All give undefined, never throw. */

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; port 0 lets the system choose. */
export function tryParseListen(text: string): SocketAddress | undefined {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):([0-9]{1,5})$/.exec(text);
  const [, name = "", digits = ""] = match ?? [];
  const port = Number(digits);
  const host = name.startsWith("[") ? name.slice(1, -1) : name === "localhost" ? "127.0.0.1" : name;
  const isAddress = name.startsWith("[") ? isIPv6(host) : isIPv4(host);
  return match !== null && isAddress && port <= 65535 ? { host, port } : undefined;
}

/** `udp:192.0.2.10:5060`, `tcp:…`, `tls:…`. */
export function tryParseSipListen(text: string): SipListen | undefined {
  const colon = text.indexOf(":");
  const address = tryParseListen(text.slice(colon + 1));
  if (address === undefined) return undefined;
  switch (text.slice(0, colon)) {
    case "udp":
      return { transport: "udp", ...address };
    case "tcp":
      return { transport: "tcp", ...address };
    case "tls":
      return { transport: "tls", ...address };
    default:
      return undefined;
  }
}

/** `udp:10.0.0.5:22222`: an ng socket of rtpengine. */
export function tryParseNgSocket(text: string): SocketAddress | undefined {
  const address = text.startsWith("udp:") ? tryParseListen(text.slice(4)) : undefined;
  return address !== undefined && address.port > 0 ? address : undefined;
}

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`. */
export function tryParseNameServer(text: string): string | undefined {
  if (isIPv4(text) || isIPv6(text)) return text;
  const address = tryParseListen(text);
  if (address === undefined || address.port === 0) return undefined;
  return formatSocketAddress(address);
}

/** `30000-39999`. */
export function tryParsePortRange(text: string): { min: number; max: number } | undefined {
  const match = /^([0-9]{1,5})-([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const min = Number(match[1]);
  const max = Number(match[2]);
  return min >= 1024 && max <= 65535 && max - min >= 3 ? { min, max } : undefined;
}

/** An IP address, or `private!public` for media behind a 1:1 NAT. */
export function tryParseMediaAddress(text: string): string | undefined {
  const parts = text.split("!");
  const isValid = parts.length <= 2 && parts.every((part) => isIPv4(part) || isIPv6(part));
  return isValid ? text : undefined;
}

/** `198.51.100.0/24`, `192.0.2.1`, `2001:db8::/32`. */
export function tryParseRange(text: string): string | undefined {
  return new AddressSet().add(text) ? text : undefined;
}

/** A host name or an IP address, without a port. */
export function tryParseHost(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (isIPv6(text)) return text;
  if (text.length > 253 || /^[0-9.]+$/.test(text)) return undefined;
  const isName = text
    .split(".")
    .every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(label));
  return isName ? text.toLowerCase() : undefined;
}

/** The parts of a trunk's peer. */
export interface PeerUri {
  readonly scheme: "sip" | "sips";
  /** Without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly transport: string | undefined;
}

/** `sip:pbx.example.com:5060;transport=udp`. */
export function tryParsePeerUri(text: string): PeerUri | undefined {
  const match =
    /^(sips?):(?:[A-Za-z0-9._~!$&'()*+,;=%-]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?((?:;[A-Za-z0-9._~-]+(?:=[A-Za-z0-9._~-]+)?)*)$/i.exec(
      text,
    );
  if (match === null || text.length > 500) return undefined;
  const [, scheme = "", name = "", digits, params = ""] = match;
  const host = tryParseHost(name.startsWith("[") ? name.slice(1, -1) : name);
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || (port !== undefined && (port < 1 || port > 65535))) return undefined;
  const transport = /;transport=([a-z]+)/i.exec(params)?.[1]?.toLowerCase();
  return { scheme: scheme.toLowerCase() === "sips" ? "sips" : "sip", host, port, transport };
}

/** `https://voice.example.com`: scheme, host and port, nothing behind them. */
export function tryParseOrigin(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  return url.origin === text.replace(/\/$/, "").toLowerCase() ? url.origin : undefined;
}

/** `turn:192.0.2.10:3478`, with `?transport=…`; RFC 7065. */
export function tryParseTurnUrl(text: string): string | undefined {
  const pattern =
    /^turns?:(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?$/;
  return pattern.test(text) ? text : undefined;
}

/** Networks that nobody reaches from the Internet. */
const PRIVATE_NETWORKS = new AddressSet([
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  // RFC 6598: behind a carrier's NAT, or an overlay network.
  "100.64.0.0/10",
  "169.254.0.0/16",
  "::1",
  "fc00::/7",
  "fe80::/10",
]);

/** Whether a literal address can be reached from the Internet. */
export function isPublicAddress(host: string): boolean {
  return !PRIVATE_NETWORKS.has(host);
}

/** True for the addresses and names of this machine's loopback. */
export function isLoopbackHost(host: string): boolean {
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "::1" || host.startsWith("127.")
  );
}
