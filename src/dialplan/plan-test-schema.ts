import { z } from "zod";

import { ACTION_WORDS, OUTCOMES, rejectStatus } from "./action-schema.ts";
import { oneOrMore, scalar, text, word } from "./scalar.ts";
import { addProblem, compact, headerKey, lowerKeys } from "./schema-tools.ts";
import type { ExpectSource, TestSource } from "./source.ts";

const expectWord = scalar<ExpectSource>({
  expected: `one of ${ACTION_WORDS.join(", ")}, or a map such as { dial: office, number: "+4930123456" }`,
  parse: (value) => {
    const kind = ACTION_WORDS.find((candidate) => candidate === value);
    return kind === undefined ? undefined : { kind };
  },
  json: { type: "string", enum: ACTION_WORDS },
});

const EXPECT_KEYS = ["ring", "dial", "voicemail", "ask", "reject", "play"] as const;

const expectMap = z
  .strictObject({
    route: text()
      .optional()
      .meta({ description: "The name of the route that decides", example: "national" }),
    ring: oneOrMore(text("the id of a user")).optional().meta({
      description: "The ids of the users that ring, in any order",
      example: '"1001"',
    }),
    dial: oneOrMore(text("the id of a trunk")).optional().meta({
      description: "The trunk that is tried first, or the first few in order",
      example: "office",
    }),
    voicemail: text("the id of a trunk")
      .optional()
      .meta({ description: "The trunk whose voicemail answers", example: "office" }),
    ask: text("the name of a hook")
      .optional()
      .meta({ description: "The hook that is asked", example: "crm" }),
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
      .meta({ description: "With `dial`: the number presented", example: '"+493012345600"' }),
    on: z
      .record(
        z.string().regex(/^(?:busy|no-answer|unreachable|rejected|then|[3-6][0-9]{2})$/, {
          message: `not an outcome; expected ${OUTCOMES.join(", ")}, then, or a SIP status`,
        }),
        z.lazy((): z.ZodType<ExpectSource> => expectSchema),
      )
      .optional()
      .meta({
        description: "What follows by outcome, in the same words; `then`: after any other",
        example: "{ busy: { voicemail: office } }",
      }),
  })
  .transform((map, context): ExpectSource => {
    const [kind, other] = EXPECT_KEYS.filter((key) => map[key] !== undefined);
    if (other !== undefined) {
      addProblem(context, [], `names both ${kind} and ${other}`, "one action");
    }
    const isEmpty = kind === undefined && map.route === undefined && map.number === undefined;
    if (isEmpty && map.on === undefined) {
      addProblem(
        context,
        [],
        "names nothing to compare",
        `one of ${EXPECT_KEYS.join(", ")}, route`,
      );
    }
    return compact({
      route: map.route,
      kind: kind ?? (map.number === undefined && map.caller === undefined ? undefined : "dial"),
      users: map.ring,
      trunks: map.dial ?? (map.voicemail === undefined ? undefined : [map.voicemail]),
      hook: map.ask,
      number: map.number,
      caller: map.caller,
      file: map.play,
      status: map.reject,
      on: map.on,
    });
  });

const expectSchema: z.ZodType<ExpectSource> = z
  .union([expectWord, expectMap])
  .meta({ id: "expectation" });

/** One of `dialplan.tests`: a call, and what the plan is to do with it. */
export const testSchema: z.ZodType<TestSource> = z
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
    state: z
      .record(z.string(), word("idle", "busy", "offline"))
      .optional()
      .meta({
        description: "What users do at that time, by id",
        default: "everyone is idle",
        example: '{ "1001": busy }',
      }),
    headers: z
      .record(headerKey, text())
      .transform(lowerKeys)
      .optional()
      .meta({ description: "Header fields of the INVITE", example: "{ X-Department: sales }" }),
    expect: expectSchema.meta({
      description:
        "`echo`, `play`, `read-digits`, `hang-up`, or a map with any of `route`, `ring`, `dial`, `voicemail`, `ask`, `reject`, `play`, `number`, `caller`, `on`",
      example: "{ dial: office }",
    }),
  })
  .transform((value): TestSource => compact(value));
