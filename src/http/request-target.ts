import type { IncomingMessage } from "node:http";

/** What a request line asks for (RFC 9112 §3.2). */
export interface RequestTarget {
  /** Decoded, with its leading slash; dots are not resolved, since nothing here walks a tree. */
  readonly path: string;
  readonly query: URLSearchParams;
}

const MAX_TARGET_LENGTH = 4096;

/**
 * Reads the target of a request whose Host is unambiguous.
 *
 * @returns undefined for another form than `/path?query` or `http://host/path?query`, for a broken
 *   escape, for a control character or a backslash in the path, and for two Host fields, which a
 *   proxy and we could read differently (RFC 9112 §3.2)
 */
export function tryParseTarget(request: IncomingMessage): RequestTarget | undefined {
  const target = request.url ?? "";
  if (target.length > MAX_TARGET_LENGTH || countHosts(request) > 1) return undefined;
  const origin = tryOriginForm(target);
  if (origin === undefined) return undefined;
  const mark = origin.indexOf("?");
  const path = tryDecode(mark < 0 ? origin : origin.slice(0, mark));
  if (path === undefined || /[\u0000-\u001f\u007f\\]/.test(path)) return undefined;
  return { path, query: new URLSearchParams(mark < 0 ? "" : origin.slice(mark + 1)) };
}

function tryOriginForm(target: string): string | undefined {
  if (target.startsWith("/")) return target;
  if (!target.startsWith("http://") && !target.startsWith("https://")) return undefined;
  const slash = target.indexOf("/", "https://".length);
  return slash < 0 ? "/" : target.slice(slash);
}

function tryDecode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function countHosts(request: IncomingMessage): number {
  let hosts = 0;
  for (const [index, name] of request.rawHeaders.entries()) {
    if (index % 2 === 0 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts;
}
