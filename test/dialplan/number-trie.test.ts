import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { NumberTrie } from "../../src/dialplan/number-trie.ts";
import { compileMatcher } from "../../src/dialplan/pattern.ts";

const element = fc.constantFrom("0", "1", "9", "X", "Z", "N", "[1-3]", "[09]", "+", "*");
const pattern = fc
  .tuple(fc.array(element, { minLength: 1, maxLength: 5 }), fc.constantFrom("", ".", "!"))
  .map(([elements, tail]) => `_${elements.join("")}${tail}`);
const number = fc
  .array(fc.constantFrom("0", "1", "2", "3", "9", "+", "*", "a", "٣"), { maxLength: 7 })
  .map((characters) => characters.join(""));

describe("the trie of patterns", () => {
  it("finds the patterns that match, each once, and no other", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern, { maxLength: 12 }),
        fc.array(number, { minLength: 1, maxLength: 10 }),
        (sources, numbers) => {
          const matchers = sources.map((source) => {
            const matcher = compileMatcher(source);
            if (matcher.kind !== "pattern") throw new Error(source);
            return matcher;
          });
          const trie = new NumberTrie<Set<number>>();
          for (const [index, matcher] of matchers.entries()) {
            trie.at(matcher.pattern, () => new Set()).add(index);
          }
          for (const dialled of numbers) {
            const found: number[] = [];
            trie.match(dialled, (indexes) => found.push(...indexes));
            const expected = [...matchers.keys()].filter(
              (index) => matchers[index]?.matches(dialled) === true,
            );
            expect(found.toSorted((a, b) => a - b)).toEqual(expected);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
