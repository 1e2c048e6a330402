import type { Dialplan, DialplanWorld } from "./compile.ts";
import type { DialplanProblem, Path } from "./condition.ts";
import type { Caller, Decision, TraceStep } from "./decision.ts";
import { emergencyNumbers } from "./emergency.ts";
import { statedFacts } from "./facts.ts";
import { classify } from "./number-class.ts";
import type { NumberPattern } from "./number-trie.ts";
import { compileMatcher } from "./pattern.ts";
import type { NumberMatcher } from "./pattern.ts";
import { nameOfRoute } from "./route-table.ts";
import type { ActionSource, DialplanSource, RouteSource } from "./source.ts";

/** Routes that are compared with each other; pairs grow with the square of it. */
const MAX_COMPARED = 2000;
/** Findings of one kind that are told. */
const MAX_TOLD = 50;

/**
 * What is probably not meant in a plan that works: rules that nothing reaches, patterns that cut
 * each other, emergency numbers that do not get out, numbers that cost extra, rules without tests.
 */
export function lintDialplan(
  source: DialplanSource,
  world: DialplanWorld,
  dialplan: Dialplan,
  now: Date,
): readonly DialplanProblem[] {
  const lists: readonly (readonly [Path, readonly RouteSource[]])[] = [
    [["routes"], source.routes],
    ...Object.entries(source.sets ?? {}).map(
      ([name, routes]) => [["sets", name] as Path, routes] as const,
    ),
  ];
  return [
    ...lists.flatMap(([path, routes]) => compareRoutes(path, routes)),
    ...unusedSets(source),
    ...lists.flatMap(([path, routes]) => costlyNumbers(path, routes, source)),
    ...emergencyReach(source, world, dialplan, now),
    ...untested(lists, source, dialplan, now),
  ];
}

/** One way that a route may be dialled. */
interface Dialled {
  readonly text: string;
  readonly matcher: NumberMatcher;
  /** Which characters may stand in the first places: what differs there has no number in common. */
  readonly starts: readonly number[];
}

interface Comparable {
  readonly name: string;
  readonly route: RouteSource;
  /** Undefined: anything. */
  readonly dialled: readonly Dialled[] | undefined;
  readonly hasUsers: boolean;
  /** Everything but `to` and `from`. */
  readonly rest: string;
  readonly from: string;
  readonly action: string;
}

function compareRoutes(path: Path, routes: readonly RouteSource[]): readonly DialplanProblem[] {
  const found: DialplanProblem[] = [];
  const seen: Comparable[] = [];
  for (const [index, route] of routes.slice(0, MAX_COMPARED).entries()) {
    const one = comparable(route, index);
    for (const earlier of seen) {
      if (found.length >= MAX_TOLD) return found;
      if (covers(earlier, one)) {
        // A rule that takes every call has been told by the compiler.
        if (hasConditions(earlier.route)) {
          found.push({
            path: [...path, index],
            message: `"${one.name}" is never reached: "${earlier.name}" before it takes all its calls`,
          });
        }
        break;
      }
      const cut = crossing(earlier, one);
      if (cut !== undefined) {
        found.push({ path: [...path, index, "to"], message: cut });
        break;
      }
    }
    seen.push(one);
  }
  return found;
}

function comparable(route: RouteSource, index: number): Comparable {
  const { class: classes, at, headers, state } = route;
  return {
    name: nameOfRoute(route, index),
    route,
    dialled: route.to?.flatMap((text) => {
      const matcher = text === USERS ? undefined : compileMatcher(text);
      if (matcher === undefined || matcher.kind === "problem") return [];
      return [{ text, matcher, starts: startsOf(matcher) }];
    }),
    hasUsers: route.to?.includes(USERS) === true,
    rest: JSON.stringify({ classes, at, headers, state }),
    from: JSON.stringify(route.from) ?? "",
    action: JSON.stringify(route.do),
  };
}

const USERS = "@users";
/** Places that are looked at first; long rows of numbers often begin alike. */
const STARTS = 10;
const ANY_CHARACTER = -1;

function startsOf(matcher: NumberMatcher): readonly number[] {
  switch (matcher.kind) {
    case "literal":
      return Array.from(matcher.text.slice(0, STARTS), maskOf);
    case "pattern":
      return matcher.pattern.elements.slice(0, STARTS).map(maskOf);
    case "expression":
      return Array.from(matcher.prefix.slice(0, STARTS), maskOf);
  }
}

/** A bit for each character; different ones may share a bit, equal ones have the same. */
function maskOf(characters: string): number {
  let mask = 0;
  for (let index = 0; index < characters.length; index += 1) {
    mask |= 1 << (characters.charCodeAt(index) & 31);
  }
  return mask;
}

function mayMeet(left: readonly number[], right: readonly number[]): boolean {
  const count = Math.min(left.length, right.length);
  for (let index = 0; index < count; index += 1) {
    if (((left[index] ?? ANY_CHARACTER) & (right[index] ?? ANY_CHARACTER)) === 0) return false;
  }
  return true;
}

function hasConditions({ from, to, class: classes, at, headers, state }: RouteSource): boolean {
  return [from, to, classes, at, headers, state].some((part) => part !== undefined);
}

/** Whether every call of `later` is one of `earlier`. */
function covers(earlier: Comparable, later: Comparable): boolean {
  if (earlier.rest !== "{}" && earlier.rest !== later.rest) return false;
  return coversTo(earlier, later) && coversFrom(earlier.route, later.route);
}

function coversFrom({ from: wide }: RouteSource, { from: narrow }: RouteSource): boolean {
  if (wide === undefined) return true;
  return (["user", "group", "trunk", "number"] as const).every((key) => {
    const wanted = wide[key];
    const offered = narrow?.[key];
    return wanted === undefined || offered?.every((item) => wanted.includes(item)) === true;
  });
}

function coversTo({ dialled: wide, hasUsers }: Comparable, later: Comparable): boolean {
  if (wide === undefined) return true;
  if (later.dialled === undefined || (later.hasUsers && !hasUsers)) return false;
  return later.dialled.every((narrow) =>
    wide.some((one) => mayMeet(one.starts, narrow.starts) && takesAll(one, narrow)),
  );
}

/** Whether a matcher takes every number of another one. */
function takesAll(wide: Dialled, narrow: Dialled): boolean {
  if (wide.text === narrow.text) return true;
  switch (narrow.matcher.kind) {
    case "literal":
      return takes(wide.matcher, narrow.matcher.text);
    case "pattern":
      return (
        wide.matcher.kind === "pattern" && isWithin(narrow.matcher.pattern, wide.matcher.pattern)
      );
    case "expression":
      return false;
  }
}

function takes(matcher: NumberMatcher, number: string): boolean {
  switch (matcher.kind) {
    case "literal":
      return matcher.text === number;
    case "pattern":
      return matcher.matches(number);
    case "expression":
      return matcher.exec(number) !== undefined;
  }
}

function isWithin(narrow: NumberPattern, wide: NumberPattern): boolean {
  const rest = narrow.elements.length - wide.elements.length;
  if (rest < 0) return false;
  const areAlike = wide.elements.every((element, index) =>
    Array.from(narrow.elements[index] ?? "").every((character) => element.includes(character)),
  );
  if (!areAlike) return false;
  switch (wide.tail) {
    case "end":
      return rest === 0 && narrow.tail === "end";
    case "some":
      return rest > 0 || narrow.tail === "some";
    case "any":
      return true;
  }
}

/** Whether some number is one of both patterns. */
function doMeet(left: NumberPattern, right: NumberPattern): boolean {
  const [short, long] =
    left.elements.length <= right.elements.length ? [left, right] : [right, left];
  const rest = long.elements.length - short.elements.length;
  if (short.tail === "end" && (rest > 0 || long.tail === "some")) return false;
  if (short.tail === "some" && rest === 0 && long.tail === "end") return false;
  return short.elements.every((element, index) =>
    Array.from(element).some((character) => (long.elements[index] ?? "").includes(character)),
  );
}

/** Two patterns that share numbers, neither of which is the special case of the other. */
function crossing(earlier: Comparable, later: Comparable): string | undefined {
  if (earlier.rest !== later.rest || earlier.from !== later.from) return undefined;
  if (earlier.action === later.action) return undefined;
  for (const { text: left, matcher: one, starts } of earlier.dialled ?? []) {
    for (const { text: right, matcher: other, starts: otherStarts } of later.dialled ?? []) {
      if (one.kind !== "pattern" || other.kind !== "pattern") continue;
      if (!mayMeet(starts, otherStarts) || !doMeet(one.pattern, other.pattern)) continue;
      if (isWithin(one.pattern, other.pattern) || isWithin(other.pattern, one.pattern)) continue;
      return `"${right}" shares numbers with "${left}" of "${earlier.name}", which takes them and does something else`;
    }
  }
  return undefined;
}

function unusedSets(source: DialplanSource): readonly DialplanProblem[] {
  const text = JSON.stringify([source.routes, source.sets ?? {}]);
  return Object.keys(source.sets ?? {})
    .filter((name) => !text.includes(`"set":${JSON.stringify(name)}`))
    .map((name) => ({ path: ["sets", name], message: `no route goes to the set "${name}"` }));
}

/** Numbers of the file itself that cost extra: dialled or forwarded to, whoever calls. */
function costlyNumbers(
  path: Path,
  routes: readonly RouteSource[],
  source: DialplanSource,
): readonly DialplanProblem[] {
  const home = { country: source.country, areaCode: source.areaCode };
  const found: DialplanProblem[] = [];
  const look = (number: string, place: Path): void => {
    if (number.includes("$") || found.length >= MAX_TOLD) return;
    if (classify(number, number, home).class !== "premium") return;
    found.push({ path: place, message: `${number} is a premium number: calls there cost extra` });
  };
  const visit = (action: ActionSource, route: RouteSource, place: Path): void => {
    switch (action.kind) {
      case "forward":
        look(action.to, [...place, "forward"]);
        return;
      case "dial": {
        const { number, strip, prepend } = action.rewrite;
        for (const to of number === undefined ? (route.to ?? []) : [number]) {
          if (!/^[_/@]/.test(to)) look(prepend + to.slice(strip), [...place, "dial"]);
        }
        break;
      }
      case "ask":
        action.otherwise.forEach((next, index) => visit(next, route, [...place, "else", index]));
        return;
      case "ring":
      case "voicemail":
        break;
      case "go":
      case "echo":
      case "play":
      case "read-digits":
      case "hang-up":
      case "reject":
        return;
    }
    action.then.forEach((next, index) => visit(next, route, [...place, "then", index]));
    for (const [outcome, actions] of Object.entries(action.on ?? {})) {
      actions.forEach((next, index) => visit(next, route, [...place, "on", outcome, index]));
    }
  };
  routes.forEach((route, index) => visit(route.do, route, [...path, index, "do"]));
  return found;
}

/** Users whose emergency call would not go out at some hour of the coming week. */
function emergencyReach(
  source: DialplanSource,
  world: DialplanWorld,
  dialplan: Dialplan,
  now: Date,
): readonly DialplanProblem[] {
  const found: DialplanProblem[] = [];
  const profiles = new Map<string, Caller>();
  for (const user of world.users.values()) {
    const country = user.country ?? source.country;
    if (country === undefined) continue;
    const key = `${country} ${user.groups.toSorted().join(" ")}`;
    if (profiles.has(key)) continue;
    const { id, groups, numbers } = user;
    profiles.set(key, { kind: "user", id, groups, numbers });
  }
  for (const caller of profiles.values()) {
    const country = world.users.get(caller.id)?.country ?? source.country;
    const certain = dialplan.emergencyNumbersOf(caller);
    for (const number of emergencyNumbers(country)) {
      if (certain.has(number)) continue;
      const missed = hoursOf(now).find((at) => {
        const { action } = dialplan.decide({ from: caller, to: number, at }, { explain: false });
        return action.kind !== "dial";
      });
      if (missed === undefined) continue;
      found.push({
        path: ["country"],
        message: `user ${caller.id} cannot reach the emergency number ${number} (for one at ${missed.toISOString()}); expected a trunk that takes it`,
      });
      break;
    }
  }
  return found.slice(0, MAX_TOLD);
}

function hoursOf(now: Date): readonly Date[] {
  return Array.from({ length: 168 }, (_, hour) => new Date(now.getTime() + hour * 3_600_000));
}

function untested(
  lists: readonly (readonly [Path, readonly RouteSource[]])[],
  source: DialplanSource,
  dialplan: Dialplan,
  now: Date,
): readonly DialplanProblem[] {
  // A file without tests is told nothing rule by rule.
  if (source.tests.length === 0) return [];
  const tested = new Set<string>();
  for (const test of source.tests) {
    const from = dialplan.findCaller(test.from, test.trunk);
    const at = test.at === undefined ? now : dialplan.clock.tryParse(test.at);
    if (typeof from === "string" || at === undefined) continue;
    const decision: Decision = dialplan.decide(
      {
        from,
        to: test.to,
        at,
        headers: (name) => test.headers?.[name],
        facts: statedFacts(test.state ?? {}),
      },
      { explain: 1 },
    );
    collect(decision.trace, "routes", tested);
  }
  const found: DialplanProblem[] = [];
  for (const [path, routes] of lists) {
    const list = path.length === 1 ? "routes" : `set ${String(path[1])}`;
    for (const [index, route] of routes.entries()) {
      const name = nameOfRoute(route, index);
      if (tested.has(`${list} ${name}`) || found.length >= MAX_TOLD) continue;
      found.push({ path: [...path, index], message: `no test covers "${name}"` });
    }
  }
  return found;
}

function collect(trace: readonly TraceStep[], list: string, tested: Set<string>): void {
  for (const { route, matched, steps = [] } of trace) {
    if (matched) tested.add(`${list} ${route}`);
    for (const step of steps) {
      if (step.kind === "set") collect(step.trace, `set ${step.set}`, tested);
      if (step.kind === "forward") collect(step.trace, "routes", tested);
    }
  }
}
