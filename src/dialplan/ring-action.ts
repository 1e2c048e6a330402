import type { ActionPlan, OutcomesPlan } from "./action-plan.ts";
import type { CallContext } from "./call-context.ts";
import { noteCodecs } from "./codec-note.ts";
import { didYouMean } from "./closest.ts";
import type { Path, Surroundings } from "./condition.ts";
import { askUsers } from "./personal-ring.ts";
import type { ActionSource, RingTargetSource } from "./source.ts";
import { checkTemplate, expandTemplate, highestGroup } from "./template.ts";

const TO = "@to";

/** Compiles `ring`: who rings, in which order, with which delays. */
export function compileRing(
  source: ActionSource & { kind: "ring" },
  path: Path,
  groupCount: number,
  around: Surroundings,
  outcomes: OutcomesPlan,
): ActionPlan {
  const { targets, by, eachMs, timeoutMs } = source;
  const { directory } = around;
  for (const [index, target] of targets.entries()) {
    checkTarget(target, [...path, "ring", index], groupCount, around);
  }
  const turn = targets
    .map(({ kind, name }) => (kind === "group" ? `group ${name}` : name))
    .join(", ");
  const namesOf = (target: RingTargetSource, context: CallContext): readonly string[] => {
    if (target.kind === "group") return directory.members(target.name);
    return target.name === TO
      ? context.dialledUsers
      : directory.find(expandTemplate(target.name, context.groups));
  };
  return (context, onFailure) => {
    const delays = new Map<string, number>();
    for (const target of targets) {
      for (const id of namesOf(target, context)) {
        if (!delays.has(id)) delays.set(id, target.afterMs);
      }
    }
    const users = inOrder([...delays.keys()], by, turn, context);
    if (users.length > 0) {
      if (context.details !== undefined) {
        for (const id of users) {
          context.note({ kind: "user", id, state: context.facts.userState(id) });
        }
        noteCodecs(source.codecPolicy, [], context, around.codecs);
      }
      const {
        instead,
        users: wanted,
        away,
        follow,
        noAnswerMs,
      } = askUsers(users, context, onFailure);
      if (instead !== undefined) return instead;
      const late = [...delays].filter(([, afterMs]) => afterMs > 0);
      return [
        {
          kind: "ring",
          users: wanted,
          ...(away.length > 0 && { away }),
          ...(by !== "all" && { by, eachMs }),
          ...(by === "round-robin" && { turn }),
          ...(by === "all" && late.length > 0 && { delaysMs: Object.fromEntries(late) }),
          timeoutMs: Math.min(timeoutMs, noAnswerMs ?? timeoutMs),
          ...follow(outcomes.all(context, onFailure)),
        },
      ];
    }
    onFailure({
      status: 404,
      failed: {
        condition: "do.ring",
        expected: "a configured user",
        saw: targets
          .map(({ kind, name }) => {
            if (kind === "group") return `group ${name}`;
            return name === TO ? context.query.to : expandTemplate(name, context.groups);
          })
          .join(", "),
      },
    });
    return outcomes.after("unreachable")(context, onFailure);
  };
}

function inOrder(
  users: readonly string[],
  by: (ActionSource & { kind: "ring" })["by"],
  turn: string,
  { facts }: CallContext,
): readonly string[] {
  switch (by) {
    case "all":
    case "sequence":
      return users;
    case "round-robin": {
      const first = users.length === 0 ? 0 : facts.turn(turn) % users.length;
      return [...users.slice(first), ...users.slice(0, first)];
    }
    case "longest-idle":
      return users.toSorted((a, b) => facts.idleSinceMs(a) - facts.idleSinceMs(b));
  }
}

function checkTarget(
  target: RingTargetSource,
  place: Path,
  groupCount: number,
  around: Surroundings,
): void {
  const { directory } = around;
  const { kind, name } = target;
  if (kind === "group") {
    if (around.groups.has(name)) return;
    around.warn(place, `no user is in group "${name}"${didYouMean(name, around.groups)}`);
  } else if (name === TO) {
    return;
  } else if (highestGroup(name) >= 0) {
    checkTemplate(name, place, groupCount, around);
  } else if (directory.find(name).length === 0) {
    around.problem(
      place,
      `no user "${name}"; expected a user's id or number, "@to" or "$1"${didYouMean(name, [TO, ...directory.ids])}`,
    );
  }
}
