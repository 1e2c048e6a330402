import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { growthOf } from "../harness/growth.ts";
import { compileMatcher } from "../../src/dialplan/pattern.ts";

function matches(source: string, number: string): boolean {
  const matcher = compileMatcher(source);
  switch (matcher.kind) {
    case "literal":
      return matcher.text === number;
    case "pattern":
      return matcher.matches(number);
    case "expression":
      return matcher.exec(number) !== undefined;
    case "problem":
      throw new Error(matcher.message);
  }
}

describe("patterns of the dialplan", () => {
  it.each<[pattern: string, matching: readonly string[], other: readonly string[]]>([
    ["100", ["100"], ["1000", "10", "0100", ""]],
    ["*43", ["*43"], ["43", "*430"]],
    ["_X", ["0", "9"], ["", "a", "10", "*"]],
    ["_Z", ["1", "9"], ["0"]],
    ["_N", ["2", "9"], ["0", "1"]],
    ["_xzn", ["012"], ["002", "011"]],
    ["_[2-5]", ["2", "5"], ["1", "6"]],
    ["_[13-5*]", ["1", "3", "4", "5", "*"], ["2", "6", "-"]],
    ["_[2-]", ["2", "-"], ["3"]],
    ["_[X.]1", ["X1", ".1"], ["51"]],
    ["_0Z.", ["030", "0301234567"], ["03", "00301", "0", "130"]],
    ["_0!", ["0", "01", "0abc"], ["", "1"]],
    ["_.", ["1", "anything", "*#+"], [""]],
    ["_!", ["", "x"], []],
    ["_+49X.", ["+49301"], ["+493", "+48301", "49301"]],
    ["_NXX-XXXX", ["2001234"], ["200-1234", "1001234"]],
    ["/^(10\\d\\d)$/", ["1001"], ["10011", "2001"]],
    ["/10/", ["10", "9109"], ["1 0"]],
    ["/^ann$/i", ["ann", "ANN"], ["anna"]],
    ["/a/b/", ["xa/bx"], ["ab"]],
  ])("%s", (pattern, matching, other) => {
    for (const number of matching)
      expect([number, matches(pattern, number)]).toEqual([number, true]);
    for (const number of other) expect([number, matches(pattern, number)]).toEqual([number, false]);
  });

  it.each([
    ["", "found nothing"],
    ["_", "empty pattern"],
    ["_1.2", "only at the end"],
    ["_1!.", "only at the end"],
    ["_[12", 'without its "]"'],
    ["_[]", "matches nothing"],
    ["_[5-2]", "is empty"],
    ["/abc", 'closing "/"'],
    ["//", "empty regular expression"],
    ["/a/g", 'unknown flag "g"'],
    ["/(/", "not a regular expression that runs in linear time"],
    ["/(a)\\1/", "not a regular expression that runs in linear time"],
    ["/(?=a)/", "not a regular expression that runs in linear time"],
    [`_${"1".repeat(2000)}`, "longer than"],
  ])("refuses %s", (source, message) => {
    const matcher = compileMatcher(source);
    expect(matcher.kind === "problem" ? matcher.message : matcher.kind).toContain(message);
  });

  it("gives the groups of a regular expression, empty where one took no part", () => {
    const matcher = compileMatcher("/^(a)|(b)/");
    expect(matcher.kind === "expression" ? matcher.exec("b") : undefined).toEqual(["b", "", "b"]);
  });

  it("agrees with a naive reference on random patterns and numbers", () => {
    const element = fc.constantFrom("X", "Z", "N", "0", "5", "*", "+", "[2-5]", "[19]", "[0-35]");
    const pattern = fc.tuple(fc.array(element, { maxLength: 6 }), fc.constantFrom("", ".", "!"));
    const digits = fc.array(fc.constantFrom(..."0123456789*+".split("")), { maxLength: 8 });
    fc.assert(
      fc.property(pattern, digits, ([elements, tail], number) => {
        fc.pre(elements.length > 0 || tail !== "");
        const dialled = number.join("");
        const source = `_${elements.join("")}${tail}`;
        expect(matches(source, dialled)).toBe(naive(elements, tail, dialled));
      }),
      { numRuns: 2000 },
    );
  });

  it("never throws, whatever is written", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (source, number) => {
        for (const written of [source, `_${source}`, `/${source}/`]) {
          const matcher = compileMatcher(written);
          if (matcher.kind === "pattern") matcher.matches(number);
          if (matcher.kind === "expression") matcher.exec(number);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("takes time in proportion to the number, with expressions that make others explode", () => {
    for (const source of [
      "/^(a+)+$/",
      "/^(a|aa)+$/",
      "/^(a|a?)+$/",
      "/(a*)*[b-d]$/",
      "/^(.*a){11}$/",
    ]) {
      const matcher = compileMatcher(source);
      if (matcher.kind !== "expression") throw new Error(source);
      // Eight times the text: linear is 8, quadratic 64; one with 2^n would never end.
      const growth = growthOf((length) => matcher.exec(`${"a".repeat(length)}!`), {
        size: 2000,
        factor: 8,
        bound: 32,
      });
      expect(growth, source).toBeLessThan(32);
    }
  });
});

/** Every element against every character, by regular expressions of one character. */
function naive(elements: readonly string[], tail: string, number: string): boolean {
  const rest = number.length - elements.length;
  if (rest < 0 || (tail === "" && rest !== 0) || (tail === "." && rest < 1)) return false;
  return elements.every((element, index) => {
    const classes: Record<string, string> = { X: "[0-9]", Z: "[1-9]", N: "[2-9]" };
    const single = classes[element] ?? (element.startsWith("[") ? element : `[${element}]`);
    return new RegExp(`^${single}$`).test(number.charAt(index));
  });
}
