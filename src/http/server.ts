import { readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { AddressSet, formatSocketAddress, type SocketAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectionCount } from "../core/connection-count.ts";
import type { Logger } from "../core/logger.ts";
import { ClientAddress } from "./client-address.ts";
import { Dispatcher } from "./dispatcher.ts";
import { HttpServerError } from "./errors.ts";
import type { SipUpgrade } from "./ports.ts";
import type { HttpServices, HttpSettings } from "./route.ts";
import { StaticFiles } from "./static-files.ts";

/** Where SIP over WebSocket is opened. */
export const WEB_SOCKET_PATH = "/ws";

/** What holds when HttpLimits says nothing else. */
export const SERVER_DEFAULTS = {
  maxHeaderOctets: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  connectionsPerAddress: 200,
  connections: 10_000,
} as const;

/** A connection on which nothing moves; also one whose reader has stopped. */
const IDLE_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_MS = 2_000;
const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_REQUEST_HEADERS = 100;
const STOP_GRACE_MS = 2_000;

/** What the server holds back of a flood. */
export interface HttpLimits {
  /** Connections of one IPv4 address or one IPv6 /64, WebSockets included; default 200. */
  readonly connectionsPerAddress?: number;
  /** Addresses that the above does not count; default: the machine itself. */
  readonly exempt?: AddressSet;
  /** All connections; default 10,000. */
  readonly connections?: number;
  /** A client that sends its header octet by octet is cut off then (Slowloris); default 10 s. */
  readonly headersTimeoutMs?: number;
  /** The same for header and body together; default 30 s. */
  readonly requestTimeoutMs?: number;
}

export interface HttpServerOptions {
  /** Port 0 lets the system choose. */
  readonly listen: SocketAddress;
  /** PEM files; undefined: plain HTTP. */
  readonly tls?: { readonly certificatePath: string; readonly keyPath: string } | undefined;
  /** Directory of the built web phone. */
  readonly webRoot: string;
  readonly services: HttpServices;
  readonly settings: HttpSettings;
  /** Gets each upgrade of /ws. */
  readonly sip: SipUpgrade;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: HttpLimits;
  /** Default: the address of the connection. */
  readonly clientAddress?: ClientAddress;
}

/** Builds the gateway's HTTP server; it listens after `start`. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new HttpServer(options);
}

/**
 * The one HTTP server: web phone, REST, health, metrics and the WebSocket upgrade.
 *
 * It owns its sockets until an upgrade of /ws hands one over; it trusts X-Forwarded-For
 * and Forwarded of configured proxies only, no other field of that kind, and nothing is thrown out of its callbacks.
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  readonly #count: ConnectionCount;
  readonly #clientAddress: ClientAddress;
  readonly #sockets = new Set<Socket>();
  #server: http.Server | https.Server | undefined;
  #address: SocketAddress | undefined;
  #requests = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#count = new ConnectionCount({
      limit: options.limits?.connectionsPerAddress ?? SERVER_DEFAULTS.connectionsPerAddress,
      exempt: options.limits?.exempt ?? new AddressSet(["127.0.0.0/8", "::1"]),
    });
    this.#clientAddress = options.clientAddress ?? new ClientAddress();
    this.#dispatcher = new Dispatcher({
      clientAddress: this.#clientAddress,
      services: options.services,
      settings: options.settings,
      files: new StaticFiles({ root: options.webRoot, clock: options.clock }),
      logger: options.logger,
      clock: options.clock,
    });
  }

  /** Where it listens; undefined before `start` and after `stop`. */
  get address(): SocketAddress | undefined {
    return this.#address;
  }

  /**
   * Opens the listener.
   *
   * @returns the address, with the port that the system chose for port 0
   * @throws HttpServerError `ERR_OFFHOOK_HTTP_TLS` when a PEM file is unusable,
   *   `ERR_OFFHOOK_HTTP_LISTEN` when the address cannot be bound
   */
  async start(): Promise<SocketAddress> {
    const server = await this.#createServer();
    const { host, port } = this.#options.listen;
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: Error): void => {
        reject(
          new HttpServerError(
            "ERR_OFFHOOK_HTTP_LISTEN",
            `Cannot listen on ${formatSocketAddress(this.#options.listen)}: ${cause.message}. Free the address or choose another one under http.listen.`,
            cause,
          ),
        );
      };
      server.once("error", onError);
      server.listen({ host, port }, () => {
        server.off("error", onError);
        resolve();
      });
    });
    server.on("error", (error) => {
      this.#logger.error("http server", { err: error });
    });
    const bound = server.address();
    const address = {
      host,
      port: typeof bound === "object" && bound !== null ? bound.port : port,
    };
    this.#server = server;
    this.#address = address;
    return address;
  }

  /** New settings for the requests that come from now on. */
  configure(settings: HttpSettings): void {
    this.#dispatcher.configure(settings);
  }

  /**
   * Reads the certificate and key again, for new connections; does nothing on plain HTTP.
   *
   * @throws HttpServerError `ERR_OFFHOOK_HTTP_TLS`; the old ones stay in use
   */
  async reloadCertificate(): Promise<void> {
    if (this.#options.tls === undefined || !(this.#server instanceof https.Server)) return;
    const pem = await readPem(this.#options.tls);
    try {
      this.#server.setSecureContext(pem);
    } catch (cause) {
      throw unusablePem(this.#options.tls, cause);
    }
  }

  /**
   * Closes the listener, lets requests in progress end for up to 2 s, then closes every socket that
   * is left, upgraded ones included.
   */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#address = undefined;
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    server.closeIdleConnections();
    await this.#untilIdle();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #untilIdle(): Promise<void> {
    if (this.#requests === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(STOP_GRACE_MS, resolve);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async #createServer(): Promise<http.Server | https.Server> {
    const headersTimeoutMs =
      this.#options.limits?.headersTimeoutMs ?? SERVER_DEFAULTS.headersTimeoutMs;
    const httpOptions: http.ServerOptions = {
      maxHeaderSize: SERVER_DEFAULTS.maxHeaderOctets,
      headersTimeout: headersTimeoutMs,
      requestTimeout: this.#options.limits?.requestTimeoutMs ?? SERVER_DEFAULTS.requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersTimeoutMs / 2),
      insecureHTTPParser: false,
      requireHostHeader: true,
      // RFC 9110 §7.8: an Upgrade that we do not take is a plain request. curl offers h2c, say.
      shouldUpgradeCallback: (request) => pathOf(request) === WEB_SOCKET_PATH,
    };
    const { tls } = this.#options;
    const server =
      tls === undefined ? http.createServer(httpOptions) : await createTlsServer(tls, httpOptions);
    server.maxHeadersCount = MAX_REQUEST_HEADERS;
    server.maxConnections = this.#options.limits?.connections ?? SERVER_DEFAULTS.connections;
    server.timeout = IDLE_TIMEOUT_MS;
    server.on("connection", (socket: Socket) => {
      this.#onConnection(socket);
    });
    server.on("request", (request, response) => {
      this.#onRequest(request, response);
    });
    server.on("upgrade", (request, socket, head) => {
      this.#onUpgrade(request, socket, head);
    });
    server.on("clientError", onClientError);
    return server;
  }

  #onConnection(socket: Socket): void {
    // A proxy's connections are those of all its clients; their WebSockets are counted one by one.
    const isProxy = this.#clientAddress.isProxy(socket.remoteAddress);
    const leave = isProxy ? () => {} : this.#count.tryEnter(socket.remoteAddress ?? "");
    if (leave === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      leave();
    });
  }

  #onRequest(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.#requests += 1;
    response.once("close", () => {
      this.#requests -= 1;
      if (this.#requests === 0) this.#onIdle?.();
    });
    if (this.#server === undefined) response.setHeader("Connection", "close");
    void this.#dispatcher.handle(request, response);
  }

  #onUpgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {
      socket.destroy();
    });
    if (pathOf(request) !== WEB_SOCKET_PATH) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    // From here on the WebSocket's own liveness rules hold, not the idle time of HTTP.
    request.socket.setTimeout(0);
    try {
      this.#options.sip.handleUpgrade(request, socket, head);
    } catch (error) {
      this.#logger.error("websocket upgrade failed", { err: error });
      socket.destroy();
    }
  }
}

function pathOf(request: http.IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

async function createTlsServer(
  tls: NonNullable<HttpServerOptions["tls"]>,
  httpOptions: http.ServerOptions,
): Promise<https.Server> {
  const pem = await readPem(tls);
  try {
    return https.createServer({
      ...httpOptions,
      ...pem,
      minVersion: "TLSv1.2",
      handshakeTimeout: TLS_HANDSHAKE_TIMEOUT_MS,
    });
  } catch (cause) {
    throw unusablePem(tls, cause);
  }
}

async function readPem(
  tls: NonNullable<HttpServerOptions["tls"]>,
): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  try {
    const [cert, key] = await Promise.all([readFile(tls.certificatePath), readFile(tls.keyPath)]);
    return { cert, key };
  } catch (cause) {
    throw unusablePem(tls, cause);
  }
}

function unusablePem(tls: NonNullable<HttpServerOptions["tls"]>, cause: unknown): HttpServerError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new HttpServerError(
    "ERR_OFFHOOK_HTTP_TLS",
    `Cannot use the certificate ${tls.certificatePath} with the key ${tls.keyPath}: ${detail}. Both are PEM files under http.tls.`,
    cause,
  );
}

/** What Node's parser refuses: broken or ambiguous framing, too large a header, too slow a client. */
function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => {
    socket.destroy();
  });
}
