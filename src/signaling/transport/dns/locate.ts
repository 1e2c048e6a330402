import { isIP } from "node:net";
import type { SipUri } from "../../message/uri.ts";
import type { DnsAnswer, DnsResolver, NaptrRecord, SrvRecord } from "./resolver.ts";
import { isUnicastHost } from "./target.ts";
import type { TargetTransport } from "./target.ts";

/** One host behind a SIP URI, with all its addresses in the order to try them. */
export interface Server {
  /** RFC 2782; 0 for a host without SRV record. */
  readonly weight: number;
  readonly port: number;
  readonly addresses: readonly string[];
}

/** Servers among which weights choose; a later tier is for when all of an earlier one fail. */
export interface Tier {
  readonly transport: TargetTransport;
  readonly servers: readonly Server[];
}

/** Where the server of a SIP URI is. */
export type Located =
  | {
      readonly kind: "found";
      /** Never empty, and none of its tiers or servers is. */
      readonly tiers: readonly Tier[];
      /** Good for this long, in milliseconds; infinite for a literal address. */
      readonly ttlMs: number;
    }
  /** There is none, or none that we can reach; `detail` says why, for people. */
  | { readonly kind: "none"; readonly detail: string }
  /** Name servers did not answer. */
  | { readonly kind: "failed"; readonly detail: string };

export interface LocateOptions {
  readonly resolver: DnsResolver;
  /** Whether we send over this transport when the far end leaves us the choice. */
  readonly supports: (transport: TargetTransport) => boolean;
}

/** RFC 3263 §4.1, RFC 7118 §8: a service we cannot send to is not in it. */
const SERVICES: ReadonlyMap<string, TargetTransport> = new Map([
  ["SIP+D2U", "UDP"],
  ["SIP+D2T", "TCP"],
  ["SIPS+D2T", "TLS"],
]);

const SRV_PREFIX: Readonly<Record<TargetTransport, string>> = {
  UDP: "_sip._udp.",
  TCP: "_sip._tcp.",
  TLS: "_sips._tcp.",
};

const UNSURE_MS = 10_000;
const MAX_NAPTR = 8;
const MAX_SRV = 32;

/**
 * Finds the servers of a SIP or SIPS URI: RFC 3263 §4.1 (transport) and §4.2 (port and address),
 * with the addresses of both families (RFC 7984 §3.1). It sends nothing and remembers nothing.
 */
export async function locate(uri: SipUri, options: LocateOptions): Promise<Located> {
  return await new Location(uri, options).locate();
}

class Location {
  readonly #uri: SipUri;
  readonly #resolver: DnsResolver;
  readonly #supports: LocateOptions["supports"];
  /** RFC 3263 §4: maddr when there is one, else the host; without brackets. */
  readonly #name: string;
  readonly #isSips: boolean;
  #ttlMs = Number.POSITIVE_INFINITY;
  /** What name servers did not answer. */
  readonly #failures: string[] = [];

  constructor(uri: SipUri, { resolver, supports }: LocateOptions) {
    this.#uri = uri;
    this.#resolver = resolver;
    this.#supports = supports;
    this.#name = bare(uri.params.get("maddr") ?? uri.host);
    this.#isSips = uri.scheme === "sips";
  }

  async locate(): Promise<Located> {
    const { scheme, port, params } = this.#uri;
    if (scheme !== "sip" && scheme !== "sips") return none(`${scheme} is not sip or sips`);
    const said = params.get("transport");
    const fixed = said === undefined ? undefined : this.#transportOf(said);
    if (said !== undefined && fixed === undefined) {
      return none(`${scheme} with transport=${said} cannot be reached`);
    }
    // RFC 3263 §4.1: without NAPTR it is UDP for sip and TLS for sips.
    const transport = fixed ?? (this.#isSips ? "TLS" : "UDP");
    if (isIP(this.#name) !== 0) {
      // RFC 3263 §4.2: a numeric host is where the request goes.
      if (!isUnicastHost(this.#name)) return none(`${this.#name} is the address of no server`);
      return this.#found([tierOf(transport, [this.#name], port ?? defaultPort(transport))]);
    }
    if (port !== undefined) {
      return this.#found(await this.#hostTiers(transport, port)); // RFC 3263 §4.2
    }
    const tiers =
      fixed === undefined ? await this.#serviceTiers() : await this.#serverTiers([fixed]);
    // RFC 3263 §4.2: no SRV records, so the name itself is that of the server.
    return this.#found(tiers ?? (await this.#hostTiers(transport, defaultPort(transport))));
  }

  /** RFC 3263 §4.1: what `transport=` means. */
  #transportOf(said: string): TargetTransport | undefined {
    switch (said.toLowerCase()) {
      case "udp":
        return this.#isSips ? undefined : "UDP";
      case "tcp":
        return this.#isSips ? "TLS" : "TCP";
      case "tls": // RFC 3261 §26.2.2 deprecates it, and everybody writes it
        return "TLS";
      default:
        return undefined;
    }
  }

  /** RFC 3263 §4.1: the zone says by NAPTR which transports it wants. */
  async #serviceTiers(): Promise<readonly Tier[] | undefined> {
    const records = this.#itemsOf(await this.#resolver.naptr(this.#name)) ?? [];
    for (const usable of byOrder(records.filter((record) => this.#canUse(record)))) {
      const tiers: Tier[] = [];
      for (const { service, replacement } of usable) {
        const transport = SERVICES.get(service.toUpperCase());
        if (transport !== undefined)
          tiers.push(...((await this.#srvTiers(transport, replacement)) ?? []));
      }
      // RFC 3403 §4.1: a higher order is not for failover, so TLS is never given up for less; it
      // counts only when what a lower one names is not there.
      if (tiers.length > 0) return tiers;
    }
    const ours: readonly TargetTransport[] = this.#isSips ? ["TLS"] : ["UDP", "TCP"];
    return await this.#serverTiers(
      ours.filter((transport) => this.#isSips || this.#supports(transport)),
    );
  }

  #canUse({ service, flags, replacement }: NaptrRecord): boolean {
    const transport = SERVICES.get(service.toUpperCase());
    if (transport === undefined || flags.toLowerCase() !== "s" || isRoot(replacement)) return false;
    // RFC 3263 §4.1: a SIPS URI is never resolved to a service that is not SIPS.
    return this.#isSips ? transport === "TLS" : this.#supports(transport);
  }

  /** RFC 3263 §4.1: without NAPTR, SRV is asked for each transport that we have. */
  async #serverTiers(transports: readonly TargetTransport[]): Promise<readonly Tier[] | undefined> {
    const found = await Promise.all(
      transports.map((transport) => this.#srvTiers(transport, SRV_PREFIX[transport] + this.#name)),
    );
    const present = found.filter((tiers) => tiers !== undefined);
    return present.length === 0 ? undefined : present.flat();
  }

  /** @returns undefined when there are no SRV records; no tiers when they lead nowhere */
  async #srvTiers(transport: TargetTransport, name: string): Promise<readonly Tier[] | undefined> {
    const records = this.#itemsOf(await this.#resolver.srv(bareName(name)));
    if (records === undefined) return undefined;
    // RFC 2782: the root as the target says that the service is decidedly not there.
    const usable = records.filter(({ target, port }) => !isRoot(target) && port !== 0);
    const hosts = await Promise.all(
      byPriority(usable)
        .slice(0, MAX_SRV)
        .map(async ({ priority, weight, port, target }) => {
          const addresses = await this.#addressesOf(bareName(target));
          return { priority, server: { weight, port, addresses } };
        }),
    );
    const tiers = new Map<number, Server[]>();
    for (const { priority, server } of hosts) {
      if (server.addresses.length === 0) continue;
      const tier = tiers.get(priority);
      if (tier === undefined) tiers.set(priority, [server]);
      else tier.push(server);
    }
    return [...tiers.values()].map((servers) => ({ transport, servers }));
  }

  async #hostTiers(transport: TargetTransport, port: number): Promise<readonly Tier[]> {
    const addresses = await this.#addressesOf(this.#name);
    return addresses.length === 0 ? [] : [tierOf(transport, addresses, port)];
  }

  /** RFC 7984 §3.1: both A and AAAA; one that fails does not take the other along. */
  async #addressesOf(name: string): Promise<readonly string[]> {
    if (isIP(name) !== 0) return isUnicastHost(name) ? [name] : []; // against RFC 2782, but seen
    const [aaaa, a] = await Promise.all([this.#resolver.aaaa(name), this.#resolver.a(name)]);
    const both = interleave(this.#itemsOf(aaaa) ?? [], this.#itemsOf(a) ?? []);
    return both.filter((host) => isUnicastHost(host));
  }

  #itemsOf<Item>(answer: DnsAnswer<Item>): readonly Item[] | undefined {
    if (answer.kind === "failed") {
      this.#failures.push(answer.detail);
      return undefined;
    }
    if (answer.ttlMs !== undefined) this.#ttlMs = Math.min(this.#ttlMs, answer.ttlMs);
    return answer.kind === "records" ? answer.items : undefined;
  }

  #found(tiers: readonly Tier[]): Located {
    const [failure] = this.#failures;
    if (tiers.length > 0) {
      // Found by a rule that holds only if what could not be asked is not there: ask again soon.
      const ttlMs = failure === undefined ? this.#ttlMs : Math.min(this.#ttlMs, UNSURE_MS);
      return { kind: "found", tiers, ttlMs };
    }
    return failure === undefined
      ? none(`no server of ${this.#name} is in the DNS`)
      : { kind: "failed", detail: failure };
  }
}

function none(detail: string): Located {
  return { kind: "none", detail };
}

function tierOf(transport: TargetTransport, addresses: readonly string[], port: number): Tier {
  return { transport, servers: [{ weight: 0, port, addresses }] };
}

/** RFC 3261 §19.1.2 */
function defaultPort(transport: TargetTransport): number {
  return transport === "TLS" ? 5061 : 5060;
}

function bare(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : bareName(host);
}

/** Without the dot of a fully qualified name. */
function bareName(name: string): string {
  return name.length > 1 && name.endsWith(".") ? name.slice(0, -1) : name;
}

function isRoot(name: string): boolean {
  return name === "" || name === ".";
}

function byPriority(records: readonly SrvRecord[]): readonly SrvRecord[] {
  return records.toSorted((left, right) => left.priority - right.priority);
}

/** RFC 3403 §4.1: lowest order first; within one, lowest preference first. */
function byOrder(records: readonly NaptrRecord[]): readonly (readonly NaptrRecord[])[] {
  const orders = new Map<number, NaptrRecord[]>();
  const sorted = records.toSorted(
    (left, right) => left.order - right.order || left.preference - right.preference,
  );
  for (const record of sorted.slice(0, MAX_NAPTR)) {
    const same = orders.get(record.order);
    if (same === undefined) orders.set(record.order, [record]);
    else same.push(record);
  }
  return [...orders.values()];
}

/** RFC 7984 §4 with RFC 6724 and RFC 8305 §4: IPv6 first, then the families in turn. */
function interleave(first: readonly string[], second: readonly string[]): readonly string[] {
  const both: string[] = [];
  for (let index = 0; index < Math.max(first.length, second.length); index += 1) {
    for (const host of [first[index], second[index]]) if (host !== undefined) both.push(host);
  }
  return both;
}
