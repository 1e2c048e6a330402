import { describe, expect, it } from "vitest";
import { dialledNumber } from "../../../src/signaling/dialog/dialled-number.ts";

describe("RFC 3966 §5.1.1 visual separators of a dialled number", () => {
  it.each([
    ["00-882.13 00(0000)", "0088213000000"],
    ["+49 (30) 123-456.01", "+493012345601"],
    ["*43", "*43"],
    ["#31#0301234", "#31#0301234"],
    ["1001", "1001"],
    ["ann.lee", "ann.lee"],
    ["desk-7", "desk-7"],
    ["-", "-"],
    ["", ""],
  ])("%s is %s", (user, number) => {
    expect(dialledNumber(user)).toBe(number);
  });
});
