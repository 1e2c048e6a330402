import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { formatSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { dropFacts } from "./channels.ts";
import { TransportError } from "./errors.ts";
import type { ParserLimits } from "../message/limits.ts";
import type { Flow, TransportHandler } from "./flow.ts";
import { sentByOf } from "./local-host.ts";
import { MessageReceiver } from "./message-receiver.ts";
import { StunLimit, isStun, stunAnswer } from "./stun.ts";

/** What a UDP listener is built with. */
export interface UdpTransportOptions {
  /** Where to bind; port 0 takes a free one. `0.0.0.0` and `::` take all addresses. */
  readonly listen: SocketAddress;
  /** `host` or `host:port` for our Via and Contact; default: the address that faces the peer. */
  readonly advertise?: string | undefined;
  readonly handler: TransportHandler;
  readonly logger: Logger;
  /** Bounds of a message; default those of the parser. */
  readonly parser?: ParserLimits | undefined;
  /** Largest datagram that is worked on, in octets. Default 16 384. */
  readonly maxDatagramOctets?: number | undefined;
  /** Whether what comes from this address is looked at at all. Default: all is. */
  admits?(host: string): boolean;
  /** Flows that are remembered. Default 2000: trunks are few, and strangers need none. */
  readonly maxFlows?: number;
  /** For the rate of STUN answers; without it there are none. */
  readonly clock?: Clock;
}

const DEFAULT_MAX_OCTETS = 16_384;
const DEFAULT_MAX_FLOWS = 2000;
/** Room for a burst; the kernel caps it without an error. */
const RECEIVE_BUFFER_OCTETS = 2 * 1024 * 1024;

/** One UDP socket (RFC 3261 §18). Parses, stamps and hands up; keeps no state about requests. */
export class UdpTransport {
  readonly #options: UdpTransportOptions;
  readonly #receiver: MessageReceiver;
  readonly #socket: Socket;
  readonly #stunLimit: StunLimit | undefined;
  /** By `host port`, oldest first. */
  readonly #flows = new Map<string, UdpFlow>();
  /** The one that was found last: a trunk's datagrams come one after the other. */
  #latest: UdpFlow | undefined;
  #local: SocketAddress;
  #state: "idle" | "open" | "closed" = "idle";

  constructor(options: UdpTransportOptions) {
    this.#options = options;
    this.#local = options.listen;
    this.#receiver = new MessageReceiver({
      handler: options.handler,
      logger: options.logger,
      maxOctets: options.maxDatagramOctets ?? DEFAULT_MAX_OCTETS,
      parser: options.parser,
    });
    this.#stunLimit = options.clock === undefined ? undefined : new StunLimit(options.clock);
    const type = isIPv6(options.listen.host) ? "udp6" : "udp4";
    this.#socket = createSocket({
      type,
      ipv6Only: type === "udp6",
      recvBufferSize: RECEIVE_BUFFER_OCTETS,
      // Only literal addresses come here: no name is ever looked up per datagram.
      lookup: (host, _options, callback) => {
        callback(null, host, type === "udp6" ? 6 : 4);
      },
    });
  }

  /** The bound address, once started. */
  get local(): SocketAddress {
    return this.#local;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Flows that are remembered; it never exceeds `maxFlows`. */
  get flowCount(): number {
    return this.#flows.size;
  }

  /** @throws TransportError ERR_OFFHOOK_TRANSPORT_BIND when the address cannot be bound */
  start(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void => {
        reject(
          new TransportError(
            "ERR_OFFHOOK_TRANSPORT_BIND",
            `UDP ${formatSocketAddress({ host, port })} cannot be bound (${cause.message}): ` +
              "another program may hold the port, or the address is not one of this machine.",
            cause,
          ),
        );
      };
      this.#socket.once("error", onError);
      this.#socket.bind({ address: host, port }, () => {
        this.#socket.off("error", onError);
        this.#socket.on("error", (cause) => {
          this.#options.logger.warn("UDP socket reported an error", { cause });
        });
        this.#socket.on("message", (octets, { address, port: remotePort }) => {
          // A source port of 0 cannot be answered, and is never sent by an honest peer.
          if (remotePort === 0) return;
          if (this.#options.admits?.(address) === false) return;
          const flow = this.flowTo({ host: address, port: remotePort });
          if (isStun(octets)) this.#answerStun(octets, flow);
          else this.#receiver.receive(octets, flow);
        });
        this.#local = { host: this.#socket.address().address, port: this.#socket.address().port };
        this.#state = "open";
        resolve();
      });
    });
  }

  /** Closes the socket and all its flows. */
  stop(): Promise<void> {
    if (this.#state === "closed") return Promise.resolve();
    this.#state = "closed";
    this.#flows.clear();
    this.#latest = undefined;
    return new Promise((resolve) => {
      this.#socket.close(() => {
        resolve();
      });
    });
  }

  /**
   * The flow toward a literal address; the same object as before while it is remembered.
   *
   * @param forLarge see `Flow.forLarge`; flows with and without it are different ones
   */
  flowTo(remote: SocketAddress, forLarge?: () => Flow | undefined): Flow {
    const latest = forLarge === undefined ? this.#latest : undefined;
    if (latest?.remote.host === remote.host && latest.remote.port === remote.port) return latest;
    const key = `${remote.host} ${remote.port}${forLarge === undefined ? "" : " large"}`;
    const known = this.#flows.get(key);
    if (known !== undefined) {
      if (forLarge === undefined) this.#latest = known;
      return known;
    }
    const flow = new UdpFlow(this, remote, this.#options.advertise, forLarge);
    const [oldest] = this.#flows.keys();
    if (oldest !== undefined && this.#flows.size >= (this.#options.maxFlows ?? DEFAULT_MAX_FLOWS)) {
      this.#flows.delete(oldest);
      this.#latest = undefined;
    }
    this.#flows.set(key, flow);
    return flow;
  }

  #answerStun(octets: Buffer, flow: Flow): void {
    if (dropFacts.hasSubscribers)
      dropFacts.publish({ reason: "stun", flow, octets: octets.length });
    const { remote } = flow;
    if (this.#stunLimit?.tryTake(remote.host) !== true) return;
    const answer = stunAnswer(octets, remote);
    if (answer !== undefined) this.sendTo(answer, remote);
  }

  /** Sends one datagram; `onError` is called later when the kernel refused it. */
  sendTo(octets: Buffer, remote: SocketAddress, onError?: (error: TransportError) => void): void {
    if (this.#state !== "open") {
      queueMicrotask(() => {
        this.#fail(octets, remote, onError, undefined);
      });
      return;
    }
    try {
      this.#socket.send(octets, remote.port, remote.host, (cause) => {
        if (cause !== null) this.#fail(octets, remote, onError, cause);
      });
    } catch (cause) {
      queueMicrotask(() => {
        this.#fail(octets, remote, onError, cause);
      });
    }
  }

  #fail(
    octets: Buffer,
    remote: SocketAddress,
    onError: ((error: TransportError) => void) | undefined,
    cause: unknown,
  ): void {
    onError?.(
      new TransportError(
        this.#state === "open" ? "ERR_OFFHOOK_TRANSPORT_SEND" : "ERR_OFFHOOK_TRANSPORT_CLOSED",
        `${octets.length} octets could not be sent to udp:${formatSocketAddress(remote)}.`,
        cause,
      ),
    );
  }
}

class UdpFlow implements Flow {
  readonly transport = "UDP";
  readonly isReliable = false;
  readonly id: string;
  readonly remote: SocketAddress;
  readonly #transport: UdpTransport;
  readonly #advertise: string | undefined;
  readonly forLarge: (() => Flow | undefined) | undefined;
  #sentBy: string | undefined;

  constructor(
    transport: UdpTransport,
    remote: SocketAddress,
    advertise: string | undefined,
    forLarge: (() => Flow | undefined) | undefined,
  ) {
    this.forLarge = forLarge;
    this.#transport = transport;
    this.#advertise = advertise;
    this.remote = remote;
    this.id = `udp:${formatSocketAddress(transport.local)}>${formatSocketAddress(remote)}`;
  }

  get local(): SocketAddress {
    return this.#transport.local;
  }

  get isOpen(): boolean {
    return this.#transport.isOpen;
  }

  get sentBy(): string {
    // Found when it is first asked for: most flows that strangers cause never send a request.
    this.#sentBy ??= sentByOf(this.local, this.remote, this.#advertise);
    return this.#sentBy;
  }

  send(octets: Buffer, onError?: (error: TransportError) => void): void {
    this.#transport.sendTo(octets, this.remote, onError);
  }

  toward(remote: SocketAddress): Flow {
    return this.#transport.flowTo(remote);
  }

  close(): void {
    // There is no connection to close.
  }
}
