import type { z } from "zod";

import { didYouMean } from "./closest.ts";
import { describeValue } from "./scalar.ts";

/** What a zod issue says, as the problems of a file are written. */
export interface IssueText {
  readonly path: readonly PropertyKey[];
  /** Where to point: at the key itself or at its value. */
  readonly part: "key" | "value";
  readonly message: string;
}

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

/**
 * Turns zod's issues into messages; one issue may be several (unknown keys).
 *
 * @param root the schema that was applied, to know the keys of each place
 * @param data the value that it was applied to
 */
export function explainIssues(
  issues: readonly Issue[],
  root: Schema,
  data: unknown,
): readonly IssueText[] {
  return issues.flatMap((issue) => explain(issue, [], root, data));
}

function explain(
  issue: Issue,
  base: readonly PropertyKey[],
  root: Schema,
  data: unknown,
): readonly IssueText[] {
  const path = [...base, ...issue.path];
  const text = (message: string, part: "key" | "value" = "value"): readonly IssueText[] => [
    { path, part, message },
  ];
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = keysAt(root, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        part: "key",
        message: `unknown key${didYouMean(key, known) || `; expected one of ${known.join(", ")}`}`,
      }));
    }
    case "invalid_key":
      return text(issue.issues[0]?.message ?? "not usable as a key", "key");
    case "invalid_union":
      return explainUnion(issue, path, root, data);
    case "too_small":
    case "too_big": {
      const bound = issue.code === "too_small" ? issue.minimum : issue.maximum;
      const side = issue.code === "too_small" ? "at least" : "at most";
      return text(
        `has the wrong length; expected ${side} ${String(bound)} ${Number(bound) === 1 ? "item" : "items"}`,
      );
    }
    default: {
      const value = valueAt(data, path);
      const found = value === undefined ? "missing" : foundOf(issue, value);
      return text(`${found}; expected ${expectedOf(issue, root, path)}`);
    }
  }
}

function foundOf(issue: Issue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  // The text stands where a map belongs: it may be a password, so it is not shown.
  return typeof value === "object" ? `found ${describeValue(value)}` : "found text";
}

function expectedOf(issue: Issue, root: Schema, path: readonly PropertyKey[]): string {
  if (issue.code === "custom") return expectedParam(issue) ?? "something else";
  if (issue.code === "invalid_type") {
    if (issue.expected === "array") return "a list";
    const keys = keysAt(root, path);
    return keys.length > 0 ? `a map with the keys ${keys.join(", ")}` : "a map";
  }
  return issue.message;
}

function expectedParam(issue: Issue): string | undefined {
  const expected: unknown = issue.code === "custom" ? issue.params?.["expected"] : undefined;
  return typeof expected === "string" ? expected : undefined;
}

/** Of the branches, the one whose outer shape fits tells its issues; none fits: what would. */
function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: readonly PropertyKey[],
  root: Schema,
  data: unknown,
): readonly IssueText[] {
  const fitting = issue.errors.find((branch) => !branch.some(isShapeFailure));
  if (fitting !== undefined) {
    return fitting.flatMap((inner) => explain(inner, path, root, data));
  }
  const value = valueAt(data, path);
  const expected = new Set(expectedShapes(issue, root, path));
  const found =
    value === undefined
      ? "missing"
      : typeof value === "object"
        ? `found ${describeValue(value)}`
        : "found text";
  return [{ path, part: "value", message: `${found}; expected ${[...expected].join(", or ")}` }];
}

function expectedShapes(
  issue: z.core.$ZodIssueInvalidUnion,
  root: Schema,
  path: readonly PropertyKey[],
): readonly string[] {
  return issue.errors.flatMap((branch) =>
    branch
      .filter(isShapeFailure)
      .flatMap((inner) =>
        inner.code === "invalid_union"
          ? expectedShapes(inner, root, path)
          : [expectedOf(inner, root, path)],
      ),
  );
}

/** True when a map stands where a text belongs, or the like. */
function isShapeFailure(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "invalid_type") return true;
  if (issue.code === "custom") return issue.params?.["isShape"] === true;
  return (
    issue.code === "invalid_union" && issue.errors.every((branch) => branch.some(isShapeFailure))
  );
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    // Any object can be read by its own key; what comes out is unknown again.
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The keys that the schema knows at a place; empty where it takes any key or none. */
export function keysAt(root: Schema, path: readonly PropertyKey[]): readonly string[] {
  let schemas = shapesOf(root);
  for (const key of path) {
    schemas = schemas.flatMap((schema) => childOf(schema, key)).flatMap(shapesOf);
  }
  const keys = schemas.flatMap((schema) => {
    const { def } = typed(schema);
    return def.type === "object" ? Object.keys(def.shape) : [];
  });
  return [...new Set(keys)];
}

function typed(schema: Schema): { readonly def: z.core.$ZodTypes["_zod"]["def"] } {
  // Every schema that zod makes is one of its $ZodTypes.
  return { def: (schema as z.core.$ZodTypes)._zod.def };
}

/** The schema without its wrappers; every branch of a union. */
export function shapesOf(schema: Schema): readonly Schema[] {
  const { def } = typed(schema);
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "readonly":
      return shapesOf(def.innerType);
    case "pipe":
      return shapesOf(def.in);
    case "lazy":
      return shapesOf(def.getter());
    case "union":
      return def.options.flatMap(shapesOf);
    default:
      return [schema];
  }
}

/** What the schema says of the value under `key`. */
export function childOf(schema: Schema, key: PropertyKey): readonly Schema[] {
  const { def } = typed(schema);
  switch (def.type) {
    case "object": {
      const child =
        typeof key === "string" && Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      return child === undefined ? [] : [child];
    }
    case "record":
      return [def.valueType];
    case "array":
      return [def.element];
    default:
      return [];
  }
}
