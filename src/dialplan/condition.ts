import type { CallQuery, Caller } from "./decision.ts";
import { didYouMean } from "./closest.ts";
import type { Directory } from "./directory.ts";
import { compileMatcher } from "./pattern.ts";
import type { NumberMatcher } from "./pattern.ts";
import type { IndexedNumbers } from "./route-index.ts";
import { DAY_NAMES, isWithinHours } from "./schedule.ts";
import type { LocalTime, WallClock } from "./schedule.ts";
import type { AtSource, FromSource, RouteSource } from "./source.ts";

/** A key's place under `dialplan`. */
export type Path = readonly (string | number)[];

/** A mistake that the shape alone does not show. */
export interface DialplanProblem {
  readonly path: Path;
  readonly message: string;
}

/** One call while it is being decided; what costs time is worked out once, when first asked for. */
export class CallContext {
  readonly query: CallQuery;
  /** What the route's regular expression found; the whole match first. */
  groups: readonly string[] = [];
  readonly #directory: Directory;
  readonly #clock: WallClock;
  #dialledUsers: readonly string[] | undefined;
  #localTime: LocalTime | undefined;
  #callerNumbers: readonly string[] | undefined;

  constructor(query: CallQuery, directory: Directory, clock: WallClock) {
    this.query = query;
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Ids of the users that the dialled text names. */
  get dialledUsers(): readonly string[] {
    return (this.#dialledUsers ??= this.#directory.find(this.query.to));
  }

  get localTime(): LocalTime {
    return (this.#localTime ??= this.#clock.localTime(this.query.at));
  }

  /** Every spelling of every number of the caller. */
  get callerNumbers(): readonly string[] {
    const { from } = this.query;
    const numbers =
      from.kind === "user" ? from.numbers : from.number === undefined ? [] : [from.number];
    return (this.#callerNumbers ??= numbers.flatMap((number) => this.#directory.spellings(number)));
  }
}

/** One thing that a route asks of a call. */
export interface Condition {
  /** The key: `to`, `from.group`, `at.hours`. */
  readonly key: string;
  readonly expected: string;
  readonly holds: (context: CallContext) => boolean;
  /** The value that it looked at, for the explanation. */
  readonly saw: (context: CallContext) => string;
}

/** The conditions of a route, cheapest and most telling first. */
export interface RouteConditions {
  readonly conditions: readonly Condition[];
  /** What `to` may be, for the index; undefined: anything. */
  readonly numbers: IndexedNumbers | undefined;
  /** The highest group that every `to` of the route has; -1 without a regular expression. */
  readonly groupCount: number;
}

/** What the compiler of a route needs to know beside the route. */
export interface Surroundings {
  readonly directory: Directory;
  readonly groups: ReadonlySet<string>;
  readonly trunks: ReadonlyMap<string, unknown>;
  readonly problem: (path: Path, message: string) => void;
  readonly warn: (path: Path, message: string) => void;
}

/** `user 1001`, `trunk office`. */
export function describeCaller(caller: Caller): string {
  return `${caller.kind} ${caller.id}`;
}

/** Reads the conditions of the route at `path`; mistakes go to `around.problem`. */
export function compileConditions(
  route: RouteSource,
  path: Path,
  around: Surroundings,
): RouteConditions {
  const conditions: Condition[] = [];
  if (route.from !== undefined) conditions.push(...fromConditions(route.from, path, around));
  const to = route.to === undefined ? undefined : toCondition(route.to, path, around);
  if (to !== undefined) conditions.push(to.condition);
  if (route.at !== undefined) conditions.push(...atConditions(route.at));
  return { conditions, numbers: to?.numbers, groupCount: to?.groupCount ?? -1 };
}

function fromConditions(from: FromSource, path: Path, around: Surroundings): readonly Condition[] {
  const conditions: Condition[] = [];
  const at = (key: string, index: number): Path => [...path, "from", key, index];
  const { user, group, trunk, number } = from;
  if (user !== undefined) {
    for (const [index, id] of user.entries()) {
      if (around.directory.has(id)) continue;
      around.problem(
        at("user", index),
        `no user "${id}"; expected the id of a user${didYouMean(id, around.directory.ids)}`,
      );
    }
    const wanted = new Set(user);
    conditions.push({
      key: "from.user",
      expected: anyOf(user),
      holds: ({ query }) => query.from.kind === "user" && wanted.has(query.from.id),
      saw: ({ query }) => describeCaller(query.from),
    });
  }
  if (group !== undefined) {
    for (const [index, name] of group.entries()) {
      if (around.groups.has(name)) continue;
      around.warn(
        at("group", index),
        `no user is in group "${name}"${didYouMean(name, around.groups)}`,
      );
    }
    const wanted = new Set(group);
    conditions.push({
      key: "from.group",
      expected: anyOf(group),
      holds: ({ query }) =>
        query.from.kind === "user" && query.from.groups.some((name) => wanted.has(name)),
      saw: ({ query: { from: caller } }) =>
        caller.kind === "user"
          ? `${describeCaller(caller)} in ${caller.groups.join(", ") || "no group"}`
          : describeCaller(caller),
    });
  }
  if (trunk !== undefined) {
    for (const [index, id] of trunk.entries()) checkTrunk(id, at("trunk", index), around);
    const wanted = new Set(trunk);
    conditions.push({
      key: "from.trunk",
      expected: anyOf(trunk),
      holds: ({ query }) => query.from.kind === "trunk" && wanted.has(query.from.id),
      saw: ({ query }) => describeCaller(query.from),
    });
  }
  if (number !== undefined) {
    const matchers = numberMatchers(number, [...path, "from", "number"], around);
    conditions.push({
      key: "from.number",
      expected: anyOf(number),
      holds: (context) =>
        context.callerNumbers.some((seen) =>
          matchers.some((matcher) => matchNumber(matcher, seen) !== undefined),
        ),
      saw: (context) => context.callerNumbers.join(", ") || "no number",
    });
  }
  return conditions;
}

const MAX_LISTED = 6;

/** `a or b or c`; a long list is cut. */
function anyOf(values: readonly string[]): string {
  const listed = values.slice(0, MAX_LISTED).join(" or ");
  const more = values.length - MAX_LISTED;
  return more > 0 ? `${listed} or one of ${more} more` : listed;
}

/** Notes a problem when there is no such trunk. */
export function checkTrunk(id: string, path: Path, around: Surroundings): void {
  if (around.trunks.has(id)) return;
  around.problem(
    path,
    `no trunk "${id}"; expected the id of a trunk${didYouMean(id, around.trunks.keys())}`,
  );
}

function numberMatchers(
  sources: readonly string[],
  path: Path,
  around: Surroundings,
): readonly NumberMatcher[] {
  const matchers: NumberMatcher[] = [];
  for (const [index, source] of sources.entries()) {
    const matcher = compileMatcher(source);
    if (matcher.kind === "problem") around.problem([...path, index], matcher.message);
    else matchers.push(matcher);
  }
  return matchers;
}

const NO_GROUPS: readonly string[] = [];

/** The groups that a matcher found, none for a literal and a pattern; undefined when it fails. */
function matchNumber(matcher: NumberMatcher, number: string): readonly string[] | undefined {
  switch (matcher.kind) {
    case "literal":
      return matcher.text === number ? NO_GROUPS : undefined;
    case "pattern":
      return matcher.matches(number) ? NO_GROUPS : undefined;
    case "expression":
      return matcher.exec(number);
  }
}

const USERS = "@users";

function toCondition(
  to: readonly string[],
  path: Path,
  around: Surroundings,
): Omit<RouteConditions, "conditions"> & { readonly condition: Condition } {
  const matchers: NumberMatcher[] = [];
  let hasUsers = false;
  let groupCount = Number.POSITIVE_INFINITY;
  for (const [index, source] of to.entries()) {
    const place: Path = [...path, "to", index];
    if (source === USERS) {
      hasUsers = true;
      groupCount = -1;
    } else if (source.startsWith("@")) {
      around.problem(
        place,
        `"${source}" is not known; expected "@users"${didYouMean(source, [USERS])}`,
      );
    } else {
      for (const matcher of numberMatchers([source], [...path, "to"], pinned(around, place))) {
        matchers.push(matcher);
        groupCount = Math.min(groupCount, matcher.kind === "expression" ? matcher.groupCount : -1);
      }
    }
  }
  const holds = numberTest(matchers);
  const condition: Condition = {
    key: "to",
    expected: anyOf(to),
    holds: hasUsers ? (context) => holds(context) || context.dialledUsers.length > 0 : holds,
    saw: ({ query }) => query.to,
  };
  return {
    condition,
    numbers: { matchers, hasUsers },
    groupCount: Number.isFinite(groupCount) ? groupCount : -1,
  };
}

const NONE: ReadonlySet<string> = new Set();

/** Whether one of the matchers takes what was dialled; keeps the groups that it found. */
function numberTest(matchers: readonly NumberMatcher[]): (context: CallContext) => boolean {
  const [first, ...others] = matchers;
  if (first?.kind === "literal" && others.length === 0) {
    const { text } = first;
    return ({ query }) => query.to === text;
  }
  const texts = matchers.flatMap((matcher) => (matcher.kind === "literal" ? [matcher.text] : []));
  const literals = texts.length === 0 ? NONE : new Set(texts);
  const slower = matchers.filter(({ kind }) => kind !== "literal");
  return (context) => {
    const dialled = context.query.to;
    if (literals.has(dialled)) return true;
    for (const matcher of slower) {
      const groups = matchNumber(matcher, dialled);
      if (groups === undefined) continue;
      context.groups = groups;
      return true;
    }
    return false;
  };
}

/** The same surroundings, with every problem at one place. */
function pinned(around: Surroundings, path: Path): Surroundings {
  return { ...around, problem: (_, message) => around.problem(path, message) };
}

function atConditions(at: AtSource): readonly Condition[] {
  const conditions: Condition[] = [];
  const { days, hours } = at;
  if (days !== undefined) {
    const wanted = new Set(days);
    conditions.push({
      key: "at.days",
      expected: days.map((day) => DAY_NAMES[day]).join(", "),
      holds: ({ localTime }) => wanted.has(localTime.day),
      saw: ({ localTime }) => DAY_NAMES[localTime.day] ?? "",
    });
  }
  if (hours !== undefined) {
    conditions.push({
      key: "at.hours",
      expected: hours
        .map(({ from, to }) => `${formatMinutes(from)}-${formatMinutes(to)}`)
        .join(", "),
      holds: ({ localTime }) => isWithinHours(localTime, hours),
      saw: ({ localTime }) => formatMinutes(localTime.minutes),
    });
  }
  return conditions;
}

function formatMinutes(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
