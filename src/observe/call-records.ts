import { callEnded } from "../call/channels.ts";
import { isChallenge } from "../call/record.ts";
import type { CallRecord } from "../call/record.ts";
import type { FactChannel } from "../core/channels.ts";
import { Ring, type RingPage } from "./ring.ts";

/** Records kept when nothing else is said. */
export const DEFAULT_RECORD_CAPACITY = 10_000;

/**
 * The newest finished calls, in memory. Listens from construction until `close`.
 */
export class CallRecords {
  readonly #ring: Ring<CallRecord>;
  readonly #unsubscribe: () => void;

  /**
   * @param options.capacity records kept; default 10,000
   * @param options.channel where finished calls are published; default `callEnded`
   */
  constructor(
    options: { readonly capacity?: number; readonly channel?: FactChannel<CallRecord> } = {},
  ) {
    this.#ring = new Ring(options.capacity ?? DEFAULT_RECORD_CAPACITY);
    this.#unsubscribe = (options.channel ?? callEnded).subscribe((record) => {
      if (!isChallenge(record)) this.#ring.push(record);
    });
  }

  get size(): number {
    return this.#ring.size;
  }

  /** The records, newest first. */
  [Symbol.iterator](): IterableIterator<CallRecord> {
    return this.#ring[Symbol.iterator]();
  }

  /** Up to `limit` records, newest first; `before` is the `next` of the page before. */
  page(options: {
    readonly limit: number;
    readonly before?: number | undefined;
  }): RingPage<CallRecord> {
    return this.#ring.page(options);
  }

  /** Ends the subscription; what was read stays readable. */
  close(): void {
    this.#unsubscribe();
  }
}
