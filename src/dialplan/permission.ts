import type { CallContext } from "./call-context.ts";
import type { Caller, TraceDetail } from "./decision.ts";
import type { UsageCount } from "./facts.ts";
import { e164Candidates } from "./number.ts";
import { isCostlyShort, mayBeCostly } from "./costly-numbers.ts";
import { classify } from "./number-class.ts";
import type { Classified, NumberClass } from "./number-class.ts";
import type { NumberMatcher } from "./pattern.ts";
import type { AllowSource, DialplanSource, LimitSource, LimitsSource } from "./source.ts";

/** When the plan says nothing: whatever a route dials, but nothing that costs extra. */
const USUAL: ReadonlySet<NumberClass> = new Set([
  "internal",
  "national",
  "mobile",
  "international",
  "emergency",
  "unknown",
]);
/** Of no number that is refused; what it is exactly, nobody asks. */
const CHEAP = { class: "unknown", e164: undefined, isAllowed: true } as const;

/** Of a plan with `allow` that does not name the caller. */
const LEAST: readonly NumberClass[] = ["internal", "emergency"];

/** What callers may dial over trunks. */
export class Permissions {
  readonly #allow: AllowSource | undefined;
  readonly #premium: readonly NumberMatcher[];

  /** @param premium numbers that cost extra, beside those of their countries' plans */
  constructor(source: DialplanSource, premium: readonly NumberMatcher[]) {
    this.#allow = source.allow;
    this.#premium = premium;
  }

  /** Whether the number may be called; notes its class. */
  allows(number: string, context: CallContext): Classified & { readonly isAllowed: boolean } {
    const { home, query } = context;
    if (this.#allow === undefined && context.details === undefined) {
      // Nothing but a number that costs extra is refused: most numbers are plainly none.
      const isCheap =
        this.#isCheap(number, home.country) &&
        (number === query.to || this.#isCheap(query.to, home.country));
      if (isCheap) return CHEAP;
    }
    const classified = this.#classify(number, context);
    const isAllowed = this.classesOf(query.from).has(classified.class);
    context.note({
      kind: "class",
      number: classified.e164 ?? number,
      class: classified.class,
      isAllowed,
    });
    return { ...classified, isAllowed };
  }

  /** The classes that a caller may dial over trunks. */
  classesOf(caller: Caller): ReadonlySet<NumberClass> {
    const allow = this.#allow;
    if (allow === undefined) return USUAL;
    const everyone = allow.everyone ?? LEAST;
    if (caller.kind === "trunk") return withEmergency(allow.trunks[caller.id] ?? everyone);
    const own = entryOf(allow.users, caller.id);
    if (own !== undefined) return withEmergency(own);
    const groups = caller.groups.flatMap((name) => entryOf(allow.groups, name) ?? []);
    const isInGroup = caller.groups.some((name) => entryOf(allow.groups, name) !== undefined);
    return withEmergency(isInGroup ? groups : everyone);
  }

  #classify(number: string, context: CallContext): Classified {
    const classified = classify(context.query.to, number, context.home);
    const e164 = classified.e164;
    if (e164 !== undefined && this.#isListed(e164)) return { class: "premium", e164 };
    return classified;
  }

  #isCheap(text: string, country: string | undefined): boolean {
    if (isCostlyShort(text, country)) return false;
    for (const e164 of e164Candidates(text, country)) {
      if (mayBeCostly(e164) || this.#isListed(e164)) return false;
    }
    return true;
  }

  #isListed(e164: string): boolean {
    return this.#premium.some((matcher) =>
      matcher.kind === "pattern"
        ? matcher.matches(e164)
        : matcher.kind === "literal" && matcher.text === e164,
    );
  }
}

function entryOf<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function withEmergency(classes: readonly NumberClass[]): ReadonlySet<NumberClass> {
  return new Set([...classes, "emergency"]);
}

/** A limit that a call meets: the first that is reached, with what is used of it. */
export type ReachedLimit = Extract<TraceDetail, { kind: "limit" }>;

/** What may go out over trunks: who has which limits. */
export class Limits {
  readonly #limits: LimitsSource | undefined;

  constructor(limits: LimitsSource | undefined) {
    this.#limits = limits;
  }

  ofUser(caller: Caller): LimitSource | undefined {
    const limits = this.#limits;
    if (limits === undefined || caller.kind === "trunk") return undefined;
    const own = entryOf(limits.users, caller.id);
    if (own !== undefined) return own;
    for (const name of caller.groups) {
      const group = entryOf(limits.groups, name);
      if (group !== undefined) return group;
    }
    return limits.eachUser;
  }

  ofTrunk(trunkId: string): LimitSource | undefined {
    return this.#limits === undefined ? undefined : entryOf(this.#limits.trunks, trunkId);
  }
}

/**
 * Looks at what is used of a limit.
 *
 * @returns the first one that is reached; undefined when there is room
 */
export function reachedLimit(
  kind: "user" | "route" | "trunk",
  id: string,
  limit: LimitSource | undefined,
  context: CallContext,
): ReachedLimit | undefined {
  if (limit === undefined) return undefined;
  const key = `${kind} ${id}`;
  const usage: UsageCount = context.facts.usage(key);
  const rows: readonly (readonly [string, number | undefined, number])[] = [
    ["concurrent", limit.concurrent, usage.concurrent],
    ["per-minute", limit.perMinute, usage.lastMinute],
    ["minutes-per-day", limit.minutesPerDay, usage.minutesToday],
    ["spend-per-day", limit.spendPerDay, usage.spentToday],
  ];
  for (const [name, max, used] of rows) {
    if (max === undefined) continue;
    const isReached = used >= max;
    const detail: ReachedLimit = { kind: "limit", of: key, limit: name, used, max, isReached };
    context.note(detail);
    if (isReached) return detail;
  }
  return undefined;
}
