import type { Link } from "./link.ts";

const MAX_TRANSACTIONS = 256;
/** Of one transaction: what comes before its command has its reply. */
const MAX_RESPONSES = 8;

interface Early {
  readonly link: Link;
  readonly receivers: (() => void)[];
}

/**
 * Responses that came before the reply that tells the id of their transaction. Bounded: of too many
 * the oldest are forgotten, which belong to transactions that have ended.
 */
export class EarlyResponses {
  readonly #byId = new Map<string, Early>();

  add(link: Link, transactionId: string, receive: () => void): void {
    const known = this.#byId.get(transactionId);
    if (known !== undefined) {
      if (known.receivers.length < MAX_RESPONSES) known.receivers.push(receive);
      return;
    }
    this.#byId.set(transactionId, { link, receivers: [receive] });
    if (this.#byId.size <= MAX_TRANSACTIONS) return;
    for (const oldest of this.#byId.keys()) {
      this.#byId.delete(oldest);
      break;
    }
  }

  /** Forgets those of a transaction. @returns what receives them, in order */
  take(transactionId: string): readonly (() => void)[] {
    const early = this.#byId.get(transactionId);
    this.#byId.delete(transactionId);
    return early?.receivers ?? [];
  }

  /** Forgets those of a server. */
  dropOf(link: Link): void {
    for (const [id, early] of this.#byId) if (early.link === link) this.#byId.delete(id);
  }
}
