import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIsoTime } from "../../src/core/iso-time.ts";

const LAST_MS = 8.64e15;

describe("a time as ISO 8601", () => {
  it("is what Date says, of one time after the other", () => {
    const near = fc
      .tuple(fc.integer({ min: 0, max: 4e12 }), fc.array(fc.double({ min: -9e4, max: 9e4 })))
      .map(([start, steps]) => [
        start,
        ...steps.map((step) => (Number.isNaN(step) ? 0 : start + step)),
      ]);
    const any = fc.array(fc.integer({ min: -LAST_MS, max: LAST_MS }));
    fc.assert(
      fc.property(fc.oneof(near, any), (times) => {
        for (const time of times) expect(formatIsoTime(time)).toBe(new Date(time).toISOString());
      }),
      { numRuns: 1000 },
    );
  });

  it.each([0, 999.9, 59_999.999, 60_000, 1_795_910_400_000, -0.5, -1, LAST_MS, -LAST_MS])(
    "of %d ms",
    (time) => expect(formatIsoTime(time)).toBe(new Date(time).toISOString()),
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, LAST_MS + 1])("takes no %d", (time) => {
    expect(() => formatIsoTime(time)).toThrow(RangeError);
    expect(formatIsoTime(5)).toBe("1970-01-01T00:00:00.005Z");
  });
});
