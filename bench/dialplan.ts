import { compileDialplan } from "../src/dialplan/compile.ts";
import type { Dialplan, DialplanWorld } from "../src/dialplan/compile.ts";
import type { CallQuery, Caller } from "../src/dialplan/decision.ts";
import { dialplanSchema } from "../src/dialplan/schema.ts";

/**
 * `npm run bench -- dialplan`: microseconds of one decision against plans of three sizes, and what
 * loading such a plan costs. Run with `--expose-gc` for exact memory.
 */

/** One plan's figures. */
export interface DialplanFigures {
  readonly routes: number;
  /** Shape and plan checked and compiled, from the values of the file. */
  readonly loadMs: number;
  /** Heap that the compiled plan keeps. */
  readonly heapMiB: number;
  /** One decision, microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** One explained decision, microseconds. */
  readonly explainedUs: number;
}

const USERS = Array.from({ length: 2000 }, (_, index) => String(10_000 + index));
const GROUPS = ["staff", "sales", "guests"];
const AT = new Date("2026-11-20T09:00:00Z");

const world: DialplanWorld = {
  users: new Map(
    USERS.map((id, index) => [
      id,
      { id, numbers: [`+4930123${id}`], groups: [GROUPS[index % GROUPS.length] ?? "staff"] },
    ]),
  ),
  trunks: new Map(["office", "north", "south"].map((id) => [id, {}])),
};

/**
 * A plan as large sites have them: numbers of the house one by one, blocks of numbers as patterns,
 * expressions, rules of groups and of hours, and a last rule.
 */
export function sectionOf(count: number): object {
  const routes: object[] = [
    { name: "echo", to: "*43", do: "echo" },
    { name: "colleagues", to: "@users", do: { ring: "@to" } },
  ];
  for (let index = 0; routes.length < count - 2; index += 1) {
    const digits = String(100_000 + index);
    switch (index % 5) {
      case 0:
      case 1:
        routes.push({ to: `+4989${digits}`, do: { ring: USERS[index % USERS.length] } });
        break;
      case 2:
        routes.push({
          to: `_0${digits}XX.`,
          from: { group: GROUPS[index % 3] },
          do: { dial: ["north", "south"], strip: 1, prepend: "+49" },
        });
        break;
      case 3:
        routes.push({
          to: `_00${digits}!`,
          at: { days: "mon-fri", hours: "08:00-18:00" },
          do: { dial: "south", strip: 2, prepend: "+" },
        });
        break;
      default:
        routes.push({
          to: `/^9${digits}([0-9]{2})$/`,
          do: { dial: "office", caller: "+4930$1" },
        });
    }
  }
  routes.push(
    { name: "national", to: "_0Z.", do: { dial: "office", strip: 1, prepend: "+49" } },
    { name: "rest", do: { reject: 404 } },
  );
  return { country: "DE", "time-zone": "Europe/Berlin", routes: routes.slice(-count) };
}

function queriesFor(count: number): readonly CallQuery[] {
  const queries: CallQuery[] = [];
  const user = (index: number): Caller => {
    const found = world.users.get(USERS[index % USERS.length] ?? "");
    if (found === undefined) throw new Error("no user");
    return { kind: "user", ...found };
  };
  for (let index = 0; index < 5000; index += 1) {
    const digits = String(100_000 + ((index * 7919) % Math.max(1, count)));
    const numbers = [
      `+4989${digits}`,
      `0${digits}123`,
      `00${digits}4`,
      `9${digits}42`,
      USERS[index % USERS.length] ?? "",
      `030${digits}`,
      `x${digits}`,
    ];
    queries.push({
      from:
        index % 4 === 0 ? { kind: "trunk", id: "office", number: `+4940${digits}` } : user(index),
      to: numbers[index % numbers.length] ?? "",
      at: new Date(AT.getTime() + index * 1000),
    });
  }
  return queries;
}

/** @param counts sizes of the plans, in routes */
export function measureDialplan(counts: readonly number[]): readonly DialplanFigures[] {
  return counts.map((count) => {
    const section = sectionOf(count);
    collect();
    const heapBefore = process.memoryUsage().heapUsed;
    const startedMs = performance.now();
    const dialplan = load(section);
    const loadMs = performance.now() - startedMs;
    collect();
    const heapMiB = (process.memoryUsage().heapUsed - heapBefore) / 1_048_576;
    const queries = queriesFor(count);
    for (let round = 0; round < 4; round += 1) timesUs(dialplan, queries);
    // The best of several rounds: a busy machine stops a process for longer than a decision takes.
    const rounds = Array.from({ length: 5 }, () => timesUs(dialplan, queries));
    const p99Us = Math.min(...rounds.map((times) => quantile(times, 0.99)));
    const p50Us = Math.min(...rounds.map((times) => quantile(times, 0.5)));
    return {
      routes: count,
      loadMs,
      heapMiB,
      p50Us,
      p99Us,
      explainedUs: explainedUs(dialplan, queries),
    };
  });
}

function load(section: object): Dialplan {
  const parsed = dialplanSchema.parse(section);
  const compiled = compileDialplan({ ...parsed, routes: parsed.routes ?? [] }, world);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems.slice(0, 3)));
  return compiled.dialplan;
}

/** Sorted times of single decisions. */
function timesUs(dialplan: Dialplan, queries: readonly CallQuery[]): Float64Array {
  const times = new Float64Array(queries.length);
  for (const [index, query] of queries.entries()) {
    const start = performance.now();
    dialplan.decide(query, { explain: false });
    times[index] = (performance.now() - start) * 1000;
  }
  return times.toSorted();
}

function explainedUs(dialplan: Dialplan, queries: readonly CallQuery[]): number {
  const some = queries.slice(0, 20);
  const start = performance.now();
  for (const query of some) dialplan.decide(query);
  return ((performance.now() - start) * 1000) / some.length;
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

function collect(): void {
  globalThis.gc?.();
}

/** The figures as lines for the terminal. */
export function dialplanLines(figures: readonly DialplanFigures[]): readonly string[] {
  return [
    "routes   load ms   heap MiB   decide p50 us   p99 us   explained us",
    ...figures.map(({ routes, loadMs, heapMiB, p50Us, p99Us, explainedUs: explained }) =>
      [
        String(routes).padStart(6),
        loadMs.toFixed(0).padStart(9),
        heapMiB.toFixed(1).padStart(10),
        p50Us.toFixed(1).padStart(15),
        p99Us.toFixed(1).padStart(8),
        explained.toFixed(0).padStart(14),
      ].join(" "),
    ),
  ];
}

if (import.meta.main) {
  for (const line of dialplanLines(measureDialplan([10, 1000, 100_000]))) {
    process.stdout.write(`${line}\n`);
  }
}
