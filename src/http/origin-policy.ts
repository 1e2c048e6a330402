import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { parseHost } from "./host.ts";

/** Whether a page of this origin may use the gateway. `origin` is the request's Origin field. */
export type IsOriginAllowed = (origin: string | undefined, request: IncomingMessage) => boolean;

/**
 * Builds the rule for pages of other origins (RFC 6454; RFC 6455 §10.2 for the WebSocket).
 *
 * A request without Origin comes from no browser page and is allowed: it proves itself by password
 * or token. `null` (a sandboxed or local page) never is.
 *
 * @param options.origins the origins that may, such as `https://voice.example.com`; undefined:
 *   the gateway's own, that is the one whose host and port the Host field names
 */
export function createOriginPolicy(options: {
  readonly origins?: readonly string[] | undefined;
}): IsOriginAllowed {
  if (options.origins !== undefined) {
    const allowed = new Set<string>();
    for (const text of options.origins) {
      const origin = tryParseOrigin(text);
      if (origin !== undefined) allowed.add(origin.origin);
    }
    return (origin) => {
      if (origin === undefined) return true;
      const parsed = tryParseOrigin(origin);
      return parsed !== undefined && allowed.has(parsed.origin);
    };
  }
  return (origin, request) => origin === undefined || isOwnOrigin(origin, request);
}

/**
 * Whether the origin is the host that this request was sent to. On a TLS connection the origin
 * must be https; on a plain one https is right too, since a proxy may hold the certificate.
 */
export function isOwnOrigin(origin: string, request: IncomingMessage): boolean {
  const parsed = tryParseOrigin(origin);
  const host = parseHost(request.headers.host);
  if (parsed === undefined || host === undefined) return false;
  if (request.socket instanceof TLSSocket && parsed.protocol !== "https:") return false;
  const own = tryParseOrigin(`${parsed.protocol}//${host}`);
  return own !== undefined && own.host === parsed.host;
}

/** An http or https origin and nothing more: no path, no user. */
function tryParseOrigin(text: string): URL | undefined {
  if (text.length > 300) return undefined;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  const isBare =
    url.pathname === "/" &&
    url.search === "" &&
    url.hash === "" &&
    url.username === "" &&
    url.password === "";
  return isBare ? url : undefined;
}
