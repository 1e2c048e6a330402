import { isIP } from "node:net";
import { AddressSet } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Peer } from "../dialog/peer.ts";
import type { Party } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { SipUri, buildSipUri } from "../message/uri.ts";
import type { Flow } from "../transport/flow.ts";

/** Answers the challenges of one trunk. */
export interface TrunkChallenges {
  authorize(request: SipRequest, challenge: SipResponse, attempt: number): HeaderField | undefined;
}

export interface TrunkOptions {
  readonly id: string;
  /** A SIP URI: `sip:192.0.2.1`, `sip:pbx.example.com:5070;transport=udp`. */
  readonly peer: string;
  /** Addresses and ranges that calls may come from, beside those of the peer itself. */
  readonly accept?: readonly string[];
  readonly challenges?: TrunkChallenges | undefined;
}

/** What a trunk needs of the world. */
export interface TrunkContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** All addresses of a host name, in order of preference. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** The flow toward an address; undefined when no listener of ours can reach it. */
  readonly flowTo: (remote: SocketAddress) => Flow | undefined;
}

const DEFAULT_PORT = 5060;
const RESOLVE_INTERVAL_MS = 60_000;

/**
 * A static peer over UDP: where calls go, and where they may come from. The peer's name is looked
 * up at the start and once a minute; the last answer stays when a look-up fails.
 */
export class Trunk {
  readonly id: string;
  readonly #context: TrunkContext;
  readonly #challenges: TrunkChallenges | undefined;
  /** Without brackets when it is an address. */
  readonly #host: string;
  readonly #port: number | undefined;
  readonly #accept: AddressSet;
  #addresses: readonly string[] = [];
  #resolved = new AddressSet();
  #nextLookup: Timer | undefined;
  #isStopped = false;

  /** @throws SipParseError when `peer` is no SIP URI */
  constructor(context: TrunkContext, options: TrunkOptions) {
    this.id = options.id;
    this.#context = context;
    this.#challenges = options.challenges;
    const uri = SipUri.parse(options.peer);
    this.#host = withoutBrackets(uri.host);
    this.#port = uri.port;
    this.#accept = new AddressSet(options.accept ?? []);
    if (isIP(this.#host) !== 0) this.#setAddresses([this.#host]);
  }

  /** The port that the peer listens on. */
  get port(): number {
    return this.#port ?? DEFAULT_PORT;
  }

  /** The peer's host as it stands in URIs, an IPv6 address in brackets. */
  get host(): string {
    return this.#host.includes(":") ? `[${this.#host}]` : this.#host;
  }

  /** Where the peer is now; undefined until its name has been looked up. */
  get address(): SocketAddress | undefined {
    const [host] = this.#addresses;
    return host === undefined ? undefined : { host, port: this.port };
  }

  /** Looks the peer's name up; resolves when the first look-up has an outcome. */
  async start(): Promise<void> {
    if (isIP(this.#host) === 0) await this.#lookUp();
  }

  stop(): void {
    this.#isStopped = true;
    this.#nextLookup?.cancel();
  }

  /** Whether what comes from this address comes from this trunk. */
  accepts(host: string): boolean {
    return this.#accept.has(host) || this.#resolved.has(host);
  }

  /** The Request-URI and To of a call to a number at this trunk, or of the peer itself. */
  uriOf(number?: string): string {
    return buildSipUri({ user: number, host: this.host, port: this.#port });
  }

  /** A new call leg's way to this trunk. @param heard where its first request came from */
  peer(heard?: Flow): Peer {
    return new TrunkPeer(this, this.#context, this.#challenges, heard);
  }

  async #lookUp(): Promise<void> {
    try {
      const addresses = await this.#context.resolve(this.#host);
      if (addresses.length > 0) this.#setAddresses(addresses);
    } catch (cause) {
      this.#context.logger.warn("a trunk's peer could not be looked up", {
        trunk: this.id,
        host: this.#host,
        cause,
      });
    }
    if (this.#isStopped) return;
    this.#nextLookup = this.#context.clock.after(RESOLVE_INTERVAL_MS, () => {
      void this.#lookUp();
    });
  }

  #setAddresses(addresses: readonly string[]): void {
    this.#addresses = addresses;
    this.#resolved = new AddressSet(addresses);
  }
}

/** One leg's way to a trunk. */
class TrunkPeer implements Peer {
  readonly party: Party;
  readonly followsRoutes = true;
  readonly #trunk: Trunk;
  readonly #context: TrunkContext;
  readonly #challenges: TrunkChallenges | undefined;
  #heard: Flow | undefined;

  constructor(
    trunk: Trunk,
    context: TrunkContext,
    challenges: TrunkChallenges | undefined,
    heard: Flow | undefined,
  ) {
    this.#trunk = trunk;
    this.#context = context;
    this.#challenges = challenges;
    this.#heard = heard;
    this.party = { kind: "trunk", trunkId: trunk.id };
  }

  flowTo(nextHop: string): Flow | undefined {
    const uri = SipUri.tryParse(nextHop);
    const host = withoutBrackets(uri?.host ?? "");
    if (uri !== undefined && isIP(host) !== 0 && this.#trunk.accepts(host)) {
      return this.#context.flowTo({ host, port: uri.port ?? DEFAULT_PORT });
    }
    // Deviates from RFC 3261 §8.1.2: a Contact outside the trunk's addresses is the inside of a
    // NAT, or a try to make us send elsewhere. Where the far end spoke from is right for the first
    // and harmless for the second.
    if (this.#heard?.isOpen === true) return this.#heard;
    const { address } = this.#trunk;
    return address === undefined ? undefined : this.#context.flowTo(address);
  }

  admits(flow: Flow): boolean {
    return !isWebSocket(flow) && this.#trunk.accepts(flow.remote.host);
  }

  heardOn(flow: Flow): void {
    this.#heard = flow;
  }

  authorize(request: SipRequest, challenge: SipResponse, attempt: number): HeaderField | undefined {
    return this.#challenges?.authorize(request, challenge, attempt);
  }

  /** A trunk is where it is: its path does not come and go. */
  watch(): () => void {
    return () => {};
  }
}

function isWebSocket(flow: Flow): boolean {
  return flow.transport === "WS" || flow.transport === "WSS";
}

function withoutBrackets(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
