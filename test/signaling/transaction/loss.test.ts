import { afterEach, describe, expect, it, vi } from "vitest";
import { SystemClock } from "../../../src/core/clock.ts";
import type { Timer } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { timerValuesOf } from "../../../src/signaling/transaction/timer-values.ts";
import { TransactionLayer } from "../../../src/signaling/transaction/transaction-layer.ts";
import type {
  ServerTransaction,
  TransactionUser,
} from "../../../src/signaling/transaction/transaction.ts";
import { TransportLayer } from "../../../src/signaling/transport/transport-layer.ts";
import type { Flow } from "../../../src/signaling/transport/flow.ts";
import { UdpRelay } from "../../harness/udp-relay.ts";
import { requestOf } from "./fixtures.ts";

/** Two fifths of the usual times: the proportions of the RFC stay. */
const TIMERS = timerValuesOf({ t1: 200, t2: 1600, t4: 2000, trying: 80 });

const SILENT_USER: TransactionUser = {
  onRequest() {},
  onAck() {},
  onCancel() {},
  onStrayResponse() {},
  onFlowOpen() {},
  onFlowClosed() {},
};

interface Stack {
  readonly clock: SystemClock;
  readonly transactions: TransactionLayer;
  readonly transports: TransportLayer;
}

const stacks: Stack[] = [];
let relay: UdpRelay | undefined;

async function startStack(userOf: (stack: () => Stack) => TransactionUser): Promise<Stack> {
  const clock = new SystemClock();
  const user = userOf(() => stack);
  const transactions = new TransactionLayer({ clock, user, logger: silentLogger, timers: TIMERS });
  const transports = new TransportLayer({
    clock,
    logger: silentLogger,
    handler: transactions,
    udp: [{ listen: { host: "127.0.0.1", port: 0 } }],
  });
  const stack = { clock, transactions, transports };
  await transports.start();
  stacks.push(stack);
  return stack;
}

/**
 * Rings, then answers even calls with 486 and odd ones with 200; retransmits the 200 until its ACK
 * as a dialog does (RFC 3261 §13.3.1.4). Anything but INVITE gets 200 at once.
 */
function callee(stack: () => Stack, unacknowledged: Map<string, Timer>): TransactionUser {
  const accept = (transaction: ServerTransaction, delayMs: number): void => {
    const { request } = transaction;
    transaction.respond(buildResponse(request, 200, { toTag: "callee" }));
    const again = stack().clock.after(delayMs, () => {
      accept(transaction, Math.min(delayMs * 2, TIMERS.t2));
    });
    unacknowledged.set(request.callId, again);
  };
  return {
    ...SILENT_USER,
    onRequest(request, transaction) {
      if (request.method !== "INVITE") {
        transaction.respond(buildResponse(request, 200, { toTag: "callee" }));
        return;
      }
      transaction.respond(buildResponse(request, 180, { toTag: "callee" }));
      stack().clock.after(30, () => {
        if (Number(request.callId) % 2 === 1) accept(transaction, TIMERS.t1);
        else transaction.respond(buildResponse(request, 486, { toTag: "callee" }));
      });
    },
    onAck(ack) {
      unacknowledged.get(ack.callId)?.cancel();
      unacknowledged.delete(ack.callId);
    },
  };
}

/** @returns the final status; acknowledges every 200 that comes */
function call(stack: Stack, flow: Flow, method: string, number: number): Promise<number> {
  return new Promise((resolve) => {
    stack.transactions.request(
      requestOf(method, { Via: undefined, "Call-ID": `${number}` }),
      flow,
      {
        onResponse: ({ statusCode }) => {
          if (statusCode < 200) return;
          resolve(statusCode);
          if (method !== "INVITE" || statusCode >= 300) return;
          const ack = requestOf("ACK", { Via: undefined, "Call-ID": `${number}` });
          stack.transactions.sendStateless(ack, flow);
        },
        onTimeout: () => {
          resolve(408);
        },
        onTransportError: () => {
          resolve(503);
        },
      },
    );
  });
}

afterEach(async () => {
  await relay?.stop();
  relay = undefined;
  for (const { clock, transactions, transports } of stacks.splice(0)) {
    transactions.close();
    await transports.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(transactions.count).toBe(0);
  }
});

describe("RFC 3261 §17 over a network that loses, doubles and reorders", () => {
  it("finishes 200 INVITE and 200 OPTIONS transactions over 10 % loss", async () => {
    const requestsSeen = new Map<string, number>();
    const unacknowledged = new Map<string, Timer>();
    const server = await startStack((stack) => {
      const user = callee(stack, unacknowledged);
      return {
        ...user,
        onRequest(request, transaction, flow) {
          const key = `${request.method} ${request.callId}`;
          requestsSeen.set(key, (requestsSeen.get(key) ?? 0) + 1);
          user.onRequest(request, transaction, flow);
        },
      };
    });
    const client = await startStack(() => SILENT_USER);
    const [listener] = server.transports.listeners;
    if (listener === undefined) throw new Error("no listener");
    relay = await UdpRelay.start({
      target: listener.local,
      loss: 0.1,
      duplicate: 0.05,
      reorder: 0.05,
      seed: 20261121,
    });
    const flow = client.transports.flowTo("UDP", relay.address);
    if (flow === undefined) throw new Error("no flow");

    const invites = Array.from({ length: 200 }, (_, n) => call(client, flow, "INVITE", n));
    const options = Array.from({ length: 200 }, (_, n) => call(client, flow, "OPTIONS", n));
    const inviteStatuses = await Promise.all(invites);
    const optionsStatuses = await Promise.all(options);

    expect(optionsStatuses.filter((status) => status === 200)).toHaveLength(200);
    expect(inviteStatuses.filter((status) => status === 486)).toHaveLength(100);
    expect(inviteStatuses.filter((status) => status === 200)).toHaveLength(100);
    await vi.waitFor(() => {
      expect(unacknowledged.size).toBe(0);
    }, 10_000);
    expect(relay.counts.lost).toBeGreaterThan(40);
    expect([...requestsSeen.values()].every((times) => times === 1)).toBe(true);
    expect(requestsSeen.size).toBe(400);
  }, 30_000);
});
