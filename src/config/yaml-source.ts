import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Alias, Node, Scalar, YAMLMap, YAMLSeq } from "yaml";

import { expandEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { formatKey } from "./problem.ts";
import type { Problem } from "./problem.ts";

/**
 * A configuration file as plain values, with the place of each of them.
 *
 * Every scalar stays the text of the file (YAML's "failsafe" schema): `1001`, `0301`, `off` and
 * `1e3` mean what they look like, and only the schema decides what a key's text stands for. An
 * empty value or `~` counts as absent.
 */
export interface YamlSource {
  readonly value: unknown;
  /** True when the file has this path itself. */
  has(path: readonly PropertyKey[]): boolean;
  /** Line and column of the nearest place that exists at or above `path`, and its key. */
  locate(path: readonly PropertyKey[], part?: "key" | "value"): Place;
}

export interface Place {
  readonly line: number;
  readonly column: number;
  readonly path: readonly PropertyKey[];
}

/** Values that aliases may unfold to; those that are written out are bounded by the text. */
const MAX_UNFOLDED = 200_000;
const MAX_DEPTH = 50;
const MAX_OCTETS = 16 * 1024 * 1024;

type Position = { readonly key: number; readonly value: number };

/** Reads the text; `problems` gets each mistake of syntax and each variable that is missing. */
export function readYaml(
  text: string,
  file: string,
  environment: Environment,
): { readonly source: YamlSource; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const positions = new Map<string, Position>();
  const reader = new Reader(file, lines, positions, environment);
  const value = reader.read(text);
  const has = (path: readonly PropertyKey[]): boolean => positions.has(pathKey(path));
  return { source: { value, has, locate: locator(lines, positions) }, problems: reader.problems };
}

// No key holds this character: the reader refuses control characters in keys.
const SEPARATOR = "\u0000";

function pathKey(path: readonly PropertyKey[]): string {
  return path.map(String).join(SEPARATOR);
}

function locator(lines: LineCounter, positions: ReadonlyMap<string, Position>) {
  return (path: readonly PropertyKey[], part: "key" | "value" = "value"): Place => {
    for (let length = path.length; length > 0; length -= 1) {
      const near = path.slice(0, length);
      const position = positions.get(pathKey(near));
      if (position === undefined) continue;
      // A key that is missing is told at the key of the map that lacks it.
      const offset = part === "key" || length < path.length ? position.key : position.value;
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(1, line), column: Math.max(1, col), path: near };
    }
    return { line: 1, column: 1, path: [] };
  };
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #positions: Map<string, Position>;
  readonly #environment: Environment;
  readonly #anchors = new Map<string, Node>();
  /** Values of aliases so far, and how many aliases the present one is in. */
  #unfolded = 0;
  #aliases = 0;

  constructor(
    file: string,
    lines: LineCounter,
    positions: Map<string, Position>,
    environment: Environment,
  ) {
    this.#file = file;
    this.#lines = lines;
    this.#positions = positions;
    this.#environment = environment;
  }

  read(text: string): unknown {
    if (text.length > MAX_OCTETS) {
      this.#problem(0, [], `longer than ${MAX_OCTETS} characters`);
      return undefined;
    }
    const document = parseDocument(text, {
      schema: "failsafe",
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: "error",
      version: "1.2",
    });
    for (const error of document.errors) {
      this.#problem(error.pos[0], [], `not YAML: ${error.message.split("\n")[0] ?? ""}`);
    }
    if (document.errors.length > 0 || document.contents === null) return undefined;
    return this.#node(document.contents, [], document.contents.range?.[0] ?? 0);
  }

  #node(node: unknown, path: readonly PropertyKey[], keyOffset: number): unknown {
    if (this.#aliases > 0) this.#unfolded += 1;
    if (this.#unfolded > MAX_UNFOLDED || path.length > MAX_DEPTH) {
      const limit = path.length > MAX_DEPTH ? `${MAX_DEPTH} levels` : `${MAX_UNFOLDED} values`;
      if (!this.problems.some((problem) => problem.message.startsWith("unfolds"))) {
        this.#problem(keyOffset, path, `unfolds to more than ${limit}`);
      }
      return undefined;
    }
    if (isAlias(node)) return this.#alias(node, path, keyOffset);
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, node);
    }
    if (isScalar(node)) return this.#scalar(node, path, keyOffset);
    if (isMap(node)) return this.#map(node, path, keyOffset);
    if (isSeq(node)) return this.#list(node, path, keyOffset);
    this.#note(path, keyOffset, keyOffset);
    return undefined;
  }

  #alias(node: Alias, path: readonly PropertyKey[], keyOffset: number): unknown {
    const target = this.#anchors.get(node.source);
    if (target === undefined || contains(target, node)) {
      this.#problem(
        node.range?.[0] ?? keyOffset,
        path,
        `the alias "*${node.source}" has no anchor before it`,
      );
      return undefined;
    }
    this.#aliases += 1;
    const value = this.#node(target, path, keyOffset);
    this.#aliases -= 1;
    return value;
  }

  #scalar(node: Scalar, path: readonly PropertyKey[], keyOffset: number): unknown {
    const offset = node.range?.[0] ?? keyOffset;
    const text = typeof node.value === "string" ? node.value : "";
    const isPlain = node.type === undefined || node.type === "PLAIN";
    if (isPlain && (text === "" || text === "~" || text === "null")) {
      this.#note(path, keyOffset, keyOffset);
      return undefined;
    }
    this.#note(path, keyOffset, offset);
    const expanded = expandEnvironment(text, this.#environment);
    for (const message of expanded.problems) this.#problem(offset, path, message);
    // A problem is told once: the schema must not complain about the text as well.
    return expanded.text;
  }

  #list(node: YAMLSeq, path: readonly PropertyKey[], keyOffset: number): unknown {
    this.#note(path, keyOffset, node.range?.[0] ?? keyOffset);
    return node.items.map((item, index) =>
      this.#node(item, [...path, index], startOf(item) ?? keyOffset),
    );
  }

  #map(node: YAMLMap, path: readonly PropertyKey[], keyOffset: number): unknown {
    this.#note(path, keyOffset, node.range?.[0] ?? keyOffset);
    const entries = new Map<string, unknown>();
    for (const pair of node.items) {
      const key = isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : "";
      const offset = startOf(pair.key) ?? keyOffset;
      if (key === "<<" && isScalar(pair.key) && pair.key.type === "PLAIN") {
        this.#merge(entries, pair.value, path, offset);
      } else if (key === "" || key === "__proto__" || /[\u0000-\u001f]/.test(key)) {
        this.#problem(offset, path, "not usable as a key; expected plain text");
      } else {
        const value = this.#node(pair.value, [...path, key], offset);
        if (value !== undefined) entries.set(key, value);
      }
    }
    return Object.fromEntries(entries);
  }

  /** `<<: *defaults`: the keys of another map, unless this one has them itself. */
  #merge(
    entries: Map<string, unknown>,
    node: unknown,
    path: readonly PropertyKey[],
    offset: number,
  ): void {
    for (const source of isSeq(node) ? node.items : [node]) {
      const value = this.#node(source, path, offset);
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        this.#problem(offset, path, '"<<" takes a map, such as <<: *defaults');
        continue;
      }
      for (const [key, entry] of Object.entries(value)) {
        if (!entries.has(key)) entries.set(key, entry);
      }
    }
  }

  #note(path: readonly PropertyKey[], key: number, value: number): void {
    this.#positions.set(pathKey(path), { key, value });
  }

  #problem(offset: number, path: readonly PropertyKey[], message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push({
      file: this.#file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      key: formatKey(path),
      message,
    });
  }
}

function startOf(node: unknown): number | undefined {
  const isNode = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node);
  return isNode ? node.range?.[0] : undefined;
}

/** True when the alias lies inside its own anchor. */
function contains(target: Node, alias: Alias): boolean {
  const [start = 0, end = 0] = target.range ?? [];
  const at = alias.range?.[0] ?? -1;
  return at >= start && at < end;
}
