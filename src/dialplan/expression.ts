import { RE2JS } from "re2js";

/** A regular expression that runs in linear time. */
export interface Expression {
  readonly groupCount: number;
  /** What every text that matches begins with; "" when nothing is known. */
  readonly prefix: string;
  /** The groups, the whole match first; undefined when it does not match. */
  readonly exec: (text: string) => readonly string[] | undefined;
}

/**
 * Compiles an expression of RE2's syntax.
 *
 * @throws Error when it is none, or when it could not run in linear time
 */
export function compileLinear(body: string, isCaseIgnored: boolean): Expression {
  const expression = RE2JS.compile(body, isCaseIgnored ? RE2JS.CASE_INSENSITIVE : 0);
  const groupCount = expression.groupCount();
  const native = isCaseIgnored ? undefined : nativeOf(body);
  return {
    groupCount,
    prefix: isCaseIgnored ? "" : literalPrefix(body),
    exec:
      native === undefined
        ? (text) => {
            const matcher = expression.matcher(text);
            if (!matcher.find()) return undefined;
            return Array.from({ length: groupCount + 1 }, (_, index) => matcher.group(index) ?? "");
          }
        : (text) => native.exec(text)?.map((group) => group ?? ""),
  };
}

/**
 * The same expression for the engine of the language, which is ten times as fast, when it is of a
 * kind that cannot backtrack: anchored at its start, a row of single places and plain groups, of
 * which at most one is repeated without a fixed count.
 *
 * @returns undefined for any other one
 */
export function nativeOf(body: string): RegExp | undefined {
  const match =
    /^\^((?:\((?!\?)|\)(?![?*+{])|(?:[0-9A-Za-z@#_~:;<=>%&!'",/-]|\\[d+*#.]|\[[0-9A-Za-z+*#.-]+\]|\.)(?:\{[0-9]{1,2}\})?|[?*+](?![?*+{]))*)\$?$/.exec(
      body,
    );
  if (match === null || body.includes("(?") || body.includes("[-") || body.includes("-]"))
    return undefined;
  const outside = body.replace(/\\.|\[[^\]]*\]/g, "e");
  if ((outside.match(/[?*+]/g)?.length ?? 0) > 1) return undefined;
  try {
    // A dot is anything but a line feed, as RE2 has it.
    const translated = body.replace(/\\.|\[[^\]]*\]|\./g, (part) => {
      if (part === ".") return "[^\\n]";
      if (part === "\\#") return "#";
      return part;
    });
    return new RegExp(translated, "u");
  } catch {
    return undefined;
  }
}

/**
 * The plain characters that an anchored expression begins with: they let an index pass over it. An
 * expression with alternatives, or whose first place may be left out, has none.
 */
function literalPrefix(body: string): string {
  if (!body.startsWith("^") || body.includes("|")) return "";
  let prefix = "";
  let position = 1;
  while (position < body.length) {
    let character = body.charAt(position);
    if (character === "(" && body.charAt(position + 1) !== "?") {
      const isRepeated = /[?*{]/.test(body.charAt(closingParenthesis(body, position) + 1));
      if (isRepeated) break;
      position += 1;
      continue;
    }
    let width = 1;
    if (character === "\\") {
      character = body.charAt(position + 1);
      width = 2;
      if (!/[+*#.]/.test(character)) break;
    } else if (!/[0-9A-Za-z@#_-]/.test(character)) break;
    // A quantifier behind it may take the character away.
    if (/[?*{]/.test(body.charAt(position + width))) break;
    prefix += character;
    position += width;
    if (body.charAt(position) === "+") break;
  }
  return prefix;
}

/** Where the group that opens at `open` closes; the end of the text when it does not. */
function closingParenthesis(body: string, open: number): number {
  let depth = 0;
  for (let position = open; position < body.length; position += 1) {
    const character = body.charAt(position);
    if (character === "\\") position += 1;
    else if (character === "(") depth += 1;
    else if (character === ")") {
      depth -= 1;
      if (depth === 0) return position;
    }
  }
  return body.length;
}
