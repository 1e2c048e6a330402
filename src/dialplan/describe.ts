import type { Action, Caller, SettingChange, TraceDetail, TraceStep } from "./decision.ts";

/** `dial office with +4930123456`, `ring 1001 and 1002`, `reject 404`: an action in words. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case "ring": {
      const { users, by, eachMs, delaysMs, timeoutMs, away = [] } = action;
      if (users.length === 0) return `busy: ${away.join(" and ")} takes no calls`;
      const late = Object.entries(delaysMs ?? {}).map(([id, ms]) => `, ${id} after ${seconds(ms)}`);
      const for_ = ` for ${seconds(timeoutMs)}`;
      if (by === undefined) return `ring ${users.join(" and ")}${late.join("")}${for_}`;
      const how = by === "sequence" ? "" : ` (${by})`;
      return `ring ${users.join(", then ")}${how}, each for ${seconds(eachMs ?? 0)}, all${for_}`;
    }
    case "dial": {
      const { callerNumber, displayName, emergency } = action;
      const shown = [displayName, callerNumber].filter((part) => part !== undefined).join(" ");
      const as = shown === "" ? "" : ` as ${shown}`;
      const what = emergency === undefined ? "dial" : "dial as an emergency call";
      return `${what} ${action.number} over ${action.trunks.join(", then ")}${as} for ${seconds(action.timeoutMs)}`;
    }
    case "voicemail":
      return `leave it to the voicemail of ${action.mailbox} at ${action.number} over ${action.trunk}`;
    case "ask":
      return `ask the hook ${action.hook}`;
    case "echo":
      return "echo";
    case "play":
      return action.file === undefined ? "play the announcement" : `play ${action.file}`;
    case "read-digits":
      return "read-digits";
    case "set":
      return describeSetting(action);
    case "hang-up":
      return "answer and hang up";
    case "reject": {
      const { status, reasonPhrase, cause } = action;
      const why = reasonPhrase === undefined ? "" : ` ${reasonPhrase}`;
      return `reject ${status}${why}${cause === undefined ? "" : ` (cause ${cause})`}`;
    }
  }
}

/** `switch do-not-disturb of 1001 on`. */
export function describeSetting(change: SettingChange): string {
  const { user, setting, isOn, number, refused } = change;
  const to = number === undefined ? "" : ` to ${number}`;
  const not = refused === undefined ? "" : ` (refused: ${refused})`;
  return `switch ${setting} of ${user} ${isOn ? "on" : "off"}${to}${not}`;
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

/** An action with all that follows it, one line each; `lead` stands before the first. */
export function describeActions(action: Action, lead: string): readonly string[] {
  const lines = [`${lead}${describeAction(action)}`];
  const indent = " ".repeat(lead.length);
  const follow = (actions: readonly Action[], word: string): void => {
    for (const next of actions) lines.push(...describeActions(next, `${indent}${word} `));
  };
  if (action.kind === "ask") follow(action.otherwise, "without an answer");
  if (action.kind === "ring" || action.kind === "dial" || action.kind === "voicemail") {
    for (const [outcome, actions] of Object.entries(action.on ?? {})) {
      if (actions.length === 0) lines.push(`${indent}if ${outcome} end`);
      follow(actions, `if ${outcome}`);
    }
    follow(action.then, "then");
  }
  return lines;
}

/** `user 1001 (staff)`, `+4989… over trunk office`. */
export function describeCallerInFull(caller: Caller): string {
  if (caller.kind === "trunk") {
    return `${caller.number ?? "a withheld number"} over trunk ${caller.id}`;
  }
  const groups = caller.groups.length === 0 ? "" : ` (${caller.groups.join(", ")})`;
  return `user ${caller.id}${groups}`;
}

/** The trace as lines that read like sentences. */
export function describeTrace(trace: readonly TraceStep[], indent = "  "): readonly string[] {
  const width = Math.max(...trace.map(({ route }) => route.length), 0);
  return trace.flatMap(({ route, matched, failed, steps = [] }) => {
    const reason =
      failed === undefined
        ? ""
        : `${failed.condition}: wants ${failed.expected}, saw ${failed.saw}`;
    return [
      `${indent}${matched ? "yes" : "no "}  ${route.padEnd(width)}  ${reason}`.trimEnd(),
      ...steps.flatMap((step) => describeDetail(step, `${indent}       `)),
    ];
  });
}

function describeDetail(detail: TraceDetail, indent: string): readonly string[] {
  switch (detail.kind) {
    case "rewrite": {
      const { subject, by, before, after } = detail;
      if (subject === "number") return [`${indent}${by} makes ${before} ${after}`];
      return [`${indent}shows ${after} as the ${subject === "caller" ? "caller" : "name"} (${by})`];
    }
    case "class":
      return [
        `${indent}${detail.number} is ${article(detail.class)} number, which the caller ${detail.isAllowed ? "may" : "may not"} dial`,
      ];
    case "limit":
      return [
        `${indent}${detail.of} has used ${detail.used} of ${detail.max} (${detail.limit})${detail.isReached ? ", which is all" : ""}`,
      ];
    case "user":
      return [`${indent}user ${detail.id} is ${detail.state}`];
    case "trunk": {
      const price = detail.price === undefined ? "" : ` and costs ${detail.price} a minute`;
      const state = detail.state === "unknown" ? "has not been measured" : `is ${detail.state}`;
      return [`${indent}trunk ${detail.id} ${state}${price}`];
    }
    case "codecs":
      return [describeCodecs(detail, indent)];
    case "identity":
      return [
        `${indent}the callee sees ${[detail.name, detail.number].filter(Boolean).join(", ")}`,
      ];
    case "set":
      return [
        `${indent}the set ${detail.set} decides:`,
        ...describeTrace(detail.trace, `${indent}  `),
      ];
    case "forward":
      return [
        `${indent}as if ${detail.as} had dialled ${detail.number}:`,
        ...describeTrace(detail.trace, `${indent}  `),
      ];
  }
}

const WHO_SAYS = {
  route: "as the route says",
  trunk: "as the trunk says",
  default: "as media.codecs says",
} as const;

function describeCodecs(
  { policy, by, trunk }: TraceDetail & { kind: "codecs" },
  indent: string,
): string {
  const where = trunk === undefined ? "" : ` over ${trunk}`;
  return `${indent}codecs: ${policy}${where}, ${WHO_SAYS[by]}`;
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}
