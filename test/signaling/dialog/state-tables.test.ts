import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OutgoingInvite } from "../../../src/signaling/engine.ts";
import type { SipMessage, SipRequest } from "../../../src/signaling/message/message.ts";
import { DOMAIN, OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { DialogLog, InviteLog } from "../../harness/signaling-engine.ts";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";

/**
 * Every state of an INVITE and of its dialog against every input from the far end, on the wire:
 * what is sent, and what the call above is told. Absorbed inputs are rows too.
 */

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

/** What came, as words: `200 BYE`, `ACK`. */
function wordOf(message: SipMessage): string {
  return message.kind === "request"
    ? message.method
    : `${message.statusCode} ${message.cseq.method}`;
}

/** All that came until an OPTIONS, sent last, is answered: one socket is worked off in order. */
async function sendsUntilProbe(): Promise<readonly string[]> {
  const probe = pbx.request("OPTIONS", {
    uri: `sip:${DOMAIN}`,
    from: "<sip:pbx@pbx.test>;tag=probe",
    to: `<sip:${DOMAIN}>`,
  });
  await pbx.receive(
    (message): message is SipMessage =>
      message.kind === "response" && message.callId === probe.callId,
    "the answer to OPTIONS",
  );
  return pbx.unread.map(wordOf).filter((word) => word !== "100 INVITE");
}

/** An INVITE of the far end's, and what it can do in it. */
interface Incoming {
  readonly request: SipRequest;
  readonly log: InviteLog;
  readonly told: string[];
  dialog?: DialogLog;
  far?: PeerDialog;
}

async function arrive(): Promise<Incoming> {
  const request = pbx.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=caller",
    to: "<sip:1001@gateway.test>",
    body: sdpOf("offer"),
  });
  return { request, log: await engine.invites.next(), told: [] };
}

const SERVER_STATES: Readonly<Record<string, (call: Incoming) => Promise<void>>> = {
  received: () => Promise.resolve(),
  early: async (call) => {
    call.log.invite.progress(180);
    call.far = PeerDialog.asCaller(pbx, call.request, await pbx.expectResponse(180));
  },
  accepted: async (call) => {
    call.dialog = call.log.accept(sdpOf("answer"));
    call.far = PeerDialog.asCaller(pbx, call.request, await pbx.expectResponse(200));
  },
  confirmed: async (call) => {
    call.dialog = call.log.accept(sdpOf("answer"));
    call.far = PeerDialog.asCaller(pbx, call.request, await pbx.expectResponse(200));
    call.far.request("ACK", { cseq: 1 });
    await call.dialog.expect("confirmed");
  },
  rejected: async (call) => {
    call.log.invite.reject(486);
    call.far = PeerDialog.asCaller(pbx, call.request, await pbx.expectResponse(486));
  },
  ended: async (call) => {
    call.dialog = call.log.accept(sdpOf("answer"));
    call.far = PeerDialog.asCaller(pbx, call.request, await pbx.expectResponse(200));
    call.far.request("ACK", { cseq: 1 });
    await call.dialog.expect("confirmed");
    call.far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await call.dialog.expect("bye");
  },
};

/** The dialog as the far end sees it; before any response it has to guess a tag. */
function farOf({ far, request }: Incoming): PeerDialog {
  return far ?? PeerDialog.asCallee(pbx, request, "guess");
}

const SERVER_INPUTS: Readonly<Record<string, (call: Incoming) => void>> = {
  "the INVITE again": ({ request }) => pbx.send(request),
  CANCEL: ({ request }) =>
    void pbx.request("CANCEL", {
      uri: request.requestUri,
      from: request.headers.get("From") ?? "",
      to: request.headers.get("To") ?? "",
      callId: request.callId,
      branch: request.topmostVia.branch ?? "",
      headers: [],
    }),
  ACK: (call) => void farOf(call).request("ACK", { cseq: 1 }),
  BYE: (call) => void farOf(call).request("BYE"),
  "re-INVITE": (call) => void farOf(call).request("INVITE", { body: sdpOf("again") }),
  INFO: (call) => void farOf(call).request("INFO", { contentType: "application/x", body: "x" }),
};

interface Row {
  readonly from: string;
  readonly input: string;
  readonly sends: readonly string[];
  readonly tells: readonly string[];
}

/** Lines of `state | input | what is sent | what the call above is told`. */
function tableOf(text: string): readonly Row[] {
  const words = (cell = ""): readonly string[] => (cell === "" ? [] : cell.split(","));
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [from = "", input = "", sends, tells] = line.split("|");
      return { from, input, sends: words(sends), tells: words(tells) };
    });
}

const SERVER_TABLE = tableOf(`
received|the INVITE again||
received|CANCEL|200 CANCEL,487 INVITE|cancelled
received|ACK||
received|BYE|481 BYE|
received|re-INVITE|481 INVITE|
received|INFO|481 INFO|
early|the INVITE again|180 INVITE|
early|CANCEL|200 CANCEL,487 INVITE|cancelled
early|ACK||
early|BYE|200 BYE,487 INVITE|cancelled
early|re-INVITE|500 INVITE|
early|INFO|491 INFO|
accepted|the INVITE again||
accepted|CANCEL|200 CANCEL|
accepted|ACK||confirmed
accepted|BYE|200 BYE|bye
accepted|re-INVITE||reinvite
accepted|INFO||request
confirmed|the INVITE again||
confirmed|CANCEL|200 CANCEL|
confirmed|ACK||
confirmed|BYE|200 BYE|bye
confirmed|re-INVITE||reinvite
confirmed|INFO||request
rejected|the INVITE again|486 INVITE|
rejected|CANCEL|200 CANCEL|
rejected|ACK||
rejected|BYE|481 BYE|
rejected|re-INVITE|481 INVITE|
rejected|INFO|481 INFO|
ended|the INVITE again||
ended|CANCEL|200 CANCEL|
ended|ACK||
ended|BYE|481 BYE|
ended|re-INVITE|481 INVITE|
ended|INFO|481 INFO|`);

function tellsOf(call: Incoming): readonly string[] {
  return [
    ...call.log.cancelled.unread.map(() => "cancelled"),
    ...(call.dialog?.events.unread.map(({ name }) => name) ?? []),
  ];
}

describe("RFC 3261 §13.3, §12.2, §9.2, §15 an INVITE that arrived: state × input", () => {
  it("has a row for every pair", () => {
    const pairs = Object.keys(SERVER_STATES).length * Object.keys(SERVER_INPUTS).length;
    expect(new Set(SERVER_TABLE.map(({ from, input }) => `${from} ${input}`)).size).toBe(pairs);
  });

  it.each(SERVER_TABLE)("$from: $input", async ({ from, input, sends, tells }) => {
    const call = await arrive();
    await SERVER_STATES[from]?.(call);
    await sendsUntilProbe();
    pbx.drain();
    SERVER_INPUTS[input]?.(call);
    expect(await sendsUntilProbe()).toEqual(sends);
    expect(tellsOf(call)).toEqual(tells);
    call.log.invite.reject(480);
    for (const event of call.dialog?.events.unread ?? []) {
      if (event.name === "request") event.request.respond(200);
    }
    call.dialog?.dialog.bye();
  });
});

/** An INVITE of ours. */
interface Outgoing {
  readonly invite: SipRequest;
  readonly attempt: OutgoingInvite;
  readonly log: OutgoingLog;
  dialog?: DialogLog;
}

async function place(): Promise<Outgoing> {
  const log = new OutgoingLog();
  const attempt = engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: "office", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
    },
    log,
  );
  return { attempt, log, invite: await pbx.expectRequest("INVITE") };
}

const CLIENT_STATES: Readonly<Record<string, (call: Outgoing) => Promise<void>>> = {
  calling: () => Promise.resolve(),
  proceeding: async ({ invite }) => {
    pbx.respond(invite, 100);
    await sendsUntilProbe();
  },
  early: async ({ invite, log }) => {
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
  },
  accepted: async (call) => {
    pbx.respond(call.invite, 200, { toTag: "a", body: sdpOf("answer") });
    await pbx.expectRequest("ACK");
    call.dialog = (await call.log.expect("accepted")).log;
  },
  "cancelled before a response": ({ attempt }) => {
    attempt.cancel();
    return Promise.resolve();
  },
  "cancelled while ringing": async ({ invite, log, attempt }) => {
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    attempt.cancel();
    pbx.respond(await pbx.expectRequest("CANCEL"), 200);
  },
  failed: async ({ invite, log }) => {
    pbx.respond(invite, 486, { toTag: "a" });
    await pbx.expectRequest("ACK");
    await log.expect("failed");
  },
};

const CLIENT_INPUTS: Readonly<Record<string, (call: Outgoing) => void>> = {
  "100": ({ invite }) => void pbx.respond(invite, 100),
  "180": ({ invite }) => void pbx.respond(invite, 180, { toTag: "a" }),
  "180 of a fork": ({ invite }) => void pbx.respond(invite, 180, { toTag: "b" }),
  "200": ({ invite }) => void pbx.respond(invite, 200, { toTag: "a", body: sdpOf("answer") }),
  "200 of a fork": ({ invite }) =>
    void pbx.respond(invite, 200, { toTag: "b", body: sdpOf("answer") }),
  "486": ({ invite }) => void pbx.respond(invite, 486, { toTag: "a" }),
  "487": ({ invite }) => void pbx.respond(invite, 487, { toTag: "a" }),
  BYE: ({ invite }) => void PeerDialog.asCallee(pbx, invite, "a").request("BYE"),
};

const CLIENT_TABLE = tableOf(`
calling|100||
calling|180||provisional
calling|180 of a fork||provisional
calling|200|ACK|accepted
calling|200 of a fork|ACK|accepted
calling|486|ACK|failed
calling|487|ACK|failed
calling|BYE|481 BYE|
proceeding|100||
proceeding|180||provisional
proceeding|180 of a fork||provisional
proceeding|200|ACK|accepted
proceeding|200 of a fork|ACK|accepted
proceeding|486|ACK|failed
proceeding|487|ACK|failed
proceeding|BYE|481 BYE|
early|100||
early|180||provisional
early|180 of a fork||provisional
early|200|ACK|accepted
early|200 of a fork|ACK|accepted
early|486|ACK|failed
early|487|ACK|failed
early|BYE|403 BYE|
accepted|100||
accepted|180||
accepted|180 of a fork||
accepted|200|ACK|
accepted|200 of a fork|ACK,BYE|
accepted|486||
accepted|487||
accepted|BYE|200 BYE|bye
cancelled before a response|100|CANCEL|
cancelled before a response|180|CANCEL|
cancelled before a response|180 of a fork|CANCEL|
cancelled before a response|200|ACK,BYE|failed
cancelled before a response|200 of a fork|ACK,BYE|failed
cancelled before a response|486|ACK|failed
cancelled before a response|487|ACK|failed
cancelled before a response|BYE|481 BYE|
cancelled while ringing|100||
cancelled while ringing|180||
cancelled while ringing|180 of a fork||
cancelled while ringing|200|ACK,BYE|failed
cancelled while ringing|200 of a fork|ACK,BYE|failed
cancelled while ringing|486|ACK|failed
cancelled while ringing|487|ACK|failed
cancelled while ringing|BYE|403 BYE|
failed|100||
failed|180||
failed|180 of a fork||
failed|200|ACK,BYE|
failed|200 of a fork|ACK,BYE|
failed|486|ACK|
failed|487|ACK|
failed|BYE|481 BYE|`);

describe("RFC 3261 §13.2, §9.1, §12.1.2 an INVITE of ours: state × input", () => {
  it("has a row for every pair", () => {
    const pairs = Object.keys(CLIENT_STATES).length * Object.keys(CLIENT_INPUTS).length;
    expect(new Set(CLIENT_TABLE.map(({ from, input }) => `${from} ${input}`)).size).toBe(pairs);
  });

  it.each(CLIENT_TABLE)("$from: $input", async ({ from, input, sends, tells }) => {
    const call = await place();
    await CLIENT_STATES[from]?.(call);
    await sendsUntilProbe();
    pbx.drain();
    CLIENT_INPUTS[input]?.(call);
    expect(await sendsUntilProbe()).toEqual(sends);
    const events = [...call.log.events.unread];
    const inDialog = call.dialog?.events.unread.map(({ name }) => name) ?? [];
    expect([...events.map(({ name }) => name), ...inDialog]).toEqual(tells);
    call.attempt.cancel();
    call.dialog?.dialog.bye();
    for (const event of events) if (event.name === "accepted") event.log.dialog.bye();
  });
});
