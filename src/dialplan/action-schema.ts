import { z } from "zod";

import { ANNOUNCE_TEXT, tryParseAnnounce } from "./announce.ts";
import { duration, flag, oneOrMore, scalar, text, textLike, wholeNumber } from "./scalar.ts";
import { addProblem, compact } from "./schema-tools.ts";
import type { ActionSource, CodecPolicyName } from "./source.ts";

/** How long a ring and a dial wait for an answer when the file does not say. */
export const DEFAULT_RING_MS = 30_000;
export const DEFAULT_DIAL_MS = 60_000;

/** Actions that are one word. */
export const ACTION_WORDS = ["echo", "play", "read-digits"] as const;
/** Keys of which an action that is a map has exactly one. */
export const ACTION_KEYS = ["ring", "dial", "reject", "play"] as const;

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
  rejectStatus.transform((status): { status: number; reason?: string } => ({ status })),
  z.strictObject({
    status: rejectStatus.meta({ description: "SIP status from 400 to 699", example: "486" }),
    reason: text()
      .optional()
      .meta({ description: "Reason phrase", default: "the status's own", example: "Closed today" }),
  }),
]);

const thenSchema: z.ZodType<readonly ActionSource[]> = oneOrMore(
  z.lazy(() => actionSchema),
  20,
);

const actionMap = z.strictObject({
  ring: oneOrMore(text("a user's id or number, @to or $1"), 100).optional().meta({
    description:
      'Rings web users, several at once: user ids or numbers, `"@to"` (the users that were dialled), or text with `$1` to `$9` (the groups of `to`\'s regular expression)',
    example: '"@to"',
  }),
  dial: oneOrMore(text("the id of a trunk"), 100).optional().meta({
    description: "Calls out over this trunk, or these in order",
    example: "[office, backup]",
  }),
  reject: rejectSchema
    .optional()
    .meta({ description: "Ends the call with this SIP status", example: "404" }),
  play: text("the path of a sound file").optional().meta({
    description: "Plays this sound file; the word `play` alone: the built-in announcement",
    example: "welcome.wav",
  }),
  strip: wholeNumber(0, 64).optional().meta({
    description: "With `dial`: characters to take off the front of the number",
    default: "0",
    example: "1",
  }),
  prepend: textLike(/^[+0-9A-Za-z*#._-]{0,64}$/, "digits, letters, + * # . _ - (at most 64)")
    .optional()
    .meta({
      description: "With `dial`: put in front of the number, after `strip`",
      example: '"+49"',
    }),
  caller: textLike(/^[+0-9A-Za-z*#._$-]{1,64}$/, "digits, letters, + * # . _ - or $1 (at most 64)")
    .optional()
    .meta({
      description: "With `dial`: the calling number to present",
      default: "the caller's own",
      example: '"+493012345600"',
    }),
  timeout: duration("1s", "10m").optional().meta({
    description: "With `ring` and `dial`: how long to wait for an answer",
    default: "30s for `ring`, 60s for `dial`",
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
        "With `ring`, `dial` and `reject`: what the caller hears before the call fails, as early media; the status and its cause stay. `auto`: by the reason; `number-unknown`, `busy`, `congestion`, `unavailable`; or a WAV file",
      default: "none: the status alone",
      example: "auto",
    }),
  record: flag().optional().meta({
    description: "With `ring` and `dial`: records the call from its answer on, see `recording`",
    default: "false",
    example: "true",
  }),
  "codec-policy": codecPolicy.optional().meta({
    description: "With `ring` and `dial`: how codecs are chosen, as `media.codecs` says it",
    default: "the trunk's `codec-policy`, else `media.codecs`",
    example: "opus",
  }),
  then: thenSchema.optional().meta({
    description: "With `ring` and `dial`: what follows when there was no answer",
    example: "[ { dial: office } ]",
  }),
});

type ActionMap = z.output<typeof actionMap>;

/** The keys that only some kinds of action have. */
const EXTRA_KEYS = {
  ring: ["timeout", "then", "announce", "record", "codec-policy"],
  dial: ["strip", "prepend", "caller", "timeout", "then", "announce", "record", "codec-policy"],
  reject: ["announce"],
  play: [],
} as const satisfies Readonly<Record<(typeof ACTION_KEYS)[number], readonly (keyof ActionMap)[]>>;

const EXTRAS = [
  "strip",
  "prepend",
  "caller",
  "timeout",
  "then",
  "announce",
  "record",
  "codec-policy",
] as const;

function toAction(map: ActionMap, context: z.core.ParsePayload): ActionSource {
  // A misspelt key is told by itself; what it leaves out follows from it.
  if (context.issues.length > 0) return z.NEVER;
  const [kind, other] = ACTION_KEYS.filter((key) => map[key] !== undefined);
  if (kind === undefined || other !== undefined) {
    const found = kind === undefined ? "names no action" : `names both ${kind} and ${other}`;
    addProblem(context, [], found, `one of ${ACTION_KEYS.join(", ")}`);
    return z.NEVER;
  }
  const allowed: readonly string[] = EXTRA_KEYS[kind];
  for (const key of EXTRAS) {
    if (map[key] === undefined || allowed.includes(key)) continue;
    addProblem(context, [key], `does not go with ${kind}`, `it only beside ${ownersOf(key)}`);
  }
  const then = map.then ?? [];
  const announce = map.announce === undefined ? {} : { announce: map.announce };
  const asides = {
    ...announce,
    ...(map.record !== undefined && { record: map.record }),
    ...(map["codec-policy"] !== undefined && { codecPolicy: map["codec-policy"] }),
  };
  if (map.ring !== undefined) {
    const timeoutMs = map.timeout ?? DEFAULT_RING_MS;
    return { kind: "ring", targets: map.ring, timeoutMs, then, ...asides };
  }
  if (map.dial !== undefined) {
    return {
      kind: "dial",
      trunks: map.dial,
      strip: map.strip ?? 0,
      prepend: map.prepend ?? "",
      timeoutMs: map.timeout ?? DEFAULT_DIAL_MS,
      then,
      ...(map.caller !== undefined && { caller: map.caller }),
      ...asides,
    };
  }
  if (map.reject !== undefined) return { kind: "reject", ...compact(map.reject), ...announce };
  return compact({ kind: "play", file: map.play });
}

function ownersOf(key: string): string {
  return ACTION_KEYS.filter((kind) => EXTRA_KEYS[kind].some((extra) => extra === key)).join(
    " and ",
  );
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
