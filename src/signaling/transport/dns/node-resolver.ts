import { Resolver } from "node:dns/promises";
import { isIPv4, isIPv6 } from "node:net";
import type { Clock } from "../../../core/clock.ts";
import { HostsFile } from "./hosts-file.ts";
import type { DnsAnswer, DnsResolver, NaptrRecord, SrvRecord } from "./resolver.ts";

/** What the resolver of the system is built with. */
export interface NodeResolverOptions {
  readonly clock: Clock;
  /** `address` or `address:port` of name servers; default: those of the system. */
  readonly servers?: readonly string[] | undefined;
  /** Default /etc/hosts. */
  readonly hostsPath?: string | undefined;
}

/** One try at one server; c-ares lengthens it by itself for the next one. */
const TRY_MS = 800;
const TRIES = 3;
const MAX_TRY_MS = 2000;

/** c-ares says so when there is no such record, and not when nobody could be asked. */
const NO_RECORD: ReadonlySet<unknown> = new Set(["ENODATA", "ENOTFOUND"]);

/**
 * Looks names up with c-ares, through sockets of the event loop: neither the loop nor a thread of
 * the pool ever waits for a name server. Names of /etc/hosts have addresses from there, and no
 * other records.
 */
export class NodeResolver implements DnsResolver {
  readonly #resolver = new Resolver({ timeout: TRY_MS, tries: TRIES, maxTimeout: MAX_TRY_MS });
  readonly #hosts: HostsFile;

  constructor(options: NodeResolverOptions) {
    this.#hosts = new HostsFile(options.clock, options.hostsPath);
    if (options.servers !== undefined) this.#resolver.setServers([...options.servers]);
  }

  /** Gives up what is still being asked; nothing keeps the process alive any more. */
  close(): void {
    this.#resolver.cancel();
  }

  async naptr(name: string): Promise<DnsAnswer<NaptrRecord>> {
    if ((await this.#hosts.addressesOf(name)) !== undefined) return NOTHING;
    return await answerOf(async () => {
      const items = await this.#resolver.resolveNaptr(name);
      return { items, ttlMs: undefined };
    });
  }

  async srv(name: string): Promise<DnsAnswer<SrvRecord>> {
    // `_sip._udp.pbx` is about `pbx`.
    const owner = name.replace(/^_[^.]*\._[^.]*\./, "");
    if ((await this.#hosts.addressesOf(owner)) !== undefined) return NOTHING;
    return await answerOf(async () => {
      const found = await this.#resolver.resolveSrv(name);
      const items = found.map(({ priority, weight, port, name: target }) => ({
        priority,
        weight,
        port,
        target,
      }));
      return { items, ttlMs: undefined };
    });
  }

  async a(name: string): Promise<DnsAnswer<string>> {
    const own = await this.#hosts.addressesOf(name);
    if (own !== undefined) return addressAnswer(own.filter((host) => isIPv4(host)));
    return await answerOf(async () => withTtl(await this.#resolver.resolve4(name, { ttl: true })));
  }

  async aaaa(name: string): Promise<DnsAnswer<string>> {
    const own = await this.#hosts.addressesOf(name);
    if (own !== undefined) return addressAnswer(own.filter((host) => isIPv6(host)));
    return await answerOf(async () => withTtl(await this.#resolver.resolve6(name, { ttl: true })));
  }
}

const NOTHING: DnsAnswer<never> = { kind: "none", ttlMs: undefined };

interface Found<Item> {
  readonly items: readonly Item[];
  readonly ttlMs: number | undefined;
}

function addressAnswer(items: readonly string[]): DnsAnswer<string> {
  return items.length === 0 ? NOTHING : { kind: "records", items, ttlMs: undefined };
}

function withTtl(records: readonly { readonly address: string; readonly ttl: number }[]) {
  const ttls = records.map(({ ttl }) => ttl);
  return {
    items: records.map(({ address }) => address),
    // c-ares gives the TTL of a CNAME on the way as well.
    ttlMs: ttls.length === 0 ? undefined : Math.min(...ttls) * 1000,
  };
}

async function answerOf<Item>(ask: () => Promise<Found<Item>>): Promise<DnsAnswer<Item>> {
  try {
    const { items, ttlMs } = await ask();
    return items.length === 0 ? NOTHING : { kind: "records", items, ttlMs };
  } catch (error) {
    const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
    if (NO_RECORD.has(code)) return NOTHING;
    return { kind: "failed", detail: typeof code === "string" ? code : String(error) };
  }
}
