import { afterEach, describe, expect, it } from "vitest";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { Headers } from "../../../src/signaling/message/headers.ts";
import { SipRequest } from "../../../src/signaling/message/message.ts";
import { InviteClientTransaction } from "../../../src/signaling/transaction/invite-client.ts";
import type { FlowTransport } from "../../../src/signaling/transport/flow.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { contextOf, MemoryFlow, requestOf } from "./fixtures.ts";

const OUR_VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours;rport";

function setUp(transport: FlowTransport = "UDP") {
  const clock = new ManualClock();
  const flow = new MemoryFlow(transport);
  const context = contextOf(clock);
  const told: string[] = [];
  const transaction = new InviteClientTransaction({
    id: "z9hG4bKours",
    request: requestOf("INVITE", { Via: OUR_VIA }),
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
  const receive = (status: number, toTag = "bob"): boolean =>
    transaction.receive(buildResponse(transaction.request, status, { toTag }));
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
  calling: () => {},
  proceeding: ({ receive }) => receive(180),
  completed: ({ receive }) => receive(486),
  accepted: ({ receive }) => receive(200),
  terminated: ({ receive, clock }) => {
    receive(486);
    clock.advance(32_500);
  },
};

const INPUTS: Readonly<Record<string, (setting: Setting) => unknown>> = {
  100: ({ receive }) => receive(100),
  180: ({ receive }) => receive(180),
  200: ({ receive }) => receive(200),
  302: ({ receive }) => receive(302),
  486: ({ receive }) => receive(486),
  603: ({ receive }) => receive(603),
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
  readonly sends?: readonly string[];
  readonly tells?: readonly string[];
  /** False when the response is left to the layer. */
  readonly isTaken?: boolean;
}

const TABLE: readonly Row[] = [
  { from: "calling", input: "100", to: "proceeding", tells: ["100"] },
  { from: "calling", input: "180", to: "proceeding", tells: ["180"] },
  { from: "calling", input: "200", to: "accepted", tells: ["200"] },
  { from: "calling", input: "302", to: "completed", sends: ["ACK"], tells: ["302"] },
  { from: "calling", input: "486", to: "completed", sends: ["ACK"], tells: ["486"] },
  { from: "calling", input: "603", to: "completed", sends: ["ACK"], tells: ["603"] },
  { from: "calling", input: "cancel", to: "calling" },
  {
    from: "calling",
    input: "connection lost",
    to: "terminated",
    tells: ["terminated", "transport error"],
  },
  { from: "proceeding", input: "100", to: "proceeding", tells: ["100"] },
  { from: "proceeding", input: "180", to: "proceeding", tells: ["180"] },
  { from: "proceeding", input: "200", to: "accepted", tells: ["200"] },
  { from: "proceeding", input: "302", to: "completed", sends: ["ACK"], tells: ["302"] },
  { from: "proceeding", input: "486", to: "completed", sends: ["ACK"], tells: ["486"] },
  { from: "proceeding", input: "603", to: "completed", sends: ["ACK"], tells: ["603"] },
  { from: "proceeding", input: "cancel", to: "proceeding", sends: ["CANCEL"] },
  {
    from: "proceeding",
    input: "connection lost",
    to: "terminated",
    tells: ["terminated", "transport error"],
  },
  { from: "completed", input: "100", to: "completed" },
  { from: "completed", input: "180", to: "completed" },
  { from: "completed", input: "200", to: "completed", isTaken: false },
  { from: "completed", input: "302", to: "completed", sends: ["ACK"] },
  { from: "completed", input: "486", to: "completed", sends: ["ACK"] },
  { from: "completed", input: "603", to: "completed", sends: ["ACK"] },
  { from: "completed", input: "cancel", to: "completed" },
  { from: "completed", input: "connection lost", to: "terminated", tells: ["terminated"] },
  { from: "accepted", input: "100", to: "accepted" },
  { from: "accepted", input: "180", to: "accepted" },
  { from: "accepted", input: "200", to: "accepted", tells: ["200"] },
  { from: "accepted", input: "302", to: "accepted" },
  { from: "accepted", input: "486", to: "accepted" },
  { from: "accepted", input: "603", to: "accepted" },
  { from: "accepted", input: "cancel", to: "accepted" },
  { from: "accepted", input: "connection lost", to: "terminated", tells: ["terminated"] },
  { from: "terminated", input: "100", to: "terminated", isTaken: false },
  { from: "terminated", input: "180", to: "terminated", isTaken: false },
  { from: "terminated", input: "200", to: "terminated", isTaken: false },
  { from: "terminated", input: "302", to: "terminated", isTaken: false },
  { from: "terminated", input: "486", to: "terminated", isTaken: false },
  { from: "terminated", input: "603", to: "terminated", isTaken: false },
  { from: "terminated", input: "cancel", to: "terminated" },
  { from: "terminated", input: "connection lost", to: "terminated" },
];

describe("RFC 3261 §17.1.1 and RFC 6026 §7.2 INVITE client transaction: state × input", () => {
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
    const cancels = setting.context.cancels.map(({ method }) => method);
    expect([...setting.flow.takeNames(), ...cancels]).toEqual(sends);
    expect(setting.told).toEqual(tells);
    if (typeof result === "boolean") expect(result).toBe(isTaken ?? true);
  });
});

describe("RFC 3261 §17.1.1.2 timers of the INVITE client transaction", () => {
  it("retransmits at T1, doubling without a ceiling, until Timer B at 64·T1", () => {
    const { clock, flow, told, transaction } = start();
    const sentAt: number[] = [];
    for (let ms = 0; ms < 32_000; ms += 500) {
      if (flow.take().length > 0) sentAt.push(ms);
      clock.advance(500);
    }
    expect(sentAt).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    expect(told).toEqual(["terminated", "timeout"]);
    expect(transaction.state).toBe("terminated");
    expect(clock.pendingTimers).toBe(0);
  });

  it("retransmits the same octets", () => {
    const { clock, flow } = start();
    clock.advance(500);
    const [first, second] = flow.take();
    expect(first?.headers.get("Via")).toBe(OUR_VIA);
    expect(second?.headers.get("Via")).toBe(OUR_VIA);
  });

  it("stops retransmitting and waits without end after a provisional response", () => {
    const { clock, flow, told, receive } = start();
    receive(100);
    flow.take();
    clock.advance(3_600_000);
    expect(flow.take()).toEqual([]);
    expect(told).toEqual(["100"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("never retransmits over a reliable transport, where Timer B still runs", () => {
    const { clock, flow, told } = start("WSS");
    clock.advance(31_999);
    expect(flow.takeNames()).toEqual(["INVITE"]);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(["terminated", "timeout"]);
  });

  it("keeps Completed for more than 32 s over UDP (Timer D)", () => {
    const { clock, transaction, receive } = start();
    receive(486);
    clock.advance(32_000);
    expect(transaction.state).toBe("completed");
    clock.advance(500);
    expect(transaction.state).toBe("terminated");
  });

  it("has no Completed over a reliable transport", () => {
    const { clock, flow, told, transaction, receive } = start("WS");
    flow.take();
    receive(486);
    expect(flow.takeNames()).toEqual(["ACK"]);
    expect(told).toEqual(["terminated", "486"]);
    expect(transaction.state).toBe("terminated");
    expect(clock.pendingTimers).toBe(0);
  });

  it.each(["UDP", "WS"] as const)("keeps Accepted for 64·T1 over %s (Timer M)", (transport) => {
    const { clock, told, transaction, receive } = start(transport);
    receive(200);
    clock.advance(31_999);
    receive(200, "another fork");
    expect(told).toEqual(["200", "200"]);
    clock.advance(1);
    expect(transaction.state).toBe("terminated");
    expect(told).toEqual(["200", "200", "terminated"]);
  });

  it("tells a transport error of the INVITE and ends", async () => {
    const { clock, flow, told } = start();
    flow.isBroken = true;
    clock.advance(500);
    await Promise.resolve();
    expect(told).toEqual(["terminated", "transport error"]);
  });

  it("ends silently when the ACK cannot be sent: the user has its final response", async () => {
    const { flow, told, receive } = start();
    flow.isBroken = true;
    receive(486);
    await Promise.resolve();
    expect(told).toEqual(["486", "terminated"]);
  });
});

describe("RFC 3261 §17.1.1.3 ACK of a 300 to 699", () => {
  it("has the INVITE's Request-URI, Via, Route, From, Call-ID and the response's To", () => {
    const { flow, transaction } = start();
    const invite = transaction.request;
    const routed = new InviteClientTransaction({
      id: "z9hG4bKours",
      request: new SipRequest(
        "INVITE",
        "sip:bob@192.0.2.99;transport=udp",
        Headers.of([
          ["Via", OUR_VIA],
          ["Route", "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>"],
          ["Route", "<sip:p3.example.com;lr>"],
          ["Contact", "<sip:ann@192.0.2.1>"],
          ["From", invite.headers.get("From") ?? ""],
          ["To", invite.headers.get("To") ?? ""],
          ["Call-ID", invite.callId],
          ["CSeq", "42 INVITE"],
        ]),
      ),
      flow,
      handler: { onResponse() {}, onTimeout() {}, onTransportError() {} },
      context: contextOf(new ManualClock()),
      onTerminated() {},
    });
    flow.take();
    routed.receive(buildResponse(routed.request, 404, { toTag: "other" }));
    const [ack] = flow.take();
    expect(ack).toMatchObject({ method: "ACK", requestUri: "sip:bob@192.0.2.99;transport=udp" });
    expect([...(ack?.headers ?? [])].map(([name, value]) => `${name}: ${value}`)).toEqual([
      `Via: ${OUR_VIA}`,
      "Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>",
      "Route: <sip:p3.example.com;lr>",
      "Max-Forwards: 70",
      "From: <sip:ann@example.com>;tag=from1",
      "To: <sip:bob@example.com>;tag=other",
      "Call-ID: call-1@example.com",
      "CSeq: 42 ACK",
      "Content-Length: 0",
    ]);
  });
});

describe("RFC 3261 §9.1 CANCEL", () => {
  it("waits for the first provisional response", () => {
    const { context, transaction, receive } = start();
    transaction.cancel([["Reason", "SIP;cause=200"]]);
    expect(context.cancels).toEqual([]);
    receive(100);
    const [cancel] = context.cancels;
    expect(cancel?.method).toBe("CANCEL");
    expect(cancel?.requestUri).toBe(transaction.request.requestUri);
    expect(cancel?.topmostVia.branch).toBe("z9hG4bKours");
    expect(cancel?.vias).toHaveLength(1);
    expect(cancel?.cseq).toEqual({ number: 1, method: "CANCEL" });
    expect(cancel?.toTag).toBeUndefined();
    expect(cancel?.headers.get("Reason")).toBe("SIP;cause=200");
  });

  it("is sent once, however often it is asked for", () => {
    const { context, transaction, receive } = start();
    transaction.cancel();
    receive(100);
    receive(180);
    transaction.cancel();
    expect(context.cancels).toHaveLength(1);
  });

  it("is never sent when the final response comes first", () => {
    const { context, transaction, receive, told } = start();
    transaction.cancel();
    receive(200);
    expect(context.cancels).toEqual([]);
    expect(told).toEqual(["200"]);
    expect(transaction.state).toBe("accepted");
  });

  it("ends the INVITE after 64·T1 without a final response", () => {
    const { clock, told, transaction, receive } = start();
    receive(180);
    clock.advance(60_000);
    transaction.cancel();
    clock.advance(31_999);
    expect(told).toEqual(["180"]);
    clock.advance(1);
    expect(told).toEqual(["180", "terminated", "timeout"]);
    expect(receive(200)).toBe(false);
  });

  it("lets a 487 end the INVITE", () => {
    const { told, transaction, receive } = start();
    receive(180);
    transaction.cancel();
    receive(487);
    expect(told).toEqual(["180", "487"]);
    expect(transaction.state).toBe("completed");
  });
});
