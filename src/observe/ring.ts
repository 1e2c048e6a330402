/** One page of a ring, newest first. */
export interface RingPage<Item> {
  readonly items: readonly Item[];
  /** Give it as `before` for the next page; undefined on the last one. */
  readonly next: number | undefined;
}

/**
 * The newest items of an endless row, in bounded memory: the oldest falls out when a new one comes.
 *
 * Each item has a number that counts from 0 and never changes, so a page boundary stays where it
 * is while new items arrive.
 */
export class Ring<Item> {
  readonly #capacity: number;
  readonly #items: Item[] = [];
  #pushed = 0;

  /** @param capacity items kept, at least 1 */
  constructor(capacity: number) {
    this.#capacity = Math.max(1, Math.trunc(capacity));
  }

  get size(): number {
    return this.#items.length;
  }

  push(item: Item): void {
    this.#items[this.#pushed % this.#capacity] = item;
    this.#pushed += 1;
  }

  /** The items, newest first. */
  *[Symbol.iterator](): IterableIterator<Item> {
    for (let number = this.#pushed - 1; number >= this.#oldest; number -= 1) {
      const item = this.#items[number % this.#capacity];
      if (item !== undefined) yield item;
    }
  }

  /**
   * Reads up to `limit` items, newest first.
   *
   * @param options.before only items whose number is lower: the `next` of the page before
   */
  page(options: { readonly limit: number; readonly before?: number | undefined }): RingPage<Item> {
    const items: Item[] = [];
    let number = Math.min(this.#pushed, options.before ?? this.#pushed) - 1;
    for (; number >= this.#oldest && items.length < options.limit; number -= 1) {
      const item = this.#items[number % this.#capacity];
      if (item !== undefined) items.push(item);
    }
    return { items, next: number >= this.#oldest ? number + 1 : undefined };
  }

  get #oldest(): number {
    return Math.max(0, this.#pushed - this.#capacity);
  }
}
