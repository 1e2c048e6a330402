const NOTHING: readonly never[] = [];

/**
 * A map without a table until something is put into it. V8 gives each empty `Map` 200 octets; a call
 * has a dozen for what seldom happens in it, and thousands of calls are up at once.
 */
export class LazyMap<Key, Value> implements Iterable<readonly [Key, Value]> {
  #map: Map<Key, Value> | undefined;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: Key): Value | undefined {
    return this.#map?.get(key);
  }

  has(key: Key): boolean {
    return this.#map?.has(key) === true;
  }

  set(key: Key, value: Value): void {
    this.#map ??= new Map<Key, Value>();
    this.#map.set(key, value);
  }

  /** @returns whether it was there */
  delete(key: Key): boolean {
    return this.#map?.delete(key) === true;
  }

  clear(): void {
    this.#map?.clear();
  }

  keys(): Iterable<Key> {
    return this.#map?.keys() ?? NOTHING;
  }

  values(): Iterable<Value> {
    return this.#map?.values() ?? NOTHING;
  }

  [Symbol.iterator](): Iterator<[Key, Value]> {
    return (this.#map ?? NOTHING)[Symbol.iterator]();
  }
}
