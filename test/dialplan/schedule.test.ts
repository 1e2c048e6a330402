import { describe, expect, it } from "vitest";

import {
  WallClock,
  isTimeZone,
  isWithinHours,
  tryParseDays,
  tryParseHours,
} from "../../src/dialplan/schedule.ts";

describe("days", () => {
  it.each<[string, readonly number[] | undefined]>([
    ["mon-fri", [1, 2, 3, 4, 5]],
    ["sat,sun", [6, 0]],
    ["fri-mon", [5, 6, 0, 1]],
    ["Mon, wed-thu", [1, 3, 4]],
    ["sun-sat", [0, 1, 2, 3, 4, 5, 6]],
    ["monday", undefined],
    ["mon-", undefined],
    ["mon-tue-wed", undefined],
    ["", undefined],
  ])("%s", (text, days) => {
    expect(tryParseDays(text)).toEqual(days);
  });
});

describe("hours", () => {
  it.each<[string, ReturnType<typeof tryParseHours>]>([
    ["08:00-18:00", [{ from: 480, to: 1080 }]],
    [
      "8:00 - 12:00, 13:00-17:30",
      [
        { from: 480, to: 720 },
        { from: 780, to: 1050 },
      ],
    ],
    ["00:00-24:00", [{ from: 0, to: 1440 }]],
    ["22:00-06:00", [{ from: 1320, to: 360 }]],
    ["08:00-08:00", undefined],
    ["24:00-01:00", undefined],
    ["08:60-09:00", undefined],
    ["08-09", undefined],
    ["", undefined],
  ])("%s", (text, hours) => {
    expect(tryParseHours(text)).toEqual(hours);
  });

  it("takes the start in and the end out, also over midnight", () => {
    const at = (minutes: number, hours: string): boolean =>
      isWithinHours({ minutes }, tryParseHours(hours) ?? []);
    expect([479, 480, 1079, 1080].map((minutes) => at(minutes, "08:00-18:00"))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect([1319, 1320, 0, 359, 360].map((minutes) => at(minutes, "22:00-06:00"))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });
});

describe("the wall clock of a time zone", () => {
  const berlin = new WallClock("Europe/Berlin");

  it.each([
    ["2026-11-20T10:00", "2026-11-20T09:00:00.000Z"],
    ["2026-07-01T10:00:30", "2026-07-01T08:00:30.000Z"],
    ["2026-07-01 10:00", "2026-07-01T08:00:00.000Z"],
    ["2026-07-01", "2026-06-30T22:00:00.000Z"],
    ["2026-07-01T10:00Z", "2026-07-01T10:00:00.000Z"],
    ["2026-07-01T10:00-05:00", "2026-07-01T15:00:00.000Z"],
    // 29 March 2026, 02:00: the clocks go forward; 02:30 does not exist.
    ["2026-03-29T01:59", "2026-03-29T00:59:00.000Z"],
    ["2026-03-29T02:30", "2026-03-29T01:30:00.000Z"],
    ["2026-03-29T03:00", "2026-03-29T01:00:00.000Z"],
    // 25 October 2026, 03:00: the clocks go back; 02:30 comes twice, the first is meant.
    ["2026-10-25T02:30", "2026-10-25T00:30:00.000Z"],
    ["2026-10-25T03:00", "2026-10-25T02:00:00.000Z"],
  ])("%s is %s", (text, utc) => {
    expect(berlin.tryParse(text)?.toISOString()).toBe(utc);
  });

  it.each([
    "",
    "now",
    "2026-02-30T10:00",
    "2026-13-01",
    "2026-01-01T25:00",
    "20261120T1000",
    "2026-01-01T10",
  ])("refuses %s", (text) => {
    expect(berlin.tryParse(text)).toBeUndefined();
  });

  it("tells day and minutes on the other side of midnight", () => {
    expect(berlin.localTime(new Date("2026-11-20T23:30:00Z"))).toEqual({
      day: 6,
      minutes: 30,
      date: "2026-11-21",
    });
    expect(new WallClock("America/New_York").localTime(new Date("2026-11-20T03:00:00Z"))).toEqual({
      day: 4,
      minutes: 1320,
      date: "2026-11-19",
    });
  });

  it("knows the zones of the IANA database", () => {
    expect(["Europe/Berlin", "UTC", "Asia/Kathmandu"].map(isTimeZone)).toEqual([true, true, true]);
    expect(["Berlin", "", "Europe/Atlantis"].map(isTimeZone)).toEqual([false, false, false]);
  });
});
