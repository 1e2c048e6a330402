import { afterEach, describe, expect, it } from "vitest";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { NonInviteClientTransaction } from "../../../src/signaling/transaction/non-invite-client.ts";
import type { FlowTransport } from "../../../src/signaling/transport/flow.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { contextOf, MemoryFlow, requestOf } from "./fixtures.ts";

function setUp(transport: FlowTransport = "UDP") {
  const clock = new ManualClock();
  const flow = new MemoryFlow(transport);
  const context = contextOf(clock);
  const told: string[] = [];
  const transaction = new NonInviteClientTransaction({
    id: "z9hG4bKours",
    request: requestOf("OPTIONS"),
    flow,
    handler: {
      onResponse: ({ statusCode }) => told.push(String(statusCode)),
      onTimeout: () => told.push("timeout"),
      onTransportError: () => told.push("transport error"),
    },
    context,
    onTerminated: () => told.push("terminated"),
  });
  transaction.start();
  const receive = (status: number): boolean =>
    transaction.receive(buildResponse(transaction.request, status, { toTag: "bob" }));
  return { clock, flow, context, told, transaction, receive };
}

type Setting = ReturnType<typeof setUp>;

const settings: Setting[] = [];

function start(transport?: FlowTransport): Setting {
  const setting = setUp(transport);
  settings.push(setting);
  return setting;
}

afterEach(() => {
  for (const { transaction, clock } of settings.splice(0)) {
    transaction.dispose();
    expect(clock.pendingTimers).toBe(0);
  }
});

const WAYS_TO: Readonly<Record<string, (setting: Setting) => void>> = {
  trying: () => {},
  proceeding: ({ receive }) => receive(100),
  completed: ({ receive }) => receive(200),
  terminated: ({ receive, clock }) => {
    receive(200);
    clock.advance(5000);
  },
};

const INPUTS: Readonly<Record<string, (setting: Setting) => unknown>> = {
  100: ({ receive }) => receive(100),
  200: ({ receive }) => receive(200),
  404: ({ receive }) => receive(404),
  cancel: ({ transaction }) => {
    transaction.cancel();
  },
  "connection lost": ({ transaction }) => {
    transaction.connectionLost();
  },
};

interface Row {
  readonly from: string;
  readonly input: string;
  readonly to: string;
  readonly tells?: readonly string[];
  readonly isTaken?: boolean;
}

const TABLE: readonly Row[] = [
  { from: "trying", input: "100", to: "proceeding", tells: ["100"] },
  { from: "trying", input: "200", to: "completed", tells: ["200"] },
  { from: "trying", input: "404", to: "completed", tells: ["404"] },
  { from: "trying", input: "cancel", to: "trying" },
  {
    from: "trying",
    input: "connection lost",
    to: "terminated",
    tells: ["terminated", "transport error"],
  },
  { from: "proceeding", input: "100", to: "proceeding", tells: ["100"] },
  { from: "proceeding", input: "200", to: "completed", tells: ["200"] },
  { from: "proceeding", input: "404", to: "completed", tells: ["404"] },
  { from: "proceeding", input: "cancel", to: "proceeding" },
  {
    from: "proceeding",
    input: "connection lost",
    to: "terminated",
    tells: ["terminated", "transport error"],
  },
  { from: "completed", input: "100", to: "completed" },
  { from: "completed", input: "200", to: "completed" },
  { from: "completed", input: "404", to: "completed" },
  { from: "completed", input: "cancel", to: "completed" },
  { from: "completed", input: "connection lost", to: "terminated", tells: ["terminated"] },
  { from: "terminated", input: "100", to: "terminated", isTaken: false },
  { from: "terminated", input: "200", to: "terminated", isTaken: false },
  { from: "terminated", input: "404", to: "terminated", isTaken: false },
  { from: "terminated", input: "cancel", to: "terminated" },
  { from: "terminated", input: "connection lost", to: "terminated" },
];

describe("RFC 3261 §17.1.2 non-INVITE client transaction: state × input", () => {
  it("has a row for every pair", () => {
    const pairs = new Set(TABLE.map(({ from, input }) => `${from} ${input}`));
    expect(pairs.size).toBe(Object.keys(WAYS_TO).length * Object.keys(INPUTS).length);
    expect(TABLE).toHaveLength(pairs.size);
  });

  it.each(TABLE)("$from: $input → $to", ({ from, input, to, tells = [], isTaken }) => {
    const setting = start();
    WAYS_TO[from]?.(setting);
    expect(setting.transaction.state).toBe(from);
    setting.flow.take();
    setting.told.length = 0;
    const result = INPUTS[input]?.(setting);
    expect(setting.transaction.state).toBe(to);
    expect(setting.flow.takeNames()).toEqual([]);
    expect(setting.context.cancels).toEqual([]);
    expect(setting.told).toEqual(tells);
    if (typeof result === "boolean") expect(result).toBe(isTaken ?? true);
  });
});

/** When the request was sent, in milliseconds from now on, over a span. */
function sendTimes({ clock, flow }: Setting, spanMs: number): number[] {
  const times: number[] = [];
  for (let ms = 0; ms < spanMs; ms += 500) {
    if (flow.take().length > 0) times.push(ms);
    clock.advance(500);
  }
  return times;
}

describe("RFC 3261 §17.1.2.2 timers of the non-INVITE client transaction", () => {
  it("retransmits at T1, doubling up to T2, until Timer F at 64·T1", () => {
    const setting = start();
    expect(sendTimes(setting, 32_000)).toEqual([
      0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ]);
    expect(setting.told).toEqual(["terminated", "timeout"]);
    expect(setting.clock.pendingTimers).toBe(0);
  });

  it("retransmits every T2 in Proceeding, where Timer F still runs", () => {
    const setting = start();
    setting.receive(100);
    expect(sendTimes(setting, 32_000)).toEqual([
      0, 500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500,
    ]);
    expect(setting.told).toEqual(["100", "terminated", "timeout"]);
  });

  it("absorbs retransmitted responses for T4 over UDP (Timer K)", () => {
    const { clock, told, transaction, receive } = start();
    receive(200);
    clock.advance(4999);
    receive(200);
    expect(transaction.state).toBe("completed");
    clock.advance(1);
    expect(told).toEqual(["200", "terminated"]);
  });

  it("neither retransmits nor lingers over a reliable transport", () => {
    const { clock, flow, told, receive } = start("WS");
    clock.advance(31_000);
    expect(flow.takeNames()).toEqual(["OPTIONS"]);
    receive(200);
    expect(told).toEqual(["terminated", "200"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("tells a transport error and ends", async () => {
    const { clock, flow, told } = start();
    flow.isBroken = true;
    clock.advance(500);
    await Promise.resolve();
    expect(told).toEqual(["terminated", "transport error"]);
  });
});
