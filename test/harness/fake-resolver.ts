import { isIPv6 } from "node:net";
import type {
  DnsAnswer,
  DnsResolver,
  NaptrRecord,
  SrvRecord,
} from "../../src/signaling/transport/dns/resolver.ts";

/** A zone as a test writes it: the records of each name. */
export interface Zone {
  readonly naptr?: readonly NaptrRecord[] | "fails";
  readonly srv?: readonly SrvRecord[] | "fails";
  /** Addresses of both families. */
  readonly hosts?: readonly string[] | "fails";
}

/** A resolver that answers at once, from what the test says is in the DNS. */
export class FakeResolver implements DnsResolver {
  /** `SRV _sip._udp.x`, in the order asked. */
  readonly asked: string[] = [];
  /** By name; a test may change it. */
  readonly zones = new Map<string, Zone>();
  /** Every query fails. */
  isDead = false;
  ttlMs: number | undefined;

  constructor(zones: Readonly<Record<string, Zone>> = {}) {
    for (const [name, zone] of Object.entries(zones)) this.zones.set(name, zone);
  }

  async naptr(name: string): Promise<DnsAnswer<NaptrRecord>> {
    return await this.#answer("NAPTR", name, this.zones.get(name)?.naptr);
  }

  async srv(name: string): Promise<DnsAnswer<SrvRecord>> {
    return await this.#answer("SRV", name, this.zones.get(name)?.srv);
  }

  async a(name: string): Promise<DnsAnswer<string>> {
    return await this.#answer("A", name, this.#hostsOf(name, false));
  }

  async aaaa(name: string): Promise<DnsAnswer<string>> {
    return await this.#answer("AAAA", name, this.#hostsOf(name, true));
  }

  #hostsOf(name: string, isV6: boolean): readonly string[] | "fails" | undefined {
    const hosts = this.zones.get(name)?.hosts;
    return typeof hosts === "object" ? hosts.filter((host) => isIPv6(host) === isV6) : hosts;
  }

  async #answer<Item>(
    type: string,
    name: string,
    items: readonly Item[] | "fails" | undefined,
  ): Promise<DnsAnswer<Item>> {
    this.asked.push(`${type} ${name}`);
    await Promise.resolve();
    if (this.isDead || items === "fails") return { kind: "failed", detail: "ESERVFAIL" };
    const { ttlMs } = this;
    return items === undefined || items.length === 0
      ? { kind: "none", ttlMs }
      : { kind: "records", items, ttlMs };
  }
}

/** The text of a NAPTR record: `10 50 s SIP+D2U _sip._udp.example.com`. */
export function naptr(text: string): NaptrRecord {
  const [order, preference, flags = "", service = "", replacement = ""] = text.split(" ");
  return { order: Number(order), preference: Number(preference), flags, service, replacement };
}

/** The text of an SRV record: `0 10 5060 sbc1.example.com`. */
export function srv(text: string): SrvRecord {
  const [priority, weight, port, target = ""] = text.split(" ");
  return { priority: Number(priority), weight: Number(weight), port: Number(port), target };
}
