import { formatDates, isWithinDates } from "./calendar.ts";
import type { DateRange } from "./calendar.ts";
import type { CallContext } from "./call-context.ts";
import type { Caller } from "./decision.ts";
import { didYouMean } from "./closest.ts";
import type { PlanCodecs } from "./codec-note.ts";
import type { Directory } from "./directory.ts";
import type { UserState } from "./facts.ts";
import { classify } from "./number-class.ts";
import { compileMatcher } from "./pattern.ts";
import type { NumberMatcher } from "./pattern.ts";
import type { IndexedNumbers } from "./route-index.ts";
import { DAY_NAMES, isWithinHours } from "./schedule.ts";
import type { LocalTime, WallClock } from "./schedule.ts";
import type { Limits, Permissions } from "./permission.ts";
import type { RateTable } from "./rates.ts";
import type { AtSource, FromSource, LimitSource, RouteSource } from "./source.ts";

/** A key's place under `dialplan`. */
export type Path = readonly (string | number)[];

/** A mistake that the shape alone does not show. */
export interface DialplanProblem {
  readonly path: Path;
  readonly message: string;
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

/** What stands between a route and a trunk. */
export interface Safety {
  readonly permissions: Permissions;
  readonly limits: Limits;
  /** By trunk id. */
  readonly rates: ReadonlyMap<string, RateTable>;
  readonly limitOfRoute: (name: string) => LimitSource | undefined;
}

/** What the compiler of a route needs to know beside the route. */
export interface Surroundings {
  readonly directory: Directory;
  readonly groups: ReadonlySet<string>;
  readonly trunks: ReadonlyMap<string, unknown>;
  readonly sets: ReadonlySet<string>;
  readonly hooks: ReadonlySet<string>;
  readonly holidays: ReadonlyMap<string, readonly DateRange[]>;
  /** Names of header fields that may be looked at, in lower case. */
  readonly headers: ReadonlySet<string>;
  readonly safety: Safety;
  readonly codecs: PlanCodecs;
  readonly clockOf: (timeZone: string) => WallClock;
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
  if (route.class !== undefined) conditions.push(classCondition(route.class));
  if (route.at !== undefined) conditions.push(...atConditions(route.at, [...path, "at"], around));
  if (route.headers !== undefined) {
    conditions.push(...headerConditions(route.headers, [...path, "headers"], around));
  }
  if (route.state !== undefined) {
    conditions.push(...stateConditions(route.state, [...path, "state"], around));
  }
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
    const takesNone = number.includes(ANONYMOUS);
    const matchers = numberMatchers(number, [...path, "from", "number"], around);
    conditions.push({
      key: "from.number",
      expected: anyOf(number),
      holds: (context) =>
        (takesNone && context.callerNumbers.length === 0) ||
        context.callerNumbers.some((seen) =>
          matchers.some((matcher) => matchNumber(matcher, seen) !== undefined),
        ),
      saw: (context) => context.callerNumbers.join(", ") || "no number",
    });
  }
  return conditions;
}

/** In `from.number`: the caller shows no number. */
const ANONYMOUS = "anonymous";

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

function classCondition(classes: NonNullable<RouteSource["class"]>): Condition {
  const wanted = new Set<string>(classes);
  const classOf = ({ query, home }: CallContext): string =>
    classify(query.to, query.to, home).class;
  return {
    key: "class",
    expected: anyOf(classes),
    holds: (context) => wanted.has(classOf(context)),
    saw: (context) => `${context.query.to} (${classOf(context)})`,
  };
}

function atConditions(at: AtSource, path: Path, around: Surroundings): readonly Condition[] {
  const conditions: Condition[] = [];
  const { days, hours, dates } = at;
  const clock = at.timeZone === undefined ? undefined : around.clockOf(at.timeZone);
  const timeOf = (context: CallContext): LocalTime =>
    clock === undefined ? context.localTime : clock.localTime(context.query.at);
  if (days !== undefined) {
    const wanted = new Set(days);
    conditions.push({
      key: "at.days",
      expected: days.map((day) => DAY_NAMES[day]).join(", "),
      holds: (context) => wanted.has(timeOf(context).day),
      saw: (context) => DAY_NAMES[timeOf(context).day] ?? "",
    });
  }
  if (hours !== undefined) {
    conditions.push({
      key: "at.hours",
      expected: hours
        .map(({ from, to }) => `${formatMinutes(from)}-${formatMinutes(to)}`)
        .join(", "),
      holds: (context) => isWithinHours(timeOf(context), hours),
      saw: (context) => formatMinutes(timeOf(context).minutes),
    });
  }
  if (dates !== undefined) {
    conditions.push({
      key: "at.dates",
      expected: anyOf(dates.map(formatDates)),
      holds: (context) => isWithinDates(timeOf(context).date, dates),
      saw: (context) => timeOf(context).date,
    });
  }
  const listOf = (names: readonly string[], key: string): readonly DateRange[] =>
    names.flatMap((name, index) => {
      const list = around.holidays.get(name);
      if (list === undefined) {
        around.problem(
          [...path, key, index],
          `no list "${name}" under dialplan.holidays${didYouMean(name, around.holidays.keys())}`,
        );
      }
      return list ?? [];
    });
  if (at.holidays !== undefined) {
    const list = listOf(at.holidays, "holidays");
    conditions.push({
      key: "at.holidays",
      expected: `a holiday of ${anyOf(at.holidays)}`,
      holds: (context) => isWithinDates(timeOf(context).date, list),
      saw: (context) => timeOf(context).date,
    });
  }
  if (at.except !== undefined) {
    const list = listOf(at.except, "except");
    conditions.push({
      key: "at.except",
      expected: `no holiday of ${anyOf(at.except)}`,
      holds: (context) => !isWithinDates(timeOf(context).date, list),
      saw: (context) => timeOf(context).date,
    });
  }
  return conditions;
}

function headerConditions(
  headers: NonNullable<RouteSource["headers"]>,
  path: Path,
  around: Surroundings,
): readonly Condition[] {
  return Object.entries(headers).map(([name, sources]) => {
    if (!around.headers.has(name)) {
      around.problem(
        [...path, name],
        `"${name}" is not in dialplan.headers; expected one that is${didYouMean(name, around.headers)}`,
      );
    }
    const matchers = numberMatchers(sources, [...path, name], around);
    // A browser writes what it likes into its requests: only a trunk's fields are looked at.
    const valueOf = ({ query }: CallContext): string | undefined =>
      query.from.kind === "trunk" ? query.headers?.(name)?.slice(0, MAX_HEADER_LENGTH) : undefined;
    return {
      key: `headers.${name}`,
      expected: anyOf(sources),
      holds: (context) => {
        const value = valueOf(context);
        return (
          value !== undefined &&
          matchers.some((matcher) => matchNumber(matcher, value) !== undefined)
        );
      },
      saw: (context) => valueOf(context) ?? "no such header",
    };
  });
}

const MAX_HEADER_LENGTH = 255;
const TO = "@to";

function stateConditions(
  state: NonNullable<RouteSource["state"]>,
  path: Path,
  around: Surroundings,
): readonly Condition[] {
  return Object.entries(state).map(([who, states]) => {
    if (who !== TO && !around.directory.has(who)) {
      around.problem(
        [...path, who],
        `no user "${who}"; expected the id of a user or "@to"${didYouMean(who, around.directory.ids)}`,
      );
    }
    const wanted = new Set<string>(
      states.flatMap((word) => (word === "registered" ? ["idle", "busy"] : [word])),
    );
    const usersOf = (context: CallContext): readonly string[] =>
      who === TO ? context.dialledUsers : [who];
    const stateOf = (context: CallContext, id: string): UserState => context.facts.userState(id);
    return {
      key: `state.${who}`,
      expected: anyOf(states),
      holds: (context) => {
        const users = usersOf(context);
        return users.length > 0 && users.every((id) => wanted.has(stateOf(context, id)));
      },
      saw: (context) =>
        usersOf(context)
          .map((id) => `${id} ${stateOf(context, id)}`)
          .join(", ") || "no user",
    };
  });
}

function formatMinutes(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
