import type { CallContext } from "./call-context.ts";
import type { Path, Surroundings } from "./condition.ts";
import { tryParseNumber } from "./e164.ts";
import { compileLinear } from "./expression.ts";
import type { Expression } from "./expression.ts";
import type { NumberFormat, RewriteSource } from "./source.ts";
import { checkTemplate, expandTemplate } from "./template.ts";

/** A number after rewriting; or why there is none. */
export type Rewritten =
  | { readonly ok: true; readonly number: string }
  | { readonly ok: false; readonly key: string; readonly expected: string; readonly saw: string };

type Step = (number: string, context: CallContext) => Rewritten;

/**
 * Compiles the rewriting of a number: `number`, `format`, `replace`, `strip`, `prepend`, in this
 * order. Each step that changes something is noted.
 */
export function compileRewrite(
  source: RewriteSource,
  path: Path,
  groupCount: number,
  around: Surroundings,
): (context: CallContext) => Rewritten {
  const steps: { readonly by: string; readonly run: Step }[] = [];
  const { number: template, format, replace, strip, prepend } = source;
  if (template !== undefined) {
    checkTemplate(template, [...path, "number"], groupCount, around);
    steps.push({
      by: `number ${template}`,
      run: (_, { groups }) => ({ ok: true, number: expandTemplate(template, groups) }),
    });
  }
  if (format !== undefined) {
    steps.push({
      by: `format ${format}`,
      run: (number, context) => formatted(number, format, context),
    });
  }
  for (const [index, { find, with: replacement }] of (replace ?? []).entries()) {
    const expression = expressionOf(find, [...path, "replace", index, "find"], around);
    if (expression === undefined) continue;
    checkTemplate(replacement, [...path, "replace", index, "with"], expression.groupCount, around);
    steps.push({
      by: `replace ${find}`,
      run: (number) => {
        const groups = expression.exec(number);
        if (groups === undefined) return { ok: true, number };
        const whole = groups[0] ?? "";
        const at = number.indexOf(whole);
        return {
          ok: true,
          number:
            number.slice(0, at) +
            expandTemplate(replacement, groups) +
            number.slice(at + whole.length),
        };
      },
    });
  }
  if (strip > 0) {
    steps.push({
      by: `strip ${strip}`,
      run: (number) =>
        prepend === "" && number.length <= strip
          ? { ok: false, key: "strip", expected: `a number longer than ${strip}`, saw: number }
          : { ok: true, number: number.slice(strip) },
    });
  }
  if (prepend !== "") {
    steps.push({
      by: `prepend ${prepend}`,
      run: (number) => ({ ok: true, number: prepend + number }),
    });
  }
  return (context) => {
    let number = context.query.to;
    for (const { by, run } of steps) {
      const result = run(number, context);
      if (!result.ok) return result;
      if (result.number !== number) {
        context.note({
          kind: "rewrite",
          subject: "number",
          by,
          before: number,
          after: result.number,
        });
      }
      number = result.number;
    }
    return number === ""
      ? { ok: false, key: "number", expected: "a number", saw: context.query.to }
      : { ok: true, number: number.slice(0, MAX_LENGTH) };
  };
}

const MAX_LENGTH = 255;

function formatted(number: string, format: NumberFormat, context: CallContext): Rewritten {
  const { home } = context;
  const parsed = tryParseNumber(number, home);
  if (parsed === undefined) {
    return {
      ok: false,
      key: "format",
      expected: `a telephone number${home.country === undefined ? "" : ` as dialled in ${home.country}`}`,
      saw: number,
    };
  }
  switch (format) {
    case "e164":
      return { ok: true, number: parsed.e164 };
    case "e164-without-plus":
      return { ok: true, number: parsed.e164.slice(1) };
    case "national":
      return {
        ok: true,
        // A number of another country has no national form here.
        number: parsed.country === home.country ? parsed.national : parsed.e164,
      };
  }
}

function expressionOf(find: string, path: Path, around: Surroundings): Expression | undefined {
  const match = /^\/(.+)\/(i?)$/s.exec(find);
  try {
    if (match !== null) return compileLinear(match[1] ?? "", match[2] === "i");
    around.problem(path, `found "${find}"; expected a regular expression between slashes`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    around.problem(path, `not a regular expression that runs in linear time: ${reason}`);
  }
  return undefined;
}
