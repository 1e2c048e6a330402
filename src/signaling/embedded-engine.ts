import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { SocketAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { AttemptLimit } from "./auth/attempt-limit.ts";
import type { Credentials } from "./auth/authenticator.ts";
import type { DialogLimits } from "./dialog/dialog-context.ts";
import type { LegTerms } from "./dialog/leg-terms.ts";
import type { DrachtioServer } from "./drachtio/options.ts";
import type { EngineHandler, SignalingEngine } from "./engine.ts";
import type { Overload } from "./guard/overload.ts";
import type { SourceLimit } from "./guard/source-limit.ts";
import type { ParserLimits } from "./message/limits.ts";
import type { PassThroughTerms, PasswordVerdict } from "./pass-through.ts";
import type { LocationStore } from "./registrar/location-store.ts";
import type { RegistrarLimits } from "./registrar/registrar.ts";
import type { SubscriptionLimits } from "./standalone-requests.ts";
import type { BaseTimerValues } from "./transaction/timer-values.ts";
import type { DnsCacheLimits } from "./transport/dns/record-cache.ts";
import type { DnsResolver } from "./transport/dns/resolver.ts";
import type { ClientCertificates } from "./transport/stream-transport.ts";
import type { TlsFiles } from "./transport/tls-contexts.ts";
import type { StreamListeners } from "./transport/transport-layer.ts";
import type { WebSocketTransportOptions } from "./transport/websocket.ts";
import type { WebSocketLimits } from "./transport/websocket-flow.ts";
import type { TrunkState } from "./trunk/channels.ts";
import type { PingView } from "./trunk/options-ping.ts";
import type { RegistrationView } from "./trunk/registration.ts";
import type { TargetView, TrunkTls } from "./trunk/trunk.ts";

/** A trunk as the configuration gives it. */
export interface EngineTrunk {
  readonly id: string;
  /** A SIP URI. */
  readonly peer: string;
  /** A SIP URI: where what is for the peer is sent instead. */
  readonly outboundProxy?: string;
  /** Addresses and ranges that calls may come from, beside those of the peer. */
  readonly accept?: readonly string[];
  /** Answers this trunk's 401 and 407. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** Registers there; without `auth` these credentials answer its other challenges too. */
  readonly register?: {
    readonly username: string;
    readonly password: string;
    readonly expiresSeconds: number;
  };
  /** Interval of OPTIONS; undefined: none. */
  readonly pingMs?: number;
  /** OPTIONS without an answer until the trunk is down. Default 3. */
  readonly pingMisses?: number;
  /** Answered ones until it is up again. Default 2. */
  readonly pingHits?: number;
  /** A server that says nothing for this long is given up for the next one. Default 4000. */
  readonly failoverAfterMs?: number;
  /**
   * May take over the dialogs of everybody with Replaces (RFC 3891 §8), not only those of its own
   * calls. Default false.
   */
  readonly mayReplaceAny?: boolean;
  readonly tls?: TrunkTls;
  /** Reliable provisional responses and session timers; default: as toward a browser. */
  readonly terms?: LegTerms;
  /** Whether `user=phone` stands beside telephone numbers. Default false. */
  readonly isPhone?: boolean;
}

/** What the embedded engine is built with. */
export interface EmbeddedEngineOptions {
  /** SIP domain of the web users; also the digest realm. */
  readonly domain: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Listeners toward trunks; port 0 takes a free one. */
  readonly udp: readonly SocketAddress[];
  readonly tcp?: readonly SocketAddress[];
  readonly tls?: readonly SocketAddress[];
  /** drachtio-servers that carry the trunks' side instead of `udp`, `tcp` and `tls`; default: none. */
  readonly drachtio?: readonly DrachtioServer[] | undefined;
  /** PEM files of `tls` listeners, and of connections to trunks that have none of their own. */
  readonly certificates?: TlsFiles & { readonly clients?: ClientCertificates | undefined };
  /** Liveness, caps and back-pressure of TCP and TLS connections. */
  readonly streams?: Pick<
    StreamListeners,
    "limits" | "maxConnections" | "maxConnectionsPerAddress" | "exempt"
  >;
  /** Bounds of a message. */
  readonly messages?: {
    readonly parser?: ParserLimits;
    /** Octets of a datagram. Default 16 384. */
    readonly maxDatagramOctets?: number;
  };
  readonly webSocket: {
    /** `host:port` of the Contact and the Via that browsers see. */
    readonly sentBy: string;
    isOriginAllowed(origin: string | undefined, request: IncomingMessage): boolean;
    /** Default: the address of the TCP connection. */
    clientAddress?(request: IncomingMessage): SocketAddress | undefined;
    /** Liveness and back-pressure of connections. */
    readonly limits?: Partial<WebSocketLimits>;
  } & Pick<
    WebSocketTransportOptions,
    "maxConnections" | "maxConnectionsPerAddress" | "exempt" | "upgradesPerSecond"
  >;
  /** How much each source may ask; default: as much as it likes. */
  readonly sources?: SourceLimit;
  /** What rations new work; default: nothing does. Whoever made it starts it. */
  readonly overload?: Overload;
  /** Parts of the User-Agent of programs that get no answer, in lower case; default `SCANNERS`. */
  readonly scanners?: readonly string[];
  /** Live server transactions, and as many client ones. Default 100 000. */
  readonly maxTransactions?: number;
  readonly credentials: Credentials;
  /** Shared with the HTTP sign-in; default: one of the engine's own. */
  readonly attempts?: AttemptLimit;
  readonly locations: LocationStore;
  readonly trunks: readonly EngineTrunk[];
  /** The trunk that owns users, to which their REGISTER passes through; default: none. */
  readonly passThrough?: PassThroughTerms | undefined;
  readonly handler: EngineHandler;
  /** Default: those of RFC 3261. */
  readonly timers?: BaseTimerValues;
  readonly registrar?: Partial<RegistrarLimits>;
  readonly limits?: Partial<DialogLimits>;
  /** How names are looked up; default: with the system's name servers and /etc/hosts. */
  readonly dns?: {
    /** `address` or `address:port` of other name servers. */
    readonly servers?: readonly string[] | undefined;
    /** Another resolver than the system's. */
    readonly resolver?: DnsResolver;
    readonly limits?: Partial<DnsCacheLimits>;
  };
  /** What may be subscribed to at us, when the handler takes subscriptions. */
  readonly subscriptions?: Partial<SubscriptionLimits>;
  /** 0 ≤ x < 1; default `Math.random`: nothing secret depends on it. */
  readonly random?: () => number;
}

/** What was kept out. */
export interface GuardCounts {
  /** Requests of scanners that got no answer. */
  readonly scanners: number;
  /** WebSocket upgrades that wait for their turn. */
  readonly waitingConnections: number;
}

/** The embedded engine as the gateway sees it. */
export interface EmbeddedEngine extends SignalingEngine {
  /** Takes a WebSocket upgrade from the HTTP server (RFC 7118). */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Asks the PBX that owns a user whether a password is right; undefined: no PBX owns the user.
   * Costs it two requests.
   */
  checkPassword(userId: string, password: string): Promise<PasswordVerdict> | undefined;
  /** Whether what comes from this address comes from a trunk. */
  isTrunk(host: string): boolean;
  readonly guardCounts: GuardCounts;
  /** What is listened on, as bound: `udp:127.0.0.1:5060`. */
  readonly listeners: readonly string[];
  /**
   * Reads the certificates of TLS again, for new connections.
   *
   * @throws TransportError ERR_OFFHOOK_TRANSPORT_TLS; the old ones stay in use
   */
  reloadCertificates(): Promise<void>;
  /** `unknown` without `pingMs`, and for a trunk that does not exist. */
  trunkState(trunkId: string): TrunkState;
  /** What OPTIONS tells of a trunk; undefined of one without `pingMs`. */
  trunkPing(trunkId: string): PingView | undefined;
  /** How its registration stands; undefined of one without `register`. */
  trunkRegistration(trunkId: string): RegistrationView | undefined;
  /** The servers of a trunk's peer; none of a trunk that does not exist. */
  trunkTargets(trunkId: string): readonly TargetView[];
  /** The addresses of those servers, for every leg: the same array until there are others. */
  trunkHosts(trunkId: string): readonly string[];
}
