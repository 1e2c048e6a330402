import { once } from "node:events";
import { connect as connectTcp, createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { TLSSocket, connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { ConnectionOptions, TlsOptions } from "node:tls";

import type { SocketAddress } from "../../src/core/address.ts";
import { formatSocketAddress } from "../../src/core/address.ts";
import { StreamFramer } from "../../src/signaling/message/stream-framer.ts";

import { SipPeer } from "./sip-peer.ts";
import { Inbox } from "./signaling-engine.ts";

/** A scripted peer on one connection, and the socket under it. */
export interface StreamPeer {
  readonly peer: SipPeer;
  readonly socket: Socket;
}

/** Puts a scripted peer on a connected socket. @param sentBy default: its own address */
export function peerOn(socket: Socket, sentBy?: string): StreamPeer {
  const { localAddress = "", localPort = 0 } = socket;
  const local = { host: localAddress, port: localPort };
  const framer = new StreamFramer();
  socket.on("error", () => {
    // The peer hears of it as a close.
  });
  const peer = SipPeer.over(
    {
      transport: socket instanceof TLSSocket ? "TLS" : "TCP",
      sentBy: sentBy ?? formatSocketAddress(local),
      local,
      send(octets) {
        socket.write(octets);
      },
      async close() {
        if (socket.closed) return;
        socket.destroy();
        await once(socket, "close");
      },
    },
    (receive, onClosed) => {
      socket.on("data", (chunk: Buffer) => {
        framer.push(chunk);
        for (let piece = framer.next(); piece !== undefined; piece = framer.next()) {
          if (piece.kind === "message") receive(piece.octets);
        }
      });
      socket.once("close", onClosed);
    },
  );
  return { peer, socket };
}

/** Connects over TCP, or over TLS when there are options for it. */
export async function connectPeer(
  to: SocketAddress,
  options: {
    readonly tls?: ConnectionOptions;
    readonly sentBy?: string;
    readonly localAddress?: string;
  } = {},
): Promise<StreamPeer> {
  const { tls, sentBy, localAddress } = options;
  const target = {
    host: to.host,
    port: to.port,
    ...(localAddress === undefined ? {} : { localAddress }),
  };
  const socket =
    tls === undefined
      ? connectTcp(target)
      : connectTls({ ...target, rejectUnauthorized: false, ...tls });
  await once(socket, tls === undefined ? "connect" : "secureConnect");
  return peerOn(socket, sentBy);
}

/** A listener of the far end: each connection is a scripted peer. */
export class StreamListener {
  readonly accepted = new Inbox<StreamPeer>();
  /** Server names that callers asked for (SNI), in order. */
  readonly serverNames: (string | false)[] = [];
  readonly address: SocketAddress;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {
        // Tests cut connections.
      });
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async open(
    options: { readonly host?: string; readonly port?: number; readonly tls?: TlsOptions } = {},
  ) {
    const { host = "127.0.0.1", port = 0, tls } = options;
    const server = tls === undefined ? createTcpServer() : createTlsServer(tls);
    server.listen(port, host);
    await once(server, "listening");
    const listener = new StreamListener(server);
    server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      if (socket instanceof TLSSocket) {
        // Undefined in Node's types only: it is the SNI of the client, or false.
        listener.serverNames.push(socket.servername ?? false);
      }
      listener.accepted.push(peerOn(socket, formatSocketAddress(listener.address)));
    });
    server.on("tlsClientError", () => {
      // Callers that refuse our certificate.
    });
    return listener;
  }

  /** Connections that are open. */
  get count(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}
