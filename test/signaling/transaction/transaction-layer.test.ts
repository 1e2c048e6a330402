import { afterEach, describe, expect, it } from "vitest";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { SipResponse } from "../../../src/signaling/message/message.ts";
import { TransactionLayer } from "../../../src/signaling/transaction/transaction-layer.ts";
import type {
  ClientTransactionHandler,
  ServerTransaction,
  TransactionUser,
} from "../../../src/signaling/transaction/transaction.ts";
import type { Flow, FlowTransport } from "../../../src/signaling/transport/flow.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { errorLog, MemoryFlow, requestOf } from "./fixtures.ts";

class RecordingUser implements TransactionUser {
  readonly told: string[] = [];
  readonly transactions: ServerTransaction[] = [];

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    this.told.push(`request ${request.method}`);
    this.transactions.push(transaction);
  }
  onAck(request: SipRequest): void {
    this.told.push(`ack ${request.cseq.number}`);
  }
  onCancel(_cancel: SipRequest, invite: ServerTransaction): void {
    this.told.push(`cancel ${invite.state}`);
  }
  onStrayResponse(response: SipResponse): void {
    this.told.push(`stray ${response.statusCode}`);
  }
  onFlowOpen(flow: Flow): void {
    this.told.push(`open ${flow.id}`);
  }
  onFlowClosed(_flow: Flow, reason: string): void {
    this.told.push(`closed ${reason}`);
  }
}

function handler(told: string[]): ClientTransactionHandler {
  return {
    onResponse: ({ statusCode }) => told.push(String(statusCode)),
    onTimeout: () => told.push("timeout"),
    onTransportError: () => told.push("transport error"),
  };
}

const layers: { readonly layer: TransactionLayer; readonly clock: ManualClock }[] = [];

function setUp(options: { transport?: FlowTransport; maxTransactions?: number } = {}) {
  const clock = new ManualClock();
  const user = new RecordingUser();
  const logger = errorLog();
  const flow = new MemoryFlow(options.transport);
  const { maxTransactions = 1000 } = options;
  const layer = new TransactionLayer({ clock, user, logger, maxTransactions });
  layers.push({ layer, clock });
  const answer = (status: number, transaction = user.transactions.at(-1)): void => {
    if (transaction === undefined) throw new Error("no transaction yet");
    transaction.respond(buildResponse(transaction.request, status, { toTag: "us" }));
  };
  const sent = (): SipRequest => {
    const [request] = flow.take();
    if (request?.kind !== "request") throw new Error("no request was sent");
    return request;
  };
  return { clock, user, logger, flow, layer, answer, sent };
}

afterEach(() => {
  for (const { layer, clock } of layers.splice(0)) {
    layer.close();
    expect(layer.count).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  }
});

describe("RFC 3261 §17.1 client side of the layer", () => {
  it("puts our Via on top, with rport over UDP and a fresh branch each time", () => {
    const { flow, layer, sent } = setUp();
    const told: string[] = [];
    const first = layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler(told));
    const one = sent();
    layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler(told));
    const other = sent();
    expect(one.headers.get("Via")).toBe(
      `SIP/2.0/UDP 192.0.2.1:5060;branch=${one.topmostVia.branch};rport`,
    );
    expect(one.topmostVia.branch).toMatch(/^z9hG4bK[\w-]{24}$/);
    expect(first.id).toBe(one.topmostVia.branch);
    expect(other.topmostVia.branch).not.toBe(one.topmostVia.branch);
    expect([...one.headers][0]?.[0]).toBe("Via");
  });

  it("writes WSS into the Via toward a browser, without rport", () => {
    const { flow, layer, sent } = setUp({ transport: "WSS" });
    layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler([]));
    expect(sent().headers.get("Via")).toMatch(/^SIP\/2\.0\/WSS 192\.0\.2\.1:5060;branch=[\w-]+$/);
  });

  it("matches a response by branch and the method of CSeq (§17.1.3)", () => {
    const { flow, layer, sent, user } = setUp();
    const told: string[] = [];
    layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler(told));
    const request = sent();
    const answer = buildResponse(request, 200, { toTag: "them" });
    const otherMethod = requestOf("INFO", { Via: request.headers.get("Via") });
    layer.onMessage(buildResponse(otherMethod, 200, { toTag: "them" }), flow);
    expect(told).toEqual([]);
    // Any way back is good: the branch is the secret.
    layer.onMessage(answer, new MemoryFlow("UDP", { host: "198.51.100.200", port: 9 }));
    layer.onMessage(answer, flow);
    expect(told).toEqual(["200"]);
    expect(user.told).toEqual([]);
  });

  it("discards a response with more than one Via (§8.1.3.3)", () => {
    const { flow, layer, sent } = setUp();
    const told: string[] = [];
    layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler(told));
    const response = buildResponse(sent(), 200);
    const headers = response.headers.append("Via", "SIP/2.0/UDP a.example.com;branch=z9hG4bKx");
    layer.onMessage(new SipResponse(200, "OK", headers), flow);
    expect(told).toEqual([]);
  });

  it("sends CANCEL in a transaction of its own and absorbs its response", () => {
    const { clock, flow, layer, sent, user } = setUp();
    const told: string[] = [];
    const invite = layer.request(requestOf("INVITE", { Via: undefined }), flow, handler(told));
    const request = sent();
    invite.cancel();
    expect(flow.take()).toEqual([]);
    layer.onMessage(buildResponse(request, 180, { toTag: "them" }), flow);
    const cancel = sent();
    expect(cancel.method).toBe("CANCEL");
    expect(layer.counts).toEqual({ client: 2, server: 0 });
    clock.advance(500);
    expect(flow.takeNames()).toEqual(["CANCEL"]);
    layer.onMessage(buildResponse(cancel, 200, { toTag: "them" }), flow);
    layer.onMessage(buildResponse(request, 487, { toTag: "them" }), flow);
    expect(told).toEqual(["180", "487"]);
    expect(flow.takeNames()).toEqual(["ACK"]);
    clock.advance(32_500);
    expect(layer.count).toBe(0);
    expect(user.told).toEqual([]);
  });

  it("hands a 2xx up as stray once the INVITE transaction is over, and nothing else", () => {
    const { clock, flow, layer, sent, user } = setUp();
    const told: string[] = [];
    layer.request(requestOf("INVITE", { Via: undefined }), flow, handler(told));
    const request = sent();
    layer.onMessage(buildResponse(request, 200, { toTag: "fork1" }), flow);
    layer.onMessage(buildResponse(request, 200, { toTag: "fork2" }), flow);
    expect(told).toEqual(["200", "200"]);
    clock.advance(32_000);
    expect(layer.count).toBe(0);
    for (const status of [180, 200, 486]) {
      layer.onMessage(buildResponse(request, status, { toTag: "fork3" }), flow);
    }
    expect(user.told).toEqual(["stray 200"]);
  });

  it("hands up the 2xx of a fork that follows a rejection", () => {
    const { flow, layer, sent, user } = setUp();
    layer.request(requestOf("INVITE", { Via: undefined }), flow, handler([]));
    const request = sent();
    layer.onMessage(buildResponse(request, 486, { toTag: "fork1" }), flow);
    layer.onMessage(buildResponse(request, 200, { toTag: "fork2" }), flow);
    expect(user.told).toEqual(["stray 200"]);
  });

  it("drops a 2xx to an INVITE that was never ours (§18.1.2)", () => {
    const { flow, layer, user } = setUp();
    layer.onMessage(buildResponse(requestOf("INVITE"), 200, { toTag: "evil" }), flow);
    expect(user.told).toEqual([]);
  });

  it("fails later, not from inside the call, when the flow is closed", async () => {
    const { flow, layer } = setUp({ transport: "WS" });
    const told: string[] = [];
    flow.isOpen = false;
    const transaction = layer.request(requestOf("INVITE", { Via: undefined }), flow, handler(told));
    expect(told).toEqual([]);
    await Promise.resolve();
    expect(told).toEqual(["transport error"]);
    expect(transaction.state).toBe("terminated");
    expect(layer.count).toBe(0);
  });
});

describe("RFC 3261 §17.2.3 server side of the layer", () => {
  it("absorbs a retransmitted request and answers it again", () => {
    const { flow, layer, user, answer } = setUp();
    const request = requestOf("OPTIONS");
    layer.onMessage(request, flow);
    layer.onMessage(request, flow);
    answer(200);
    layer.onMessage(request, flow);
    expect(user.told).toEqual(["request OPTIONS"]);
    expect(flow.takeNames()).toEqual(["200", "200"]);
  });

  const DIFFERENT: readonly (readonly [what: string, request: SipRequest])[] = [
    [
      "branch",
      requestOf("OPTIONS", { Via: "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKremote2" }),
    ],
    [
      "sent-by host",
      requestOf("OPTIONS", { Via: "SIP/2.0/UDP 198.51.100.8:5060;branch=z9hG4bKremote1" }),
    ],
    [
      "sent-by port",
      requestOf("OPTIONS", { Via: "SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bKremote1" }),
    ],
    ["method", requestOf("INFO")],
  ];

  it.each(DIFFERENT)("takes another %s for another transaction", (_what, other) => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("OPTIONS"), flow);
    layer.onMessage(other, flow);
    expect(user.told).toHaveLength(2);
  });

  it("takes the same branch from another host for another transaction", () => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("OPTIONS"), flow);
    layer.onMessage(
      requestOf("OPTIONS"),
      new MemoryFlow("UDP", { host: "203.0.113.66", port: 5060 }),
    );
    expect(user.told).toHaveLength(2);
  });

  it("absorbs the ACK of a rejection, and hands the ACK of a 2xx up", () => {
    const { flow, layer, user, answer } = setUp();
    layer.onMessage(requestOf("INVITE"), flow);
    answer(486);
    layer.onMessage(requestOf("ACK", { To: "<sip:bob@example.com>;tag=us" }), flow);
    expect(user.told).toEqual(["request INVITE"]);
    expect(user.transactions[0]?.state).toBe("confirmed");

    const via = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKsecond";
    layer.onMessage(requestOf("INVITE", { Via: via, CSeq: "2 INVITE" }), flow);
    answer(200);
    const ackVia = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKthird";
    layer.onMessage(requestOf("ACK", { Via: ackVia, CSeq: "2 ACK" }), flow);
    // RFC 6026 §7.1: Accepted hands up an ACK with the INVITE's own branch too.
    layer.onMessage(requestOf("ACK", { Via: via, CSeq: "2 ACK" }), flow);
    expect(user.told).toEqual(["request INVITE", "request INVITE", "ack 2", "ack 2"]);
  });

  it("answers nothing to an ACK that fits nothing", () => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("ACK"), flow);
    expect(user.told).toEqual(["ack 1"]);
    expect(flow.take()).toEqual([]);
    expect(layer.count).toBe(0);
  });

  it("ends the transactions of a connection that closes, then tells so", () => {
    const { clock, flow, layer, user } = setUp({ transport: "WSS" });
    const told: string[] = [];
    layer.onFlowOpen(flow);
    layer.onMessage(requestOf("INVITE"), flow);
    user.transactions[0]?.attach({ onTerminated: (end) => user.told.push(`ended ${end}`) });
    layer.request(requestOf("NOTIFY", { Via: undefined }), flow, {
      ...handler(told),
      onTransportError: () => user.told.push("transport error"),
    });
    flow.isOpen = false;
    layer.onFlowClosed(flow, "closed with 1006");
    expect(user.told).toEqual([
      `open ${flow.id}`,
      "request INVITE",
      "ended transport",
      "transport error",
      "closed closed with 1006",
    ]);
    expect(layer.count).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("answers 503 without state when it is full, and works again afterwards", () => {
    const { clock, flow, layer, user, answer } = setUp({ maxTransactions: 2 });
    for (const n of [1, 2, 3]) {
      const via = `SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKn${n}`;
      layer.onMessage(requestOf("OPTIONS", { Via: via }), flow);
    }
    const [refusal] = flow.take();
    expect(refusal).toMatchObject({ statusCode: 503 });
    expect(refusal?.headers.get("Retry-After")).toBe("5");
    expect(user.told).toHaveLength(2);
    for (const transaction of user.transactions) answer(200, transaction);
    clock.advance(32_000);
    flow.take();
    const via = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKn4";
    layer.onMessage(requestOf("OPTIONS", { Via: via }), flow);
    expect(user.told).toHaveLength(3);
  });

  it("fails a request of ours when it is full", async () => {
    const { flow, layer } = setUp({ maxTransactions: 1 });
    const told: string[] = [];
    layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler([]));
    layer.request(requestOf("OPTIONS", { Via: undefined }), flow, handler(told));
    expect(flow.takeNames()).toEqual(["OPTIONS"]);
    await Promise.resolve();
    expect(told).toEqual(["transport error"]);
    expect(layer.count).toBe(1);
  });

  it("answers 500 when its user throws, and lives on", () => {
    const clock = new ManualClock();
    const logger = errorLog();
    const user = new RecordingUser();
    user.onRequest = () => {
      throw new Error("a fault of ours");
    };
    const layer = new TransactionLayer({ clock, user, logger });
    layers.push({ layer, clock });
    const flow = new MemoryFlow();
    layer.onMessage(requestOf("OPTIONS"), flow);
    expect(flow.takeNames()).toEqual(["500"]);
    expect(logger.errors).toHaveLength(1);
  });
});

describe("RFC 3261 §9.2 CANCEL", () => {
  it("is answered 200 with the INVITE's To-tag, and the user is told", () => {
    const { flow, layer, user, answer } = setUp();
    layer.onMessage(requestOf("INVITE"), flow);
    answer(180);
    flow.take();
    layer.onMessage(requestOf("CANCEL"), flow);
    const [response] = flow.take();
    expect(response).toMatchObject({ statusCode: 200, toTag: "us" });
    expect(response?.cseq.method).toBe("CANCEL");
    expect(user.told).toEqual(["request INVITE", "cancel proceeding"]);
    answer(487);
    expect(flow.takeNames()).toEqual(["487"]);
  });

  it("is answered again when it is retransmitted, and told once", () => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("INVITE"), flow);
    layer.onMessage(requestOf("CANCEL"), flow);
    layer.onMessage(requestOf("CANCEL"), flow);
    expect(flow.takeNames()).toEqual(["200", "200"]);
    expect(user.told).toEqual(["request INVITE", "cancel proceeding"]);
  });

  it("has no effect after a final response", () => {
    const { flow, layer, user, answer } = setUp();
    layer.onMessage(requestOf("INVITE"), flow);
    answer(200);
    layer.onMessage(requestOf("CANCEL"), flow);
    expect(flow.takeNames()).toEqual(["200", "200"]);
    expect(user.told).toEqual(["request INVITE"]);
  });

  it("is answered 481 when it fits no INVITE, or comes from another host", () => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("CANCEL"), flow);
    expect(flow.takeNames()).toEqual(["481"]);
    layer.onMessage(requestOf("INVITE"), flow);
    const via = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKremote1;received=203.0.113.66";
    const stranger = new MemoryFlow("UDP", { host: "203.0.113.66", port: 5060 });
    layer.onMessage(requestOf("CANCEL", { Via: via }), stranger);
    expect(stranger.takeNames()).toEqual(["481"]);
    expect(user.told).toEqual(["request INVITE"]);
  });

  it("does not cancel another method with the same branch", () => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("OPTIONS"), flow);
    layer.onMessage(requestOf("CANCEL"), flow);
    expect(flow.takeNames()).toEqual(["481"]);
    expect(user.told).toEqual(["request OPTIONS"]);
  });
});

describe("RFC 3261 §17.2.3 clients of RFC 2543, whose branch says nothing", () => {
  const old = { Via: "SIP/2.0/UDP 198.51.100.7:5060;branch=1;received=198.51.100.7" };

  it("matches retransmission, ACK and CANCEL by the fields that they share", () => {
    const { flow, layer, user, answer } = setUp();
    layer.onMessage(requestOf("INVITE", old), flow);
    layer.onMessage(requestOf("INVITE", old), flow);
    layer.onMessage(requestOf("CANCEL", old), flow);
    answer(487);
    layer.onMessage(requestOf("ACK", { ...old, To: "<sip:bob@example.com>;tag=us" }), flow);
    expect(user.told).toEqual(["request INVITE", "cancel proceeding"]);
    expect(user.transactions[0]?.state).toBe("confirmed");
  });

  it.each([
    ["CSeq", { CSeq: "2 INVITE" }],
    ["Call-ID", { "Call-ID": "call-2" }],
    ["From-tag", { From: "<sip:ann@example.com>;tag=from2" }],
  ])("takes another %s for another transaction", (_what, fields) => {
    const { flow, layer, user } = setUp();
    layer.onMessage(requestOf("INVITE", old), flow);
    layer.onMessage(requestOf("INVITE", { ...old, ...fields }), flow);
    expect(user.told).toHaveLength(2);
  });

  it("hands up an ACK whose To-tag is not that of our response", () => {
    const { flow, layer, user, answer } = setUp();
    layer.onMessage(requestOf("INVITE", old), flow);
    answer(486);
    layer.onMessage(requestOf("ACK", { ...old, To: "<sip:bob@example.com>;tag=other" }), flow);
    expect(user.told).toEqual(["request INVITE", "ack 1"]);
    expect(user.transactions[0]?.state).toBe("completed");
  });
});

describe("messages outside any transaction", () => {
  it("gives the ACK of a 2xx a Via once and sends it again unchanged", () => {
    const { flow, layer } = setUp();
    const ack = layer.sendStateless(requestOf("ACK", { Via: undefined }), flow);
    layer.sendStateless(ack, flow);
    const [first, second] = flow.take();
    expect(first?.topmostVia.branch).toMatch(/^z9hG4bK/);
    expect(second?.topmostVia.branch).toBe(first?.topmostVia.branch);
    expect(layer.count).toBe(0);
  });

  it("sends a stateless response where its Via says (RFC 3581 §4)", () => {
    const { flow, layer } = setUp();
    const via = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx;received=203.0.113.9;rport=4711";
    layer.sendStateless(buildResponse(requestOf("OPTIONS", { Via: via }), 401), flow);
    expect(flow.take()).toEqual([]);
    expect(flow.others.get("203.0.113.9:4711")?.takeNames()).toEqual(["401"]);
  });
});
