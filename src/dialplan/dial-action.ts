import { unreadable } from "./action-plan.ts";
import type { ActionPlan, OutcomesPlan } from "./action-plan.ts";
import type { CallContext } from "./call-context.ts";
import { noteCodecs } from "./codec-note.ts";
import { checkTrunk } from "./condition.ts";
import type { Path, Surroundings } from "./condition.ts";
import type { Charge } from "./decision.ts";
import { tryParseNumber } from "./e164.ts";
import { noTrunkLeft, notAllowed, overLimit } from "./outgoing.ts";
import { compileMatcher } from "./pattern.ts";
import type { NumberMatcher } from "./pattern.ts";
import { reachedLimit } from "./permission.ts";
import { compileRewrite } from "./rewrite.ts";
import type { ActionSource } from "./source.ts";
import { checkTemplate, expandTemplate } from "./template.ts";

type DialSource = ActionSource & { kind: "dial" };

/**
 * Compiles `dial`: the number for the trunk, who may call it and how often, the trunks in their
 * order, and the identity that is shown.
 */
export function compileDial(
  source: DialSource,
  path: Path,
  groupCount: number,
  around: Surroundings,
  outcomes: OutcomesPlan,
): ActionPlan {
  const { timeoutMs, displayName } = source;
  const trunks = knownTrunks(source.trunks, [...path, "dial"], around);
  const rewrite = compileRewrite(source.rewrite, path, groupCount, around);
  const callerOf = compileCaller(source, path, groupCount, around);
  const { safety } = around;
  const ids = trunks.map(({ id }) => id);
  const hasLimits = ids.some((id) => safety.limits.ofTrunk(id) !== undefined);
  return (context, onFailure) => {
    const rewritten = rewrite(context);
    if (!rewritten.ok) {
      onFailure(unreadable(rewritten));
      return outcomes.after("rejected")(context, onFailure);
    }
    const { number } = rewritten;
    const refused = notAllowed(number, context, safety);
    if (refused !== undefined) {
      onFailure(refused);
      return outcomes.after("rejected")(context, onFailure);
    }
    const { from } = context.query;
    const routeLimit = safety.limitOfRoute(context.route);
    const userLimit = safety.limits.ofUser(from);
    const reached =
      reachedLimit("user", from.id, userLimit, context) ??
      reachedLimit("route", context.route, routeLimit, context);
    if (reached !== undefined) {
      onFailure(overLimit(reached));
      return outcomes.after("rejected")(context, onFailure);
    }
    const prices = pricesOf(number, context, ids, around);
    const inOrder = ordered(trunks, ids, source.by, prices, context);
    const open = hasLimits
      ? inOrder.filter(
          (id) => reachedLimit("trunk", id, safety.limits.ofTrunk(id), context) === undefined,
        )
      : inOrder;
    if (open.length === 0) {
      onFailure(noTrunkLeft(ids));
      return outcomes.after("unreachable")(context, onFailure);
    }
    const callerNumber = callerOf(context);
    if (context.details !== undefined) {
      for (const id of open) {
        const price = prices.get(id);
        context.note({
          kind: "trunk",
          id,
          state: context.facts.trunkState(id),
          ...(price !== undefined && { price }),
        });
      }
      noteIdentity(callerNumber, displayName, context);
      noteCodecs(source.codecPolicy, open, context, around.codecs);
    }
    const charge = chargeOf(
      userLimit === undefined ? undefined : `user ${from.id}`,
      routeLimit === undefined ? undefined : `route ${context.route}`,
      prices,
    );
    return [
      {
        kind: "dial",
        trunks: open,
        number,
        callerNumber,
        timeoutMs,
        ...(displayName !== undefined && { displayName }),
        ...(context.as !== undefined && { as: context.as }),
        ...(context.reason !== undefined && { reason: context.reason }),
        ...(context.before.length > 0 && { before: context.before }),
        ...(charge !== undefined && { charge }),
        ...outcomes.all(context, onFailure),
      },
    ];
  };
}

/** Who the callee sees: what the route says, else the caller's own first number, else its id. */
function noteIdentity(
  callerNumber: string | undefined,
  displayName: string | undefined,
  context: CallContext,
): void {
  const { from } = context.query;
  const own = from.kind === "user" ? (from.numbers[0] ?? from.id) : (from.number ?? "anonymous");
  context.note({
    kind: "identity",
    number: callerNumber ?? own,
    ...(displayName !== undefined && { name: displayName }),
  });
}

function chargeOf(
  userKey: string | undefined,
  routeKey: string | undefined,
  prices: ReadonlyMap<string, number>,
): Charge | undefined {
  if (userKey === undefined && routeKey === undefined && prices.size === 0) return undefined;
  const keys = [userKey, routeKey].filter((key) => key !== undefined);
  return { keys, prices: Object.fromEntries(prices) };
}

const NO_PRICES: ReadonlyMap<string, number> = new Map();

/** What a minute to this number costs, by trunk. */
function pricesOf(
  number: string,
  context: CallContext,
  trunkIds: readonly string[],
  { safety }: Surroundings,
): ReadonlyMap<string, number> {
  if (safety.rates.size === 0) return NO_PRICES;
  const prices = new Map<string, number>();
  const { home, query } = context;
  const e164 = (tryParseNumber(number, home) ?? tryParseNumber(query.to, home))?.e164;
  if (e164 === undefined) return prices;
  for (const id of trunkIds) {
    const price = safety.rates.get(id)?.priceOf(e164);
    if (price !== undefined) prices.set(id, price);
  }
  return prices;
}

function ordered(
  trunks: DialSource["trunks"],
  ids: readonly string[],
  by: DialSource["by"],
  prices: ReadonlyMap<string, number>,
  { facts }: CallContext,
): readonly string[] {
  switch (by) {
    case "order":
      return ids;
    case "weight":
      return byWeight(trunks, facts.chance);
    case "least-cost": {
      const priceOf = (id: string): number => prices.get(id) ?? Number.POSITIVE_INFINITY;
      // Equal prices keep the order of the file; trunks without a price come last.
      return ids.toSorted((a, b) => (priceOf(a) === priceOf(b) ? 0 : priceOf(a) - priceOf(b)));
    }
  }
}

/** RFC 2782's way: each next one is drawn by its share of what is left. */
function byWeight(trunks: DialSource["trunks"], chance: number): readonly string[] {
  const left = [...trunks];
  const drawn: string[] = [];
  let share = chance;
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let mark = share * total;
    let index = left.findIndex(({ weight }) => (mark -= weight) < 0);
    if (index < 0) index = 0;
    const [one] = left.splice(index, 1);
    if (one !== undefined) drawn.push(one.id);
    // One number of chance serves for all draws: its further digits are as good as new.
    share = (share * 997) % 1;
  }
  return drawn;
}

function compileCaller(
  source: DialSource,
  path: Path,
  groupCount: number,
  around: Surroundings,
): (context: CallContext) => string | undefined {
  const { caller, callerFrom } = source;
  if (caller !== undefined) checkTemplate(caller, [...path, "caller"], groupCount, around);
  const matchers: NumberMatcher[] = [];
  for (const [index, text] of (callerFrom ?? []).entries()) {
    const matcher = compileMatcher(text);
    if (matcher.kind === "problem") {
      around.problem([...path, "caller-from", index], matcher.message);
    } else matchers.push(matcher);
  }
  const fallback = matchers.find(({ kind }) => kind === "literal");
  if (callerFrom !== undefined && fallback === undefined) {
    around.problem(
      [...path, "caller-from"],
      "holds no plain number; expected one at least, for callers whose own is not in the list",
    );
  }
  return (context) => {
    const { from } = context.query;
    const own =
      caller === undefined
        ? from.kind === "user"
          ? from.numbers
          : from.number === undefined
            ? []
            : [from.number]
        : [expandTemplate(caller, context.groups)];
    let shown = caller === undefined ? undefined : own[0] || undefined;
    if (fallback?.kind === "literal") {
      shown =
        own.find((number) => matchers.some((matcher) => isMatch(matcher, number))) ?? fallback.text;
    } else if (shown === undefined && context.as !== undefined && from.kind === "user") {
      // On behalf of a user the call goes out as that user.
      shown = own[0];
    }
    if (shown !== undefined) {
      context.note({
        kind: "rewrite",
        subject: "caller",
        by: callerFrom === undefined ? "caller" : "caller-from",
        before: own[0] ?? from.id,
        after: shown,
      });
    }
    return shown;
  };
}

function isMatch(matcher: NumberMatcher, number: string): boolean {
  switch (matcher.kind) {
    case "literal":
      return matcher.text === number;
    case "pattern":
      return matcher.matches(number);
    case "expression":
      return matcher.exec(number) !== undefined;
  }
}

/** A trunk that is not there is passed over, as long as another is left. */
function knownTrunks(
  trunks: DialSource["trunks"],
  path: Path,
  around: Surroundings,
): DialSource["trunks"] {
  const known = trunks.filter(({ id }) => around.trunks.has(id));
  for (const [index, { id }] of trunks.entries()) {
    if (known.length === 0) checkTrunk(id, [...path, index], around);
    else if (!around.trunks.has(id)) {
      around.warn([...path, index], `no trunk "${id}"; it is passed over`);
    }
  }
  return known;
}
