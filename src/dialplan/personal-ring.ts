import type { ActionFailure, CallContext } from "./call-context.ts";
import type { Action, Outcomes } from "./decision.ts";
import { forwardCall } from "./forwarding.ts";
import { forwardOf, type ForwardKind, type UserSettings } from "./user-settings.ts";

/** What becomes of a ring by what its users have set. */
export interface PersonalRing {
  /** Instead of ringing: all is decided. */
  readonly instead?: readonly Action[];
  /** Who rings after all. */
  readonly users: readonly string[];
  /** Who would, but does not want to be disturbed or has its calls forwarded. */
  readonly away: readonly string[];
  /** What follows when nobody has answered, from what the route says. */
  readonly follow: (outcomes: Outcomes) => Outcomes;
  /** How long the user wants to ring at most. */
  readonly noAnswerMs?: number;
}

type OnFailure = (failure: ActionFailure) => void;

/** RFC 5806 §6. */
const REASONS = {
  always: "unconditional",
  busy: "user-busy",
  "no-answer": "no-answer",
} as const;

const asItIs = (outcomes: Outcomes): Outcomes => outcomes;

/**
 * Asks the users of a ring what they want. One user alone is forwarded as it wishes, by the plan and
 * with its own rights; of several, those that want no calls are left out: a group's calls are not
 * carried away by one of its members.
 */
export function askUsers(
  users: readonly string[],
  context: CallContext,
  onFailure: OnFailure,
): PersonalRing {
  const { settingsOf } = context.facts;
  const [user, ...others] = users;
  if (settingsOf === undefined || user === undefined) return { users, away: [], follow: asItIs };
  if (others.length > 0) {
    const away = users.filter((id) => isAway(settingsOf(id)));
    const free = away.length === 0 ? users : users.filter((id) => !away.includes(id));
    return { users: free, away, follow: asItIs };
  }
  const settings = settingsOf(user);
  const { from } = context.query;
  // Whoever calls itself wants its other telephones.
  const isSelf = from.kind === "user" && from.id === user;
  if (settings === undefined || isSelf) return { users, away: [], follow: asItIs };
  return askUser(user, settings, context, onFailure);
}

function isAway(settings: UserSettings | undefined): boolean {
  return settings?.doNotDisturb === true || forwardOf(settings, "always") !== undefined;
}

function askUser(
  user: string,
  settings: UserSettings,
  context: CallContext,
  onFailure: OnFailure,
): PersonalRing {
  let isLoop = false;
  const reasonOf = (kind: ForwardKind): string =>
    kind === "busy" && settings.doNotDisturb ? "do-not-disturb" : REASONS[kind];
  const forward = (kind: ForwardKind): readonly Action[] => {
    const number = forwardOf(settings, kind);
    if (number === undefined || isOfCaller(number, context)) return [];
    return forwardCall(
      { number, who: user, reason: reasonOf(kind), key: `the forward of ${user}` },
      context,
      (failure) => {
        isLoop ||= failure.refusal === "loop";
        onFailure(failure);
      },
    );
  };
  const always = forward("always");
  if (always.length > 0 || isLoop) {
    return { instead: always, users: [], away: [], follow: asItIs };
  }
  const { doNotDisturb, noAnswerMs } = settings;
  const { innerRoute } = context;
  const busy = forward("busy");
  const noAnswer = doNotDisturb ? [] : forward("no-answer");
  // What follows decides nothing about who has decided.
  context.innerRoute = innerRoute;
  return {
    users: doNotDisturb ? [] : [user],
    away: doNotDisturb ? [user] : [],
    follow: (outcomes) => following(outcomes, busy, noAnswer),
    ...(noAnswer.length > 0 && noAnswerMs !== undefined && { noAnswerMs }),
  };
}

/** Whom the calls are forwarded to may call back: a secretary reaches the one it answers for. */
function isOfCaller(number: string, context: CallContext): boolean {
  const { from } = context.query;
  if (context.path.length > 0 || from.kind !== "user") return false;
  return context.directory.find(number).includes(from.id);
}

/** The user's forwards go before what the route says of the same outcome, by status or by name. */
function following(
  outcomes: Outcomes,
  busy: readonly Action[],
  noAnswer: readonly Action[],
): Outcomes {
  if (busy.length === 0 && noAnswer.length === 0) return outcomes;
  const on: Record<string, readonly Action[]> = { ...outcomes.on };
  if (busy.length > 0) {
    for (const status of ["486", "600"]) delete on[status];
    on["busy"] = busy;
  }
  if (noAnswer.length > 0) {
    for (const status of ["408", "480", "487"]) delete on[status];
    on["no-answer"] = noAnswer;
    on["unreachable"] = noAnswer;
  }
  return { ...outcomes, on };
}
