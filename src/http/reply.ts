import type { ServerResponse } from "node:http";
import type { HttpErrorCode } from "./errors.ts";
import { API_SECURITY_HEADERS } from "./security-headers.ts";

/** An answer, as a handler gives it: a value, sent by `sendReply`. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Octets or text; undefined: none. */
  readonly body?: Buffer | string;
}

/** The body of every answer of 400 and above under /api/. */
export interface ErrorBody {
  readonly error: { readonly code: HttpErrorCode; readonly message: string };
}

/** A value as JSON. */
export function jsonReply(
  status: number,
  value: object,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8", ...headers },
    body: `${JSON.stringify(value)}\n`,
  };
}

/** A failure as JSON: a stable code for programs, a sentence for people. */
export function errorReply(
  status: number,
  code: HttpErrorCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const body: ErrorBody = { error: { code, message } };
  return jsonReply(status, body, headers);
}

/** Plain text. */
export function textReply(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
    body: `${text}\n`,
  };
}

/**
 * Sends the answer of an API handler: never cached, never shown as a page.
 *
 * @param withBody false for HEAD: the same header fields and no body (RFC 9110 §9.3.2)
 */
export function sendReply(response: ServerResponse, reply: Reply, withBody: boolean): void {
  const body = Buffer.from(reply.body ?? "");
  response.writeHead(reply.status, {
    ...API_SECURITY_HEADERS,
    "Cache-Control": "no-store",
    ...reply.headers,
    // RFC 9110 §8.6: no Content-Length with a 204.
    ...(reply.status === 204 ? {} : { "Content-Length": String(body.length) }),
  });
  response.end(withBody && body.length > 0 ? body : undefined);
}
