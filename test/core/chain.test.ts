import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Chain, Link } from "../../src/core/chain.ts";

class Named extends Link {
  readonly name: number;

  constructor(name: number) {
    super();
    this.name = name;
  }
}

describe("a chain", () => {
  it("keeps the order of adding, whoever leaves in between", () => {
    const steps = fc.array(fc.record({ isAdded: fc.boolean(), at: fc.nat() }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const chain = new Chain<Named>();
        const expected: Named[] = [];
        for (const [name, { isAdded, at }] of all.entries()) {
          if (isAdded || expected.length === 0) {
            const member = new Named(name);
            chain.add(member);
            expected.push(member);
          } else {
            const [gone] = expected.splice(at % expected.length, 1);
            expect(gone !== undefined && chain.delete(gone)).toBe(true);
          }
          expect(chain.first).toBe(expected[0]);
        }
        expect(chain.drain()).toEqual(expected);
        expect(chain.first).toBeUndefined();
      }),
    );
  });

  it("leaves alone what is not in it, and takes back what has left", () => {
    const [chain, other] = [new Chain<Named>(), new Chain<Named>()];
    const [one, two, stranger] = [new Named(1), new Named(2), new Named(3)];
    for (const member of [one, two]) chain.add(member);
    other.add(stranger);
    expect(chain.delete(stranger)).toBe(false);
    expect(chain.delete(one)).toBe(true);
    expect(chain.delete(one)).toBe(false);
    chain.add(one);
    expect(chain.drain()).toEqual([two, one]);
    expect(other.first).toBe(stranger);
  });
});
