import { describe, expect, it } from "vitest";

import { closestWord, editDistance } from "../../src/dialplan/closest.ts";
import { e164Candidates, knownCountries } from "../../src/dialplan/number.ts";

describe("E.164 from what was dialled", () => {
  it.each<[number: string, country: string | undefined, first: string | undefined]>([
    ["+493012345601", undefined, "+493012345601"],
    ["+49 (30) 123-456.01", undefined, "+493012345601"],
    ["493012345601", undefined, "+493012345601"],
    ["03012345601", undefined, "+03012345601"],
    ["03012345601", "DE", "+493012345601"],
    ["00493012345601", "DE", "+493012345601"],
    ["030 123 456 01", "DE", "+493012345601"],
    ["2025550123", "US", "+12025550123"],
    ["12025550123", "US", "+12025550123"],
    ["011493012345601", "US", "+493012345601"],
    ["0612345678", "FR", "+33612345678"],
    ["0612345678", "IT", "+390612345678"],
    ["061234567", "HU", "+361234567"],
    ["0011441632960000", "AU", "+441632960000"],
    ["*43", "DE", undefined],
    ["ann", "DE", undefined],
    ["", "DE", undefined],
    ["1".repeat(50), "DE", undefined],
  ])("%s in %s", (number, country, first) => {
    expect(e164Candidates(number, country)[0]).toBe(first);
  });

  it("also tries a number that lost its plus sign", () => {
    expect(e164Candidates("493012345601", "DE")).toContain("+493012345601");
  });

  it("knows countries by their ISO code", () => {
    expect(knownCountries).toEqual(expect.arrayContaining(["DE", "FR", "GB", "US"]));
    expect(knownCountries.every((country) => /^[A-Z]{2}$/.test(country))).toBe(true);
  });
});

describe("did you mean", () => {
  it.each([
    ["", "", 0],
    ["kitten", "sitting", 3],
    ["listen", "lisetn", 1],
    ["abc", "", 3],
  ])("%s and %s are %i edits apart", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });

  it.each([
    ["lisen", "listen"],
    ["Listen", "listen"],
    ["max_calls", "max-calls"],
    ["tl", "tls"],
    ["zzz", undefined],
    ["l".repeat(1000), undefined],
  ])("%s", (word, expected) => {
    expect(closestWord(word, ["listen", "tls", "origins", "max-calls"])).toBe(expected);
  });
});
