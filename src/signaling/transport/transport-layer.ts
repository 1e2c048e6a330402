import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Flow, FlowTransport, TransportHandler } from "./flow.ts";
import { isLoopback, isWildcard } from "./local-host.ts";
import { UdpTransport } from "./udp.ts";
import type { UdpTransportOptions } from "./udp.ts";
import { WebSocketTransport } from "./websocket.ts";
import type { WebSocketTransportOptions } from "./websocket.ts";

/** What the transport layer is built with. */
export interface TransportLayerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly handler: TransportHandler;
  readonly udp?: readonly Omit<UdpTransportOptions, "handler" | "logger">[];
  readonly webSocket?: Omit<WebSocketTransportOptions, "handler" | "logger" | "clock">;
}

/** All transports of one SIP stack (RFC 3261 §18): opens and closes them, and finds flows. */
export class TransportLayer {
  readonly #udp: readonly UdpTransport[];
  readonly #webSocket: WebSocketTransport | undefined;

  constructor(options: TransportLayerOptions) {
    const { clock, logger, handler } = options;
    this.#udp = (options.udp ?? []).map((own) => new UdpTransport({ ...own, handler, logger }));
    this.#webSocket =
      options.webSocket === undefined
        ? undefined
        : new WebSocketTransport({ ...options.webSocket, handler, logger, clock });
  }

  /** The addresses that are listened on, as bound. */
  get listeners(): readonly { readonly transport: FlowTransport; readonly local: SocketAddress }[] {
    return this.#udp.map(({ local }) => ({ transport: "UDP", local }));
  }

  /** Open connections; UDP has none. */
  get connectionCount(): number {
    return this.#webSocket?.flowCount ?? 0;
  }

  /**
   * Opens all listeners, or none.
   *
   * @throws TransportError ERR_OFFHOOK_TRANSPORT_BIND when an address cannot be bound
   */
  async start(): Promise<void> {
    try {
      for (const transport of this.#udp) await transport.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Closes connections and listeners. */
  async stop(): Promise<void> {
    await this.#webSocket?.stop();
    await Promise.all(this.#udp.map((transport) => transport.stop()));
  }

  /**
   * The flow for a request of ours toward a literal address.
   *
   * @returns undefined when no listener of ours can reach it: WebSocket clients connect to us, so
   * their flows come from `onFlowOpen` alone
   */
  flowTo(transport: FlowTransport, remote: SocketAddress): Flow | undefined {
    return transport === "UDP" ? this.#udpListenerFor(remote.host)?.flowTo(remote) : undefined;
  }

  /** Takes a WebSocket upgrade from the HTTP server; see `WebSocketTransport.handleUpgrade`. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#webSocket === undefined) socket.destroy();
    else this.#webSocket.handleUpgrade(request, socket, head);
  }

  /** A listener of the right family; loopback talks to loopback when there is a choice. */
  #udpListenerFor(host: string): UdpTransport | undefined {
    const family = this.#udp.filter(({ local }) => isIPv6(local.host) === isIPv6(host));
    const fitting = family.find(
      ({ local }) => isWildcard(local.host) || isLoopback(local.host) === isLoopback(host),
    );
    return fitting ?? family[0];
  }
}
