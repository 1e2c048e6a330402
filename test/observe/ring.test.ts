import { describe, expect, it } from "vitest";
import { Ring } from "../../src/observe/ring.ts";

function filled(capacity: number, count: number): Ring<number> {
  const ring = new Ring<number>(capacity);
  for (let item = 0; item < count; item += 1) ring.push(item);
  return ring;
}

describe("Ring", () => {
  it.each([
    [3, 0, []],
    [3, 2, [1, 0]],
    [3, 3, [2, 1, 0]],
    [3, 7, [6, 5, 4]],
    [1, 5, [4]],
  ])("with capacity %i after %i items keeps the newest", (capacity, count, expected) => {
    const ring = filled(capacity, count);
    expect([...ring]).toEqual(expected);
    expect(ring.size).toBe(expected.length);
  });

  it("pages from the newest to the oldest without loss or repetition", () => {
    const ring = filled(10, 25);
    const seen: number[] = [];
    let before: number | undefined;
    do {
      const page = ring.page({ limit: 4, before });
      seen.push(...page.items);
      before = page.next;
    } while (before !== undefined);
    expect(seen).toEqual([24, 23, 22, 21, 20, 19, 18, 17, 16, 15]);
  });

  it("has no next page when the last item was read", () => {
    expect(filled(4, 4).page({ limit: 4 }).next).toBeUndefined();
    expect(filled(4, 0).page({ limit: 4 })).toEqual({ items: [], next: undefined });
  });

  it("keeps a page's boundary while new items arrive", () => {
    const ring = filled(10, 6);
    const first = ring.page({ limit: 2 });
    ring.push(6);
    ring.push(7);
    expect(ring.page({ limit: 2, before: first.next }).items).toEqual([3, 2]);
  });

  it("gives an empty page when the boundary fell out of the ring", () => {
    expect(filled(3, 100).page({ limit: 5, before: 10 })).toEqual({ items: [], next: undefined });
  });
});
