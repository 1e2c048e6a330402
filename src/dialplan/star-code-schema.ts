import { z } from "zod";
import { textLike, word } from "./scalar.ts";
import { compact } from "./schema-tools.ts";
import type { StarCodeSource, StarCodesSource } from "./source.ts";
import { USUAL_STAR_CODES } from "./star-codes.ts";

const code = () => textLike(/^[*#][0-9*#]{1,9}$/, "a code such as *78, which begins with * or #");

const pair = z.union([
  word("off"),
  z.strictObject({
    on: code().meta({ description: "Switches it on", example: '"*72"' }),
    off: code().meta({ description: "Switches it off", example: '"*73"' }),
  }),
]);

type Pair = z.output<typeof pair>;

const chosen = (value: Pair | undefined, usual: StarCodeSource | undefined) =>
  value === "off" ? undefined : (value ?? usual);

/** `star-codes` of the dialplan. */
export const starCodesSchema: z.ZodType<StarCodesSource> = z
  .union([
    word("off"),
    z.strictObject({
      "do-not-disturb": pair.optional().meta({
        description: "Its telephones do not ring; callers find the user busy",
        default: '`on: "*78"`, `off: "*79"`',
      }),
      "forward-always": pair.optional().meta({
        description: "Forwards every call; `on` is dialled with the number behind it",
        default: '`on: "*72"`, `off: "*73"`',
        example: '{ on: "*21*", off: "#21#" }',
      }),
      "forward-busy": pair.optional().meta({
        description: "Forwards calls while the user is busy or does not want to be disturbed",
        default: '`on: "*90"`, `off: "*91"`',
      }),
      "forward-no-answer": pair.optional().meta({
        description: "Forwards calls that nobody answers, or that no telephone is there for",
        default: '`on: "*92"`, `off: "*93"`',
      }),
    }),
  ])
  .transform((value): StarCodesSource =>
    value === "off"
      ? {}
      : compact({
          doNotDisturb: chosen(value["do-not-disturb"], USUAL_STAR_CODES.doNotDisturb),
          forwardAlways: chosen(value["forward-always"], USUAL_STAR_CODES.forwardAlways),
          forwardBusy: chosen(value["forward-busy"], USUAL_STAR_CODES.forwardBusy),
          forwardNoAnswer: chosen(value["forward-no-answer"], USUAL_STAR_CODES.forwardNoAnswer),
        }),
  );
