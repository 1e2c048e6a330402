import { compileLinear } from "./expression.ts";
import type { Expression } from "./expression.ts";
import type { NumberPattern, PatternTail } from "./number-trie.ts";

/**
 * The three ways to write a number in a condition: a literal, a `_pattern` and a `/regular
 * expression/`. Numbers come from the network: no matcher here takes more than linear time.
 */
export type NumberMatcher =
  | { readonly kind: "literal"; readonly text: string }
  | {
      readonly kind: "pattern";
      readonly pattern: NumberPattern;
      readonly matches: (number: string) => boolean;
    }
  | {
      readonly kind: "expression";
      /** What every number that matches begins with; "" when nothing is known. */
      readonly prefix: string;
      readonly groupCount: number;
      /** The groups, the whole match first; undefined when it does not match. */
      readonly exec: (number: string) => readonly string[] | undefined;
    };

/** Why a condition cannot be compiled. */
export interface MatcherProblem {
  readonly kind: "problem";
  readonly message: string;
}

const MAX_SOURCE_LENGTH = 1000;

/** Reads one condition on a number. */
export function compileMatcher(source: string): NumberMatcher | MatcherProblem {
  if (source === "") return problem("found nothing; expected a number, a _pattern or a /regex/");
  if (source.length > MAX_SOURCE_LENGTH)
    return problem(`longer than ${MAX_SOURCE_LENGTH} characters`);
  if (source.startsWith("_")) return compilePattern(source.slice(1));
  if (source.startsWith("/")) return compileExpression(source);
  return { kind: "literal", text: source };
}

function problem(message: string): MatcherProblem {
  return { kind: "problem", message };
}

const CLASSES: Readonly<Record<string, string>> = {
  X: "0123456789",
  Z: "123456789",
  N: "23456789",
};

function compilePattern(source: string): NumberMatcher | MatcherProblem {
  const elements: string[] = [];
  let tail: PatternTail = "end";
  let position = 0;
  while (position < source.length) {
    const char = source.charAt(position);
    if (tail !== "end") return problem('"." and "!" stand only at the end of a pattern');
    if (char === "." || char === "!") {
      tail = char === "." ? "some" : "any";
      position += 1;
    } else if (char === "[") {
      const close = source.indexOf("]", position + 1);
      if (close < 0) return problem('a "[" without its "]"');
      const set = expandSet(source.slice(position + 1, close));
      if (typeof set !== "string") return set;
      elements.push(set);
      position = close + 1;
    } else if (char === "-" || char === " ") {
      // As in Asterisk's patterns: only there to be read more easily.
      position += 1;
    } else {
      elements.push(CLASSES[char.toUpperCase()] ?? char);
      position += 1;
    }
  }
  if (elements.length === 0 && tail === "end") return problem("an empty pattern matches no number");
  return {
    kind: "pattern",
    pattern: { elements, tail },
    matches: patternMatcher(elements, tail),
  };
}

function expandSet(source: string): string | MatcherProblem {
  if (source === "")
    return problem('"[]" matches nothing; expected digits or a range such as [2-5]');
  let set = "";
  let position = 0;
  while (position < source.length) {
    const first = source.charAt(position);
    const isRange = source.charAt(position + 1) === "-" && position + 2 < source.length;
    if (!isRange) {
      set += first;
      position += 1;
      continue;
    }
    const last = source.charAt(position + 2);
    const from = first.charCodeAt(0);
    const to = last.charCodeAt(0);
    if (to < from || to > 0x7e) return problem(`the range "${first}-${last}" is empty`);
    for (let code = from; code <= to; code += 1) set += String.fromCharCode(code);
    position += 3;
  }
  return set;
}

function patternMatcher(
  elements: readonly string[],
  tail: PatternTail,
): (number: string) => boolean {
  const count = elements.length;
  const minLength = tail === "some" ? count + 1 : count;
  return (number) => {
    if (number.length < minLength || (tail === "end" && number.length !== count)) return false;
    for (let index = 0; index < count; index += 1) {
      // The loop stays under both lengths.
      const element = elements[index] ?? "";
      if (!element.includes(number.charAt(index))) return false;
    }
    return true;
  };
}

function compileExpression(source: string): NumberMatcher | MatcherProblem {
  const close = source.lastIndexOf("/");
  if (close === 0) return problem('a regular expression without its closing "/"');
  const flags = source.slice(close + 1);
  if (flags !== "" && flags !== "i") return problem(`unknown flag "${flags}"; only "i" is known`);
  const body = source.slice(1, close);
  if (body === "") return problem("an empty regular expression");
  let expression: Expression;
  try {
    expression = compileLinear(body, flags === "i");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return problem(`not a regular expression that runs in linear time: ${reason}`);
  }
  return { kind: "expression", ...expression };
}
