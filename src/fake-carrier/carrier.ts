import { timingSafeEqual } from "node:crypto";

import type { SocketAddress } from "../core/address.ts";
import { formatSocketAddress } from "../core/address.ts";
import { SystemClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import { randomToken } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { digestResponse } from "../signaling/auth/digest.ts";
import {
  formatDigestChallenge,
  tryParseDigestCredentials,
} from "../signaling/message/auth-header.ts";
import { buildResponse } from "../signaling/message/build.ts";
import type { HeaderField } from "../signaling/message/headers.ts";
import type { SipMessage, SipRequest } from "../signaling/message/message.ts";
import type { ServerTransaction, TransactionUser } from "../signaling/transaction/transaction.ts";
import { TransactionLayer } from "../signaling/transaction/transaction-layer.ts";
import type { TransportHandler } from "../signaling/transport/flow.ts";
import { TransportLayer } from "../signaling/transport/transport-layer.ts";
import { CarrierCall } from "./carrier-call.ts";
import { scriptOf } from "./scripts.ts";

export interface FakeCarrierOptions {
  /** Where it listens, over UDP and TCP; port 0 takes a free one. Its media binds to the host. */
  readonly listen: SocketAddress;
  /** Tells a person what happens, a line at a time. */
  readonly print: (line: string) => void;
  readonly clock?: Clock;
}

/** What the number 407 asks for. */
export const CARRIER_LOGIN = {
  realm: "fake-carrier",
  username: "carrier",
  password: "carrier",
} as const;

/** A test tool: more calls than this at once are refused. */
const MAX_CALLS = 1000;
const MAX_NONCES = 1000;

/**
 * A carrier that does what the number says (scripts.ts), good and bad, over the gateway's own
 * transports and transactions and plain RTP. It knows nobody and asks no password but where the
 * number wants one: a tool for tests, never for the open internet.
 */
export class FakeCarrier implements TransactionUser {
  readonly #options: FakeCarrierOptions;
  readonly #clock: Clock;
  readonly #layer: TransactionLayer;
  readonly #transport: TransportLayer;
  readonly #calls = new Set<CarrierCall>();
  readonly #byInvite = new Map<ServerTransaction, CarrierCall>();
  readonly #nonces = new Set<string>();

  constructor(options: FakeCarrierOptions) {
    this.#options = options;
    this.#clock = options.clock ?? new SystemClock();
    this.#layer = new TransactionLayer({ clock: this.#clock, user: this, logger: silentLogger });
    const layer = this.#layer;
    const handler: TransportHandler = {
      onMessage: (message, flow) => {
        if (!this.#isIgnored(message)) layer.onMessage(message, flow);
      },
      onFlowOpen: (flow) => layer.onFlowOpen(flow),
      onFlowClosed: (flow, reason) => layer.onFlowClosed(flow, reason),
    };
    const { listen } = options;
    this.#transport = new TransportLayer({
      clock: this.#clock,
      logger: silentLogger,
      handler,
      udp: [{ listen }],
      tcp: { listen: [{ listen }] },
    });
  }

  /** Live calls. */
  get size(): number {
    return this.#calls.size;
  }

  /** Listens. @returns where, over UDP */
  async start(): Promise<SocketAddress> {
    await this.#transport.start();
    const udp = this.#transport.listeners.find(({ transport }) => transport === "UDP");
    return udp?.local ?? this.#options.listen;
  }

  /** Ends all calls and listens no more. */
  async stop(): Promise<void> {
    for (const call of this.#calls) call.stop();
    this.#layer.close();
    await this.#transport.stop();
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const reply = (status: number, headers: readonly HeaderField[] = []): void => {
      transaction.respond(buildResponse(request, status, { toTag: randomToken(10), headers }));
    };
    if (request.toTag !== undefined) {
      const call = this.#callFor(request);
      if (call === undefined) reply(481);
      else call.onRequest(request, transaction);
      return;
    }
    switch (request.method) {
      case "INVITE":
        this.#begin(request, transaction);
        return;
      case "REGISTER":
        this.#options.print(`REGISTER of ${request.to.uri}`);
        reply(200, [
          ...request.headers.getAll("Contact").map((value): HeaderField => ["Contact", value]),
          ["Expires", request.headers.get("Expires") ?? "300"],
        ]);
        return;
      case "OPTIONS":
      case "MESSAGE":
        reply(200, [["Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY"]]);
        return;
      default:
        reply(405, [["Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY"]]);
    }
  }

  onAck(request: SipRequest): void {
    this.#callFor(request)?.onAck(request);
  }

  onCancel(_cancel: SipRequest, invite: ServerTransaction): void {
    this.#byInvite.get(invite)?.cancelled();
  }

  onStrayResponse(): void {}

  onFlowOpen(): void {}

  onFlowClosed(): void {}

  #begin(request: SipRequest, transaction: ServerTransaction): void {
    const { print, listen } = this.#options;
    const number = request.uri.user ?? "";
    const script = scriptOf(number);
    if (this.#calls.size >= MAX_CALLS) {
      transaction.respond(buildResponse(request, 503, { toTag: randomToken(10) }));
      return;
    }
    if (script.opening === "challenge" && !this.#isProved(request)) {
      transaction.respond(
        buildResponse(request, 407, {
          toTag: randomToken(10),
          headers: [["Proxy-Authenticate", this.#challenge()]],
        }),
      );
      print(`${number}: 407`);
      return;
    }
    print(`${number}: ${script.title} (from ${request.from.uri})`);
    const call = new CarrierCall({
      layer: this.#layer,
      clock: this.#clock,
      transaction,
      script,
      host: transaction.flow.local.host === "0.0.0.0" ? listen.host : transaction.flow.local.host,
      tell: (line) => print(`${number}: ${line}`),
      onOver: () => {
        this.#calls.delete(call);
        this.#byInvite.delete(transaction);
      },
    });
    this.#calls.add(call);
    this.#byInvite.set(transaction, call);
    call.start().catch((error: unknown) => {
      print(`${number}: ${error instanceof Error ? error.message : String(error)}`);
      call.stop();
    });
  }

  #callFor(request: SipRequest): CarrierCall | undefined {
    for (const call of this.#calls) if (call.isFor(request)) return call;
    return undefined;
  }

  /** Before any transaction: one would say 100 by itself. */
  #isIgnored(message: SipMessage): boolean {
    if (message.kind === "response" || message.method !== "INVITE") return false;
    const number = message.uri.user ?? "";
    if (message.toTag !== undefined || scriptOf(number).opening !== "silence") return false;
    this.#options.print(`${number}: silence`);
    return true;
  }

  #challenge(): string {
    const nonce = randomToken(20);
    if (this.#nonces.size >= MAX_NONCES) this.#nonces.clear();
    this.#nonces.add(nonce);
    return formatDigestChallenge({
      realm: CARRIER_LOGIN.realm,
      nonce,
      algorithm: "MD5",
      qop: ["auth"],
    });
  }

  #isProved(request: SipRequest): boolean {
    const value = request.headers.get("Proxy-Authorization");
    const given = value === undefined ? undefined : tryParseDigestCredentials(value);
    if (given?.cnonce === undefined || given.nc === undefined) return false;
    if (given.realm !== CARRIER_LOGIN.realm || !this.#nonces.has(given.nonce)) return false;
    const expected = digestResponse({
      algorithm: "MD5",
      ...CARRIER_LOGIN,
      nonce: given.nonce,
      nonceCount: given.nc,
      cnonce: given.cnonce,
      method: request.method,
      uri: given.uri,
    });
    const [left, right] = [Buffer.from(expected), Buffer.from(given.response)];
    return left.length === right.length && timingSafeEqual(left, right);
  }
}

/** `sip:host:port` of a carrier, as a trunk's `peer`. */
export function peerOf(address: SocketAddress): string {
  return `sip:${formatSocketAddress(address)}`;
}
