import { SipParseError } from "../message/errors.ts";
import type { SipRequest } from "../message/message.ts";
import { NameAddr } from "../message/name-addr.ts";

const MAX_PATH = 8;

/**
 * The Path of a REGISTER, topmost first (RFC 3327 §5.3): the Route of requests to what it binds.
 *
 * @returns undefined when it is malformed or too long
 */
export function tryReadPath(request: SipRequest): readonly string[] | undefined {
  const path = request.headers.list("Path");
  if (path.length > MAX_PATH) return undefined;
  try {
    for (const value of path) NameAddr.parse(value);
    return path;
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

/**
 * Whether the first hop of a REGISTER does RFC 5626: it is ours, or the proxy there has said so with
 * `ob` in its Path (§5.1, §6).
 */
export function hasOutboundFirstHop(request: SipRequest, path: readonly string[]): boolean {
  if (request.vias.length <= 1) return true;
  // Each proxy puts its own on top, so the client's first hop is the last one.
  const last = path.at(-1);
  return last !== undefined && NameAddr.parse(last).sipUri.params.has("ob");
}
