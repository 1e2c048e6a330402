import { didYouMean } from "./closest.ts";
import { checkTrunk } from "./condition.ts";
import type { CallContext, Path, Surroundings } from "./condition.ts";
import type { Action, TraceStep } from "./decision.ts";
import type { ActionSource, CodecPolicyName } from "./source.ts";
import { expandTemplate, highestGroup } from "./template.ts";

/** Why an action of the route that matched could not be taken for this call. */
export interface ActionFailure {
  readonly status: number;
  readonly failed: NonNullable<TraceStep["failed"]>;
}

/** Fills in one call: what to do, in order; empty when nothing of it can be done. */
export type ActionPlan = (
  context: CallContext,
  onFailure: (failure: ActionFailure) => void,
) => readonly Action[];

const TO = "@to";

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
      return compileRing(source, path, groupCount, around);
    case "dial":
      return compileDial(source, path, groupCount, around);
    case "echo":
    case "read-digits":
      return constant({ kind: source.kind });
    case "play":
      return constant({ kind: "play", file: source.file });
    case "reject":
      return constant({
        kind: "reject",
        status: source.status,
        reasonPhrase: source.reason,
        ...(source.announce !== undefined && { announce: source.announce }),
      });
  }
}

/** What goes along with a ring and a dial. */
function asidesOf(source: ActionSource & { kind: "ring" | "dial" }): {
  readonly announce?: string;
  readonly record?: boolean;
  readonly codecPolicy?: CodecPolicyName;
} {
  const { announce, record, codecPolicy } = source;
  return {
    ...(announce !== undefined && { announce }),
    ...(record !== undefined && { record }),
    ...(codecPolicy !== undefined && { codecPolicy }),
  };
}

function constant(action: Action): ActionPlan {
  const actions = [action];
  return () => actions;
}

function compileThen(
  sources: readonly ActionSource[],
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const plans = sources.map((source, index) =>
    compileAction(source, [...path, "then", index], groupCount, around),
  );
  return (context, onFailure) => plans.flatMap((plan) => plan(context, onFailure));
}

function compileRing(
  source: ActionSource & { kind: "ring" },
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const { targets, timeoutMs } = source;
  const { directory } = around;
  for (const [index, target] of targets.entries()) {
    const place: Path = [...path, "ring", index];
    if (target === TO) continue;
    if (highestGroup(target) >= 0) {
      checkTemplate(target, place, groupCount, around);
    } else if (directory.find(target).length === 0) {
      around.problem(
        place,
        `no user "${target}"; expected a user's id or number, "@to" or "$1"${didYouMean(target, [TO, ...directory.ids])}`,
      );
    }
  }
  const then = compileThen(source.then, path, groupCount, around);
  return (context, onFailure) => {
    const users = new Set<string>();
    for (const target of targets) {
      const ids =
        target === TO
          ? context.dialledUsers
          : directory.find(expandTemplate(target, context.groups));
      for (const id of ids) users.add(id);
    }
    const next = then(context, onFailure);
    if (users.size > 0) {
      return [{ kind: "ring", users: [...users], timeoutMs, then: next, ...asidesOf(source) }];
    }
    onFailure({
      status: 404,
      failed: {
        condition: "do.ring",
        expected: "a configured user",
        saw: targets
          .map((target) =>
            target === TO ? context.query.to : expandTemplate(target, context.groups),
          )
          .join(", "),
      },
    });
    return next;
  };
}

function compileDial(
  source: ActionSource & { kind: "dial" },
  path: Path,
  groupCount: number,
  around: Surroundings,
): ActionPlan {
  const { strip, prepend, caller, timeoutMs } = source;
  const trunks = knownTrunks(source.trunks, [...path, "dial"], around);
  if (caller !== undefined) checkTemplate(caller, [...path, "caller"], groupCount, around);
  const then = compileThen(source.then, path, groupCount, around);
  return (context, onFailure) => {
    const number = prepend + context.query.to.slice(strip);
    const next = then(context, onFailure);
    if (number !== "") {
      const callerNumber =
        caller === undefined ? undefined : expandTemplate(caller, context.groups) || undefined;
      return [
        { kind: "dial", trunks, number, callerNumber, timeoutMs, then: next, ...asidesOf(source) },
      ];
    }
    onFailure({
      status: 484,
      failed: {
        condition: "do.strip",
        expected: `a number longer than ${strip}`,
        saw: context.query.to,
      },
    });
    return next;
  };
}

/** A trunk that is not there is passed over, as long as another is left. */
function knownTrunks(ids: readonly string[], path: Path, around: Surroundings): readonly string[] {
  const known = ids.filter((id) => around.trunks.has(id));
  for (const [index, id] of ids.entries()) {
    if (known.length === 0) checkTrunk(id, [...path, index], around);
    else if (!around.trunks.has(id)) {
      around.warn([...path, index], `no trunk "${id}"; it is passed over`);
    }
  }
  return known;
}

function checkTemplate(
  template: string,
  path: Path,
  groupCount: number,
  around: Surroundings,
): void {
  const highest = highestGroup(template);
  if (highest <= groupCount) return;
  around.problem(
    path,
    groupCount < 0
      ? `"$${highest}" has nothing to stand for; expected every "to" of the route to be a /regex/ with groups`
      : `"$${highest}" has nothing to stand for; the regular expression of "to" has ${groupCount} groups`,
  );
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
      return { ...first, then: [...first.then, ...rest] };
    case "echo":
    case "play":
    case "read-digits":
    case "reject":
      return first;
  }
}
