import type { ExtraHeaders } from "../signaling/engine.ts";
import { headerKey } from "../signaling/message/header-names.ts";
import type { Headers } from "../signaling/message/headers.ts";

/** Header fields that may cross between a trunk and the other side of its calls. */
export interface HeaderRules {
  /** Names in lower case; a `*` at the end stands for any rest. */
  readonly toTrunk: readonly string[];
  readonly fromTrunk: readonly string[];
}

/** Of a trunk that does not say what crosses. */
export const NO_RULES: HeaderRules = { toTrunk: [], fromTrunk: [] };

const MAX_FIELDS = 16;
const MAX_VALUE_OCTETS = 512;
/** All of them together: an INVITE over UDP must stay small (RFC 3261 §18.1.1). */
const MAX_OCTETS = 2048;

/**
 * The header fields of a caller's INVITE that go on to the callee: none unless a trunk's lists name
 * them. What is too long, or has control characters in it, stays behind.
 *
 * @param from what the caller's side lets out; undefined: the caller is a browser
 * @param to what the callee's side lets in; undefined: the callee is a browser
 */
export function crossingHeaders(
  headers: Headers,
  from: HeaderRules | undefined,
  to: HeaderRules | undefined,
): ExtraHeaders {
  // From one browser to another nothing crosses.
  const lists = [from?.fromTrunk, to?.toTrunk].filter((list) => list !== undefined);
  if (lists.length === 0 || lists.some((list) => list.length === 0)) return [];
  const crossing: (readonly [string, string])[] = [];
  let octets = 0;
  for (const [name, value] of headers) {
    const key = headerKey(name);
    if (!lists.every((list) => list.some((pattern) => fits(key, pattern)))) continue;
    if (value.length > MAX_VALUE_OCTETS || name.length > 64 || hasControls(value)) continue;
    octets += name.length + value.length + 4;
    if (crossing.length === MAX_FIELDS || octets > MAX_OCTETS) break;
    crossing.push([name, value]);
  }
  return crossing;
}

function fits(key: string, pattern: string): boolean {
  return pattern.endsWith("*") ? key.startsWith(pattern.slice(0, -1)) : key === pattern;
}

function hasControls(value: string): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}
