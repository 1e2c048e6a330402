/** One NAPTR record (RFC 3403 §4.1), as far as SIP uses it. */
export interface NaptrRecord {
  /** Lower ones come first; a client that can use a record looks at no higher order. */
  readonly order: number;
  /** Within one order: lower ones first. */
  readonly preference: number;
  /** `s` for SIP: the replacement is the name of an SRV record. */
  readonly flags: string;
  /** `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`, `SIP+D2W`, `SIPS+D2W`. */
  readonly service: string;
  readonly replacement: string;
}

/** One SRV record (RFC 2782). */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** `` or `.`: the service is decidedly not there. */
  readonly target: string;
}

/** What a name server said. */
export type DnsAnswer<Item> =
  | {
      readonly kind: "records";
      readonly items: readonly Item[];
      /** For how long they may be used, in milliseconds; undefined when nobody tells. */
      readonly ttlMs: number | undefined;
    }
  /** The name does not exist, or has no record of this type. */
  | { readonly kind: "none"; readonly ttlMs: number | undefined }
  /** No answer, or one that cannot be read. */
  | { readonly kind: "failed"; readonly detail: string };

/**
 * The port through which names are looked up. No method ever rejects, throws or blocks; names are
 * without a trailing dot.
 */
export interface DnsResolver {
  naptr(name: string): Promise<DnsAnswer<NaptrRecord>>;
  srv(name: string): Promise<DnsAnswer<SrvRecord>>;
  /** IPv4 addresses. */
  a(name: string): Promise<DnsAnswer<string>>;
  /** IPv6 addresses. */
  aaaa(name: string): Promise<DnsAnswer<string>>;
}
