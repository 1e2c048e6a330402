import { connect as connectTcp, createServer as createTcpServer } from "node:net";
import type { Server, Socket } from "node:net";
import { TLSSocket, connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { Server as TlsServer } from "node:tls";
import { formatSocketAddress, plainHost } from "../../core/address.ts";
import type { AddressSet, SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { ConnectionCount } from "../../core/connection-count.ts";
import type { Logger } from "../../core/logger.ts";
import type { ParserLimits } from "../message/limits.ts";
import type { SipMessage } from "../message/message.ts";
import { flowFacts } from "./channels.ts";
import { ConnectionPool, OpenFailures } from "./connection-pool.ts";
import { TransportError } from "./errors.ts";
import type { Flow, TransportHandler } from "./flow.ts";
import { chooseListener, isLoopback, isWildcard, sentByOf } from "./local-host.ts";
import { MessageReceiver } from "./message-receiver.ts";
import { StreamFlow } from "./stream-flow.ts";
import type { StreamFlowOwner, StreamLimits } from "./stream-flow.ts";
import type { TlsContexts, TlsPeer } from "./tls-contexts.ts";
import { certificateFault, certificateNames, serverNameOf } from "./tls-identity.ts";

/** Whether callers show a certificate: `optional` refuses a wrong one, `required` also none. */
export type ClientCertificates = "none" | "optional" | "required";

/** What the TCP or the TLS transport is built with. */
export interface StreamTransportOptions {
  readonly transport: "TCP" | "TLS";
  /** Where to listen; port 0 takes a free one. Without any, connections of ours still work. */
  readonly listen: readonly {
    readonly listen: SocketAddress;
    /** `host` or `host:port` for our Via and Contact; default: the address that faces the peer. */
    readonly advertise?: string | undefined;
  }[];
  /** The address that stands in our Via where we listen on none of this transport. */
  readonly substitute: (remoteHost: string) => SocketAddress | undefined;
  readonly clock: Clock;
  readonly handler: TransportHandler;
  readonly logger: Logger;
  /** For TLS. */
  readonly contexts?: TlsContexts | undefined;
  /** Of listeners. Default: `optional` where there are authorities to check with. */
  readonly clientCertificates?: ClientCertificates | undefined;
  readonly limits?: Partial<StreamLimits> | undefined;
  /** Bounds of a message; default those of the parser. */
  readonly parser?: ParserLimits | undefined;
  /** Largest message in octets. Default 65 536. */
  readonly maxMessageOctets?: number | undefined;
  /** Accepted connections of one IPv4 address or one IPv6 /64; one more is closed. Default 100. */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** Addresses that the above does not count. */
  readonly exempt?: AddressSet | undefined;
  /** All connections; one more is closed, or not opened. Default 10 000. */
  readonly maxConnections?: number | undefined;
  /** Whether this address may connect; else the connection is closed. Default: all may. */
  admits?(host: string): boolean;
}

const DEFAULT_LIMITS: StreamLimits = {
  firstMessageMs: 10_000,
  messageMs: 10_000,
  connectMs: 4000,
  pingIdleMs: 20_000,
  pongMs: 10_000,
  maxUnreadOctets: 256 * 1024,
  maxBufferedOctets: 1024 * 1024,
  messagesATurn: 32,
  closeMs: 1000,
};
const DEFAULT_MAX_OCTETS = 65_536;
const DEFAULT_MAX_PER_ADDRESS = 100;
const DEFAULT_MAX_CONNECTIONS = 10_000;
/** TCP's own probes, then one a second: a machine that is gone is found ten seconds later. */
const KEEP_ALIVE_MS = 8000;
const HANDSHAKE_MS = 5000;
const ACCEPT_WARNING_MS = 10_000;

interface Listener {
  readonly server: Server;
  readonly advertise: string | undefined;
  local: SocketAddress;
}

/**
 * SIP over TCP or over TLS (RFC 3261 §18): listens, connects, and finds the connection that a
 * request goes out on. There is one connection of ours per address, port and, over TLS, name and
 * certificates: two names at one address never share one (CVE-2020-15260).
 */
export class StreamTransport {
  readonly #options: StreamTransportOptions;
  readonly #receiver: MessageReceiver;
  readonly #owner: StreamFlowOwner;
  readonly #listeners: Listener[] = [];
  readonly #pool = new ConnectionPool();
  readonly #failures: OpenFailures;
  readonly #flows = new Set<StreamFlow>();
  /** With those that are in their TLS handshake, and those that are being closed. */
  readonly #sockets = new Set<Socket>();
  readonly #count: ConnectionCount;
  #quietUntilMs = 0;
  #state: "idle" | "open" | "closed" = "idle";

  constructor(options: StreamTransportOptions) {
    this.#options = options;
    this.#count = new ConnectionCount({
      limit: options.maxConnectionsPerAddress ?? DEFAULT_MAX_PER_ADDRESS,
      exempt: options.exempt,
    });
    this.#failures = new OpenFailures(options.clock);
    const maxMessageOctets = options.maxMessageOctets ?? DEFAULT_MAX_OCTETS;
    this.#receiver = new MessageReceiver({
      handler: {
        onMessage: (message, flow) => {
          this.#learnAlias(message, flow);
          options.handler.onMessage(message, flow);
        },
        onFlowOpen() {},
        onFlowClosed() {},
        onFault: (flow) => {
          options.handler.onFault?.(flow);
        },
      },
      logger: options.logger,
      maxOctets: maxMessageOctets,
      isStream: true,
      parser: options.parser,
    });
    this.#owner = {
      clock: options.clock,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      maxMessageOctets,
      onMessage: (octets, flow) => {
        this.#receiver.receive(octets, flow);
      },
      onFault: (octets, status, flow) => {
        this.#receiver.refuse(octets, status, flow);
      },
      onEstablished: (flow) => {
        this.#failures.forget(flow.remote);
        this.#onOpen(flow);
      },
      onClosed: (flow, reason) => {
        this.#onClosed(flow, reason);
      },
      onSocketGone: () => {},
      toward: (flow, remote) => this.#toward(flow, remote),
      reopen: (flow) => this.#reopen(flow),
    };
  }

  /** The bound addresses, once started. */
  get locals(): readonly SocketAddress[] {
    return this.#listeners.map(({ local }) => local);
  }

  /** Open connections, both ways. */
  get flowCount(): number {
    return this.#flows.size;
  }

  /** Whether we listen where this host could reach us. */
  canBeReachedBy(host: string): boolean {
    return chooseListener(this.#listeners, host) !== undefined;
  }

  /** Whether a connection to this address has lately failed to come up. */
  hasFailed(remote: SocketAddress): boolean {
    return this.#failures.has(remote);
  }

  /** @throws TransportError ERR_OFFHOOK_TRANSPORT_BIND when an address cannot be bound */
  async start(): Promise<void> {
    this.#state = "open";
    for (const { listen, advertise } of this.#options.listen) {
      const server = this.#createServer();
      const local = await bind(server, listen, this.#options.transport);
      server.on("error", (cause) => {
        this.#onAcceptError(cause);
      });
      this.#listeners.push({ server, advertise, local });
    }
  }

  /** Closes all connections and listeners; resolves when the last is gone. */
  async stop(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    const closed = this.#listeners.map(
      ({ server }) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    const gone = [...this.#sockets].map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once("close", () => {
            resolve();
          });
        }),
    );
    for (const flow of this.#flows) flow.destroy("the gateway goes down");
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...closed, ...gone]);
  }

  /** Puts certificates that were read again in force for new handshakes. */
  useCertificates(): void {
    const { contexts } = this.#options;
    if (contexts === undefined) return;
    for (const { server } of this.#listeners) {
      if (isTlsServer(server)) server.setSecureContext(contexts.serverMaterial);
    }
  }

  /**
   * The connection toward a literal address: the one that is there, or a new one, on which what is
   * sent waits until it is up.
   *
   * @param peer with TLS: who the far end must be
   * @returns undefined when there are too many connections
   */
  flowTo(remote: SocketAddress, peer?: TlsPeer): Flow | undefined {
    const { transport, contexts } = this.#options;
    if (transport === "TLS" && (peer === undefined || contexts === undefined)) return undefined;
    const key = peer === undefined ? "" : (contexts?.keyFor(peer) ?? "");
    const known = this.#pool.find(remote, key) ?? this.#aliasOf(remote, peer);
    if (known !== undefined) return known;
    return this.#open(remote, peer, key);
  }

  #aliasOf(remote: SocketAddress, peer: TlsPeer | undefined): StreamFlow | undefined {
    // RFC 5923 §8.2: over TLS only for a far end whose certificate names who we want to reach, as
    // our own authorities say; a trunk with others of its own gets its own connection.
    if (peer?.files !== undefined || peer?.scheme !== undefined) return undefined;
    return this.#pool.findAlias(remote, peer?.name.toLowerCase());
  }

  #open(remote: SocketAddress, peer: TlsPeer | undefined, key: string): Flow | undefined {
    const { transport, logger, maxConnections = DEFAULT_MAX_CONNECTIONS } = this.#options;
    if (this.#state !== "open") return undefined;
    if (this.#flows.size >= maxConnections) {
      logger.warn("a connection was not opened, there are too many", { transport });
      return undefined;
    }
    const listener = chooseListener(this.#listeners, remote.host);
    const socket = this.#connect(remote, peer, listener?.local.host);
    const from = listener?.local ?? this.#options.substitute(remote.host) ?? remote;
    const flow = new StreamFlow(
      socket,
      {
        transport,
        remote,
        local: listener?.local ?? { host: from.host, port: 0 },
        sentBy: sentByOf(from, remote, listener?.advertise),
        origin: "ours",
        offersAlias: listener !== undefined,
        peerNames: undefined,
        scheme: peer?.scheme,
      },
      this.#owner,
    );
    socket.once(transport === "TLS" ? "secureConnect" : "connect", () => {
      const names =
        socket instanceof TLSSocket && socket.authorized
          ? certificateNames(socket.getPeerCertificate())
          : undefined;
      flow.established(localOf(socket), names);
    });
    this.#track(socket);
    this.#flows.add(flow);
    this.#pool.add(flow, remote, key, peer);
    return flow;
  }

  #connect(
    remote: SocketAddress,
    peer: TlsPeer | undefined,
    localHost: string | undefined,
  ): Socket {
    const options = {
      host: remote.host,
      port: remote.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      // Peers know us by the address that we listen on.
      ...(localHost === undefined ||
      isWildcard(localHost) ||
      isLoopback(localHost) !== isLoopback(remote.host)
        ? {}
        : { localAddress: localHost }),
    };
    if (peer === undefined) return connectTcp(options);
    const servername = serverNameOf(peer.name);
    const secureContext = this.#options.contexts?.contextFor(peer);
    return connectTls({
      ...options,
      rejectUnauthorized: peer.verify,
      checkServerIdentity: (_host, certificate) => certificateFault(peer.name, certificate),
      ...(servername === undefined ? {} : { servername }),
      ...(secureContext === undefined ? {} : { secureContext }),
    });
  }

  /** RFC 3261 §18.2.2: the response to a request whose connection has gone. */
  #toward(flow: StreamFlow, remote: SocketAddress): Flow {
    // Over TLS nothing says which name to ask for there.
    if (flow.isOpen || this.#options.transport === "TLS") return flow;
    return this.flowTo(remote) ?? flow;
  }

  #reopen(flow: StreamFlow): Flow | undefined {
    const { peer } = this.#pool.originOf(flow) ?? {};
    return this.#state === "open" ? this.flowTo(flow.remote, peer) : undefined;
  }

  #createServer(): Server {
    const { transport, contexts, maxConnections = DEFAULT_MAX_CONNECTIONS } = this.#options;
    const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const server =
      transport === "TCP"
        ? createTcpServer(tcp, (socket) => {
            this.#onAccepted(socket, undefined);
          })
        : createTlsServer({
            ...tcp,
            ...contexts?.serverMaterial,
            handshakeTimeout: HANDSHAKE_MS,
            requestCert: this.#clientCertificates !== "none",
            // Judged in `#onSecure`, which can say why.
            rejectUnauthorized: false,
          });
    server.maxConnections = maxConnections;
    if (isTlsServer(server)) {
      server.on("connection", (socket: Socket) => {
        this.#admit(socket);
      });
      server.on("secureConnection", (socket) => {
        this.#onSecure(socket);
      });
      server.on("tlsClientError", (cause, socket) => {
        this.#options.logger.debug("a TLS handshake failed", { cause });
        socket.destroy();
      });
    }
    return server;
  }

  get #clientCertificates(): ClientCertificates {
    const { clientCertificates, contexts } = this.#options;
    return clientCertificates ?? (contexts?.hasAuthorities === true ? "optional" : "none");
  }

  #onSecure(socket: TLSSocket): void {
    if (this.#clientCertificates === "none") {
      this.#onAccepted(socket, undefined);
      return;
    }
    const certificate = socket.getPeerCertificate();
    const hasOne = Object.keys(certificate).length > 0;
    if (socket.authorized && hasOne) {
      this.#onAccepted(socket, certificateNames(certificate));
    } else if (!hasOne && this.#clientCertificates === "optional") {
      this.#onAccepted(socket, undefined);
    } else {
      this.#options.logger.warn("refused a TLS connection", {
        remote: socket.remoteAddress,
        reason: hasOne ? String(socket.authorizationError) : "no certificate",
      });
      socket.destroy();
    }
  }

  /** Counts a socket by its address; one too many is closed. */
  #admit(socket: Socket): boolean {
    const host = socket.remoteAddress === undefined ? undefined : plainHost(socket.remoteAddress);
    const mayEnter =
      this.#state === "open" && host !== undefined && this.#options.admits?.(host) !== false;
    const leave = mayEnter ? this.#count.tryEnter(host) : undefined;
    if (leave === undefined) {
      socket.destroy();
      return false;
    }
    this.#track(socket);
    socket.once("close", leave);
    return true;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
    });
  }

  #onAccepted(socket: Socket, peerNames: readonly string[] | undefined): void {
    const { transport } = this.#options;
    if (transport === "TCP" && !this.#admit(socket)) return;
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    const remote = { host: plainHost(remoteAddress), port: remotePort };
    const local = localOf(socket);
    const listener =
      this.#listeners.find((own) => own.local.port === local.port) ?? this.#listeners[0];
    const flow = new StreamFlow(
      socket,
      {
        transport,
        remote,
        local,
        sentBy: sentByOf(local, remote, listener?.advertise),
        origin: "accepted",
        offersAlias: false,
        peerNames,
      },
      this.#owner,
    );
    this.#flows.add(flow);
    this.#onOpen(flow);
  }

  /** RFC 5923 §8: a caller that says `alias` takes our requests on its own connection. */
  #learnAlias(message: SipMessage, flow: Flow): void {
    if (message.kind !== "request" || !(flow instanceof StreamFlow) || flow.isOurs) return;
    const via = message.topmostVia;
    if (!via.params.has("alias")) return;
    const isTls = this.#options.transport === "TLS";
    const port = via.port ?? (isTls ? 5061 : 5060);
    const remote = { host: flow.remote.host, port };
    if (isTls) {
      for (const name of flow.peerNames ?? []) this.#pool.addAlias(flow, remote, name);
    } else if (via.host === flow.remote.host || via.host === `[${flow.remote.host}]`) {
      // Only for the address that it speaks from: nobody takes over another one's requests.
      this.#pool.addAlias(flow, remote, undefined);
    }
  }

  #onOpen(flow: StreamFlow): void {
    flowFacts.publish({ kind: "open", flow });
    this.#guard(() => {
      this.#options.handler.onFlowOpen(flow);
    });
  }

  #onClosed(flow: StreamFlow, reason: string): void {
    this.#flows.delete(flow);
    this.#pool.remove(flow);
    if (flow.hasConnected) {
      flowFacts.publish({ kind: "closed", flow, reason });
    } else {
      this.#failures.note(flow.remote, reason);
      this.#options.logger.warn("a connection could not be opened", {
        transport: flow.transport,
        remote: formatSocketAddress(flow.remote),
        reason,
      });
    }
    this.#guard(() => {
      this.#options.handler.onFlowClosed(flow, reason);
    });
  }

  /** EMFILE and the like: the connection is lost, the listener is not. */
  #onAcceptError(cause: Error): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + ACCEPT_WARNING_MS;
    this.#options.logger.warn("a connection could not be accepted", { cause });
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.#options.logger.error("a flow's handler failed", { cause });
    }
  }
}

function isTlsServer(server: Server): server is TlsServer {
  return "setSecureContext" in server;
}

function localOf({ localAddress = "0.0.0.0", localPort = 0 }: Socket): SocketAddress {
  return { host: plainHost(localAddress), port: localPort };
}

function bind(
  server: Server,
  { host, port }: SocketAddress,
  transport: string,
): Promise<SocketAddress> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      reject(
        new TransportError(
          "ERR_OFFHOOK_TRANSPORT_BIND",
          `${transport} ${formatSocketAddress({ host, port })} cannot be bound (${cause.message}): ` +
            "another program may hold the port, or the address is not one of this machine.",
          cause,
        ),
      );
    };
    server.once("error", onError);
    server.listen({ host, port, ipv6Only: host.includes(":") }, () => {
      server.off("error", onError);
      const bound = server.address();
      resolve(
        typeof bound === "object" && bound !== null
          ? { host: bound.address, port: bound.port }
          : { host, port },
      );
    });
  });
}
