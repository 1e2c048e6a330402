import { z } from "zod";

import { knownCountries } from "./number.ts";
import { duration, oneOrMore, scalar, text, textLike, wholeNumber } from "./scalar.ts";
import { DAY_NAMES, isTimeZone, tryParseDays, tryParseHours } from "./schedule.ts";
import type {
  ActionSource,
  AtSource,
  DialplanSource,
  ExpectSource,
  FromSource,
  RouteSource,
  TestSource,
} from "./source.ts";

/** How long a ring and a dial wait for an answer when the file does not say. */
export const DEFAULT_RING_MS = 30_000;
export const DEFAULT_DIAL_MS = 60_000;

const ACTION_WORDS = ["echo", "play", "read-digits"] as const;
const ACTION_KEYS = ["ring", "dial", "reject", "play"] as const;

/** Takes the keys away whose value is undefined, so that absent means absent. */
export function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // Only own enumerable keys with a value stay, so the narrower type holds.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Adds the problem that a value has beside its shape. */
export function addProblem(
  context: z.core.ParsePayload,
  path: readonly (string | number)[],
  message: string,
  expected: string,
): void {
  context.issues.push({
    code: "custom",
    input: context.value,
    path: [...path],
    message,
    params: { expected },
  });
}

const rejectStatus = wholeNumber(400, 699);

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
  then: thenSchema.optional().meta({
    description: "With `ring` and `dial`: what follows when there was no answer",
    example: "[ { dial: office } ]",
  }),
});

type ActionMap = z.output<typeof actionMap>;

/** The keys that only some kinds of action have. */
const EXTRA_KEYS = {
  ring: ["timeout", "then"],
  dial: ["strip", "prepend", "caller", "timeout", "then"],
  reject: [],
  play: [],
} as const satisfies Readonly<Record<(typeof ACTION_KEYS)[number], readonly (keyof ActionMap)[]>>;

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
  for (const key of ["strip", "prepend", "caller", "timeout", "then"] as const) {
    if (map[key] === undefined || allowed.includes(key)) continue;
    addProblem(context, [key], `does not go with ${kind}`, `it only beside ${ownersOf(key)}`);
  }
  const then = map.then ?? [];
  if (map.ring !== undefined) {
    return { kind: "ring", targets: map.ring, timeoutMs: map.timeout ?? DEFAULT_RING_MS, then };
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
    };
  }
  if (map.reject !== undefined) return { kind: "reject", ...compact(map.reject) };
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

const matcherText = text("a number, a _pattern, a /regex/ or @users");

const fromSchema: z.ZodType<FromSource> = z
  .strictObject({
    user: oneOrMore(text("the id of a user"))
      .optional()
      .meta({ description: "The caller is this web user (or one of these)", example: '"1001"' }),
    group: oneOrMore(text("the name of a group"))
      .optional()
      .meta({ description: "The caller is a web user in this group", example: "staff" }),
    trunk: oneOrMore(text("the id of a trunk"))
      .optional()
      .meta({ description: "The call comes from this trunk", example: "office" }),
    number: oneOrMore(text("a number, a _pattern or a /regex/")).optional().meta({
      description: "The calling number: literal, `_pattern` or `/regex/`",
      example: '"_+49X."',
    }),
  })
  .transform((value): FromSource => compact(value));

const daysSchema = oneOrMore(
  scalar({
    expected: `days such as mon-fri or sat,sun (${DAY_NAMES.join(", ")})`,
    parse: tryParseDays,
    json: { type: "string" },
  }),
).transform((lists) => [...new Set(lists.flat())]);

const hoursSchema = oneOrMore(
  scalar({
    expected: "hours such as 08:00-18:00 or 22:00-06:00",
    parse: tryParseHours,
    json: { type: "string", pattern: "^[0-9]{1,2}:[0-9]{2} ?-" },
  }),
).transform((lists) => lists.flat());

const atSchema: z.ZodType<AtSource> = z
  .strictObject({
    days: daysSchema.optional().meta({ description: "Days of the week", example: "mon-fri" }),
    hours: hoursSchema.optional().meta({
      description: "Times of the day, the end not included; 22:00-06:00 runs over midnight",
      example: '"08:00-18:00"',
    }),
  })
  .transform((value): AtSource => compact(value));

/** One route of the section. */
export const routeSchema: z.ZodType<RouteSource> = z
  .strictObject({
    name: text().optional().meta({
      description: "Shown in explanations and call records",
      default: "route 1, route 2, …",
      example: "national",
    }),
    from: fromSchema
      .optional()
      .meta({ description: "Who calls; every key must hold", default: "anyone" }),
    to: oneOrMore(matcherText).optional().meta({
      description:
        'What was dialled: a literal, a `_pattern`, a `/regex/`, or `"@users"` (any web user, by id or number); a list: any of them',
      default: "anything",
      example: '"_0Z."',
    }),
    at: atSchema
      .optional()
      .meta({ description: "When, in `dialplan.time-zone`", default: "always" }),
    do: actionSchema.meta({
      description:
        "`echo`, `play`, `read-digits`, or a map with one of `ring`, `dial`, `reject`, `play`",
      example: "{ dial: office, strip: 1 }",
    }),
  })
  .transform((value): RouteSource => compact(value));

const expectWord = scalar<ExpectSource>({
  expected: `one of ${ACTION_WORDS.join(", ")}, or a map such as { dial: office, number: "+4930123456" }`,
  parse: (value) => {
    const kind = ACTION_WORDS.find((candidate) => candidate === value);
    return kind === undefined ? undefined : { kind };
  },
  json: { type: "string", enum: ACTION_WORDS },
});

const expectMap = z
  .strictObject({
    route: text()
      .optional()
      .meta({ description: "The name of the route that decides", example: "national" }),
    ring: oneOrMore(text("the id of a user"))
      .optional()
      .meta({ description: "The ids of the users that ring, in any order", example: '"1001"' }),
    dial: oneOrMore(text("the id of a trunk")).optional().meta({
      description: "The trunk that is tried first, or the first few in order",
      example: "office",
    }),
    reject: rejectStatus
      .optional()
      .meta({ description: "The status that the call ends with", example: "404" }),
    play: text("the path of a sound file")
      .optional()
      .meta({ description: "The file that plays", example: "welcome.wav" }),
    number: text()
      .optional()
      .meta({ description: "With `dial`: the number for the trunk", example: '"+4930123456"' }),
    caller: text()
      .optional()
      .meta({ description: "With `dial`: the `caller` of the route", example: '"+493012345600"' }),
  })
  .transform((map, context): ExpectSource => {
    const [kind, other] = ACTION_KEYS.filter((key) => map[key] !== undefined);
    if (other !== undefined) {
      addProblem(context, [], `names both ${kind} and ${other}`, "one action");
    }
    if (kind === undefined && map.route === undefined && map.number === undefined) {
      addProblem(
        context,
        [],
        "names nothing to compare",
        `one of ${ACTION_KEYS.join(", ")}, route`,
      );
    }
    return compact({
      route: map.route,
      kind: kind ?? (map.number === undefined && map.caller === undefined ? undefined : "dial"),
      users: map.ring,
      trunks: map.dial,
      number: map.number,
      caller: map.caller,
      file: map.play,
      status: map.reject,
    });
  });

const testSchema: z.ZodType<TestSource> = z
  .strictObject({
    name: text().optional().meta({ description: "Shown when the test fails" }),
    from: text("a user's id or number").optional().meta({
      description: "A user's id or number; with `trunk`, the number that the trunk presents",
      example: '"1001"',
    }),
    trunk: text("the id of a trunk")
      .optional()
      .meta({ description: "The trunk that the call comes from", example: "office" }),
    to: text("the dialled number").meta({
      description: "The dialled number",
      example: '"030123456"',
    }),
    at: text("a time such as 2026-11-20T10:00").optional().meta({
      description: "When, in `dialplan.time-zone` unless it has an offset",
      default: "now",
      example: '"2026-11-20T10:00"',
    }),
    expect: z.union([expectWord, expectMap]).meta({
      description:
        "`echo`, `play`, `read-digits`, or a map with any of `route`, `ring`, `dial`, `reject`, `play`, `number`, `caller`",
      example: "{ dial: office }",
    }),
  })
  .transform((value): TestSource => compact(value));

/** The section of the file: without `routes`, the built-in plan takes their place. */
export type DialplanSection = Omit<DialplanSource, "routes"> &
  Partial<Pick<DialplanSource, "routes">>;

/** The `dialplan` section of the file. */
export const dialplanSchema: z.ZodType<DialplanSection> = z
  .strictObject({
    country: scalar({
      expected:
        "the ISO 3166 code of a country whose numbering plan is known, such as DE, GB or US",
      parse: (value) => knownCountries.find((country) => country === value.toUpperCase()),
      json: { type: "string" },
    })
      .optional()
      .meta({
        description:
          "How national numbers become E.164 when users are looked up by number and callers are compared",
        default: "none: only `+…`, and the same without its `+`, is read",
        example: "DE",
      }),
    "time-zone": scalar({
      expected: "an IANA time zone such as Europe/Berlin or UTC",
      parse: (value) => (isTimeZone(value) ? value : undefined),
      json: { type: "string" },
    })
      .optional()
      .meta({
        description: "The clock that `at` and the tests' `at` are read by",
        default: "the machine's",
        example: "Europe/Berlin",
      }),
    routes: z.array(routeSchema).max(100_000).optional().meta({
      description:
        "The first whose conditions all hold decides; when none does, the call ends with 404",
      default: "the built-in plan, see below",
    }),
    tests: z.array(testSchema).max(10_000).optional().meta({
      description: "Run by `offhook check` and at each load; one that fails refuses the file",
      default: "[]",
    }),
  })
  .transform((value): DialplanSection =>
    compact({
      country: value.country,
      timeZone: value["time-zone"],
      routes: value.routes,
      tests: value.tests ?? [],
    }),
  );
