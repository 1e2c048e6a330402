import { createServer, connect, type Server, type Socket } from "node:net";
import type { SocketAddress } from "../../src/core/address.ts";

/** Stands between a browser and the gateway's HTTP port, to cut connections as a network does. */
export class TcpRelay implements AsyncDisposable {
  readonly address: SocketAddress;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  /**
   * Listens on 127.0.0.1 and forwards every connection to `target`.
   *
   * @param port default: a free one
   */
  static async start(target: SocketAddress, port = 0): Promise<TcpRelay> {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(target);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one.on("close", () => {
          sockets.delete(one);
          other.destroy();
        });
        // The close that follows tells the other side.
        one.on("error", () => undefined);
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => {
      server.listen(port, "127.0.0.1", resolve);
    });
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("the relay has no port");
    return new TcpRelay(server, { host: "127.0.0.1", port: bound.port }, sockets);
  }

  private constructor(server: Server, address: SocketAddress, sockets: Set<Socket>) {
    this.#server = server;
    this.address = address;
    this.#sockets = sockets;
  }

  /** Resets every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.cut();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
