import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { ownCopy } from "../../src/core/own-copy.ts";

describe("ownCopy", () => {
  it.each([
    "",
    "short",
    "a text of more than thirteen characters",
    "Müller-Lüdenscheidt, Ännchen",
    "電話をかけてください、お願いします",
  ])("gives the same text: %s", (text) => {
    expect(ownCopy(text)).toBe(text);
  });

  it("passes undefined on", () => {
    expect(ownCopy(undefined)).toBeUndefined();
  });

  it("lets the text go that the part was cut out of", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const kept: string[] = [];
    const before = heapAfter(collect);
    for (let index = 0; index < 200; index += 1) {
      const message = `${index} `.repeat(20_000);
      kept.push(ownCopy(message.slice(100, 140)));
    }
    expect(heapAfter(collect) - before).toBeLessThan(2_000_000);
    expect(kept).toHaveLength(200);
  });
});

function heapAfter(collect: () => void): number {
  collect();
  return process.memoryUsage().heapUsed;
}
