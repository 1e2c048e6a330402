import { afterEach, describe, expect, it } from "vitest";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { InviteServerTransaction } from "../../../src/signaling/transaction/invite-server.ts";
import { timerValuesOf } from "../../../src/signaling/transaction/timer-values.ts";
import type { TimerValues } from "../../../src/signaling/transaction/timer-values.ts";
import type { FlowTransport } from "../../../src/signaling/transport/flow.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { contextOf, MemoryFlow, requestOf } from "./fixtures.ts";

function setUp(transport: FlowTransport = "UDP", timers?: TimerValues) {
  const clock = new ManualClock();
  const flow = new MemoryFlow(transport);
  const told: string[] = [];
  const transaction = new InviteServerTransaction({
    id: "key",
    request: requestOf("INVITE", { Timestamp: "54" }),
    flow,
    context: contextOf(clock, timers),
    onTerminated: () => told.push("forgotten"),
  });
  transaction.attach({
    onTransportError: () => told.push("transport error"),
    onTerminated: (end) => told.push(`terminated: ${end}`),
  });
  transaction.start();
  const respond = (status: number): void => {
    transaction.respond(buildResponse(transaction.request, status, { toTag: "us" }));
  };
  return { clock, flow, told, transaction, respond };
}

type Setting = ReturnType<typeof setUp>;

const settings: Setting[] = [];

function start(transport?: FlowTransport, timers?: TimerValues): Setting {
  const setting = setUp(transport, timers);
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
  proceeding: ({ respond }) => {
    respond(180);
  },
  completed: ({ respond }) => {
    respond(486);
  },
  confirmed: ({ respond, transaction }) => {
    respond(486);
    transaction.receiveAck();
  },
  accepted: ({ respond }) => {
    respond(200);
  },
  terminated: ({ respond, clock }) => {
    respond(200);
    clock.advance(32_000);
  },
};

const INPUTS: Readonly<Record<string, (setting: Setting) => unknown>> = {
  INVITE: ({ transaction }) => {
    transaction.receiveRetransmission();
  },
  ACK: ({ transaction }) => transaction.receiveAck(),
  "respond 183": ({ respond }) => {
    respond(183);
  },
  "respond 200": ({ respond }) => {
    respond(200);
  },
  "respond 487": ({ respond }) => {
    respond(487);
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
  /** False when the ACK is for the user. */
  readonly isTaken?: boolean;
}

const TABLE: readonly Row[] = [
  { from: "proceeding", input: "INVITE", to: "proceeding", sends: ["180"] },
  { from: "proceeding", input: "ACK", to: "proceeding" },
  { from: "proceeding", input: "respond 183", to: "proceeding", sends: ["183"] },
  { from: "proceeding", input: "respond 200", to: "accepted", sends: ["200"] },
  { from: "proceeding", input: "respond 487", to: "completed", sends: ["487"] },
  {
    from: "proceeding",
    input: "connection lost",
    to: "terminated",
    tells: ["forgotten", "terminated: transport"],
  },
  { from: "completed", input: "INVITE", to: "completed", sends: ["486"] },
  { from: "completed", input: "ACK", to: "confirmed" },
  { from: "completed", input: "respond 183", to: "completed" },
  { from: "completed", input: "respond 200", to: "completed" },
  { from: "completed", input: "respond 487", to: "completed" },
  {
    from: "completed",
    input: "connection lost",
    to: "terminated",
    tells: ["forgotten", "terminated: transport"],
  },
  { from: "confirmed", input: "INVITE", to: "confirmed" },
  { from: "confirmed", input: "ACK", to: "confirmed" },
  { from: "confirmed", input: "respond 183", to: "confirmed" },
  { from: "confirmed", input: "respond 200", to: "confirmed" },
  { from: "confirmed", input: "respond 487", to: "confirmed" },
  {
    from: "confirmed",
    input: "connection lost",
    to: "terminated",
    tells: ["forgotten", "terminated: done"],
  },
  { from: "accepted", input: "INVITE", to: "accepted" },
  { from: "accepted", input: "ACK", to: "accepted", isTaken: false },
  { from: "accepted", input: "respond 183", to: "accepted" },
  { from: "accepted", input: "respond 200", to: "accepted", sends: ["200"] },
  { from: "accepted", input: "respond 487", to: "accepted" },
  {
    from: "accepted",
    input: "connection lost",
    to: "terminated",
    tells: ["forgotten", "terminated: done"],
  },
  { from: "terminated", input: "INVITE", to: "terminated" },
  { from: "terminated", input: "ACK", to: "terminated" },
  { from: "terminated", input: "respond 183", to: "terminated" },
  { from: "terminated", input: "respond 200", to: "terminated" },
  { from: "terminated", input: "respond 487", to: "terminated" },
  { from: "terminated", input: "connection lost", to: "terminated" },
];

describe("RFC 3261 §17.2.1 and RFC 6026 §7.1 INVITE server transaction: state × input", () => {
  it("has a row for every pair", () => {
    const pairs = new Set(TABLE.map(({ from, input }) => `${from} ${input}`));
    expect(pairs.size).toBe(Object.keys(WAYS_TO).length * Object.keys(INPUTS).length);
    expect(TABLE).toHaveLength(pairs.size);
  });

  it.each(TABLE)("$from: $input → $to", ({ from, input, to, sends = [], tells = [], isTaken }) => {
    const setting = start();
    WAYS_TO[from]?.(setting);
    expect(setting.transaction.state).toBe(from);
    setting.flow.take();
    setting.told.length = 0;
    const result = INPUTS[input]?.(setting);
    expect(setting.transaction.state).toBe(to);
    expect(setting.flow.takeNames()).toEqual(sends);
    expect(setting.told).toEqual(tells);
    if (typeof result === "boolean") expect(result).toBe(isTaken ?? true);
  });
});

describe("RFC 3261 §17.2.1 the 100 of the INVITE server transaction", () => {
  it("comes after 200 ms when the user has said nothing", () => {
    const { clock, flow, transaction } = start();
    clock.advance(199);
    expect(flow.take()).toEqual([]);
    clock.advance(1);
    const [trying] = flow.take();
    expect(trying).toMatchObject({ statusCode: 100 });
    expect(trying?.toTag).toBeUndefined();
    expect(trying?.headers.get("Timestamp")).toBe("54");
    expect(transaction.state).toBe("proceeding");
  });

  it("comes at once when the table says 0", () => {
    const { flow, clock } = start("WS", timerValuesOf({ trying: 0 }));
    expect(flow.takeNames()).toEqual(["100"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([180, 200, 404])("does not come when the user answers %i in time", (status) => {
    const { clock, flow, respond } = start("WS");
    clock.advance(100);
    respond(status);
    clock.advance(1000);
    expect(flow.takeNames()).toEqual([String(status)]);
  });

  it("comes at once when the INVITE is retransmitted before it, and only then", () => {
    const { clock, flow, transaction } = start();
    clock.advance(100);
    transaction.receiveRetransmission();
    expect(flow.takeNames()).toEqual(["100"]);
    clock.advance(1000);
    expect(flow.take()).toEqual([]);
    transaction.receiveRetransmission();
    expect(flow.takeNames()).toEqual(["100"]);
  });
});

describe("RFC 3261 §17.2.1 timers of the INVITE server transaction", () => {
  it("retransmits a rejection at T1, doubling up to T2, until Timer H at 64·T1", () => {
    const { clock, flow, told, respond } = start();
    respond(486);
    const sentAt: number[] = [];
    for (let ms = 0; ms < 32_000; ms += 500) {
      if (flow.take().length > 0) sentAt.push(ms);
      clock.advance(500);
    }
    expect(sentAt).toEqual([
      0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ]);
    expect(told).toEqual(["forgotten", "terminated: timeout"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not retransmit a rejection over a reliable transport, where Timer H still runs", () => {
    const { clock, flow, told, respond } = start("WS");
    respond(486);
    clock.advance(31_999);
    expect(flow.takeNames()).toEqual(["486"]);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(["forgotten", "terminated: timeout"]);
  });

  it("absorbs ACKs for T4 over UDP (Timer I)", () => {
    const { clock, flow, told, transaction, respond } = start();
    respond(486);
    transaction.receiveAck();
    flow.take();
    clock.advance(4999);
    expect(transaction.state).toBe("confirmed");
    expect(flow.take()).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(["forgotten", "terminated: done"]);
  });

  it("ends with the ACK over a reliable transport", () => {
    const { clock, told, transaction, respond } = start("WS");
    respond(486);
    transaction.receiveAck();
    expect(told).toEqual(["forgotten", "terminated: done"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each(["UDP", "WS"] as const)("keeps Accepted for 64·T1 over %s (Timer L)", (transport) => {
    const { clock, flow, told, transaction, respond } = start(transport);
    respond(200);
    clock.advance(31_999);
    transaction.receiveRetransmission();
    expect(flow.takeNames()).toEqual(["200"]);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(["forgotten", "terminated: done"]);
  });

  it("tells a transport error and goes on (RFC 6026 §7.1)", async () => {
    const { flow, told, transaction, respond } = start();
    flow.isBroken = true;
    respond(200);
    await Promise.resolve();
    expect(told).toEqual(["transport error"]);
    expect(transaction.state).toBe("accepted");
  });
});

describe("RFC 3261 §18.2.2 where the responses go", () => {
  it("is another port than the request came from when the client asked for no rport", () => {
    const flow = new MemoryFlow("UDP", { host: "198.51.100.7", port: 40_000 });
    const transaction = new InviteServerTransaction({
      id: "key",
      request: requestOf("INVITE"),
      flow,
      context: contextOf(new ManualClock()),
      onTerminated() {},
    });
    transaction.respond(buildResponse(transaction.request, 486, { toTag: "us" }));
    transaction.dispose();
    expect(flow.take()).toEqual([]);
    expect(flow.others.get("198.51.100.7:5060")?.takeNames()).toEqual(["486"]);
  });
});
