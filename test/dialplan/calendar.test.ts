import { describe, expect, it } from "vitest";

import { isWithinDates, tryParseDates } from "../../src/dialplan/calendar.ts";
import { planOf } from "./plan.ts";

const ann = { kind: "user", id: "1001", groups: ["staff"], numbers: [] } as const;

/** Whether a route with this `at` takes a call at a moment, both as written in the zone. */
function isOpen(zone: string, at: object, moment: string, rest: object = {}): boolean {
  const plan = planOf({ "time-zone": zone, ...rest, routes: [{ name: "open", at, do: "echo" }] });
  return plan.decide({ from: ann, to: "1", at: new Date(moment) }).route === "open";
}

describe("changes of clocks", () => {
  const eight = { hours: "08:00-09:00" };
  const night = { hours: "02:00-03:00" };

  it.each([
    // Berlin: 29 March 2026 02:00 → 03:00, 25 October 2026 03:00 → 02:00.
    ["Europe/Berlin", eight, "2026-03-28T07:00:00Z", true],
    ["Europe/Berlin", eight, "2026-03-29T06:00:00Z", true],
    ["Europe/Berlin", eight, "2026-03-29T07:00:00Z", false],
    ["Europe/Berlin", night, "2026-03-29T00:59:59Z", false],
    ["Europe/Berlin", night, "2026-03-29T01:00:00Z", false],
    ["Europe/Berlin", night, "2026-10-25T00:30:00Z", true],
    ["Europe/Berlin", night, "2026-10-25T01:30:00Z", true],
    ["Europe/Berlin", night, "2026-10-25T02:00:00Z", false],
    // New York: 8 March 2026 02:00 → 03:00, 1 November 2026 02:00 → 01:00.
    ["America/New_York", eight, "2026-03-07T13:00:00Z", true],
    ["America/New_York", eight, "2026-03-08T12:00:00Z", true],
    ["America/New_York", eight, "2026-03-08T13:00:00Z", false],
    ["America/New_York", night, "2026-03-08T07:00:00Z", false],
    ["America/New_York", { hours: "01:00-02:00" }, "2026-11-01T05:30:00Z", true],
    ["America/New_York", { hours: "01:00-02:00" }, "2026-11-01T06:30:00Z", true],
    ["America/New_York", { hours: "01:00-02:00" }, "2026-11-01T07:00:00Z", false],
    // Sydney: 5 April 2026 03:00 → 02:00, 4 October 2026 02:00 → 03:00.
    ["Australia/Sydney", eight, "2026-04-03T21:00:00Z", true],
    ["Australia/Sydney", eight, "2026-04-05T22:00:00Z", true],
    ["Australia/Sydney", eight, "2026-04-05T21:00:00Z", false],
    ["Australia/Sydney", night, "2026-10-03T16:00:00Z", false],
    ["Australia/Sydney", night, "2026-04-04T15:30:00Z", true],
    ["Australia/Sydney", night, "2026-04-04T16:30:00Z", true],
  ] as const)("%s %j at %s: %s", (zone, at, moment, expected) => {
    expect(isOpen(zone, at, moment)).toBe(expected);
  });

  it("are found also when calls go back and forth over one", () => {
    const plan = planOf({ "time-zone": "Europe/Berlin", routes: [{ at: eight, do: "echo" }] });
    const at = (moment: string) =>
      plan.decide({ from: ann, to: "1", at: new Date(moment) }).route !== undefined;
    expect(
      ["2026-03-28T07:30:00Z", "2026-03-29T06:30:00Z", "2026-03-28T07:30:00Z"].map(at),
    ).toEqual([true, true, true]);
  });
});

describe("dates", () => {
  it.each([
    ["2026-12-24", { from: "2026-12-24", to: "2026-12-24" }],
    ["12-24", { from: "12-24", to: "12-24" }],
    ["12-24..01-06", { from: "12-24", to: "01-06" }],
    ["2026-12-24..2027-01-06", { from: "2026-12-24", to: "2027-01-06" }],
    ["02-29", { from: "02-29", to: "02-29" }],
    ["2026-02-29", undefined],
    ["02-30", undefined],
    ["2027-01-06..2026-12-24", undefined],
    ["12-24..2026-12-26", undefined],
    ["24.12.", undefined],
    ["", undefined],
  ])("%s", (text, expected) => {
    expect(tryParseDates(text)).toEqual(expected);
  });

  it("run over New Year, and know the leap day", () => {
    const holidays = [{ from: "12-24", to: "01-06" }];
    const days = ["2026-12-23", "2026-12-24", "2027-01-06", "2027-01-07"];
    expect(days.map((day) => isWithinDates(day, holidays))).toEqual([false, true, true, false]);
    const leap = { dates: "02-29" };
    expect(isOpen("UTC", leap, "2028-02-29T12:00:00Z")).toBe(true);
    expect(isOpen("UTC", leap, "2027-03-01T12:00:00Z")).toBe(false);
  });

  it("end at midnight of the zone, and a span over midnight belongs to both days", () => {
    const rest = { holidays: { h: ["12-25"] } };
    const holiday = { holidays: "h" };
    expect(isOpen("Europe/Berlin", holiday, "2026-12-24T22:59:59Z", rest)).toBe(false);
    expect(isOpen("Europe/Berlin", holiday, "2026-12-24T23:00:00Z", rest)).toBe(true);
    expect(isOpen("Europe/Berlin", holiday, "2026-12-25T22:59:59Z", rest)).toBe(true);
    expect(isOpen("Europe/Berlin", holiday, "2026-12-25T23:00:00Z", rest)).toBe(false);
    const night = { days: "fri", hours: "22:00-06:00" };
    expect(isOpen("UTC", night, "2026-11-20T23:00:00Z")).toBe(true);
    // Saturday at three is Saturday.
    expect(isOpen("UTC", night, "2026-11-21T03:00:00Z")).toBe(false);
  });
});
