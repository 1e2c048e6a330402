import type { SocketAddress } from "../../../src/core/address.ts";
import type { Logger } from "../../../src/core/logger.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Headers } from "../../../src/signaling/message/headers.ts";
import type { SipMessage } from "../../../src/signaling/message/message.ts";
import { SipRequest } from "../../../src/signaling/message/message.ts";
import { parseMessage } from "../../../src/signaling/message/parser.ts";
import type { TransactionContext } from "../../../src/signaling/transaction/context.ts";
import { timerValuesOf } from "../../../src/signaling/transaction/timer-values.ts";
import type { TimerValues } from "../../../src/signaling/transaction/timer-values.ts";
import { TransportError } from "../../../src/signaling/transport/errors.ts";
import type { Flow, FlowTransport } from "../../../src/signaling/transport/flow.ts";
import type { ManualClock } from "../../harness/manual-clock.ts";

/** A flow without a network: keeps what is sent, and fails when it is told to. */
export class MemoryFlow implements Flow {
  readonly id: string;
  readonly transport: FlowTransport;
  readonly isReliable: boolean;
  readonly local: SocketAddress = { host: "192.0.2.1", port: 5060 };
  readonly remote: SocketAddress;
  readonly sentBy = "192.0.2.1:5060";
  isOpen = true;
  /** When set, every `send` fails. */
  isBroken = false;
  /** What was sent toward another address of the same socket. */
  readonly others = new Map<string, MemoryFlow>();
  readonly #sent: Buffer[] = [];

  constructor(
    transport: FlowTransport = "UDP",
    remote: SocketAddress = { host: "198.51.100.7", port: 5060 },
  ) {
    this.transport = transport;
    this.isReliable = transport !== "UDP";
    this.remote = remote;
    this.id = `${transport}:${remote.host}:${remote.port}`;
  }

  send(octets: Buffer, onError?: (error: TransportError) => void): void {
    if (this.isBroken) {
      queueMicrotask(() => {
        onError?.(new TransportError("ERR_OFFHOOK_TRANSPORT_SEND", "broken for the test"));
      });
      return;
    }
    this.#sent.push(octets);
  }

  toward(remote: SocketAddress): Flow {
    const key = `${remote.host}:${remote.port}`;
    const known = this.others.get(key) ?? new MemoryFlow(this.transport, remote);
    this.others.set(key, known);
    return known;
  }

  close(): void {
    this.isOpen = false;
  }

  /** The messages sent since the last call. */
  take(): SipMessage[] {
    return this.#sent.splice(0).map((octets) => parseMessage(octets));
  }

  /** The same as words: `INVITE`, `180`. */
  takeNames(): string[] {
    return this.take().map((message) =>
      message.kind === "request" ? message.method : String(message.statusCode),
    );
  }
}

/** A request as a client would send it, with a Via of its own unless told otherwise. */
export function requestOf(
  method: string,
  fields: Readonly<Record<string, string | undefined>> = {},
): SipRequest {
  const all: Record<string, string | undefined> = {
    Via: "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKremote1;received=198.51.100.7",
    "Max-Forwards": "70",
    From: "<sip:ann@example.com>;tag=from1",
    To: "<sip:bob@example.com>",
    "Call-ID": "call-1@example.com",
    CSeq: `1 ${method}`,
    ...fields,
  };
  const headers = Headers.of(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return new SipRequest(method, "sip:bob@example.com", headers);
}

/** A context around a clock; `cancels` keeps the CANCELs that were to be sent. */
export function contextOf(
  clock: ManualClock,
  timers: TimerValues = timerValuesOf(),
): TransactionContext & { readonly cancels: SipRequest[] } {
  const cancels: SipRequest[] = [];
  return {
    clock,
    timers,
    cancels,
    tell: (action) => {
      action();
    },
    sendCancel: (cancel) => {
      cancels.push(cancel);
    },
  };
}

/** A logger that keeps what was said at level error. */
export function errorLog(): Logger & { readonly errors: string[] } {
  const errors: string[] = [];
  return {
    ...silentLogger,
    errors,
    error: (message) => {
      errors.push(message);
    },
  };
}
