import { z } from "zod";

import { actionSchema } from "./action-schema.ts";
import { tryParseDates } from "./calendar.ts";
import { knownCountries } from "./number.ts";
import { NUMBER_CLASSES } from "./number-class.ts";
import { duration, oneOrMore, scalar, text, textLike, wholeNumber, word } from "./scalar.ts";
import { compact, headerKey, lowerKeys } from "./schema-tools.ts";
import { testSchema } from "./plan-test-schema.ts";
import { DAY_NAMES, isTimeZone, tryParseDays, tryParseHours } from "./schedule.ts";
import { starCodesSchema } from "./star-code-schema.ts";
import type {
  AllowSource,
  AtSource,
  DialplanSource,
  EmergencySource,
  FromSource,
  HookSource,
  LimitSource,
  LimitsSource,
  RouteSource,
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
      description: "The calling number: literal, `_pattern`, `/regex/` or `anonymous` (none shown)",
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

const datesSchema = oneOrMore(
  scalar({
    expected: "a date such as 2026-12-24, 12-24 (every year) or 12-24..01-06",
    parse: tryParseDates,
    json: { type: "string" },
  }),
);

const zoneSchema = scalar({
  expected: "an IANA time zone such as Europe/Berlin or UTC",
  parse: (value) => (isTimeZone(value) ? value : undefined),
  json: { type: "string" },
});

const atSchema: z.ZodType<AtSource> = z
  .strictObject({
    days: daysSchema.optional().meta({ description: "Days of the week", example: "mon-fri" }),
    hours: hoursSchema.optional().meta({
      description: "Times of the day, the end not included; 22:00-06:00 runs over midnight",
      example: '"08:00-18:00"',
    }),
    dates: datesSchema.optional().meta({
      description: "Dates, of one year or of every year, both ends included",
      example: '"12-24..01-01"',
    }),
    holidays: oneOrMore(text("the name of a list of holidays")).optional().meta({
      description: "Today is in this list of `dialplan.holidays`",
      example: "berlin",
    }),
    except: oneOrMore(text("the name of a list of holidays")).optional().meta({
      description: "Today is not in this list of `dialplan.holidays`",
      example: "berlin",
    }),
    "time-zone": zoneSchema.optional().meta({
      description: "The clock that this route goes by",
      default: "dialplan.time-zone",
      example: "America/New_York",
    }),
  })
  .transform(({ "time-zone": timeZone, ...value }): AtSource => compact({ ...value, timeZone }));

const classesSchema = oneOrMore(word(...NUMBER_CLASSES)).transform((list) => [...new Set(list)]);

const limitSchema: z.ZodType<LimitSource> = z
  .strictObject({
    concurrent: wholeNumber(0, 1_000_000)
      .optional()
      .meta({ description: "Calls out at once", example: "2" }),
    "per-minute": wholeNumber(0, 9999)
      .optional()
      .meta({ description: "Calls out begun within a minute", example: "10" }),
    "minutes-per-day": wholeNumber(0, 10_000_000)
      .optional()
      .meta({ description: "Minutes talked a day, in `dialplan.time-zone`", example: "120" }),
    "spend-per-day": price()
      .optional()
      .meta({ description: "Money a day, by `dialplan.rates`", example: "20" }),
  })
  .transform((value): LimitSource =>
    compact({
      concurrent: value.concurrent,
      perMinute: value["per-minute"],
      minutesPerDay: value["minutes-per-day"],
      spendPerDay: value["spend-per-day"],
    }),
  );

/** An amount of money, or a price. */
function price() {
  return scalar<number>({
    expected: "an amount such as 20 or 0.015",
    parse: (value) => (/^[0-9]{1,9}(?:\.[0-9]{1,6})?$/.test(value) ? Number(value) : undefined),
    json: { type: ["number", "string"] },
  });
}

const STATES = ["idle", "busy", "offline", "registered"] as const;

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
    class: classesSchema.optional().meta({
      description: `The class of the dialled number: one of ${NUMBER_CLASSES.join(", ")}`,
      default: "any",
      example: "[mobile, international]",
    }),
    at: atSchema
      .optional()
      .meta({ description: "When, in `dialplan.time-zone`", default: "always" }),
    headers: z
      .record(headerKey, oneOrMore(text("a text, a _pattern or a /regex/")))
      .transform(lowerKeys)
      .optional()
      .meta({
        description:
          "Header fields of a trunk's INVITE, of those that `dialplan.headers` names; what a browser sends is never looked at",
        example: "{ X-Department: sales }",
      }),
    state: z
      .record(z.string(), oneOrMore(word(...STATES)))
      .optional()
      .meta({
        description:
          'What users do now, by id or `"@to"` (every user that was dialled): `idle`, `busy`, `offline`, or `registered` (idle or busy)',
        example: '{ "1001": busy }',
      }),
    limits: limitSchema
      .optional()
      .meta({ description: "What may go out by this route", default: "none" }),
    do: actionSchema.meta({
      description:
        "`echo`, `play`, `read-digits`, `hang-up`, or a map with one of `ring`, `dial`, `voicemail`, `forward`, `go`, `ask`, `reject`, `play`",
      example: "{ dial: office, strip: 1 }",
    }),
  })
  .transform((value): RouteSource => compact(value));

/** The section of the file: without `routes`, the built-in plan takes their place. */
export type DialplanSection = Omit<DialplanSource, "routes"> &
  Partial<Pick<DialplanSource, "routes">>;

const named = <T>(value: z.ZodType<T>, what: string) =>
  z.record(
    z.string().regex(/^[A-Za-z0-9+][A-Za-z0-9._+-]{0,63}$/, {
      message: `not usable as the name of ${what}; expected letters, digits, . _ + -`,
    }),
    value,
  );

const allowSchema: z.ZodType<AllowSource> = z
  .strictObject({
    everyone: classesSchema.optional().meta({
      description: "Callers that no other key names",
      default: "[internal, emergency]",
      example: "[internal, national]",
    }),
    group: named(classesSchema, "a group").optional().meta({
      description: "Users in this group; in several groups: what any of them may",
      example: "{ staff: [internal, national, mobile] }",
    }),
    user: named(classesSchema, "a user").optional().meta({
      description: "This user; groups do not count for it",
      example: '{ "1001": [internal, national, mobile, international] }',
    }),
    trunk: named(classesSchema, "a trunk").optional().meta({
      description: "Calls from this trunk that go out again",
      example: "{ office: [internal] }",
    }),
  })
  .transform((value): AllowSource =>
    compact({
      everyone: value.everyone,
      groups: value.group ?? {},
      users: value.user ?? {},
      trunks: value.trunk ?? {},
    }),
  );

const limitsSchema: z.ZodType<LimitsSource> = z
  .strictObject({
    "each-user": limitSchema.optional().meta({ description: "Every user" }),
    group: named(limitSchema, "a group")
      .optional()
      .meta({ description: "Every user in this group, each for itself" }),
    user: named(limitSchema, "a user").optional().meta({ description: "This user" }),
    trunk: named(limitSchema, "a trunk").optional().meta({ description: "This trunk" }),
  })
  .transform((value): LimitsSource =>
    compact({
      eachUser: value["each-user"],
      groups: value.group ?? {},
      users: value.user ?? {},
      trunks: value.trunk ?? {},
    }),
  );

const emergencySchema: z.ZodType<EmergencySource> = z
  .strictObject({
    numbers: oneOrMore(textLike(/^[0-9*#]{2,10}$/, "a short number"))
      .optional()
      .meta({
        description: "Emergency numbers beside those of the country",
        example: '["19222"]',
      }),
    dial: oneOrMore(text("the id of a trunk")).optional().meta({
      description: "The trunks that take emergency calls, in order",
      default: "all trunks in the order of the file",
      example: "[office, backup]",
    }),
    caller: textLike(/^[+0-9]{1,20}$/, "a number to be called back at")
      .optional()
      .meta({
        description: "The calling number for callers that have none of their own",
        example: '"+493012345600"',
      }),
    location: textLike(/^(?:https|sips?|pres):[^\s<>"]{1,500}$/, "an https:, sip: or pres: URI")
      .optional()
      .meta({
        description: "Where the callers are: sent as Geolocation (RFC 6442)",
        default: "none is sent",
        example: "https://lis.example.com/held/site-berlin",
      }),
  })
  .transform(({ dial: trunks, ...value }): EmergencySource => compact({ ...value, trunks }));

const hookSchema: z.ZodType<HookSource> = z
  .strictObject({
    url: textLike(
      /^(?:https:\/\/|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?:[:/]|$))[^\s]{0,500}$/,
      "an https: URL, or an http: one on this machine",
    ).meta({ description: "Where the question is sent", example: "https://crm.example.com/route" }),
    secret: text("a secret of at least 16 characters", { isSecret: true }).meta({
      description: "Signs the question: HMAC with SHA-256",
      example: '"${CRM_SECRET}"',
    }),
    timeout: duration("100ms", "10s").optional().meta({
      description: "How long the caller waits for the answer",
      default: "2s",
    }),
  })
  .transform(({ timeout, ...value }): HookSource => ({ ...value, timeoutMs: timeout ?? 2000 }));

const rateSchema = z.strictObject({
  prefix: textLike(/^\+[0-9]{0,15}$/, "the beginning of an E.164 number such as +49, or +").meta({
    description: "The beginning of the number; the longest one decides",
    example: '"+4915"',
  }),
  price: price().meta({ description: "One minute", example: "0.015" }),
});

/** The lists that an included file may add to. */
const shared = {
  routes: z.array(routeSchema).max(100_000).optional().meta({
    description:
      "The first whose conditions all hold decides; when none does, the call ends with 404",
    default: "the built-in plan, see below",
  }),
  tests: z.array(testSchema).max(10_000).optional().meta({
    description: "Run by `offhook check` and at each load; one that fails refuses the file",
    default: "[]",
  }),
  sets: named(z.array(routeSchema).max(100_000), "a set of routes").optional().meta({
    description: "Further lists of routes, which the action `go` leads to",
    example: "{ closed: [ { do: { reject: 480 } } ] }",
  }),
  holidays: named(datesSchema, "a list of holidays").optional().meta({
    description: "Lists of dates for `at.holidays` and `at.except`",
    example: '{ berlin: ["01-01", "03-08", "2026-04-03"] }',
  }),
  rates: named(z.array(rateSchema).max(100_000), "a trunk").optional().meta({
    description: "What a minute costs, by trunk: for `by: least-cost` and `spend-per-day`",
    example: '{ office: [ { prefix: "+49", price: 0.01 } ] }',
  }),
};

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
          "How national numbers become E.164 when users are looked up by number and callers are compared, and whose emergency numbers count",
        default: "none: only `+…`, and the same without its `+`, is read",
        example: "DE",
      }),
    "area-code": textLike(/^[0-9]{1,6}$/, "digits, without the 0 in front")
      .optional()
      .meta({
        description: "Dialled before local numbers, without the trunk prefix",
        default: "none: local numbers are not read",
        example: '"30"',
      }),
    "time-zone": zoneSchema.optional().meta({
      description: "The clock that `at` and the tests' `at` are read by",
      default: "the machine's",
      example: "Europe/Berlin",
    }),
    include: oneOrMore(text("the path of a file"), 100).optional().meta({
      description:
        "Files with more `routes`, `sets`, `holidays`, `rates` and `tests`; theirs come after those of this file",
      default: "none",
      example: "plans/night.yaml",
    }),
    ...shared,
    headers: oneOrMore(headerKey as z.ZodType<string>)
      .optional()
      .meta({
        description: "The header fields of a trunk's INVITE that routes may look at",
        default: "none",
        example: "[X-Department]",
      }),
    emergency: emergencySchema.optional().meta({
      description: "How emergency calls of users go out; they come before every route",
      default: "the numbers of `country`, over all trunks in the order of the file",
    }),
    allow: allowSchema.optional().meta({
      description: "The classes of numbers that may be dialled over trunks; emergency always may",
      default: "everything but premium",
    }),
    premium: oneOrMore(text("a _pattern of an E.164 number")).optional().meta({
      description: "E.164 numbers that count as premium beside those of their countries' plans",
      default: "none",
      example: '["_+37190."]',
    }),
    limits: limitsSchema
      .optional()
      .meta({ description: "What may go out over trunks", default: "none" }),
    hooks: named(hookSchema, "a hook")
      .optional()
      .meta({ description: "Programs that the action `ask` asks", default: "none" }),
    "star-codes": starCodesSchema.optional().meta({
      description:
        "What users dial to switch do not disturb and call forwarding; a code that a route names in `to` is the route's. `off`: none",
      default: "the usual ones, see [star-codes.md](star-codes.md)",
      example: "off",
    }),
  })
  .transform(({ include: _, ...value }): DialplanSection =>
    compact({
      country: value.country,
      areaCode: value["area-code"],
      timeZone: value["time-zone"],
      routes: value.routes,
      tests: value.tests ?? [],
      sets: value.sets,
      holidays: value.holidays,
      headers: value.headers?.map((name) => name.toLowerCase()),
      emergency: value.emergency,
      allow: value.allow,
      premium: value.premium,
      limits: value.limits,
      rates: value.rates,
      hooks: value.hooks,
      starCodes: value["star-codes"],
    }),
  );

/** What an included file may hold. */
export const includedSchema = z.strictObject(shared);
