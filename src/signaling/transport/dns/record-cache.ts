import type { Clock } from "../../../core/clock.ts";
import type { DnsAnswer } from "./resolver.ts";

/** How long answers are kept and waited for, in milliseconds, and how many. */
export interface DnsCacheLimits {
  /** Whatever a TTL says, an answer is used for at least and at most this long. */
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  /** For records that come without a TTL. */
  readonly defaultTtlMs: number;
  /** For the answer that there is nothing (RFC 2308), when it comes without a TTL. */
  readonly negativeTtlMs: number;
  /** After its TTL an answer stays good for this long while no other one comes (RFC 8767 §4). */
  readonly maxStaleMs: number;
  /** A query that has no answer after this long counts as failed (RFC 8767 §5). */
  readonly queryMs: number;
  /** A query that failed is not sent again before; doubled by each failure up to the last one. */
  readonly minRetryMs: number;
  readonly maxRetryMs: number;
  /** Names of one record type; the one that was asked longest ago goes first. */
  readonly maxNames: number;
  /** Records of one answer; the rest is dropped. */
  readonly maxRecords: number;
}

export const DEFAULT_DNS_LIMITS: DnsCacheLimits = {
  minTtlMs: 1000,
  maxTtlMs: 3_600_000,
  defaultTtlMs: 60_000,
  negativeTtlMs: 30_000,
  maxStaleMs: 86_400_000,
  queryMs: 2000,
  minRetryMs: 1000,
  maxRetryMs: 30_000,
  maxNames: 1000,
  maxRecords: 64,
};

const MAX_DOUBLINGS = 30;

interface Known<Item> {
  readonly answer: Exclude<DnsAnswer<Item>, { readonly kind: "failed" }>;
  readonly freshUntilMs: number;
  readonly staleUntilMs: number;
}

interface Entry<Item> {
  known: Known<Item> | undefined;
  /** The query that is out, until its answer or its time limit. */
  pending: Promise<DnsAnswer<Item>> | undefined;
  /** Failures since the last answer. */
  failures: number;
  /** Of the last failure. */
  detail: string;
  retryAtMs: number;
}

/**
 * Answers of one record type. Equal questions share one query, an answer is kept for its TTL, and a
 * stale one is given while none better comes (RFC 8767). It never rejects and never keeps anyone
 * waiting for longer than the time limit.
 */
export class RecordCache<Item> {
  readonly #clock: Clock;
  readonly #limits: DnsCacheLimits;
  readonly #ask: (name: string) => Promise<DnsAnswer<Item>>;
  /** By name, the one asked longest ago first. */
  readonly #entries = new Map<string, Entry<Item>>();

  constructor(
    clock: Clock,
    limits: DnsCacheLimits,
    ask: (name: string) => Promise<DnsAnswer<Item>>,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#ask = ask;
  }

  /** Names that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** The answer, with the time that is left of its TTL. */
  async get(name: string): Promise<DnsAnswer<Item>> {
    const entry = this.#entryOf(name.toLowerCase());
    const now = this.#clock.monotonicMs();
    const isFresh = entry.known !== undefined && now < entry.known.freshUntilMs;
    const mayAsk = entry.pending !== undefined || now >= entry.retryAtMs;
    if (isFresh || !mayAsk) return this.#answerOf(entry);
    entry.pending ??= this.#query(name, entry);
    return await entry.pending;
  }

  #entryOf(key: string): Entry<Item> {
    const found = this.#entries.get(key);
    this.#entries.delete(key);
    const entry = found ?? {
      known: undefined,
      pending: undefined,
      failures: 0,
      detail: "",
      retryAtMs: 0,
    };
    if (this.#entries.size >= this.#limits.maxNames) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, entry);
    return entry;
  }

  #query(name: string, entry: Entry<Item>): Promise<DnsAnswer<Item>> {
    return new Promise((resolve) => {
      let isAwaited = true;
      const end = (): void => {
        isAwaited = false;
        limit.cancel();
        entry.pending = undefined;
        resolve(this.#answerOf(entry));
      };
      const limit = this.#clock.after(this.#limits.queryMs, () => {
        this.#fail(entry, `no answer in ${this.#limits.queryMs} ms`);
        end();
      });
      void this.#ask(name).then((answer) => {
        // What comes after the time limit is kept for the next one who asks.
        if (answer.kind !== "failed") this.#keep(entry, answer);
        else if (isAwaited) this.#fail(entry, answer.detail);
        if (isAwaited) end();
      });
    });
  }

  #keep(entry: Entry<Item>, answer: Known<Item>["answer"]): void {
    const limits = this.#limits;
    const usualMs = answer.kind === "records" ? limits.defaultTtlMs : limits.negativeTtlMs;
    const ttlMs = Math.min(Math.max(answer.ttlMs ?? usualMs, limits.minTtlMs), limits.maxTtlMs);
    const freshUntilMs = this.#clock.monotonicMs() + ttlMs;
    entry.failures = 0;
    entry.retryAtMs = 0;
    entry.known = {
      answer:
        answer.kind === "records"
          ? { ...answer, items: answer.items.slice(0, limits.maxRecords) }
          : answer,
      freshUntilMs,
      staleUntilMs: freshUntilMs + limits.maxStaleMs,
    };
  }

  #fail(entry: Entry<Item>, detail: string): void {
    const { minRetryMs, maxRetryMs } = this.#limits;
    const waitMs = Math.min(minRetryMs * 2 ** entry.failures, maxRetryMs);
    entry.failures = Math.min(entry.failures + 1, MAX_DOUBLINGS);
    entry.detail = detail;
    entry.retryAtMs = this.#clock.monotonicMs() + waitMs;
  }

  /** What is known; RFC 8767 §5: however old, for as long as asking anew fails. */
  #answerOf(entry: Entry<Item>): DnsAnswer<Item> {
    const { known, retryAtMs, detail } = entry;
    const now = this.#clock.monotonicMs();
    if (known === undefined || now >= known.staleUntilMs) return { kind: "failed", detail };
    const untilMs = now < known.freshUntilMs ? known.freshUntilMs : retryAtMs;
    return { ...known.answer, ttlMs: Math.max(untilMs - now, 0) };
  }
}
