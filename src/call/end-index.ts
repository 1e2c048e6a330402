import type { Dialog } from "../signaling/engine.ts";

/** What names a dialog here: RFC 3261 §12, from our side. */
export type DialogName = Pick<Dialog, "callId" | "localTag" | "remoteTag">;

/** The ends of all connected calls by their dialogs, for those who name one in Replaces (RFC 3891). */
export class EndIndex<End extends { readonly dialog: DialogName }> {
  readonly #ends = new Map<string, End>();

  add(end: End): void {
    this.#ends.set(keyOf(end.dialog), end);
  }

  /** Unless the dialog has gone over to another end meanwhile. */
  remove(end: End): void {
    const key = keyOf(end.dialog);
    if (this.#ends.get(key) === end) this.#ends.delete(key);
  }

  find(name: DialogName): End | undefined {
    return this.#ends.get(keyOf(name));
  }

  get size(): number {
    return this.#ends.size;
  }
}

/** Neither a Call-ID nor a tag has a blank. */
function keyOf({ callId, localTag, remoteTag }: DialogName): string {
  return `${callId} ${localTag} ${remoteTag}`;
}
