import type { ActionPlan, OutcomesPlan } from "./action-plan.ts";
import { noteCodecs } from "./codec-note.ts";
import { checkTrunk } from "./condition.ts";
import type { Path, Surroundings } from "./condition.ts";
import { noTrunkLeft, notAllowed } from "./outgoing.ts";
import { reachedLimit } from "./permission.ts";
import type { ActionSource } from "./source.ts";
import { checkTemplate, expandTemplate, highestGroup } from "./template.ts";

/**
 * Compiles `voicemail`: which number behind which trunk answers, and for whose mailbox. A number
 * that the caller has a hand in is one that the caller must be allowed to dial.
 */
export function compileVoicemail(
  source: ActionSource & { kind: "voicemail" },
  path: Path,
  groupCount: number,
  around: Surroundings,
  outcomes: OutcomesPlan,
): ActionPlan {
  const { trunk, number, mailbox, timeoutMs } = source;
  const { safety } = around;
  checkTrunk(trunk, [...path, "voicemail"], around);
  for (const [key, template] of [
    ["number", number],
    ["mailbox", mailbox],
  ] as const) {
    if (template !== undefined) checkTemplate(template, [...path, key], groupCount, around);
  }
  const dialled = number ?? mailbox;
  const isOfFile = dialled !== undefined && highestGroup(dialled) < 0;
  return (context, onFailure) => {
    const [user] = context.dialledUsers;
    const whose =
      mailbox === undefined ? (user ?? context.query.to) : expandTemplate(mailbox, context.groups);
    const target = number === undefined ? whose : expandTemplate(number, context.groups);
    if (!isOfFile && target !== user) {
      const failure = notAllowed(target, context, safety);
      if (failure !== undefined) {
        onFailure(failure);
        return outcomes.after("rejected")(context, onFailure);
      }
    }
    const limit = safety.limits.ofTrunk(trunk);
    if (reachedLimit("trunk", trunk, limit, context) !== undefined) {
      onFailure(noTrunkLeft([trunk]));
      return outcomes.after("unreachable")(context, onFailure);
    }
    context.note({ kind: "trunk", id: trunk, state: context.facts.trunkState(trunk) });
    noteCodecs(source.codecPolicy, [trunk], context, around.codecs);
    return [
      {
        kind: "voicemail",
        trunk,
        number: target,
        mailbox: whose,
        timeoutMs,
        ...outcomes.all(context, onFailure),
      },
    ];
  };
}
