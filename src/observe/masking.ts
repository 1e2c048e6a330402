import type { LogFields } from "../core/logger.ts";

/** What stands in a log line instead of a secret. */
export const REDACTED = "[redacted]";

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 8192;

/** Names of fields, lower case without `-` and `_`, whose value is never written. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "credential",
  "credentials",
  "ha1",
  "key",
  "passwd",
  "password",
  "privatekey",
  "proxyauthorization",
  "secret",
  "setcookie",
  "token",
]);
const SECRET_ENDINGS = ["password", "secret"] as const;
/** camelCase endings; `monkey` is not a key. */
const SECRET_CAMEL_ENDINGS = ["Key", "Token"] as const;

/** Fields that the log itself writes; another of the same name would hide them. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(["time", "level", "msg"]);

/** Verdicts by name: the names of fields are few, and judging one takes longer than writing it. */
const verdicts = new Map<string, boolean>();
const MAX_VERDICTS = 1000;

/** Whether a field of this name holds a secret. */
export function isSecretName(name: string): boolean {
  const before = verdicts.get(name);
  if (before !== undefined) return before;
  const verdict = judge(name);
  if (verdicts.size < MAX_VERDICTS) verdicts.set(name, verdict);
  return verdict;
}

function judge(name: string): boolean {
  const plain = name.toLowerCase().replaceAll("-", "").replaceAll("_", "");
  return (
    SECRET_NAMES.has(plain) ||
    SECRET_ENDINGS.some((ending) => plain.endsWith(ending)) ||
    SECRET_CAMEL_ENDINGS.some((ending) => name.endsWith(ending))
  );
}

/**
 * The fields of a log line as plain JSON values: secrets replaced, errors spelled out with their
 * causes, octets counted and not shown, depth, length and width bounded.
 */
export function maskFields(fields: LogFields): Record<string, unknown> {
  const masked: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const shownName = RESERVED_NAMES.has(name) ? `${name}_` : name;
    put(masked, shownName, isSecretName(name) ? REDACTED : maskValue(fields[name], MAX_DEPTH));
  }
  return masked;
}

/** As an own property, whatever its name is. */
function put(into: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") into[name] = value;
  else {
    const own = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(into, name, own);
  }
}

function maskValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
    case "bigint":
      return value.toString();
    case "function":
    case "symbol":
    case "undefined":
      return undefined;
    case "boolean":
    case "number":
      return value;
    case "object":
      return value === null ? null : maskObject(value, depth);
    default:
      return undefined;
  }
}

function maskObject(value: object, depth: number): unknown {
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString();
  }
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`;
  if (value instanceof Error) return maskError(value, depth);
  if (depth <= 1) return "[…]";
  if (Array.isArray(value) || value instanceof Set) {
    return [...(value as Iterable<unknown>)]
      .slice(0, MAX_ITEMS)
      .map((item) => maskValue(item, depth - 1));
  }
  const entries: Iterable<readonly [unknown, unknown]> =
    value instanceof Map ? value.entries() : Object.entries(value);
  const masked: Record<string, unknown> = {};
  let left = MAX_ITEMS;
  for (const [key, item] of entries) {
    if (left === 0) break;
    left -= 1;
    const name = String(key);
    put(masked, name, isSecretName(name) ? REDACTED : maskValue(item, depth - 1));
  }
  return masked;
}

function maskError(error: Error, depth: number): unknown {
  const code: unknown = "code" in error ? error.code : undefined;
  return {
    name: error.name,
    ...(typeof code === "string" ? { code } : {}),
    message: maskValue(error.message, depth),
    ...(error.stack === undefined ? {} : { stack: maskValue(error.stack, depth) }),
    ...(error.cause === undefined || depth <= 1
      ? {}
      : { cause: maskValue(error.cause, depth - 1) }),
  };
}
