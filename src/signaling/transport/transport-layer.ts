import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Flow, FlowTransport, TransportHandler } from "./flow.ts";
import { chooseListener } from "./local-host.ts";
import { StreamTransport } from "./stream-transport.ts";
import type { ClientCertificates, StreamTransportOptions } from "./stream-transport.ts";
import { TransportError } from "./errors.ts";
import { TlsContexts } from "./tls-contexts.ts";
import type { TlsFiles, TlsPeer } from "./tls-contexts.ts";
import { UdpTransport } from "./udp.ts";
import type { UdpTransportOptions } from "./udp.ts";
import { WebSocketTransport } from "./websocket.ts";
import type { WebSocketTransportOptions } from "./websocket.ts";

/** What the transport layer is built with. */
export interface TransportLayerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly handler: TransportHandler;
  readonly udp?: readonly Omit<UdpTransportOptions, "handler" | "logger" | "clock">[];
  readonly tcp?: StreamListeners;
  readonly tls?: StreamListeners & {
    /** Of the listeners, and of connections of ours whose peer names none. */
    readonly files?: TlsFiles;
    /** The files that peers will name in `flowTo`. */
    readonly peerFiles?: readonly TlsFiles[];
    readonly clientCertificates?: ClientCertificates | undefined;
  };
  readonly webSocket?: Omit<WebSocketTransportOptions, "handler" | "logger" | "clock">;
}

/** The listeners of TCP or TLS, and what holds for all its connections. */
export type StreamListeners = Partial<
  Pick<
    StreamTransportOptions,
    | "listen"
    | "limits"
    | "maxConnections"
    | "maxConnectionsPerAddress"
    | "maxMessageOctets"
    | "exempt"
    | "parser"
    | "admits"
  >
>;

/** More about where a request of ours goes. */
export interface FlowOptions {
  /** Whom a TLS connection must reach; needed for TLS. */
  readonly tls?: TlsPeer | undefined;
  /** UDP: a request that is too large for it may go over TCP (RFC 3261 §18.1.1). */
  readonly mayUseTcp?: boolean;
}

/** All transports of one SIP stack (RFC 3261 §18): opens and closes them, and finds flows. */
export class TransportLayer {
  readonly #udp: readonly UdpTransport[];
  readonly #webSocket: WebSocketTransport | undefined;
  readonly #tcp: StreamTransport;
  readonly #tls: StreamTransport;
  readonly #contexts: TlsContexts;
  readonly #needsCertificate: boolean;

  constructor(options: TransportLayerOptions) {
    const { clock, logger, handler, tcp, tls } = options;
    const common = {
      clock,
      handler,
      logger,
      substitute: (host: string) => chooseListener(this.#udp, host)?.local,
    };
    this.#udp = (options.udp ?? []).map(
      (own) => new UdpTransport({ ...own, handler, logger, clock }),
    );
    this.#contexts = new TlsContexts(tls?.files ?? {}, tls?.peerFiles ?? []);
    this.#needsCertificate = (tls?.listen ?? []).length > 0;
    this.#tcp = new StreamTransport({ listen: [], ...tcp, ...common, transport: "TCP" });
    this.#tls = new StreamTransport({
      listen: [],
      ...tls,
      ...common,
      transport: "TLS",
      contexts: this.#contexts,
    });
    this.#webSocket =
      options.webSocket === undefined
        ? undefined
        : new WebSocketTransport({ ...options.webSocket, handler, logger, clock });
  }

  /** The addresses that are listened on, as bound. */
  get listeners(): readonly { readonly transport: FlowTransport; readonly local: SocketAddress }[] {
    return [
      ...this.#udp.map(({ local }) => ({ transport: "UDP" as const, local })),
      ...this.#tcp.locals.map((local) => ({ transport: "TCP" as const, local })),
      ...this.#tls.locals.map((local) => ({ transport: "TLS" as const, local })),
    ];
  }

  /** Open connections; UDP has none. */
  get connectionCount(): number {
    return (this.#webSocket?.flowCount ?? 0) + this.#tcp.flowCount + this.#tls.flowCount;
  }

  /** WebSocket upgrades that wait for their turn. */
  get waitingCount(): number {
    return this.#webSocket?.waitingCount ?? 0;
  }

  /**
   * Opens all listeners, or none.
   *
   * @throws TransportError ERR_OFFHOOK_TRANSPORT_BIND when an address cannot be bound,
   * ERR_OFFHOOK_TRANSPORT_TLS when a certificate cannot be used
   */
  async start(): Promise<void> {
    try {
      await this.#contexts.load();
      if (this.#needsCertificate && !this.#contexts.hasServerCertificate) {
        throw new TransportError(
          "ERR_OFFHOOK_TRANSPORT_TLS",
          "A tls: listener needs a certificate and a key: set both under sip.tls.",
        );
      }
      for (const transport of this.#udp) await transport.start();
      await this.#tcp.start();
      await this.#tls.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Closes connections and listeners. */
  async stop(): Promise<void> {
    await this.#webSocket?.stop();
    await Promise.all([
      this.#tcp.stop(),
      this.#tls.stop(),
      ...this.#udp.map((transport) => transport.stop()),
    ]);
  }

  /**
   * The flow for a request of ours toward a literal address. Over TCP and TLS it may still have to
   * come up: what is sent waits, and when it fails `onFlowClosed` follows.
   *
   * @returns undefined when nothing of ours can reach it: WebSocket clients connect to us, so
   * their flows come from `onFlowOpen` alone
   */
  flowTo(
    transport: FlowTransport,
    remote: SocketAddress,
    options: FlowOptions = {},
  ): Flow | undefined {
    switch (transport) {
      case "UDP": {
        const mayUseTcp = options.mayUseTcp === true && this.#tcp.canBeReachedBy(remote.host);
        const forLarge = mayUseTcp ? () => this.#tcpForLarge(remote) : undefined;
        return chooseListener(this.#udp, remote.host)?.flowTo(remote, forLarge);
      }
      case "TCP":
        return this.#tcp.flowTo(remote);
      case "TLS":
        return this.#tls.flowTo(remote, options.tls);
      case "WS":
      case "WSS":
        break;
    }
    return undefined;
  }

  /**
   * Reads the certificates again: new handshakes use them, connections that are up live on.
   *
   * @throws TransportError ERR_OFFHOOK_TRANSPORT_TLS; the old ones stay in use
   */
  async reloadCertificates(): Promise<void> {
    await this.#contexts.load();
    this.#tls.useCertificates();
  }

  /** RFC 3261 §18.1.1: who has refused TCP lately is not asked again for every call. */
  #tcpForLarge(remote: SocketAddress): Flow | undefined {
    return this.#tcp.hasFailed(remote) ? undefined : this.#tcp.flowTo(remote);
  }

  /** Takes a WebSocket upgrade from the HTTP server; see `WebSocketTransport.handleUpgrade`. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#webSocket === undefined) socket.destroy();
    else this.#webSocket.handleUpgrade(request, socket, head);
  }
}
