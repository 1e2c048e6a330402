/** One line of a rate table. */
export interface RateSource {
  /** `+49`, or `+` for everything. */
  readonly prefix: string;
  /** Per minute, in the currency of the plan. */
  readonly price: number;
}

/** What a minute over one trunk costs: the longest prefix decides. */
export class RateTable {
  readonly #prices = new Map<string, number>();
  readonly #longest: number = 0;

  constructor(rates: readonly RateSource[]) {
    for (const { prefix, price } of rates) {
      this.#prices.set(prefix, price);
      this.#longest = Math.max(this.#longest, prefix.length);
    }
  }

  /** @returns undefined when the table has no price for the number */
  priceOf(e164: string): number | undefined {
    for (let length = Math.min(this.#longest, e164.length); length > 0; length -= 1) {
      const price = this.#prices.get(e164.slice(0, length));
      if (price !== undefined) return price;
    }
    return undefined;
  }
}
