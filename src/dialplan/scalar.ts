import { z } from "zod";

/**
 * One value of the configuration that is written as plain text: the YAML reader hands over every
 * scalar as the text of the file, so that `1001` and `0301` keep their digits; JSON (the REST API)
 * may bring numbers and booleans.
 */
export interface ScalarSpec<T> {
  /** What was expected, for the message: "a duration such as 20s, 5m, 1h or 500ms". */
  readonly expected: string;
  /** The value, or undefined when the text is not one. */
  readonly parse: (text: string) => T | undefined;
  /** The type in the published JSON Schema. */
  readonly json: Readonly<Record<string, unknown>>;
  /** True: a message never shows the value. */
  readonly isSecret?: boolean;
}

/** What schemas say about a key, beside the type; read by the docs and by the JSON Schema. */
export interface KeyFacts {
  readonly description: string;
  /** As written in a file; undefined: no default. */
  readonly default?: string;
  readonly example?: string;
}

const MAX_SHOWN = 60;

/** A value as a message shows it. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null || value === "") return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map of keys";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** A zod type for one scalar, whose issues carry `params.expected`. */
export function scalar<T>(spec: ScalarSpec<T>) {
  return z
    .unknown()
    .meta({ scalar: spec.json })
    .transform((value, context): T => {
      const text =
        typeof value === "string"
          ? value
          : typeof value === "number" || typeof value === "boolean"
            ? String(value)
            : undefined;
      const result = text === undefined ? undefined : spec.parse(text);
      if (result !== undefined) return result;
      const isMissing = value === undefined || value === null;
      context.issues.push({
        code: "custom",
        input: value,
        message: isMissing
          ? "missing"
          : spec.isSecret === true && text !== undefined
            ? "not usable"
            : `found ${describeValue(value)}`,
        params: { expected: spec.expected, isShape: text === undefined },
      });
      return z.NEVER;
    });
}

/** One of a few words. */
export function word<const Word extends string>(...words: readonly Word[]) {
  return scalar<Word>({
    expected: words.length > 1 ? `one of ${words.join(", ")}` : (words[0] ?? ""),
    parse: (text) => words.find((candidate) => candidate === text),
    json: { type: "string", enum: words },
  });
}

/** Text that is not empty and holds no control character. */
export function text(expected = "text", options: { readonly isSecret?: boolean } = {}) {
  return scalar<string>({
    expected,
    parse: (value) => (/^[^\u0000-\u001f\u007f]+$/u.test(value) ? value : undefined),
    json: { type: ["string", "number"] },
    ...options,
  });
}

/** A secret that two sides share: no message and no view shows it. */
export function password() {
  return text("a password that is not empty", { isSecret: true });
}

/** Text of one shape. */
export function textLike(pattern: RegExp, expected: string) {
  return scalar<string>({
    expected,
    parse: (value) => (pattern.test(value) ? value : undefined),
    json: { type: ["string", "number"] },
  });
}

/** Text that a function reads; `expected` says what it takes. */
export function like<T>(expected: string, parse: (value: string) => T | undefined) {
  return scalar<T>({ expected, parse, json: { type: "string" } });
}

/** A whole number in a range, both ends included. */
export function wholeNumber(min: number, max: number) {
  return scalar<number>({
    expected: `a whole number from ${min} to ${max}`,
    parse: (value) => {
      if (!/^[0-9]{1,15}$/.test(value)) return undefined;
      const number = Number(value);
      return number >= min && number <= max ? number : undefined;
    },
    json: {
      anyOf: [
        { type: "integer", minimum: min, maximum: max },
        { type: "string", pattern: "^[0-9]+$|\\$\\{" },
      ],
    },
  });
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `500ms`, `20s`, `5m`, `1h` or `1d`; undefined when it is none of these. */
export function tryParseDuration(value: string): number | undefined {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)$/.exec(value);
  const unit = UNIT_MS[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** A duration in a range, given as it would be written; the value is in milliseconds. */
export function duration(min: string, max: string) {
  const minMs = tryParseDuration(min) ?? 0;
  const maxMs = tryParseDuration(max) ?? Number.MAX_SAFE_INTEGER;
  return scalar<number>({
    expected: `a duration from ${min} to ${max}, such as 500ms, 20s, 5m or 1h`,
    parse: (value) => {
      const ms = tryParseDuration(value);
      return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
    },
    json: { type: "string", pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$|\\$\\{" },
  });
}

/** `true` or `false`. */
export function flag() {
  return scalar<boolean>({
    expected: "true or false",
    parse: (value) => (value === "true" ? true : value === "false" ? false : undefined),
    json: { anyOf: [{ type: "boolean" }, { type: "string", enum: ["true", "false"] }] },
  });
}

/** One value or a list of them; the result is always a list. */
export function oneOrMore<T>(item: z.ZodType<T>, max = 1000) {
  return z
    .union([item, z.array(item).min(1).max(max)])
    .transform((value): readonly T[] => (Array.isArray(value) ? value : [value]));
}
