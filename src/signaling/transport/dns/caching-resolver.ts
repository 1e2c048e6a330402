import type { Clock } from "../../../core/clock.ts";
import { DEFAULT_DNS_LIMITS, RecordCache } from "./record-cache.ts";
import type { DnsCacheLimits } from "./record-cache.ts";
import type { DnsAnswer, DnsResolver, NaptrRecord, SrvRecord } from "./resolver.ts";

/** A resolver that remembers what another one said; see RecordCache. */
export class CachingResolver implements DnsResolver {
  readonly #naptr: RecordCache<NaptrRecord>;
  readonly #srv: RecordCache<SrvRecord>;
  readonly #a: RecordCache<string>;
  readonly #aaaa: RecordCache<string>;

  constructor(clock: Clock, resolver: DnsResolver, own: Partial<DnsCacheLimits> = {}) {
    const limits = { ...DEFAULT_DNS_LIMITS, ...own };
    this.#naptr = new RecordCache(clock, limits, (name) => resolver.naptr(name));
    this.#srv = new RecordCache(clock, limits, (name) => resolver.srv(name));
    this.#a = new RecordCache(clock, limits, (name) => resolver.a(name));
    this.#aaaa = new RecordCache(clock, limits, (name) => resolver.aaaa(name));
  }

  naptr(name: string): Promise<DnsAnswer<NaptrRecord>> {
    return this.#naptr.get(name);
  }

  srv(name: string): Promise<DnsAnswer<SrvRecord>> {
    return this.#srv.get(name);
  }

  a(name: string): Promise<DnsAnswer<string>> {
    return this.#a.get(name);
  }

  aaaa(name: string): Promise<DnsAnswer<string>> {
    return this.#aaaa.get(name);
  }
}
