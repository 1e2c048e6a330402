import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";

import { compileDialplan } from "../dialplan/compile.ts";
import type { Dialplan } from "../dialplan/compile.ts";
import type { DialplanProblem } from "../dialplan/condition.ts";
import { lintDialplan } from "../dialplan/lint.ts";
import { runPlanTests } from "../dialplan/plan-tests.ts";
import { routeSchema } from "../dialplan/schema.ts";
import type { RouteSource } from "../dialplan/source.ts";
import type { Config, DemoAccess } from "./config.ts";
import { DEMO_USER_IDS, keepDemoAccess, makeDemoAccess } from "./demo.ts";
import type { Environment } from "./environment.ts";
import { ConfigError, DemoDataError } from "./errors.ts";
import { explainIssues } from "../dialplan/issues.ts";
import type { IssueText } from "../dialplan/issues.ts";
import { keptPlan, withPlan } from "./kept-plan.ts";
import type { KeptPlan } from "./kept-plan.ts";
import { directoryOf, withIncludes } from "./includes.ts";
import type { MergedSource } from "./includes.ts";
import type { Interfaces } from "./own-address.ts";
import { formatKey } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { resolveConfig } from "./resolve.ts";
import { fileSchema } from "./schema.ts";
import { readYaml } from "./yaml-source.ts";

/** A configuration ready for use, with its plan compiled and tested; or all that is wrong. */
export type LoadResult =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly dialplan: Dialplan;
      /** What the linter says of the plan, with its places; the plan works all the same. */
      readonly lint: readonly Problem[];
      /** The plan as text that can be kept, and loaded again with `LoadOptions.plan`. */
      readonly plan: KeptPlan;
      /** The one that the file holds: another one where `LoadOptions.plan` stands in for it. */
      readonly planOfFile: KeptPlan;
      /** The file and those that it includes: absolute paths. */
      readonly files: readonly string[];
    }
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      readonly files: readonly string[];
    };

/** What loading depends on; each has the machine's own as its default. */
export interface LoadOptions {
  readonly environment?: Environment;
  /**
   * Where the demo's passwords are kept; undefined: they are made for this process and kept
   * nowhere.
   */
  readonly dataDirectory?: string;
  readonly interfaces?: Interfaces;
  /** The time for the plan's tests that name none. */
  readonly now?: Date;
  /** The `dialplan` section to load in place of the file's, as `KeptPlan.section` or as JSON. */
  readonly plan?: { readonly section: unknown };
}

const DEFAULT_FILE = "offhook.yaml";

/** `offhook.yaml` of the directory; undefined, and so the demo, when there is none. */
export function findConfigFile(directory: string): string | undefined {
  try {
    readFileSync(join(directory, DEFAULT_FILE));
    return DEFAULT_FILE;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    // Anything else is told when it is read: a file that is there must not give way to the demo.
    return isMissing ? undefined : DEFAULT_FILE;
  }
}

/**
 * Loads a file, or the built-in demo.
 *
 * @param file undefined: the built-in demo
 * @param options `dataDirectory` is `data` in the working directory when it is not given
 * @throws ConfigError with every mistake
 */
export function loadConfig(file: string | undefined, options: LoadOptions = {}): Config {
  const result = tryLoadConfig(file, { dataDirectory: resolve("data"), ...options });
  if (!result.ok) throw new ConfigError(result.problems);
  return result.config;
}

/**
 * Loads a file, or the built-in demo, with its plan compiled. Never throws: passwords of the demo
 * that cannot be kept or read are a problem like any other.
 */
export function tryLoadConfig(file: string | undefined, options: LoadOptions = {}): LoadResult {
  if (file === undefined) return load("", undefined, options);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const problems = [{ file, key: "", message: `cannot be read: ${reason}` }];
    return { ok: false, problems, files: [resolve(file)] };
  }
  return load(text, file, options);
}

/**
 * Loads the text of a file. Never throws.
 *
 * @param file its name for messages, and its directory for relative paths
 * @param environment what `${NAME}` takes its values from
 */
export function tryLoadConfigText(
  text: string,
  file: string,
  environment: Environment,
  options: Omit<LoadOptions, "environment"> = {},
): LoadResult {
  return load(text, file, { ...options, environment });
}

function load(text: string, file: string | undefined, options: LoadOptions): LoadResult {
  const name = file ?? "(built-in demo)";
  const environment = options.environment ?? process.env;
  const read = readYaml(text, name, environment);
  const includes = withIncludes(read.source, name, directoryOf(file), environment);
  const source = includes.merged;
  const files = file === undefined ? [] : [resolve(file), ...includes.files];
  const syntax = [...read.problems, ...includes.problems];
  const { plan } = options;
  const isElsewhere = plan !== undefined;
  const problems = new ProblemList(source, syntax, isElsewhere);
  const planOfFile = keptPlan(property(source.value, "dialplan"));
  const data = plan === undefined ? (source.value ?? {}) : withPlan(source.value, plan.section);
  const parsed = fileSchema.safeParse(data);
  if (!parsed.success) {
    // After a mistake of YAML itself the rest of the file is not what was written.
    if (source.value !== undefined || syntax.length === 0) {
      problems.addIssues(explainIssues(parsed.error.issues, fileSchema, data));
      problems.addPlan(planProblems(data));
    }
    return { ok: false, problems: problems.sorted(), files };
  }
  if (syntax.length > 0) return { ok: false, problems: problems.sorted(), files };
  // A PBX that owns the users leaves none for the demo.
  const hasUsers =
    parsed.data.users !== undefined ||
    Object.values(parsed.data.trunks ?? {}).some(({ registrar }) => registrar === true);
  const demo = hasUsers ? undefined : demoAccess(options.dataDirectory);
  if (typeof demo === "string")
    return { ok: false, problems: [{ file: name, key: "", message: demo }], files };
  const config = resolveConfig(parsed.data, {
    file,
    demo,
    interfaces: options.interfaces ?? networkInterfaces(),
  });
  const compiled = compileDialplan(config.dialplan, config);
  if (!compiled.ok) {
    problems.addPlan(compiled.problems);
    return { ok: false, problems: problems.sorted(), files };
  }
  const { dialplan } = compiled;
  problems.addPlan(runPlanTests(dialplan, config.dialplan.tests, options.now ?? new Date()));
  if (problems.size > 0) return { ok: false, problems: problems.sorted(), files };
  const planWarnings = compiled.warnings.map(
    ({ path, message }) => `${formatKey(["dialplan", ...path])}: ${message}`,
  );
  // The built-in plan has no places in the file, and nothing to be told about.
  const hasPlan = property(property(data, "dialplan"), "routes") !== undefined;
  const lint = new ProblemList(source, [], isElsewhere);
  if (hasPlan) {
    const now = options.now ?? new Date();
    lint.addPlan(lintDialplan(config.dialplan, config, dialplan, now));
  }
  return {
    ok: true,
    config: { ...config, warnings: [...config.warnings, ...planWarnings] },
    dialplan,
    lint: lint.sorted(),
    plan: plan === undefined ? planOfFile : keptPlan(property(data, "dialplan")),
    planOfFile,
    files,
  };
}

/** The demo's secrets, or why there are none. */
function demoAccess(directory: string | undefined): DemoAccess | string {
  if (directory === undefined) return makeDemoAccess();
  try {
    return keepDemoAccess(directory);
  } catch (error) {
    if (error instanceof DemoDataError) return error.message;
    throw error;
  }
}

/** The mistakes of a plan in a file that is wrong elsewhere too, so that all are told at once. */
function planProblems(data: unknown): readonly DialplanProblem[] {
  const list = property(childOf(data, "dialplan"), "routes");
  if (!Array.isArray(list)) return [];
  const ids = childOf(data, "users") ?? Object.fromEntries(DEMO_USER_IDS.map((id) => [id, {}]));
  const world = {
    users: new Map(
      Object.entries(ids).map(([id, user]) => [
        id,
        { id, groups: [], numbers: texts(user, "numbers") },
      ]),
    ),
    trunks: new Map(Object.entries(childOf(data, "trunks") ?? {})),
  };
  const plan = childOf(data, "dialplan");
  const namesIn = (key: string): readonly string[] => Object.keys(childOf(plan, key) ?? {});
  const compiled = compileDialplan(
    {
      routes: list.map((route) => routeSchema.safeParse(route).data ?? PLACEHOLDER),
      tests: [],
      // What routes may name: that it is there is all that counts here.
      sets: Object.fromEntries(namesIn("sets").map((name) => [name, []])),
      holidays: Object.fromEntries(namesIn("holidays").map((name) => [name, []])),
      hooks: Object.fromEntries(
        namesIn("hooks").map((name) => [name, { url: "", secret: "", timeoutMs: 0 }]),
      ),
      headers: texts(plan, "headers").map((name) => name.toLowerCase()),
    },
    world,
  );
  return compiled.ok ? [] : compiled.problems;
}

/** Stands where a route is that cannot be read, so that the others keep their numbers. */
const PLACEHOLDER: RouteSource = { do: { kind: "echo" } };

function property(data: unknown, key: string): unknown {
  if (typeof data !== "object" || data === null || !Object.hasOwn(data, key)) return undefined;
  // Any object can be read by its own key; what comes out is unknown again.
  return (data as Record<string, unknown>)[key];
}

function childOf(data: unknown, key: string): object | undefined {
  const child = property(data, key);
  return typeof child === "object" && child !== null && !Array.isArray(child) ? child : undefined;
}

function texts(data: unknown, key: string): readonly string[] {
  const value = property(data, key);
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === "string");
}

/** Stands for the file of a plan that comes from none. */
const ELSEWHERE = "(plan)";

/** Problems with their places in the file. */
class ProblemList {
  readonly #source: MergedSource;
  readonly #problems: Problem[];
  readonly #keys: Set<string>;
  readonly #isPlanElsewhere: boolean;

  /** @param isPlanElsewhere whether the plan is not that of the file, and has no place in it */
  constructor(source: MergedSource, syntax: readonly Problem[], isPlanElsewhere: boolean) {
    this.#source = source;
    this.#isPlanElsewhere = isPlanElsewhere;
    this.#problems = [...syntax];
    this.#keys = new Set(syntax.map(({ key }) => key));
  }

  get size(): number {
    return this.#problems.length;
  }

  addIssues(issues: readonly IssueText[]): void {
    for (const { path, part, message } of issues) {
      if (this.#isPlanElsewhere && path[0] === "dialplan") {
        this.#add({ file: ELSEWHERE, key: formatKey(path), message });
        continue;
      }
      const { file, line, column } = this.#source.locate(path, part);
      this.#add({ file, line, column, key: formatKey(path), message });
    }
  }

  addPlan(found: readonly DialplanProblem[]): void {
    for (const { path, message } of found) {
      if (this.#isPlanElsewhere) {
        this.#add({ file: ELSEWHERE, key: formatKey(["dialplan", ...path]), message });
        continue;
      }
      const near = this.#written(["dialplan", ...path]);
      const { file, line, column } = this.#source.locate(near);
      this.#add({ file, line, column, key: formatKey(near), message });
    }
  }

  /** A plan's paths say `to.0` and `then.0.dial` where the file has one value and no list. */
  #written(path: readonly (string | number)[]): readonly PropertyKey[] {
    let near: readonly PropertyKey[] = [];
    for (const key of path) {
      const next = [...near, key];
      if (this.#source.has(next)) near = next;
      else if (typeof key === "string") break;
    }
    return near;
  }

  /** One mistake a place is enough: a variable that is missing is no bad number as well. */
  #add(problem: Problem): void {
    if (problem.key !== "" && this.#keys.has(problem.key)) return;
    this.#keys.add(problem.key);
    this.#problems.push(problem);
  }

  sorted(): readonly Problem[] {
    return this.#problems.toSorted(
      (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
  }
}
