import { describe, expect, it } from "vitest";
import { LazyMap } from "../../src/core/lazy-map.ts";

function answersOf(map: LazyMap<string, number>) {
  return {
    size: map.size,
    got: map.get("a"),
    has: map.has("a"),
    keys: [...map.keys()],
    values: [...map.values()],
    entries: [...map],
  };
}

describe("a lazy map", () => {
  const empty = { size: 0, got: undefined, has: false, keys: [], values: [], entries: [] };

  it("is an empty map before anything is put into it, and when all has gone", () => {
    const map = new LazyMap<string, number>();
    expect(answersOf(map)).toEqual(empty);
    expect(map.delete("a")).toBe(false);
    map.clear();
    map.set("a", 1);
    map.clear();
    expect(answersOf(map)).toEqual(empty);
  });

  it("is a map", () => {
    const map = new LazyMap<string, number>();
    for (const [key, value] of [
      ["b", 0],
      ["a", 1],
      ["b", 2],
    ] as const)
      map.set(key, value);
    expect(answersOf(map)).toEqual({
      size: 2,
      got: 1,
      has: true,
      keys: ["b", "a"],
      values: [2, 1],
      entries: [
        ["b", 2],
        ["a", 1],
      ],
    });
    expect(map.delete("b")).toBe(true);
    expect([...map]).toEqual([["a", 1]]);
  });
});
