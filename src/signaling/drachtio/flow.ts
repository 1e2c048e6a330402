import { formatSocketAddress } from "../../core/address.ts";
import type { SocketAddress } from "../../core/address.ts";
import type { Flow } from "../transport/flow.ts";
import type { CarriedTransport, Link } from "./link.ts";

/** A far end as one drachtio-server reaches it. What goes over it, the carrier sends. */
export class CarriedFlow implements Flow {
  readonly id: string;
  readonly link: Link;
  readonly transport: CarriedTransport;
  readonly remote: SocketAddress;
  /** Where the server listens: what the far end knows of us. */
  readonly local: SocketAddress;
  readonly #toward: (remote: SocketAddress) => CarriedFlow;

  constructor(
    link: Link,
    transport: CarriedTransport,
    remote: SocketAddress,
    toward: (remote: SocketAddress) => CarriedFlow,
  ) {
    this.id = flowId(link, transport, remote);
    this.link = link;
    this.transport = transport;
    this.remote = remote;
    this.local = link.listens.get(transport) ?? { host: "0.0.0.0", port: 0 };
    this.#toward = toward;
  }

  get isReliable(): boolean {
    return this.transport !== "UDP";
  }

  get isOpen(): boolean {
    return this.link.isUp;
  }

  get sentBy(): string {
    return formatSocketAddress(this.local);
  }

  /** The route of a request outside a dialog. */
  get route(): string {
    return `sip:${formatSocketAddress(this.remote)};transport=${this.transport.toLowerCase()}`;
  }

  /** Single octets are the server's own affair. */
  send(): void {}

  toward(remote: SocketAddress): CarriedFlow {
    return this.#toward(remote);
  }

  /** The connections are the server's. */
  close(): void {}
}

export function flowId(link: Link, transport: string, remote: SocketAddress): string {
  return `drachtio ${link.name} ${transport} ${formatSocketAddress(remote)}`;
}
