import type { IncomingMessage } from "node:http";
import { parseHost } from "./host.ts";

const COMMON: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
};

/** For answers that are no pages: nothing in them may run or be framed. */
export const API_SECURITY_HEADERS: Readonly<Record<string, string>> = {
  ...COMMON,
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
};

const PERMISSIONS = [
  "microphone=(self)",
  "camera=(self)",
  "speaker-selection=(self)",
  "autoplay=(self)",
  "screen-wake-lock=(self)",
  "display-capture=()",
  "geolocation=()",
  "payment=()",
  "serial=()",
  "usb=()",
].join(", ");

/**
 * For the web phone: scripts, styles and connections of this host alone.
 *
 * `connect-src 'self'` does not cover WebSocket in every browser, so the request's own host is
 * named for ws and wss.
 */
export function pageSecurityHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  const host = parseHost(request.headers.host);
  const sockets = host === undefined ? "" : ` ws://${host} wss://${host}`;
  return {
    ...COMMON,
    "Content-Security-Policy": [
      "default-src 'self'",
      `connect-src 'self'${sockets}`,
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "media-src 'self' blob:",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join("; "),
    "Permissions-Policy": PERMISSIONS,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
  };
}

/**
 * For the custom element's scripts: pages of the origins that may use the gateway load them too.
 *
 * @param origin the request's Origin, when it may
 */
export function embedSecurityHeaders(origin: string): Readonly<Record<string, string>> {
  return {
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": origin,
  };
}
