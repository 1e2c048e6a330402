import { z } from "zod";

import { ANNOUNCE_TEXT, tryParseAnnounce } from "./announce.ts";
import { duration, flag, oneOrMore, scalar, text, textLike, wholeNumber, word } from "./scalar.ts";
import { addProblem, compact } from "./schema-tools.ts";
import type {
  ActionSource,
  OutcomesSource,
  RewriteSource,
  RingTargetSource,
  CodecPolicyName,
} from "./source.ts";

/** How long a ring and a dial wait for an answer when the file does not say. */
export const DEFAULT_RING_MS = 30_000;
export const DEFAULT_DIAL_MS = 60_000;
/** How long each user rings when users ring one after the other. */
export const DEFAULT_EACH_MS = 15_000;

/** Actions that are one word. */
export const ACTION_WORDS = ["echo", "play", "read-digits", "hang-up"] as const;
/** Keys of which an action that is a map has exactly one. */
export const ACTION_KEYS = [
  "ring",
  "dial",
  "voicemail",
  "forward",
  "go",
  "ask",
  "reject",
  "play",
] as const;
/** How an attempt may end without an answer. */
export const OUTCOMES = ["busy", "no-answer", "unreachable", "rejected"] as const;

const CODEC_POLICIES = new Map<string, CodecPolicyName>([
  ["auto", "auto"],
  ["narrow", "narrow"],
  ["pass-narrow", "narrow"],
  ["opus", "opus"],
]);

/** How codecs are chosen, by name. */
export const codecPolicy = scalar<CodecPolicyName>({
  expected: "one of auto, narrow, opus",
  parse: (value) => CODEC_POLICIES.get(value),
  json: { type: "string", enum: [...CODEC_POLICIES.keys()] },
});

/** A status that refuses a call. */
export const rejectStatus = wholeNumber(400, 699);

const rejectSchema = z.union([
  rejectStatus.transform((status): { status: number; reason?: string; cause?: number } => ({
    status,
  })),
  z.strictObject({
    status: rejectStatus.meta({ description: "SIP status from 400 to 699", example: "486" }),
    reason: text()
      .optional()
      .meta({ description: "Reason phrase", default: "the status's own", example: "Closed today" }),
    cause: wholeNumber(1, 127)
      .optional()
      .meta({ description: "Q.850 cause", default: "the status's own", example: "17" }),
  }),
]);

const thenSchema: z.ZodType<readonly ActionSource[]> = oneOrMore(
  z.lazy(() => actionSchema),
  20,
);

const onSchema = z.record(
  z.string().regex(/^(?:busy|no-answer|unreachable|rejected|[3-6][0-9]{2})$/, {
    message: `not an outcome; expected ${OUTCOMES.join(", ")} or a SIP status such as 486`,
  }),
  thenSchema,
);

const after = duration("0s", "10m");
const targetSchema: z.ZodType<RingTargetSource> = z.union([
  text("a user's id or number, @to, $1, or { group: NAME }").transform(
    (name): RingTargetSource => ({ kind: "user", name, afterMs: 0 }),
  ),
  z
    .strictObject({
      user: text("a user's id or number, @to or $1")
        .optional()
        .meta({ description: "This user", example: '"1001"' }),
      group: text("the name of a group")
        .optional()
        .meta({ description: "Everyone in this group", example: "sales" }),
      after: after.optional().meta({
        description: "How long after the others; only when all ring together",
        default: "0s",
        example: "10s",
      }),
    })
    .transform((map, context): RingTargetSource => {
      const afterMs = map.after ?? 0;
      if (map.user !== undefined && map.group === undefined) {
        return { kind: "user", name: map.user, afterMs };
      }
      if (map.group !== undefined && map.user === undefined) {
        return { kind: "group", name: map.group, afterMs };
      }
      addProblem(context, [], "names not exactly one", "either user or group");
      return z.NEVER;
    }),
]);

const trunkSchema: z.ZodType<{ readonly id: string; readonly weight: number }> = z.union([
  text("the id of a trunk").transform((id) => ({ id, weight: 1 })),
  z
    .strictObject({
      trunk: text("the id of a trunk").meta({ description: "This trunk", example: "office" }),
      weight: wholeNumber(0, 1000).optional().meta({
        description: "Its share of the calls, with `by: weight`; 0: only when no other is left",
        default: "1",
        example: "3",
      }),
    })
    .transform(({ trunk, weight }) => ({ id: trunk, weight: weight ?? 1 })),
]);

const numberText = textLike(
  /^[+0-9A-Za-z*#._$-]{1,128}$/,
  "digits, letters, + * # . _ - or $1 (at most 128)",
);

const actionMap = z.strictObject({
  ring: oneOrMore(targetSchema, 100).optional().meta({
    description:
      'Rings web users: user ids or numbers, `"@to"` (the users that were dialled), text with `$1` to `$9` (the groups of `to`\'s regular expression), `{ group: sales }`, or any of these with a delay: `{ user: "1002", after: 10s }`',
    example: '"@to"',
  }),
  dial: oneOrMore(trunkSchema, 100).optional().meta({
    description: "Calls out over this trunk, or these in order; `{ trunk: office, weight: 3 }`",
    example: "[office, backup]",
  }),
  voicemail: text("the id of a trunk").optional().meta({
    description:
      "Lets the voicemail behind this trunk answer; it is told whose mailbox by Diversion (RFC 5806)",
    example: "office",
  }),
  forward: numberText.optional().meta({
    description:
      "Decides anew, as if this number had been dialled; text with `$0` to `$9`. Loops end with 482",
    example: '"+491701234567"',
  }),
  go: text("the name of a set of routes").optional().meta({
    description: "Lets the routes of this set (`dialplan.sets`) decide",
    example: "closed",
  }),
  ask: text("the name of a hook").optional().meta({
    description: "Asks a program over HTTPS (`dialplan.hooks`) for the action",
    example: "crm",
  }),
  reject: rejectSchema
    .optional()
    .meta({ description: "Ends the call with this SIP status", example: "404" }),
  play: text("the path of a sound file").optional().meta({
    description: "Plays this sound file; the word `play` alone: the built-in announcement",
    example: "welcome.wav",
  }),
  by: word("all", "sequence", "round-robin", "longest-idle", "order", "weight", "least-cost")
    .optional()
    .meta({
      description:
        "With `ring`: `all` at once, in `sequence`, in turn (`round-robin`) or who is free the longest first (`longest-idle`); with `dial`: in `order`, by `weight`, or the cheapest first (`least-cost`, see `dialplan.rates`)",
      default: "all for `ring`, order for `dial`",
      example: "sequence",
    }),
  each: duration("1s", "10m").optional().meta({
    description: "With `ring` and `by` other than `all`: how long one user rings",
    default: "15s",
    example: "20s",
  }),
  number: numberText.optional().meta({
    description:
      "With `dial`, `go` and `voicemail`: the number instead of the dialled one; text with `$0` to `$9`",
    default: "what was dialled",
    example: '"$1"',
  }),
  format: word("e164", "e164-without-plus", "national").optional().meta({
    description:
      "With `dial` and `go`: rewrites the number so, read as the caller's home dials it; a number that cannot be read ends with 484",
    example: "e164",
  }),
  replace: oneOrMore(
    z.strictObject({
      find: text("a regular expression such as /^00(.*)$/").meta({
        description: "A regular expression between slashes",
        example: '"/^00(.*)$/"',
      }),
      with: textLike(/^[+0-9A-Za-z*#._$-]{0,128}$/, "digits, letters, + * # . _ - or $1").meta({
        description: "What stands in its place; `$1` to `$9` are its groups",
        example: '"+$1"',
      }),
    }),
    20,
  )
    .optional()
    .meta({
      description: "With `dial` and `go`: rewrites what the expression finds, once, after `format`",
    }),
  strip: wholeNumber(0, 64).optional().meta({
    description: "With `dial` and `go`: characters to take off the front of the number",
    default: "0",
    example: "1",
  }),
  prepend: textLike(/^[+0-9A-Za-z*#._-]{0,64}$/, "digits, letters, + * # . _ - (at most 64)")
    .optional()
    .meta({
      description: "With `dial` and `go`: put in front of the number, after `strip`",
      example: '"+49"',
    }),
  caller: textLike(/^[+0-9A-Za-z*#._$-]{1,64}$/, "digits, letters, + * # . _ - or $1 (at most 64)")
    .optional()
    .meta({
      description: "With `dial`: the calling number to present",
      default: "the caller's own",
      example: '"+493012345600"',
    }),
  "caller-from": oneOrMore(text("a number or a _pattern"), 100).optional().meta({
    description:
      "With `dial`: present only a number of this list: the caller's own when it is in it, else the first one that is no pattern",
    example: '["+493012345600", "_+4930123456XX"]',
  }),
  "display-name": text("a name").optional().meta({
    description: "With `dial`: the name to present",
    default: "the caller's own",
    example: "Example Ltd",
  }),
  mailbox: numberText.optional().meta({
    description: "With `voicemail`: whose messages",
    default: "the user that was dialled, else the number",
    example: '"1001"',
  }),
  as: text("the id of a user").optional().meta({
    description: "With `forward`: the user whose rights and identity count",
    default: "the caller; for a caller from a trunk, the user that was dialled",
    example: '"1001"',
  }),
  else: thenSchema.optional().meta({
    description: "With `ask`: what follows when the program does not answer in time or well",
    default: "{ reject: 503 }",
    example: "{ dial: office }",
  }),
  timeout: duration("1s", "10m").optional().meta({
    description: "With `ring`, `dial` and `voicemail`: how long to wait for an answer",
    default: "30s for `ring`, 60s for the others",
    example: "25s",
  }),
  announce: scalar({
    expected: ANNOUNCE_TEXT,
    parse: tryParseAnnounce,
    json: { type: "string" },
  })
    .optional()
    .meta({
      description:
        "With `ring`, `dial`, `voicemail` and `reject`: what the caller hears before the call fails, as early media; the status and its cause stay. `auto`: by the reason; `number-unknown`, `busy`, `congestion`, `unavailable`; or a WAV file",
      default: "none: the status alone",
      example: "auto",
    }),
  record: flag().optional().meta({
    description:
      "With `ring`, `dial` and `voicemail`: records the call from its answer on, see `recording`; `false` ends the recording of a call that is transferred here",
    default: "false",
    example: "true",
  }),
  "codec-policy": codecPolicy.optional().meta({
    description:
      "With `ring`, `dial` and `voicemail`: how codecs are chosen, as `media.codecs` says it",
    default: "the trunk's `codec-policy`, else `media.codecs`",
    example: "opus",
  }),
  then: thenSchema.optional().meta({
    description:
      "With `ring`, `dial` and `voicemail`: what follows when there was no answer and `on` says nothing",
    example: "[ { dial: office } ]",
  }),
  on: onSchema.optional().meta({
    description:
      "With `ring`, `dial` and `voicemail`: what follows by how it ended: `busy`, `no-answer`, `unreachable`, `rejected`, or a SIP status",
    example: "{ busy: { voicemail: office }, 404: { reject: 404 } }",
  }),
});

type ActionMap = z.output<typeof actionMap>;
type ActionKey = (typeof ACTION_KEYS)[number];

const REWRITE_KEYS = ["number", "format", "replace", "strip", "prepend"] as const;
const OUTCOME_KEYS = ["timeout", "then", "on", "announce", "record", "codec-policy"] as const;

/** The keys that only some kinds of action have. */
export const EXTRA_KEYS: Readonly<Record<ActionKey, readonly (keyof ActionMap)[]>> = {
  ring: ["by", "each", ...OUTCOME_KEYS],
  dial: ["by", ...REWRITE_KEYS, "caller", "caller-from", "display-name", ...OUTCOME_KEYS],
  voicemail: ["number", "mailbox", ...OUTCOME_KEYS],
  forward: ["as"],
  go: REWRITE_KEYS,
  ask: ["else"],
  reject: ["announce"],
  play: [],
};

const ALL_EXTRA_KEYS = [...new Set(Object.values(EXTRA_KEYS).flat())];

const RING_ORDERS = ["all", "sequence", "round-robin", "longest-idle"] as const;
const TRUNK_ORDERS = ["order", "weight", "least-cost"] as const;

function toAction(map: ActionMap, context: z.core.ParsePayload): ActionSource {
  // A misspelt key is told by itself; what it leaves out follows from it.
  if (context.issues.length > 0) return z.NEVER;
  const [kind, other] = ACTION_KEYS.filter((key) => map[key] !== undefined);
  if (kind === undefined || other !== undefined) {
    const found = kind === undefined ? "names no action" : `names both ${kind} and ${other}`;
    addProblem(context, [], found, `one of ${ACTION_KEYS.join(", ")}`);
    return z.NEVER;
  }
  const allowed = EXTRA_KEYS[kind];
  for (const key of ALL_EXTRA_KEYS) {
    if (map[key] === undefined || allowed.includes(key)) continue;
    addProblem(context, [key], `does not go with ${kind}`, `it only beside ${ownersOf(key)}`);
  }
  const announce = map.announce === undefined ? {} : { announce: map.announce };
  const outcomes: OutcomesSource = {
    ...announce,
    ...(map.record !== undefined && { record: map.record }),
    ...(map["codec-policy"] !== undefined && { codecPolicy: map["codec-policy"] }),
    then: map.then ?? [],
    ...(map.on !== undefined && { on: map.on }),
  };
  if (map.ring !== undefined) {
    return {
      kind: "ring",
      targets: map.ring,
      by: oneOf(map.by, RING_ORDERS, "all", context),
      eachMs: map.each ?? DEFAULT_EACH_MS,
      timeoutMs: map.timeout ?? DEFAULT_RING_MS,
      ...outcomes,
    };
  }
  if (map.dial !== undefined) {
    return {
      kind: "dial",
      trunks: map.dial,
      by: oneOf(map.by, TRUNK_ORDERS, "order", context),
      rewrite: rewriteOf(map),
      timeoutMs: map.timeout ?? DEFAULT_DIAL_MS,
      ...(map.caller !== undefined && { caller: map.caller }),
      ...(map["caller-from"] !== undefined && { callerFrom: map["caller-from"] }),
      ...(map["display-name"] !== undefined && { displayName: map["display-name"] }),
      ...outcomes,
    };
  }
  if (map.voicemail !== undefined) {
    return {
      kind: "voicemail",
      trunk: map.voicemail,
      timeoutMs: map.timeout ?? DEFAULT_DIAL_MS,
      ...(map.number !== undefined && { number: map.number }),
      ...(map.mailbox !== undefined && { mailbox: map.mailbox }),
      ...outcomes,
    };
  }
  if (map.forward !== undefined) return compact({ kind: "forward", to: map.forward, as: map.as });
  if (map.go !== undefined) return { kind: "go", set: map.go, rewrite: rewriteOf(map) };
  if (map.ask !== undefined) return { kind: "ask", hook: map.ask, otherwise: map.else ?? [] };
  if (map.reject !== undefined) return { kind: "reject", ...compact(map.reject), ...announce };
  return compact({ kind: "play", file: map.play });
}

function rewriteOf(map: ActionMap): RewriteSource {
  return {
    strip: map.strip ?? 0,
    prepend: map.prepend ?? "",
    ...(map.number !== undefined && { number: map.number }),
    ...(map.format !== undefined && { format: map.format }),
    ...(map.replace !== undefined && { replace: map.replace }),
  };
}

function oneOf<const Word extends string>(
  found: string | undefined,
  words: readonly Word[],
  usual: Word,
  context: z.core.ParsePayload,
): Word {
  const known = words.find((candidate) => candidate === found);
  if (found !== undefined && known === undefined) {
    addProblem(context, ["by"], `found "${found}"`, `one of ${words.join(", ")}`);
  }
  return known ?? usual;
}

function ownersOf(key: keyof ActionMap): string {
  return ACTION_KEYS.filter((kind) => EXTRA_KEYS[kind].includes(key)).join(" and ");
}

const actionWord = scalar<ActionSource>({
  expected: `one of ${ACTION_WORDS.join(", ")}, or a map such as { ring: "@to" }, { dial: office } or { reject: 404 }`,
  parse: (value) => {
    const kind = ACTION_WORDS.find((candidate) => candidate === value);
    return kind === undefined ? undefined : { kind };
  },
  json: { type: "string", enum: ACTION_WORDS },
});

/** One action: `echo`, or a map such as `{ ring: "@to", timeout: 25s }`. */
export const actionSchema: z.ZodType<ActionSource> = z
  .union([actionWord, actionMap.transform(toAction)])
  .meta({ id: "action" });
