import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { Environment } from "./environment.ts";
import type { Problem } from "./problem.ts";
import { readYaml } from "./yaml-source.ts";
import type { Place, YamlSource } from "./yaml-source.ts";

/** A place with the file that it is in. */
export interface FilePlace extends Place {
  readonly file: string;
}

/** The values of a file together with those of the files that its dialplan includes. */
export interface MergedSource {
  readonly value: unknown;
  has(path: readonly PropertyKey[]): boolean;
  locate(path: readonly PropertyKey[], part?: "key" | "value"): FilePlace;
}

/** Where a run of list items came from. */
interface Span {
  /** `dialplan.routes`, `dialplan.sets.closed`. */
  readonly list: string;
  readonly from: number;
  readonly to: number;
  readonly file: string;
  readonly source: YamlSource;
  /** Of the list inside its own file. */
  readonly path: readonly PropertyKey[];
}

type Plain = Readonly<Record<string, unknown>>;

const LISTS = ["routes", "tests"] as const;
const MAPS_OF_LISTS = ["sets", "holidays", "rates"] as const;
const KNOWN: readonly string[] = [...LISTS, ...MAPS_OF_LISTS];

/**
 * Adds what the included files hold to the lists of the file itself, in the order of `include`.
 * Included files include nothing further.
 */
export function withIncludes(
  source: YamlSource,
  name: string,
  directory: string,
  environment: Environment,
): {
  readonly merged: MergedSource;
  readonly problems: readonly Problem[];
  /** Absolute paths of the included files, those that cannot be read too. */
  readonly files: readonly string[];
} {
  const own = plain(source.value);
  const plan = plain(own?.["dialplan"]);
  const files = included(plan);
  if (own === undefined || plan === undefined || files.length === 0) {
    return { merged: alone(source, name), problems: [], files: [] };
  }
  const problems: Problem[] = [];
  const spans: Span[] = [];
  const target: Record<string, unknown> = { ...plan };
  for (const [index, file] of files.entries()) {
    const at = source.locate(["dialplan", "include", index]);
    const complain = (message: string): void => {
      problems.push({
        file: name,
        line: at.line,
        column: at.column,
        key: `dialplan.include.${index}`,
        message,
      });
    };
    let text: string;
    try {
      text = readFileSync(resolve(directory, file), "utf8");
    } catch (error) {
      complain(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    const read = readYaml(text, file, environment);
    problems.push(...read.problems);
    const values = plain(read.source.value);
    if (values === undefined) {
      if (read.problems.length === 0) complain("holds no map of keys");
      continue;
    }
    for (const key of Object.keys(values)) {
      if (KNOWN.includes(key)) continue;
      const { line, column } = read.source.locate([key], "key");
      const message = `not a key of an included file; expected one of ${KNOWN.join(", ")}`;
      problems.push({ file, line, column, key, message });
    }
    const append = (
      holder: Record<string, unknown>,
      key: string,
      list: string,
      added: unknown,
      path: readonly PropertyKey[],
    ): void => {
      if (added === undefined) return;
      const before = listOf(holder[key]);
      const items = listOf(added);
      spans.push({
        list,
        from: before.length,
        to: before.length + items.length,
        file,
        source: read.source,
        path,
      });
      holder[key] = [...before, ...items];
    };
    for (const key of LISTS) append(target, key, `dialplan.${key}`, values[key], [key]);
    for (const key of MAPS_OF_LISTS) {
      const map = plain(values[key]);
      if (map === undefined) continue;
      const holder: Record<string, unknown> = { ...plain(target[key]) };
      for (const [entry, added] of Object.entries(map)) {
        append(holder, entry, `dialplan.${key}.${entry}`, added, [key, entry]);
      }
      target[key] = holder;
    }
  }
  return {
    merged: located({ ...own, dialplan: target }, source, name, spans),
    problems,
    files: files.map((file) => resolve(directory, file)),
  };
}

function alone(source: YamlSource, name: string): MergedSource {
  return located(source.value, source, name, []);
}

function located(
  value: unknown,
  source: YamlSource,
  name: string,
  spans: readonly Span[],
): MergedSource {
  const elsewhere = (path: readonly PropertyKey[]) => {
    for (const span of spans) {
      const depth = span.list.split(".").length;
      const index = path[depth];
      if (typeof index !== "number" || index < span.from || index >= span.to) continue;
      if (path.slice(0, depth).join(".") !== span.list) continue;
      return { span, path: [...span.path, index - span.from, ...path.slice(depth + 1)] };
    }
    return undefined;
  };
  return {
    value,
    has: (path) => {
      const other = elsewhere(path);
      if (other !== undefined) return other.span.source.has(other.path);
      const key = path.join(".");
      return source.has(path) || spans.some(({ list }) => `${list}.`.startsWith(`${key}.`));
    },
    locate: (path, part) => {
      const other = elsewhere(path);
      return other === undefined
        ? { ...source.locate(path, part), file: name }
        : { ...other.span.source.locate(other.path, part), file: other.span.file };
    },
  };
}

function included(plan: Plain | undefined): readonly string[] {
  const list = listOf(plan?.["include"]);
  return list.filter((item): item is string => typeof item === "string");
}

function listOf(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function plain(value: unknown): Plain | undefined {
  // Any object can be read by its own key; what comes out is unknown again.
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Plain)
    : undefined;
}

/** The directory that relative paths of a file start from. */
export function directoryOf(file: string | undefined): string {
  return file === undefined ? process.cwd() : dirname(resolve(file));
}
