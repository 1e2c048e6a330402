import { isIPv6 } from "node:net";

/** RFC 3986 §3.2.2 reg-name as host names use it, and IPv4; linear. */
const NAME = /^[a-z0-9._-]{1,253}$/;

/**
 * The value of a Host header field (RFC 9110 §7.2) in one spelling: lower case, port kept when
 * there is one.
 *
 * @returns undefined when it is missing or could not stand in a URL as it is
 */
export function parseHost(value: string | undefined): string | undefined {
  if (value === undefined || value.length > 300) return undefined;
  const text = value.toLowerCase();
  const end = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":");
  const name = end > 0 ? text.slice(0, end) : text;
  const rest = text.slice(name.length);
  const isName = name.startsWith("[")
    ? name.endsWith("]") && isIPv6(name.slice(1, -1))
    : NAME.test(name);
  if (!isName || !(rest === "" || isPort(rest))) return undefined;
  return text;
}

function isPort(text: string): boolean {
  return /^:\d{1,5}$/.test(text) && Number(text.slice(1)) <= 65_535;
}
