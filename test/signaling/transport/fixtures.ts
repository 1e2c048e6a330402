import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import type { SocketAddress } from "../../../src/core/address.ts";
import type { SipMessage } from "../../../src/signaling/message/message.ts";
import { parseMessage } from "../../../src/signaling/message/parser.ts";
import type { Flow, TransportHandler } from "../../../src/signaling/transport/flow.ts";

/** Keeps what a transport calls upward, and lets a test wait for it. */
export class RecordingHandler implements TransportHandler {
  readonly messages: { readonly message: SipMessage; readonly flow: Flow }[] = [];
  readonly opened: Flow[] = [];
  readonly closed: { readonly flow: Flow; readonly reason: string }[] = [];
  readonly #waiting: (() => void)[] = [];

  onMessage(message: SipMessage, flow: Flow): void {
    this.messages.push({ message, flow });
    this.#wake();
  }

  onFlowOpen(flow: Flow): void {
    this.opened.push(flow);
    this.#wake();
  }

  onFlowClosed(flow: Flow, reason: string): void {
    this.closed.push({ flow, reason });
    this.#wake();
  }

  /** Resolves with what `find` gives, as soon as it gives something. */
  async until<Found>(find: (handler: this) => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find(this);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A UDP peer of 127.0.0.1 that keeps what it receives. */
export class UdpPeer {
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (octets) => {
      this.received.push(octets);
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  static open(host = "127.0.0.1"): Promise<UdpPeer> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, host, () => {
        resolve(new UdpPeer(socket));
      });
    });
  }

  get address(): SocketAddress {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  send(data: string | Buffer, to: SocketAddress): void {
    this.#socket.send(data, to.port, to.host);
  }

  /** The next message that arrives. */
  async receive(): Promise<SipMessage> {
    return parseMessage(await this.receiveOctets());
  }

  /** The next datagram that arrives. */
  async receiveOctets(): Promise<Buffer> {
    for (;;) {
      const octets = this.received.shift();
      if (octets !== undefined) return octets;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.close(() => {
        resolve();
      });
    });
  }
}

/** A message as text; `via` is the value of its only Via. */
export function textOf(
  method: string,
  via: string,
  fields: readonly string[] = [],
  body = "",
): string {
  return [
    `${method} sip:bob@example.com SIP/2.0`,
    `Via: ${via}`,
    "Max-Forwards: 70",
    "From: <sip:ann@example.com>;tag=from1",
    "To: <sip:bob@example.com>",
    "Call-ID: call-1@example.com",
    `CSeq: 1 ${method}`,
    ...fields,
    "",
    body,
  ].join("\r\n");
}
