import { isIP } from "node:net";
import type { IncomingMessage } from "node:http";
import { AddressSet, plainHost } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";

/** Which header field the proxies in front write the client's address to. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded";

/** More proxies in a row than anybody has. */
const MAX_HOPS = 32;

/**
 * Where an HTTP request or a WebSocket comes from. The address of the connection, unless that is one
 * of the configured proxies: then what the proxies have written, read from the right, up to the
 * first address that is none of theirs. Whatever stands further left the client may have written
 * itself.
 */
export class ClientAddress {
  readonly #proxies: AddressSet;
  readonly #header: ForwardedHeader;

  /** @param proxies addresses and ranges; none by default: no header field is read */
  constructor(proxies: readonly string[] = [], header: ForwardedHeader = "x-forwarded-for") {
    this.#proxies = new AddressSet(proxies);
    this.#header = header;
  }

  /** Whether a connection from there is a proxy's, which stands for many clients. */
  isProxy(host: string | undefined): boolean {
    return host !== undefined && this.#proxies.has(plainHost(host));
  }

  /** @returns undefined when the connection has gone; the port is that of the connection */
  of(request: Pick<IncomingMessage, "headers" | "socket">): SocketAddress | undefined {
    const { remoteAddress, remotePort } = request.socket;
    if (remoteAddress === undefined || remotePort === undefined) return undefined;
    let host = plainHost(remoteAddress);
    for (const hop of this.#hops(request)) {
      if (!this.isProxy(host)) break;
      // What a proxy could not or would not say: the client is known as that proxy.
      if (hop === undefined) break;
      host = hop;
    }
    return { host, port: remotePort };
  }

  /** From the nearest to the farthest; undefined: not an address. */
  *#hops({ headers }: Pick<IncomingMessage, "headers">): Generator<string | undefined, void, void> {
    const field = headers[this.#header];
    const text = Array.isArray(field) ? field.join(",") : (field ?? "");
    let end = text === "" ? -1 : text.length;
    for (let count = 0; count < MAX_HOPS && end >= 0; count += 1) {
      const comma = end === 0 ? -1 : text.lastIndexOf(",", end - 1);
      const item = text.slice(comma + 1, end).trim();
      yield tryParseHop(this.#header === "forwarded" ? forOf(item) : item);
      end = comma;
    }
  }
}

/** The `for` of one element of Forwarded (RFC 7239 §4). */
function forOf(element: string): string {
  for (const pair of element.split(";")) {
    const equals = pair.indexOf("=");
    if (pair.slice(0, equals).trim().toLowerCase() !== "for") continue;
    const value = pair.slice(equals + 1).trim();
    return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  }
  return "";
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`. */
function tryParseHop(text: string): string | undefined {
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    return addressOf(text.slice(1, end < 0 ? undefined : end));
  }
  const colon = text.indexOf(":");
  const isV4WithPort = colon >= 0 && colon === text.lastIndexOf(":");
  return addressOf(isV4WithPort ? text.slice(0, colon) : text);
}

function addressOf(text: string): string | undefined {
  const host = plainHost(text.toLowerCase());
  return isIP(host) === 0 ? undefined : host;
}
