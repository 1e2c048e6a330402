import { describe, expect, it } from "vitest";
import { BoundedLines } from "../../src/core/bounded-lines.ts";
import { silentLogger, type LogFields } from "../../src/core/logger.ts";
import { ManualClock } from "../harness/manual-clock.ts";

function bounded() {
  const clock = new ManualClock();
  const written: (readonly [string, LogFields | undefined])[] = [];
  const logger = {
    ...silentLogger,
    warn: (message: string, fields?: LogFields) => written.push([message, fields]),
  };
  const more = { message: "more of them", fields: { event: "flood" } };
  return { clock, written, lines: new BoundedLines({ clock, logger, maxLines: 2, more }) };
}

describe("BoundedLines", () => {
  it("writes so many in ten seconds, then the number of the rest, then begins anew", () => {
    const { clock, written, lines } = bounded();
    let made = 0;
    for (let index = 0; index < 5; index += 1) lines.warn("one", () => ({ made: (made += 1) }));
    expect(written).toEqual([
      ["one", { made: 1 }],
      ["one", { made: 2 }],
    ]);
    expect(made, "fields are made for lines that are written").toBe(2);
    clock.advance(10_000);
    expect(written.at(-1)).toEqual([
      "more of them",
      { event: "flood", count: 3, windowMs: 10_000 },
    ]);
    lines.warn("another", () => ({}));
    expect(written.at(-1)).toEqual(["another", {}]);
    lines.close();
  });

  it("says nothing of a rest that was none, and nothing after its end", () => {
    const { clock, written, lines } = bounded();
    lines.warn("one", () => ({}));
    clock.advance(10_000);
    expect(written).toHaveLength(1);
    for (let index = 0; index < 3; index += 1) lines.warn("one", () => ({}));
    lines.close();
    clock.advance(60_000);
    expect(written).toHaveLength(3);
  });
});
