import { AddressSet } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { SipUri } from "../message/uri.ts";
import { locate } from "../transport/dns/locate.ts";
import type { LocateOptions, Located, Tier } from "../transport/dns/locate.ts";
import { orderTargets } from "../transport/dns/order.ts";
import type { Target } from "../transport/dns/target.ts";

/** What looking a peer up needs. */
export interface TrunkTargetsOptions extends LocateOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly uri: SipUri;
  /** 0 ≤ x < 1, for the weights of RFC 2782. */
  readonly random: () => number;
}

/** The start waits no longer than this for name servers. */
const START_MS = 2000;
/** Between two look-ups that nobody asked for. */
const MIN_REFRESH_MS = 30_000;
const MAX_REFRESH_MS = 3_600_000;
/** Between two look-ups while there is no target at all. */
const RETRY_MS = 5000;
/** The last good targets are used for this long while no others are found. */
const MAX_STALE_MS = 86_400_000;
/** Calls are still taken from an address that the name no longer leads to. */
const FORMER_MS = 3_600_000;
const MAX_ADDRESSES = 256;

/**
 * Where a trunk's peer is: its name is looked up before its answers grow old and behind the back of
 * calls, which use what is known. What was found last stays for a day while name servers fail or
 * know nothing any more.
 */
export class TrunkTargets {
  readonly #options: TrunkTargetsOptions;
  #tiers: readonly Tier[] = [];
  /** What the tiers come to; undefined until somebody asks. */
  #all: readonly Target[] | undefined;
  #allHosts: readonly string[] | undefined;
  #addresses = new AddressSet();
  #hosts: ReadonlySet<string> = new Set();
  /** Addresses of earlier look-ups, with the end of their time. */
  readonly #former = new Map<string, number>();
  #freshUntilMs = 0;
  #staleUntilMs = 0;
  #isLookingUp = false;
  /** What the log was told last. */
  #trouble: string | undefined;
  #next: Timer | undefined;
  #isStopped = false;

  constructor(options: TrunkTargetsOptions) {
    this.#options = options;
  }

  /** Looks the peer up; resolves when that has an outcome, or when it takes too long. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      const limit = this.#options.clock.after(START_MS, resolve);
      void this.#lookUp().then(() => {
        limit.cancel();
        resolve();
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#next?.cancel();
  }

  /** The targets of a new request, by priority and by the dice of RFC 2782. */
  draw(): readonly Target[] {
    this.#refresh();
    return orderTargets(this.#tiers, this.#options.uri.host, this.#options.random);
  }

  /** All targets, in an order that stays. */
  get all(): readonly Target[] {
    this.#refresh();
    this.#all ??= orderTargets(this.#tiers, this.#options.uri.host, () => 0);
    return this.#all;
  }

  /** Their addresses, one for each; the same array until there are others. */
  get allHosts(): readonly string[] {
    const { all } = this;
    this.#allHosts ??= all.map(({ remote }) => remote.host);
    return this.#allHosts;
  }

  /** Whether the name leads to this address, or did lately. */
  hasHost(host: string): boolean {
    return this.#addresses.has(host);
  }

  /** Whether the peer listens there. */
  has({ host, port }: SocketAddress): boolean {
    return this.#tiers.some(({ servers }) =>
      servers.some((server) => server.port === port && server.addresses.includes(host)),
    );
  }

  /** Looks the peer up when what is known has grown old. */
  #refresh(): void {
    const now = this.#options.clock.monotonicMs();
    if (now >= this.#freshUntilMs && !this.#isStopped) void this.#lookUp();
  }

  #know(tiers: readonly Tier[]): void {
    this.#tiers = tiers;
    this.#all = undefined;
    this.#allHosts = undefined;
  }

  async #lookUp(): Promise<void> {
    if (this.#isLookingUp) return;
    this.#isLookingUp = true;
    const located = await locate(this.#options.uri, this.#options);
    this.#isLookingUp = false;
    if (this.#isStopped) return;
    const now = this.#options.clock.monotonicMs();
    if (located.kind === "found") this.#accept(located, now);
    else this.#doWithout(located, now);
  }

  #accept({ tiers, ttlMs }: Extract<Located, { readonly kind: "found" }>, now: number): void {
    if (this.#trouble !== undefined) this.#options.logger.info("a trunk's peer is found again");
    this.#trouble = undefined;
    this.#know(tiers);
    this.#freshUntilMs = now + ttlMs;
    this.#staleUntilMs = now + MAX_STALE_MS;
    this.#remember(now);
    if (!Number.isFinite(ttlMs)) return;
    this.#lookUpAfter(Math.min(Math.max(ttlMs, MIN_REFRESH_MS), MAX_REFRESH_MS));
  }

  #doWithout({ kind, detail }: Exclude<Located, { readonly kind: "found" }>, now: number): void {
    const { logger, uri } = this.#options;
    if (now >= this.#staleUntilMs) this.#know([]);
    const isStale = this.#tiers.length > 0;
    if (this.#trouble !== detail) {
      logger.warn(
        kind === "failed"
          ? "a trunk's peer could not be looked up"
          : "a trunk's peer leads to no server",
        { peer: uri.host, detail, isLastAnswerUsed: isStale },
      );
    }
    this.#trouble = detail;
    this.#remember(now);
    const waitMs = isStale ? MIN_REFRESH_MS : RETRY_MS;
    this.#freshUntilMs = now + waitMs;
    this.#lookUpAfter(waitMs);
  }

  #lookUpAfter(delayMs: number): void {
    this.#next?.cancel();
    this.#next = this.#options.clock.after(delayMs, () => void this.#lookUp());
  }

  /** Keeps the addresses of before for a while: calls may still come from them. */
  #remember(now: number): void {
    const hosts = new Set(
      this.#tiers.flatMap(({ servers }) => servers.flatMap(({ addresses }) => addresses)),
    );
    for (const host of this.#hosts) if (!hosts.has(host)) this.#former.set(host, now + FORMER_MS);
    for (const [host, untilMs] of this.#former) {
      if (hosts.has(host) || untilMs <= now) this.#former.delete(host);
    }
    this.#hosts = hosts;
    const all = [...hosts, ...[...this.#former.keys()].toReversed()];
    this.#addresses = new AddressSet(all.slice(0, MAX_ADDRESSES));
  }
}
