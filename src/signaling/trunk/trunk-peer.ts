import { isIP } from "node:net";
import type { LegTerms } from "../dialog/leg-terms.ts";
import type { Peer } from "../dialog/peer.ts";
import type { Transactions } from "../dialog/transactions.ts";
import type { Party } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { stripBrackets } from "../message/syntax.ts";
import { SipUri } from "../message/uri.ts";
import type { ClientTransaction, ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Target, TargetTransport } from "../transport/dns/target.ts";
import type { Flow } from "../transport/flow.ts";
import { TargetHunt } from "./target-hunt.ts";
import type { TargetHuntOptions } from "./target-hunt.ts";
import type { TargetWalk } from "./target-walk.ts";

/** Answers the challenges of one trunk. */
export interface TrunkChallenges {
  authorize(request: SipRequest, challenge: SipResponse, attempt: number): HeaderField | undefined;
}

/** What a leg's way needs of its trunk. */
export interface TrunkWays {
  readonly id: string;
  /** The host of the peer's URI. */
  readonly domain: string;
  readonly challenges: TrunkChallenges | undefined;
  /** The transport that the peer's URI names. */
  readonly transport: TargetTransport | undefined;
  readonly terms: LegTerms;
  /** What a hunt over the targets shares with all others. */
  readonly huntOptions: Pick<TargetHuntOptions, "clock" | "health" | "firstResponseMs">;
  /** Whether what comes from this address comes from this trunk. */
  accepts(host: string): boolean;
  flowTo(target: Target): Flow | undefined;
  /** The way of a new request through the targets. */
  walk(): TargetWalk;
}

/** One leg's way to a trunk. */
export class TrunkPeer implements Peer {
  readonly party: Party;
  readonly followsRoutes = true;
  readonly terms: LegTerms;
  readonly #trunk: TrunkWays;
  readonly #hasAlternative: boolean;
  /** Where the far end spoke from last: the server that has this call. */
  #heard: Flow | undefined;
  /** Of the request that begins the call. */
  #walk: TargetWalk | undefined;

  constructor(trunk: TrunkWays, heard: Flow | undefined, hasAlternative = false) {
    this.#trunk = trunk;
    this.#hasAlternative = hasAlternative;
    this.#heard = heard;
    this.party = { kind: "trunk", trunkId: trunk.id };
    this.terms = trunk.terms;
  }

  flowTo(nextHop: string): Flow | undefined {
    const uri = SipUri.tryParse(nextHop);
    const host = stripBrackets(uri?.host ?? "");
    if (uri !== undefined && isIP(host) !== 0 && this.#trunk.accepts(host)) {
      // RFC 3263 §4.1 says UDP where the URI says nothing; many that speak TCP leave it out.
      const transport =
        transportOf(uri) ?? this.#trunk.transport ?? this.#heard?.transport ?? "UDP";
      const heard = this.#heardConnection(host, transport);
      if (heard !== undefined) return heard;
      const flow = this.#trunk.flowTo(literalTarget(uri, host, transport, this.#trunk.domain));
      if (flow !== undefined) return flow;
    }
    // Deviates from RFC 3261 §8.1.2: a Contact outside the trunk's addresses is the inside of a
    // NAT, or a try to make us send elsewhere. Where the far end spoke from is right for the first
    // and harmless for the second. A name in it is not looked up: the dialog stays where it is.
    if (this.#heard?.isOpen === true) return this.#heard;
    this.#walk ??= this.#trunk.walk();
    const stop = this.#walk.current;
    return stop?.flow.isOpen === false ? this.#trunk.flowTo(stop.target) : stop?.flow;
  }

  /**
   * The connection that this call's far end has spoken on. RFC 5923 wants an `alias` for that;
   * PBXs that listen nowhere, or behind a NAT, do not say so and can be reached in no other way.
   */
  #heardConnection(host: string, transport: string): Flow | undefined {
    const heard = this.#heard;
    const isIt =
      heard?.isReliable === true &&
      heard.isOpen &&
      heard.transport === transport &&
      heard.remote.host === host;
    return isIt ? heard : undefined;
  }

  request(
    transactions: Transactions,
    build: (flow: Flow, isNext: boolean) => SipRequest,
    handler: ClientTransactionHandler,
  ): ClientTransaction | undefined {
    // A request that is sent again with credentials goes where the challenge came from.
    this.#walk ??= this.#trunk.walk();
    return TargetHunt.begin({
      ...this.#trunk.huntOptions,
      transactions,
      walk: this.#walk,
      hasAlternative: this.#hasAlternative,
      build,
      handler,
      deliver: (flow, isLate, tell) => {
        const before = this.#heard;
        this.#heard = flow;
        tell();
        if (isLate) this.#heard = before;
      },
    });
  }

  admits(flow: Flow): boolean {
    return !isWebSocket(flow) && this.#trunk.accepts(flow.remote.host);
  }

  heardOn(flow: Flow): void {
    this.#heard = flow;
  }

  authorize(request: SipRequest, challenge: SipResponse, attempt: number): HeaderField | undefined {
    return this.#trunk.challenges?.authorize(request, challenge, attempt);
  }

  /** A trunk is where it is: its path does not come and go. */
  watch(): () => void {
    return () => {};
  }
}

/** RFC 3263 §4: a numeric host needs no look-up. */
function literalTarget(uri: SipUri, host: string, said: string, domain: string): Target {
  const transport = said === "TCP" || said === "TLS" ? said : "UDP";
  const port = uri.port ?? (transport === "TLS" ? 5061 : 5060);
  return { transport, remote: { host, port }, domain };
}

/** The transport that a URI names; undefined where it leaves the choice. */
export function transportOf(uri: SipUri): TargetTransport | undefined {
  if (uri.scheme === "sips") return "TLS";
  switch (uri.params.get("transport")?.toLowerCase()) {
    case "udp":
      return "UDP";
    case "tcp":
      return "TCP";
    case "tls":
      return "TLS";
    default:
      return undefined;
  }
}

function isWebSocket(flow: Flow): boolean {
  return flow.transport === "WS" || flow.transport === "WSS";
}
