import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { plainHost } from "../../core/address.ts";
import type { AddressSet, SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { ConnectionCount } from "../../core/connection-count.ts";
import type { Logger } from "../../core/logger.ts";
import { flowFacts, refusalFacts } from "./channels.ts";
import type { ParserLimits } from "../message/limits.ts";
import type { TransportHandler } from "./flow.ts";
import { MessageReceiver } from "./message-receiver.ts";
import { PacedQueue } from "./paced-queue.ts";
import { WebSocketFlow } from "./websocket-flow.ts";
import type { WebSocketFlowOwner, WebSocketLimits } from "./websocket-flow.ts";

/** What the WebSocket transport is built with. */
export interface WebSocketTransportOptions {
  readonly clock: Clock;
  readonly handler: TransportHandler;
  readonly logger: Logger;
  /** `host:port` for the Via and Contact of our requests toward browsers. */
  readonly sentBy: string;
  /**
   * Whether a page of this origin may connect; false is answered with 403. `origin` is undefined
   * for a client that is no browser.
   */
  isOriginAllowed(origin: string | undefined, request: IncomingMessage): boolean;
  /**
   * The address of the client; behind a reverse proxy it stands in a header. Default: that of the
   * TCP connection.
   */
  clientAddress?(request: IncomingMessage): SocketAddress | undefined;
  /** Whether the client came over TLS. Default: whether this connection is one. */
  isSecure?(request: IncomingMessage): boolean;
  readonly limits?: Partial<WebSocketLimits>;
  /** Bounds of a message; default those of the parser. */
  readonly parser?: ParserLimits | undefined;
  /** Largest message in octets; a larger one closes the connection with 1009. Default 65 536. */
  readonly maxMessageOctets?: number | undefined;
  /** Connections of one IPv4 address or one IPv6 /64; one more gets 503. Default 100. */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** Addresses that the above does not count, such as a reverse proxy's. */
  readonly exempt?: AddressSet | undefined;
  /** All connections; one more gets 503. Default 10 000. */
  readonly maxConnections?: number | undefined;
  /** Upgrades that are completed in a second; more wait for up to 4 s. Default: no limit. */
  readonly upgradesPerSecond?: number | undefined;
  /** Whether this address may connect; false is answered with 429. Default: all may. */
  admits?(host: string): boolean;
  /** 0 ≤ x < 1; default `Math.random`: nothing secret depends on it. */
  readonly random?: (() => number) | undefined;
}

/** An upgrade that has been let in. */
interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly remote: SocketAddress;
}

const DEFAULT_LIMITS: WebSocketLimits = {
  // A dead client is found within 30 s: two pings without an answer, and the third's turn.
  pingIntervalMs: 7_400,
  maxMissedPings: 2,
  firstMessageMs: 10_000,
  maxBufferedOctets: 1024 * 1024,
  closeMs: 1000,
};
/** How long an upgrade may wait: phones give a connection up after five seconds (SIP.js). */
const LONGEST_WAIT_MS = 4000;
const MIN_RETRY_SECONDS = 2;
const RETRY_SPREAD_SECONDS = 20;
const DEFAULT_MAX_OCTETS = 65_536;
const DEFAULT_MAX_PER_ADDRESS = 100;
const DEFAULT_MAX_CONNECTIONS = 10_000;
/** A SIP message has no reason to come in more pieces than this. */
const MAX_FRAGMENTS = 1024;
/** RFC 7118 §4.1. */
const SUBPROTOCOL = "sip";
const CLOSE_GOING_AWAY = 1001;

/**
 * SIP over WebSocket (RFC 7118). Takes upgrades from an HTTP server that it knows nothing of, and
 * turns each accepted one into a Flow.
 */
export class WebSocketTransport {
  readonly #options: WebSocketTransportOptions;
  readonly #receiver: MessageReceiver;
  readonly #server: WebSocketServer;
  readonly #owner: WebSocketFlowOwner;
  readonly #flows = new Set<WebSocketFlow>();
  /** TCP connections by where they come from: one that is being closed still counts. */
  readonly #count: ConnectionCount;
  /** Upgrades that wait for their turn. */
  readonly #waiting: PacedQueue<Upgrade> | undefined;
  /** TCP connections that have been let in, those that wait and those that close included. */
  #connections = 0;
  #isStopping = false;
  #onDrained: (() => void) | undefined;

  constructor(options: WebSocketTransportOptions) {
    this.#options = options;
    const { maxConnectionsPerAddress: limit = DEFAULT_MAX_PER_ADDRESS, exempt } = options;
    this.#count = new ConnectionCount({ limit, exempt });
    const { upgradesPerSecond: perSecond } = options;
    this.#waiting =
      perSecond === undefined
        ? undefined
        : new PacedQueue({
            clock: options.clock,
            perSecond,
            capacity: Math.ceil((perSecond * LONGEST_WAIT_MS) / 1000),
            take: (upgrade) => this.#upgrade(upgrade),
          });
    const maxPayload = options.maxMessageOctets ?? DEFAULT_MAX_OCTETS;
    this.#receiver = new MessageReceiver({
      handler: options.handler,
      logger: options.logger,
      maxOctets: maxPayload,
      parser: options.parser,
    });
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload,
      maxFragments: MAX_FRAGMENTS,
      perMessageDeflate: false,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#owner = {
      clock: options.clock,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      onFrame: (octets, flow) => {
        this.#receiver.receive(octets, flow);
      },
      onClosed: (flow, reason) => {
        this.#onClosed(flow, reason);
      },
    };
  }

  /** Open connections. */
  get flowCount(): number {
    return this.#flows.size;
  }

  /**
   * Takes an HTTP upgrade over: completes it, or answers with an HTTP error and closes the socket.
   * Never throws.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const remote = this.#clientAddress(request);
    const status = this.#judge(request, remote);
    if (status !== undefined || remote === undefined) {
      this.#refuse(request, socket, status ?? 400, remote);
      return;
    }
    const leave = this.#count.tryEnter(remote.host);
    if (leave === undefined) {
      this.#refuse(request, socket, 503, remote);
      return;
    }
    const upgrade = { request, socket, head, remote };
    if (this.#waiting !== undefined && !this.#waiting.offer(upgrade)) {
      leave();
      this.#refuse(request, socket, 503, remote);
      return;
    }
    this.#connections += 1;
    socket.once("close", () => {
      leave();
      this.#connections -= 1;
      if (this.#connections === 0) this.#onDrained?.();
    });
    if (this.#waiting === undefined) this.#upgrade(upgrade);
  }

  /** Upgrades that wait for their turn. */
  get waitingCount(): number {
    return this.#waiting?.size ?? 0;
  }

  /** @returns false when the client has gone meanwhile */
  #upgrade({ request, socket, head, remote }: Upgrade): boolean {
    if (socket.destroyed) return false;
    try {
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        this.#open(webSocket, request, remote);
      });
    } catch (cause) {
      this.#options.logger.error("a WebSocket upgrade failed", { cause });
      socket.destroy();
    }
    return true;
  }

  /** Closes all connections with 1001 and refuses new ones; resolves when the last is gone. */
  stop(): Promise<void> {
    this.#isStopping = true;
    for (const { socket } of this.#waiting?.close() ?? []) socket.destroy();
    if (this.#connections === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      for (const flow of this.#flows) flow.close("the gateway goes down", CLOSE_GOING_AWAY);
    });
  }

  /** @returns the HTTP status to refuse with, undefined to accept */
  #judge(request: IncomingMessage, remote: SocketAddress | undefined): number | undefined {
    const { maxConnections } = this.#options;
    // RFC 6455 §10.2: the one thing that a foreign page in the user's browser cannot forge.
    if (!this.#options.isOriginAllowed(request.headers.origin, request)) return 403;
    // RFC 7118 §4.1: a server that finds no "sip" here must not speak SIP.
    if (!offersSip(request.headers["sec-websocket-protocol"])) return 400;
    if (remote === undefined) return 400;
    if (this.#isStopping) return 503;
    if (this.#options.admits?.(remote.host) === false) return 429;
    return this.#connections >= (maxConnections ?? DEFAULT_MAX_CONNECTIONS) ? 503 : undefined;
  }

  #refuse(
    request: IncomingMessage,
    socket: Duplex,
    status: number,
    remote: SocketAddress | undefined,
  ): void {
    const { origin } = request.headers;
    const remoteHost = remote?.host ?? "";
    this.#options.logger.debug("a WebSocket upgrade was refused", { status, remoteHost, origin });
    refusalFacts.publish({ status, remoteHost, origin });
    socket.on("error", () => {
      socket.destroy();
    });
    const body = `${REFUSALS.get(status) ?? "Refused"}\n`;
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_TEXTS.get(status) ?? "Refused"}\r\n` +
        "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\n" +
        (status === 503 ? `Retry-After: ${this.#retryAfterSeconds()}\r\n` : "") +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      () => {
        socket.destroy();
      },
    );
  }

  /** Spread out, so that those who come back do not come back together. */
  #retryAfterSeconds(): number {
    const waitSeconds = (this.#waiting?.waitMs ?? 0) / 1000;
    const random = (this.#options.random ?? Math.random)();
    return Math.ceil(MIN_RETRY_SECONDS + waitSeconds + random * RETRY_SPREAD_SECONDS);
  }

  #open(webSocket: WebSocket, request: IncomingMessage, remote: SocketAddress): void {
    const { localAddress = "127.0.0.1", localPort = 0 } = request.socket;
    const flow = new WebSocketFlow(
      webSocket,
      {
        isSecure: this.#options.isSecure?.(request) ?? request.socket instanceof TLSSocket,
        local: { host: plainHost(localAddress), port: localPort },
        remote,
        sentBy: this.#options.sentBy,
      },
      this.#owner,
    );
    this.#flows.add(flow);
    flowFacts.publish({ kind: "open", flow });
    this.#guard(() => {
      this.#options.handler.onFlowOpen(flow);
    });
  }

  #onClosed(flow: WebSocketFlow, reason: string): void {
    this.#flows.delete(flow);
    flowFacts.publish({ kind: "closed", flow, reason });
    this.#guard(() => {
      this.#options.handler.onFlowClosed(flow, reason);
    });
  }

  #clientAddress(request: IncomingMessage): SocketAddress | undefined {
    const given = this.#options.clientAddress?.(request);
    if (given !== undefined) return given;
    const { remoteAddress, remotePort } = request.socket;
    if (remoteAddress === undefined || remotePort === undefined) return undefined;
    return { host: plainHost(remoteAddress), port: remotePort };
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.#options.logger.error("a flow's handler failed", { cause });
    }
  }
}

const STATUS_TEXTS: ReadonlyMap<number, string> = new Map([
  [400, "Bad Request"],
  [403, "Forbidden"],
  [429, "Too Many Requests"],
  [503, "Service Unavailable"],
]);

const REFUSALS: ReadonlyMap<number, string> = new Map([
  [400, 'SIP over WebSocket needs the subprotocol "sip" (RFC 7118).'],
  [403, "Pages of this origin may not connect."],
  [429, "Too many requests came from this address. Wait a few minutes, then try again."],
  [503, "Too many connections, or the gateway goes down."],
]);

function offersSip(protocols: string | undefined): boolean {
  if (protocols === undefined) return false;
  return protocols.split(",").some((protocol) => protocol.trim() === SUBPROTOCOL);
}
