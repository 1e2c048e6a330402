import { ownCopy } from "../../core/own-copy.ts";
import { AddressSet, formatSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { DEFAULT_TERMS } from "../dialog/leg-terms.ts";
import type { LegTerms } from "../dialog/leg-terms.ts";
import type { Peer } from "../dialog/peer.ts";
import type { Headers } from "../message/headers.ts";
import { stripBrackets } from "../message/syntax.ts";
import { SipUri, buildSipUri } from "../message/uri.ts";
import type { DnsResolver } from "../transport/dns/resolver.ts";
import type { Target, TargetTransport } from "../transport/dns/target.ts";
import type { Flow } from "../transport/flow.ts";
import type { TlsFiles, TlsPeer } from "../transport/tls-contexts.ts";
import type { FlowOptions } from "../transport/transport-layer.ts";
import { trunkAgentFacts } from "./channels.ts";
import type { TargetFault, TrunkState } from "./channels.ts";
import { TargetHealth } from "./target-health.ts";
import type { TargetHuntOptions } from "./target-hunt.ts";
import { TargetWalk } from "./target-walk.ts";
import { TrunkPeer, transportOf } from "./trunk-peer.ts";
import type { TrunkChallenges, TrunkWays } from "./trunk-peer.ts";
import { TrunkTargets } from "./trunk-targets.ts";

export interface TrunkOptions {
  readonly id: string;
  /** A SIP URI: `sip:192.0.2.1`, `sip:pbx.example.com:5070;transport=udp`. */
  readonly peer: string;
  /** Where what is for the peer is sent instead: a SIP URI as `peer` is (RFC 3261 §8.1.2). */
  readonly outboundProxy?: string | undefined;
  /** Addresses and ranges that calls may come from, beside those of the peer itself. */
  readonly accept?: readonly string[];
  readonly challenges?: TrunkChallenges | undefined;
  /** A target that says nothing for this long is given up for the next one. Default 4000. */
  readonly failoverAfterMs?: number | undefined;
  /** May take over the dialogs of everybody with Replaces (RFC 3891 §8). Default false. */
  readonly mayReplaceAny?: boolean;
  readonly terms?: LegTerms;
  /** How TLS connections to this peer are made. */
  readonly tls?: TrunkTls | undefined;
  /** Whether `user=phone` stands beside telephone numbers (RFC 3261 §19.1.1). Default false. */
  readonly isPhone?: boolean;
}

/** The TLS of one trunk. */
export interface TrunkTls {
  /** What the peer's certificate must name; default: the host of its URI (RFC 5922 §7.3). */
  readonly name?: string | undefined;
  /** Default true. */
  readonly verify?: boolean | undefined;
  /** Default: those of the listeners. */
  readonly files?: TlsFiles | undefined;
}

/** What a trunk needs of the world. */
export interface TrunkContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resolver: DnsResolver;
  /** Whether we send over this transport when the peer leaves us the choice. */
  readonly supports: (transport: TargetTransport) => boolean;
  /** The flow toward a target; undefined when no listener of ours can reach it. */
  readonly flowTo: (target: Target, options: FlowOptions) => Flow | undefined;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
}

/** One server of a trunk's peer, for people. */
export interface TargetView {
  /** `192.0.2.1:5060` */
  readonly address: string;
  readonly transport: TargetTransport;
  /** `unknown` until a call or OPTIONS has gone there. */
  readonly state: TrunkState;
  /** Unix milliseconds of the last change of `state`; undefined while it is `unknown`. */
  readonly sinceMs: number | undefined;
  /** Why it is `down`. */
  readonly reason: TargetFault | undefined;
  /** Whether it failed lately, and is tried last for a while. */
  readonly isAvoided: boolean;
}

const DEFAULT_FAILOVER_MS = 4000;
const MAX_AGENT = 200;

/** A static peer: where calls go (RFC 3263), and where they may come from. */
export class Trunk implements TrunkWays {
  readonly id: string;
  readonly challenges: TrunkChallenges | undefined;
  readonly health: TargetHealth;
  readonly mayReplaceAny: boolean;
  /** What its legs agree to beside the call. */
  readonly terms: LegTerms;
  /** Address of the server that has our registration: calls come from there. */
  registeredWith: string | undefined;
  readonly #context: TrunkContext;
  readonly #uri: SipUri;
  /** What leads to its servers: the URI of the proxy before it, else its own. */
  readonly #way: SipUri;
  readonly #accept: AddressSet;
  readonly #targets: TrunkTargets;
  readonly #failoverAfterMs: number;
  readonly #isPhone: boolean;
  #hasAgent = false;
  readonly #flowOptions: Required<FlowOptions> & { readonly tls: TlsPeer };

  /** @throws SipParseError when `peer` is no SIP URI */
  constructor(context: TrunkContext, options: TrunkOptions) {
    const { clock, logger, resolver, supports, random } = context;
    this.id = options.id;
    this.challenges = options.challenges;
    this.mayReplaceAny = options.mayReplaceAny ?? false;
    this.#isPhone = options.isPhone ?? false;
    this.#context = context;
    this.#uri = SipUri.parse(options.peer);
    this.#way =
      options.outboundProxy === undefined ? this.#uri : SipUri.parse(options.outboundProxy);
    const { name = stripBrackets(this.#way.host), verify = true, files } = options.tls ?? {};
    const isSips = this.#way.scheme === "sips";
    this.#flowOptions = {
      tls: { name, verify, files, scheme: isSips ? "sips" : undefined },
      mayUseTcp: !isSips && !this.#way.params.has("transport"),
    };
    this.terms = options.terms ?? DEFAULT_TERMS;
    this.#accept = new AddressSet(options.accept ?? []);
    this.#failoverAfterMs = options.failoverAfterMs ?? DEFAULT_FAILOVER_MS;
    this.health = new TargetHealth({ trunkId: this.id, clock, logger });
    this.#targets = new TrunkTargets({
      clock,
      logger: logger.child({ trunk: this.id }),
      resolver,
      supports,
      random,
      uri: this.#way,
    });
  }

  /** The host of the peer's URI. */
  get domain(): string {
    return this.#uri.host;
  }

  /** Of the peer's URI, and so of ours toward it. */
  get scheme(): "sip" | "sips" {
    return this.#uri.scheme === "sips" ? "sips" : "sip";
  }

  /** The peer's host as it stands in URIs, an IPv6 address in brackets. */
  get host(): string {
    const host = stripBrackets(this.#uri.host);
    return host.includes(":") ? `[${host}]` : host;
  }

  /** All servers of the peer that are known now, in an order that stays. */
  get targets(): readonly Target[] {
    return this.#targets.all;
  }

  /** Their addresses; the same array until there are others. */
  get targetHosts(): readonly string[] {
    return this.#targets.allHosts;
  }

  /** The same for people, with what is known of each. */
  get targetViews(): readonly TargetView[] {
    return this.targets.map((target) => ({
      address: formatSocketAddress(target.remote),
      transport: target.transport,
      ...this.health.stateOf(target),
    }));
  }

  /** What a hunt over this trunk's targets shares with all others. */
  get huntOptions(): Pick<TargetHuntOptions, "clock" | "health" | "firstResponseMs"> {
    const { clock } = this.#context;
    return { clock, health: this.health, firstResponseMs: this.#failoverAfterMs };
  }

  /** Looks the peer's name up; resolves when the first look-up has an outcome or takes too long. */
  async start(): Promise<void> {
    await this.#targets.start();
  }

  stop(): void {
    this.#targets.stop();
  }

  /** Whether what comes from this address comes from this trunk. */
  accepts(host: string): boolean {
    return this.#accept.has(host) || this.#targets.hasHost(host) || host === this.registeredWith;
  }

  /** Whether the peer listens there. */
  listensAt(address: SocketAddress): boolean {
    return this.#targets.has(address);
  }

  /** The transport that the URI of the peer, or of the proxy before it, names. */
  get transport(): TargetTransport | undefined {
    return transportOf(this.#way);
  }

  /** Whether a certificate for these names is the peer's. */
  isNamedBy(names: readonly string[]): boolean {
    return names.includes(this.#flowOptions.tls.name.toLowerCase());
  }

  /** What a message of the peer says of its maker; only the first one is told. */
  noteAgent(headers: Headers): void {
    if (this.#hasAgent) return;
    const agent = headers.get("Server") ?? headers.get("User-Agent");
    if (agent === undefined || agent === "") return;
    this.#hasAgent = true;
    trunkAgentFacts.publish({ trunkId: this.id, agent: ownCopy(agent.slice(0, MAX_AGENT)) });
  }

  flowTo(target: Target): Flow | undefined {
    return this.#context.flowTo(target, this.#flowOptions);
  }

  /** The way of a new request: by RFC 3263 §4.2, the targets that failed lately at the end. */
  walk(): TargetWalk {
    const targets = this.health.sorted(this.#targets.draw());
    return new TargetWalk(targets, (target) => this.flowTo(target));
  }

  /** The Request-URI and To of a call to a number at this trunk, or of the peer itself. */
  uriOf(number?: string): string {
    const isPhone = this.#isPhone && /^\+?[0-9]{3,32}$/.test(number ?? "");
    const uri = buildSipUri({
      user: number,
      host: this.host,
      port: this.#uri.port,
      params: isPhone ? [["user", "phone"]] : [],
    });
    return this.#uri.scheme === "sips" ? uri.replace("sip:", "sips:") : uri;
  }

  /**
   * A new call leg's way to this trunk.
   *
   * @param heard where its first request came from
   * @param hasAlternative whether other trunks are tried when this one says nothing
   */
  peer(heard?: Flow, hasAlternative = false): Peer {
    return new TrunkPeer(this, heard, hasAlternative);
  }
}
