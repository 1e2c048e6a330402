import type { LocationStore, StoredBinding } from "../signaling/registrar/location-store.ts";

const NONE: readonly StoredBinding[] = [];

/** Bindings in this process's memory: they live as long as the connections that they stand for. */
export class MemoryLocations implements LocationStore {
  readonly #byUser = new Map<string, readonly StoredBinding[]>();

  bindings(userId: string): readonly StoredBinding[] {
    return this.#byUser.get(userId) ?? NONE;
  }

  *all(): Generator<StoredBinding, void, undefined> {
    for (const bindings of this.#byUser.values()) yield* bindings;
  }

  put(binding: StoredBinding): void {
    const bindings = this.bindings(binding.userId);
    const isKnown = bindings.some(({ id }) => id === binding.id);
    const changed = isKnown
      ? bindings.map((known) => (known.id === binding.id ? binding : known))
      : [binding, ...bindings];
    this.#byUser.set(binding.userId, changed);
  }

  remove(userId: string, id: string): void {
    const left = this.bindings(userId).filter((binding) => binding.id !== id);
    if (left.length === 0) this.#byUser.delete(userId);
    else this.#byUser.set(userId, left);
  }
}
