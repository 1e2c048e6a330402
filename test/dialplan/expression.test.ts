import * as fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";

import { compileLinear, nativeOf } from "../../src/dialplan/expression.ts";

const fragment = fc.constantFrom(
  "1",
  "0",
  "a",
  "\\d",
  "\\+",
  "\\*",
  "[2-5]",
  "[13]",
  ".",
  "(",
  ")",
  "(1",
  "0)",
  "+",
  "*",
  "?",
  "{2}",
  "{1,3}",
  "|",
  "(?:",
  "[^1]",
  "$",
);
const expression = fc
  .array(fragment, { minLength: 1, maxLength: 7 })
  .map((parts) => `^${parts.join("")}`);
const text = fc.array(fc.constantFrom("0", "1", "2", "3", "a", "+", "*", "é"), { maxLength: 9 });

describe("regular expressions in linear time", () => {
  it("find the same with the engine of the language as with RE2, prefix included", () => {
    let nativeCount = 0;
    fc.assert(
      fc.property(expression, fc.array(text, { minLength: 3, maxLength: 8 }), (body, texts) => {
        let reference: RE2JS;
        try {
          reference = RE2JS.compile(body);
        } catch {
          return;
        }
        const compiled = compileLinear(body, false);
        if (nativeOf(body) !== undefined) nativeCount += 1;
        for (const characters of texts) {
          const dialled = characters.join("");
          const matcher = reference.matcher(dialled);
          const groups = matcher.find()
            ? Array.from({ length: reference.groupCount() + 1 }, (_, n) => matcher.group(n) ?? "")
            : undefined;
          expect([body, dialled, compiled.exec(dialled)]).toEqual([body, dialled, groups]);
          if (groups !== undefined) expect(dialled.startsWith(compiled.prefix)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
    expect(nativeCount).toBeGreaterThan(100);
  });

  it.each([
    ["^(10\\d\\d)$", true],
    ["^0([1-9].+)$", true],
    ["^\\+49(30|40).*$", false],
    ["^(0+)+$", false],
    ["^0*0*1$", false],
    ["0+1", false],
  ])("%s runs on the engine of the language: %s", (body, isNative) => {
    expect(nativeOf(body) !== undefined).toBe(isNative);
  });

  it.each([
    ["^(10\\d\\d)$", "10"],
    ["^\\+49(30)", "+4930"],
    ["^10?", "1"],
    ["^(1)?0", ""],
    ["^(12+)", "12"],
    ["^1|2", ""],
    ["12", ""],
  ])("%s begins with %j", (body, prefix) => {
    expect(compileLinear(body, false).prefix).toBe(prefix);
  });
});
