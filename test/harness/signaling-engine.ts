import { createServer } from "node:http";
import type { Server } from "node:http";
import type { EndReason } from "../../src/core/end-reason.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { Logger } from "../../src/core/logger.ts";
import { tryParseSocketAddress } from "../../src/core/address.ts";
import type { SocketAddress } from "../../src/core/address.ts";
import { createEmbeddedEngine } from "../../src/signaling/endpoint.ts";
import type {
  EmbeddedEngine,
  EmbeddedEngineOptions,
  EngineTrunk,
} from "../../src/signaling/embedded-engine.ts";
import type {
  Dialog,
  DialogHandler,
  EngineHandler,
  IncomingInvite,
  IncomingInviteHandler,
  IncomingMessage,
  IncomingRefer,
  IncomingReinvite,
  IncomingRequest,
  InviteFailure,
  OutgoingInviteHandler,
  ProvisionalResponse,
} from "../../src/signaling/engine.ts";
import type { DnsResolver } from "../../src/signaling/transport/dns/resolver.ts";
import type { SubscriptionLimits } from "../../src/signaling/standalone-requests.ts";
import { MemoryLocations } from "../../src/storage/memory-locations.ts";
import { FakeResolver } from "./fake-resolver.ts";
import { ManualClock } from "./manual-clock.ts";
import { SipPeer } from "./sip-peer.ts";
import { within } from "./wait.ts";

/** The domain of the test's users: 1001 and 1002, each with the password `secret-<user>`. */
export const DOMAIN = "gateway.test";

/** Values that arrive one after another, for a test that waits for them. */
export class Inbox<Value> {
  readonly #values: Value[] = [];
  readonly #waiting: (() => void)[] = [];

  push(value: Value): void {
    this.#values.push(value);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** What has arrived and was not asked for. */
  get unread(): readonly Value[] {
    return this.#values;
  }

  async next(what = "an event"): Promise<Value> {
    const take = async (): Promise<Value> => {
      for (;;) {
        const value = this.#values.shift();
        if (value !== undefined) return value;
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve);
        });
      }
    };
    return await within(take(), { what, timeoutMs: 3000 });
  }
}

export type DialogEvent =
  | { readonly name: "confirmed"; readonly sdp: string | undefined }
  | { readonly name: "reinvite"; readonly reinvite: IncomingReinvite }
  | { readonly name: "request"; readonly request: IncomingRequest }
  | { readonly name: "bye"; readonly reason: EndReason | undefined }
  | { readonly name: "lost"; readonly reason: EndReason }
  | { readonly name: "flow-lost" }
  | { readonly name: "flow-restored" };

/** A DialogHandler that writes down what it is told. */
export class DialogLog implements DialogHandler {
  readonly dialog: Dialog;
  readonly events = new Inbox<DialogEvent>();

  constructor(dialog: Dialog) {
    this.dialog = dialog;
    dialog.attach(this);
  }

  onConfirmed(sdp: string | undefined): void {
    this.events.push({ name: "confirmed", sdp });
  }

  onReinvite(reinvite: IncomingReinvite): void {
    this.events.push({ name: "reinvite", reinvite });
  }

  onRequest(request: IncomingRequest): void {
    this.events.push({ name: "request", request });
  }

  onBye(reason: EndReason | undefined): void {
    this.events.push({ name: "bye", reason });
  }

  onLost(reason: EndReason): void {
    this.events.push({ name: "lost", reason });
  }

  onFlowLost(): void {
    this.events.push({ name: "flow-lost" });
  }

  onFlowRestored(): void {
    this.events.push({ name: "flow-restored" });
  }

  /** The next event, which must be this one. */
  async expect<Name extends DialogEvent["name"]>(
    name: Name,
  ): Promise<Extract<DialogEvent, { readonly name: Name }>> {
    const event = await this.events.next(name);
    if (event.name !== name) throw new Error(`${event.name} came instead of ${name}`);
    return event as Extract<DialogEvent, { readonly name: Name }>;
  }
}

/** A DialogLog whose roof takes REFER and MESSAGE too. */
export class TransferLog extends DialogLog {
  readonly refers = new Inbox<IncomingRefer>();
  readonly messages = new Inbox<IncomingMessage>();

  onRefer(refer: IncomingRefer): void {
    this.refers.push(refer);
  }

  onMessage(message: IncomingMessage): void {
    this.messages.push(message);
  }
}

/** An INVITE that has arrived, with what happened to it since. */
export class InviteLog implements IncomingInviteHandler {
  readonly invite: IncomingInvite;
  readonly cancelled = new Inbox<{ readonly reason: EndReason | undefined }>();

  constructor(invite: IncomingInvite) {
    this.invite = invite;
    invite.attach(this);
  }

  onCancelled(reason: EndReason | undefined): void {
    this.cancelled.push({ reason });
  }

  /** Answers the call. @throws Error when the INVITE has ended */
  accept(sdp: string): DialogLog {
    const dialog = this.invite.accept(sdp);
    if (dialog === undefined) throw new Error("the INVITE has ended");
    return new DialogLog(dialog);
  }
}

export type OutgoingEvent =
  | { readonly name: "provisional"; readonly response: ProvisionalResponse }
  | { readonly name: "accepted"; readonly log: DialogLog; readonly sdp: string | undefined }
  | { readonly name: "failed"; readonly failure: InviteFailure };

/** An OutgoingInviteHandler that writes down what it is told. */
export class OutgoingLog implements OutgoingInviteHandler {
  readonly events = new Inbox<OutgoingEvent>();

  onProvisional(response: ProvisionalResponse): void {
    this.events.push({ name: "provisional", response });
  }

  onAccepted(dialog: Dialog, sdp: string | undefined): void {
    this.events.push({ name: "accepted", log: new DialogLog(dialog), sdp });
  }

  onFailed(failure: InviteFailure): void {
    this.events.push({ name: "failed", failure });
  }

  async expect<Name extends OutgoingEvent["name"]>(
    name: Name,
  ): Promise<Extract<OutgoingEvent, { readonly name: Name }>> {
    const event = await this.events.next(name);
    if (event.name !== name) throw new Error(`${event.name} came instead of ${name}`);
    return event as Extract<OutgoingEvent, { readonly name: Name }>;
  }
}

export interface EngineOptions {
  /** Default {@link DOMAIN}. */
  readonly domain?: string;
  /** Whether it listens on TCP too, on a free port. */
  readonly isOnTcp?: boolean;
  /** Default: 1001 and 1002. */
  readonly credentials?: EmbeddedEngineOptions["credentials"];
  readonly trunks?: readonly EngineTrunk[];
  readonly logger?: Logger;
  readonly random?: () => number;
  /** Default: one that knows no name. */
  readonly resolver?: DnsResolver;
  /** What the roof does; without `onInvite` calls go to `invites`. */
  readonly handler?: Partial<EngineHandler>;
  readonly subscriptions?: Partial<SubscriptionLimits>;
  /** Default a free one. */
  readonly udpPort?: number;
  /** Listeners of other transports and what belongs to them. */
  readonly engine?: Pick<
    Partial<EmbeddedEngineOptions>,
    | "udp"
    | "tcp"
    | "tls"
    | "certificates"
    | "streams"
    | "sources"
    | "overload"
    | "scanners"
    | "messages"
    | "passThrough"
    | "registrar"
  >;
  /** Default: one that stands at 0. */
  readonly clock?: ManualClock;
}

/** The embedded engine on real sockets of 127.0.0.1 and a clock that the test moves. */
export class TestEngine {
  readonly engine: EmbeddedEngine;
  readonly clock: ManualClock;
  readonly invites: Inbox<InviteLog>;
  /** Where its UDP listener is. */
  readonly udp: SocketAddress;
  readonly #http: Server;
  readonly #url: string;
  readonly #peers: SipPeer[] = [];

  private constructor(
    engine: EmbeddedEngine,
    clock: ManualClock,
    invites: Inbox<InviteLog>,
    http: Server,
  ) {
    this.engine = engine;
    this.clock = clock;
    this.invites = invites;
    this.#http = http;
    const bound = http.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    this.#url = `ws://127.0.0.1:${port}/ws`;
    const listener = engine.listeners[0]?.replace("udp:", "") ?? "";
    const udp = tryParseSocketAddress(listener);
    if (udp === undefined) throw new Error(`no UDP listener: ${listener}`);
    this.udp = udp;
  }

  static async start(options: EngineOptions = {}): Promise<TestEngine> {
    const clock = options.clock ?? new ManualClock();
    const invites = new Inbox<InviteLog>();
    const http = createServer();
    await new Promise<void>((resolve) => {
      http.listen(0, "127.0.0.1", resolve);
    });
    const engine = createEmbeddedEngine({
      domain: options.domain ?? DOMAIN,
      clock,
      logger: options.logger ?? silentLogger,
      udp: [{ host: "127.0.0.1", port: options.udpPort ?? 0 }],
      ...(options.isOnTcp === true
        ? {
            tcp: [{ host: "127.0.0.1", port: 0 }],
            streams: { limits: { firstMessageMs: 100_000_000, pingIdleMs: 100_000_000 } },
          }
        : {}),
      webSocket: {
        sentBy: "127.0.0.1:8080",
        isOriginAllowed: () => true,
        // Time moves in jumps here: no connection may die of them.
        limits: { pingIntervalMs: 100_000_000, firstMessageMs: 100_000_000 },
      },
      credentials: options.credentials ?? {
        find: (username) => {
          const userId = username.split(":").at(-1) ?? "";
          return ["1001", "1002"].includes(userId)
            ? { userId, password: `secret-${userId}` }
            : undefined;
        },
      },
      locations: new MemoryLocations(),
      trunks: options.trunks ?? [],
      handler: { onInvite: (invite) => invites.push(new InviteLog(invite)), ...options.handler },
      ...(options.subscriptions === undefined ? {} : { subscriptions: options.subscriptions }),
      ...options.engine,
      random: options.random ?? (() => 0.5),
      dns: { resolver: options.resolver ?? new FakeResolver() },
    });
    http.on("upgrade", (request, socket, head) => engine.handleUpgrade(request, socket, head));
    await engine.start();
    return new TestEngine(engine, clock, invites, http);
  }

  /** Adds a UDP peer that the engine knows, opened before it so that its port is known. */
  adopt(peer: SipPeer): SipPeer {
    peer.sendTo(this.udp);
    this.#peers.push(peer);
    return peer;
  }

  /** Where it listens over a transport: `tcp`, `tls`. */
  at(transport: string): SocketAddress {
    const listener = this.engine.listeners.find((text) => text.startsWith(`${transport}:`));
    const address = tryParseSocketAddress(listener?.slice(transport.length + 1) ?? "");
    if (address === undefined) throw new Error(`nothing listens on ${transport}`);
    return address;
  }

  /** Where it takes TCP connections. @throws Error when it does not */
  get tcp(): SocketAddress {
    const listener = this.engine.listeners.find((text) => text.startsWith("tcp:"));
    const address = tryParseSocketAddress(listener?.slice(4) ?? "");
    if (address === undefined) throw new Error("no TCP listener");
    return address;
  }

  /** Where browsers connect. */
  get webSocketUrl(): string {
    return this.#url;
  }

  /** A new WebSocket connection. */
  async connect(): Promise<SipPeer> {
    const peer = await SipPeer.webSocket(this.#url);
    this.#peers.push(peer);
    return peer;
  }

  /** A new connection that has registered. */
  async browser(user: string, instance = `urn:uuid:${user}`): Promise<SipPeer> {
    const peer = await this.connect();
    await peer.register({
      user,
      password: `secret-${user}`,
      domain: DOMAIN,
      instance,
      regId: 1,
    });
    return peer;
  }

  /** Closes all peers, lets every transaction run out, and stops. */
  async stop(): Promise<{ readonly transactions: number; readonly dialogs: number }> {
    this.clock.advance(200_000);
    const { transactions, dialogs } = this.engine.counts;
    await Promise.all(this.#peers.splice(0).map((peer) => peer.close()));
    await this.engine.stop();
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
    return { transactions, dialogs };
  }
}

/** An offer or answer of one audio stream; `id` tells one from another. */
export function sdpOf(id: string): string {
  return [
    "v=0",
    `o=- ${id} 1 IN IP4 192.0.2.1`,
    "s=-",
    "c=IN IP4 192.0.2.1",
    "t=0 0",
    "m=audio 40000 RTP/AVP 0",
    "",
  ].join("\r\n");
}
