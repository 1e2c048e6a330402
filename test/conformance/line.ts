import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { WebSocket } from "ws";
import type { SocketAddress } from "../../src/core/address.ts";
import { Inbox } from "../harness/signaling-engine.ts";

/** What carries a message of the corpus. */
export type LineTransport = "UDP" | "TCP" | "WS";

/** A way to the gateway that carries octets as they are: nothing is parsed, mended or answered. */
export interface Line {
  readonly transport: LineTransport;
  readonly local: SocketAddress;
  /** What has come, in order: a datagram, a WebSocket message, or what one read of a stream gave. */
  readonly arrivals: Inbox<Buffer | "closed">;
  send(octets: Buffer): void;
  close(): Promise<void>;
}

/** A UDP socket at an address of ours: an answer without rport comes to the port that Via names. */
export async function udpLine(local: SocketAddress, toward: SocketAddress): Promise<Line> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const arrivals = new Inbox<Buffer | "closed">();
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(local.port, local.host, resolve);
  });
  socket.on("message", (octets) => arrivals.push(octets));
  const { address, port } = socket.address();
  return {
    transport: "UDP",
    local: { host: address, port },
    arrivals,
    send: (octets) => {
      socket.send(octets, toward.port, toward.host);
    },
    close: () =>
      new Promise((resolve) => {
        socket.close(() => resolve());
      }),
  };
}

/** A browser's connection; every message goes in one binary frame, so that no octet changes. */
export async function webSocketLine(url: string): Promise<Line> {
  const socket = new WebSocket(url, "sip");
  const arrivals = new Inbox<Buffer | "closed">();
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  socket.on("message", (data) => {
    arrivals.push(Buffer.isBuffer(data) ? data : Buffer.from(data as ArrayBuffer));
  });
  socket.on("close", () => arrivals.push("closed"));
  return {
    transport: "WS",
    local: { host: "127.0.0.1", port: 0 },
    arrivals,
    send: (octets) => {
      socket.send(octets, { binary: true });
    },
    close: () =>
      new Promise((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) {
          resolve();
          return;
        }
        socket.once("close", () => resolve());
        socket.terminate();
      }),
  };
}

/** A TCP connection from an address of ours. */
export async function tcpLine(localHost: string, toward: SocketAddress): Promise<Line> {
  const socket = connect({ host: toward.host, port: toward.port, localAddress: localHost });
  const arrivals = new Inbox<Buffer | "closed">();
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", reject);
  });
  socket.on("data", (octets) => arrivals.push(octets));
  socket.on("error", () => undefined);
  socket.on("close", () => arrivals.push("closed"));
  return {
    transport: "TCP",
    local: { host: localHost, port: socket.localPort ?? 0 },
    arrivals,
    send: (octets) => {
      socket.write(octets);
    },
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) {
          resolve();
          return;
        }
        socket.once("close", () => resolve());
        socket.destroy();
      }),
  };
}
