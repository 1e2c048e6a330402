import { unreadable } from "./action-plan.ts";
import type { ActionPlan, OutcomesPlan } from "./action-plan.ts";
import { didYouMean } from "./closest.ts";
import type { Path, Surroundings } from "./condition.ts";
import type { Action } from "./decision.ts";
import { compileDial } from "./dial-action.ts";
import { forwardCall } from "./forwarding.ts";
import { compileRewrite } from "./rewrite.ts";
import { compileRing } from "./ring-action.ts";
import { compact } from "./schema-tools.ts";
import type { ActionSource, OutcomesSource } from "./source.ts";
import { checkTemplate, expandTemplate } from "./template.ts";
import { compileVoicemail } from "./voicemail-action.ts";

/**
 * Compiles one action with all that follow it.
 *
 * @param groupCount the highest `$n` that the route offers; -1: none
 */
export function compileAction(
  source: ActionSource,
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  switch (source.kind) {
    case "ring":
      return compileRing(
        source,
        path,
        groupCount,
        around,
        outcomesOf(source, path, groupCount, around),
      );
    case "dial":
      return compileDial(
        source,
        path,
        groupCount,
        around,
        outcomesOf(source, path, groupCount, around),
      );
    case "voicemail":
      return compileVoicemail(
        source,
        path,
        groupCount,
        around,
        outcomesOf(source, path, groupCount, around),
      );
    case "forward":
      return compileForward(source, path, groupCount, around);
    case "go":
      return compileGo(source, path, groupCount, around);
    case "ask":
      return compileAsk(source, path, groupCount, around);
    case "echo":
    case "read-digits":
    case "hang-up":
      return constant({ kind: source.kind });
    case "play":
      return constant({ kind: "play", file: source.file });
    case "reject":
      return constant({
        kind: "reject",
        status: source.status,
        reasonPhrase: source.reason,
        ...(source.cause !== undefined && { cause: source.cause }),
        ...(source.announce !== undefined && { announce: source.announce }),
      });
  }
}

function constant(action: Action): ActionPlan {
  const actions = [action];
  return () => actions;
}

function outcomesOf(
  source: OutcomesSource,
  path: Path,
  groupCount: number,
  around: Surroundings,
): OutcomesPlan {
  const then = compileList(source.then, [...path, "then"], groupCount, around);
  const on = Object.entries(source.on ?? {}).map(
    ([outcome, actions]) =>
      [outcome, compileList(actions, [...path, "on", outcome], groupCount, around)] as const,
  );
  const { announce, record, codecPolicy } = source;
  const asides = compact({ announce, record, codecPolicy });
  return {
    all: (context, onFailure) => {
      const next = { ...asides, then: then(context, onFailure) };
      if (on.length === 0) return next;
      return {
        ...next,
        on: Object.fromEntries(on.map(([outcome, plan]) => [outcome, plan(context, onFailure)])),
      };
    },
    after: (outcome) => on.find(([name]) => name === outcome)?.[1] ?? then,
  };
}

function compileList(
  sources: readonly ActionSource[],
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const plans = sources.map((source, index) =>
    compileAction(source, [...path, index], groupCount, around),
  );
  if (plans.length === 0) return () => NOTHING;
  return (context, onFailure) => {
    // What follows decides nothing about who has decided.
    const { innerRoute } = context;
    const actions = plans.flatMap((plan) => plan(context, onFailure));
    context.innerRoute = innerRoute;
    return actions;
  };
}

const LOOP_STATUS = 482;

const NOTHING: readonly Action[] = [];

function compileForward(
  source: ActionSource & { kind: "forward" },
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const { to, as } = source;
  checkTemplate(to, [...path, "forward"], groupCount, around);
  if (as !== undefined && !around.directory.has(as)) {
    around.problem(
      [...path, "as"],
      `no user "${as}"; expected the id of a user${didYouMean(as, around.directory.ids)}`,
    );
  }
  return (context, onFailure) => {
    const number = expandTemplate(to, context.groups);
    const { from } = context.query;
    const [dialled, ...others] = context.dialledUsers;
    // Who forwards pays: a caller from outside has no rights of its own to call out again.
    const who =
      as ?? (from.kind === "trunk" && others.length === 0 ? (context.as ?? dialled) : context.as);
    return forwardCall({ number, who, key: "do.forward" }, context, onFailure);
  };
}

function compileGo(
  source: ActionSource & { kind: "go" },
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const { set } = source;
  if (!around.sets.has(set)) {
    around.problem(
      [...path, "go"],
      `no set "${set}" under dialplan.sets${didYouMean(set, around.sets)}`,
    );
  }
  const rewrite = compileRewrite(source.rewrite, path, groupCount, around);
  return (context, onFailure) => {
    const rewritten = rewrite(context);
    if (!rewritten.ok) {
      onFailure(unreadable(rewritten));
      return [];
    }
    if (context.run.jumpsLeft === 0) {
      onFailure({
        status: LOOP_STATUS,
        refusal: "loop",
        failed: { condition: "do.go", expected: "sets that do not lead in a circle", saw: set },
      });
      return [];
    }
    context.run.jumpsLeft -= 1;
    const elsewhere = context.run.interior.enter(set, context.derive({ to: rewritten.number }));
    context.note({ kind: "set", set, trace: elsewhere.trace });
    context.innerRoute = elsewhere.route;
    if (elsewhere.failure !== undefined) onFailure(elsewhere.failure);
    return elsewhere.actions;
  };
}

function compileAsk(
  source: ActionSource & { kind: "ask" },
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const { hook } = source;
  if (!around.hooks.has(hook)) {
    around.problem(
      [...path, "ask"],
      `no hook "${hook}" under dialplan.hooks${didYouMean(hook, around.hooks)}`,
    );
  }
  const otherwise = compileList(source.otherwise, [...path, "else"], groupCount, around);
  return (context, onFailure) => [{ kind: "ask", hook, otherwise: otherwise(context, onFailure) }];
}

/**
 * The first action with the others behind it.
 *
 * @returns undefined when there is none
 */
export function chainActions(actions: readonly Action[]): Action | undefined {
  const [first, ...rest] = actions;
  if (first === undefined || rest.length === 0) return first;
  switch (first.kind) {
    case "ring":
    case "dial":
    case "voicemail":
      return {
        ...first,
        then: [...first.then, ...rest],
        ...(first.on !== undefined && {
          on: Object.fromEntries(
            Object.entries(first.on).map(([outcome, next]) => [outcome, [...next, ...rest]]),
          ),
        }),
      };
    case "ask":
      return first.otherwise.length === 0
        ? first
        : { ...first, otherwise: [...first.otherwise, ...rest] };
    case "echo":
    case "play":
    case "read-digits":
    case "set":
    case "hang-up":
    case "reject":
      return first;
  }
}
