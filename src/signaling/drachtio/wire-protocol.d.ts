/** The part of drachtio-srf that we use: its connection to drachtio-server. */
declare module "drachtio-srf/lib/wire-protocol.js" {
  import type { EventEmitter } from "node:events";
  import type { Socket } from "node:net";

  export default class WireProtocol extends EventEmitter {
    constructor(options: object);
    connect(options: { readonly host: string; readonly port: number }): void;
    /** Writes a frame. @returns its id */
    send(socket: Socket, command: string): string;
    protected _onData(socket: Socket, chunk: Buffer): void;
    protected _onConnectionGone(): void;
  }
}
