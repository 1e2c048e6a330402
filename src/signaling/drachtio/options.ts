import type { SocketAddress } from "../../core/address.ts";

/** A drachtio-server, where it takes applications. */
export interface DrachtioServer extends SocketAddress {
  readonly secret: string;
}
