import { afterEach, describe, expect, it } from "vitest";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { NonInviteServerTransaction } from "../../../src/signaling/transaction/non-invite-server.ts";
import type { FlowTransport } from "../../../src/signaling/transport/flow.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { contextOf, MemoryFlow, requestOf } from "./fixtures.ts";

function setUp(transport: FlowTransport = "UDP") {
  const clock = new ManualClock();
  const flow = new MemoryFlow(transport);
  const told: string[] = [];
  const transaction = new NonInviteServerTransaction({
    id: "key",
    request: requestOf("BYE"),
    flow,
    context: contextOf(clock),
    onTerminated: () => told.push("forgotten"),
  });
  transaction.attach({
    onTransportError: () => told.push("transport error"),
    onTerminated: (end) => told.push(`terminated: ${end}`),
  });
  const respond = (status: number): void => {
    transaction.respond(buildResponse(transaction.request, status, { toTag: "us" }));
  };
  return { clock, flow, told, transaction, respond };
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
  proceeding: ({ respond }) => {
    respond(100);
  },
  completed: ({ respond }) => {
    respond(200);
  },
  terminated: ({ respond, clock }) => {
    respond(200);
    clock.advance(32_000);
  },
};

const INPUTS: Readonly<Record<string, (setting: Setting) => void>> = {
  BYE: ({ transaction }) => {
    transaction.receiveRetransmission();
  },
  "respond 183": ({ respond }) => {
    respond(183);
  },
  "respond 200": ({ respond }) => {
    respond(200);
  },
  "respond 481": ({ respond }) => {
    respond(481);
  },
  "connection lost": ({ transaction }) => {
    transaction.connectionLost();
  },
};

interface Row {
  readonly from: string;
  readonly input: string;
  readonly to: string;
  readonly sends?: readonly string[];
  readonly tells?: readonly string[];
}

const LOST = ["forgotten", "terminated: transport"];

const TABLE: readonly Row[] = [
  { from: "trying", input: "BYE", to: "trying" },
  { from: "trying", input: "respond 183", to: "proceeding", sends: ["183"] },
  { from: "trying", input: "respond 200", to: "completed", sends: ["200"] },
  { from: "trying", input: "respond 481", to: "completed", sends: ["481"] },
  { from: "trying", input: "connection lost", to: "terminated", tells: LOST },
  { from: "proceeding", input: "BYE", to: "proceeding", sends: ["100"] },
  { from: "proceeding", input: "respond 183", to: "proceeding", sends: ["183"] },
  { from: "proceeding", input: "respond 200", to: "completed", sends: ["200"] },
  { from: "proceeding", input: "respond 481", to: "completed", sends: ["481"] },
  { from: "proceeding", input: "connection lost", to: "terminated", tells: LOST },
  { from: "completed", input: "BYE", to: "completed", sends: ["200"] },
  { from: "completed", input: "respond 183", to: "completed" },
  { from: "completed", input: "respond 200", to: "completed" },
  { from: "completed", input: "respond 481", to: "completed" },
  {
    from: "completed",
    input: "connection lost",
    to: "terminated",
    tells: ["forgotten", "terminated: done"],
  },
  { from: "terminated", input: "BYE", to: "terminated" },
  { from: "terminated", input: "respond 183", to: "terminated" },
  { from: "terminated", input: "respond 200", to: "terminated" },
  { from: "terminated", input: "respond 481", to: "terminated" },
  { from: "terminated", input: "connection lost", to: "terminated" },
];

describe("RFC 3261 §17.2.2 non-INVITE server transaction: state × input", () => {
  it("has a row for every pair", () => {
    const pairs = new Set(TABLE.map(({ from, input }) => `${from} ${input}`));
    expect(pairs.size).toBe(Object.keys(WAYS_TO).length * Object.keys(INPUTS).length);
    expect(TABLE).toHaveLength(pairs.size);
  });

  it.each(TABLE)("$from: $input → $to", ({ from, input, to, sends = [], tells = [] }) => {
    const setting = start();
    WAYS_TO[from]?.(setting);
    expect(setting.transaction.state).toBe(from);
    setting.flow.take();
    setting.told.length = 0;
    INPUTS[input]?.(setting);
    expect(setting.transaction.state).toBe(to);
    expect(setting.flow.takeNames()).toEqual(sends);
    expect(setting.told).toEqual(tells);
  });
});

describe("RFC 3261 §17.2.2 timers of the non-INVITE server transaction", () => {
  it("sends nothing by itself (RFC 4320 §4.1)", () => {
    const { clock, flow } = start();
    clock.advance(60_000);
    expect(flow.take()).toEqual([]);
  });

  it("absorbs retransmissions for 64·T1 over UDP (Timer J)", () => {
    const { clock, told, transaction, respond } = start();
    respond(200);
    clock.advance(31_999);
    expect(transaction.state).toBe("completed");
    clock.advance(1);
    expect(told).toEqual(["forgotten", "terminated: done"]);
  });

  it("ends with the final response over a reliable transport", () => {
    const { clock, flow, told, respond } = start("WS");
    respond(200);
    expect(flow.takeNames()).toEqual(["200"]);
    expect(told).toEqual(["forgotten", "terminated: done"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("tells a transport error and goes on", async () => {
    const { flow, told, transaction, respond } = start();
    flow.isBroken = true;
    respond(200);
    await Promise.resolve();
    expect(told).toEqual(["transport error"]);
    expect(transaction.state).toBe("completed");
  });
});
