import { z } from "zod";

import { knownCountries } from "./number.ts";
import { ACTION_KEYS, ACTION_WORDS, actionSchema, rejectStatus } from "./action-schema.ts";
import { oneOrMore, scalar, text } from "./scalar.ts";
import { DAY_NAMES, isTimeZone, tryParseDays, tryParseHours } from "./schedule.ts";
import { addProblem, compact } from "./schema-tools.ts";
import type {
  AtSource,
  DialplanSource,
  ExpectSource,
  FromSource,
  RouteSource,
  TestSource,
} from "./source.ts";

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
