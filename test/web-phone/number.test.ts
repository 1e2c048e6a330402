import { describe, expect, it } from "vitest";
import {
  cleanNumber,
  formatDuration,
  initialsOf,
  lettersOf,
  PAD_KEYS,
  tryParsePadKey,
} from "../../web-phone/src/number.ts";

describe("cleaning up a number", () => {
  it.each([
    ["1002", "1002"],
    ["  *43 ", "*43"],
    ["+49 30 123-456", "+4930123456"],
    ["+49 (0)30 / 123 456", "+4930123456"],
    ["(030) 123.456", "030123456"],
    ["0049\u00a030\u202f123456", "004930123456"],
    ["020\u20117946\u20130018", "02079460018"],
    ["\u202a+44 20 7946 0018\u202c", "+442079460018"],
    ["\u200b1001\ufeff", "1001"],
    ["tel:+44-20-7946-0018", "+442079460018"],
    ["TEL:7042;phone-context=example.com", "7042"],
    ["sip:1001@voice.example.com;transport=ws", "1001@voice.example.com"],
    ["callto:1001", "1001"],
    ["٠٣٠١٢٣", "030123"],
    ["۰۳۰", "030"],
    ["＋４９３０", "+4930"],
    ["ann.lee", "ann.lee"],
    ["ann.lee@example.com", "ann.lee@example.com"],
    ["*21*1002#", "*21*1002#"],
    ["\u0000\u000712", "12"],
    ["- ( ) .", ""],
    ["   ", ""],
    ["", ""],
    ["tel:", ""],
  ])("%j is dialled as %j", (typed, dialled) => {
    expect(cleanNumber(typed)).toBe(dialled);
  });

  it("changes nothing when it is done twice", () => {
    for (const text of ["+49 (0)30 1", "tel:1;x=y", "a b", "*43", "(0)30"]) {
      expect(cleanNumber(cleanNumber(text))).toBe(cleanNumber(text));
    }
  });
});

describe("the pad", () => {
  it("has the twelve keys of a telephone", () => {
    expect(PAD_KEYS.join("")).toBe("123456789*0#");
    expect(PAD_KEYS.map(lettersOf).join(" ")).toBe(" ABC DEF GHI JKL MNO PQRS TUV WXYZ  + ");
  });

  it.each(["A", "10", "", "+", " "])("does not take %j", (text) => {
    expect(tryParsePadKey(text)).toBeUndefined();
  });
});

describe("what is shown of a call", () => {
  it.each([
    [0, "00:00"],
    [999, "00:00"],
    [61_000, "01:01"],
    [3_599_999, "59:59"],
    [3_600_000, "1:00:00"],
    [36_065_000, "10:01:05"],
    [-5, "00:00"],
  ])("%i ms last %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it.each([
    ["Ann Lee", "AL"],
    ["ann", "A"],
    ["Ann Maria de la Cruz", "AC"],
    ["1001", ""],
    ["", ""],
    ["Ünal Ödemiş", "ÜÖ"],
  ])("%s has the initials %j", (name, initials) => {
    expect(initialsOf(name)).toBe(initials);
  });
});
