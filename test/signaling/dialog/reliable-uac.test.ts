import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { ReliableUse } from "../../../src/signaling/dialog/leg-terms.ts";
import type { OutgoingInvite } from "../../../src/signaling/engine.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  const peer = `sip:127.0.0.1:${pbx.local.port}`;
  const trunk = (reliable: ReliableUse) => ({
    id: reliable,
    peer,
    terms: { reliable, session: undefined },
  });
  engine = await TestEngine.start({
    trunks: [trunk("supported"), trunk("off"), trunk("required")],
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface Placed {
  readonly attempt: OutgoingInvite;
  readonly log: OutgoingLog;
  readonly invite: SipRequest;
}

async function place(
  options: { trunkId?: string; sdp?: string | undefined } = {},
): Promise<Placed> {
  const log = new OutgoingLog();
  const attempt = engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: options.trunkId ?? "supported", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: "sdp" in options ? options.sdp : sdpOf("offer"),
    },
    log,
  );
  return { attempt, log, invite: await pbx.expectRequest("INVITE") };
}

/** Sends a reliable provisional response. */
function reliably(
  invite: SipRequest,
  status: number,
  options: { readonly rseq: number; readonly tag?: string; readonly body?: string },
): void {
  pbx.respond(invite, status, {
    toTag: options.tag ?? "a",
    headers: [
      ["Contact", pbx.contact],
      ["Require", "100rel"],
      ["RSeq", String(options.rseq)],
    ],
    ...(options.body === undefined ? {} : { body: options.body }),
  });
}

async function expectPrack(rack: string, tag = "a"): Promise<SipRequest> {
  const prack = await pbx.expectRequest("PRACK");
  expect(prack.headers.get("RAck")).toBe(rack);
  expect(prack.toTag).toBe(tag);
  pbx.respond(prack, 200);
  return prack;
}

async function refuse({ invite, log }: Placed): Promise<void> {
  pbx.respond(invite, 486, { toTag: "a" });
  await log.expect("failed");
}

describe("RFC 3262 §4 what an INVITE of ours says of 100rel", () => {
  it.each([
    ["supported", true, undefined],
    ["off", false, undefined],
    ["required", true, "100rel"],
  ] as const)("%s", async (trunkId, isSupported, required) => {
    const placed = await place({ trunkId });
    expect(placed.invite.headers.list("Supported").includes("100rel")).toBe(isSupported);
    expect(placed.invite.headers.get("Require")).toBe(required);
    expect(placed.invite.headers.get("Allow")).toContain("PRACK");
    await refuse(placed);
  });

  it("nothing with a late offer, which a reliable response would have to bring", async () => {
    const placed = await place({ trunkId: "required", sdp: undefined });
    expect(placed.invite.headers.list("Supported")).not.toContain("100rel");
    expect(placed.invite.headers.get("Require")).toBeUndefined();
    await refuse(placed);
  });
});

describe("RFC 3262 §4 reliable provisional responses to an INVITE of ours", () => {
  it("are acknowledged in order, each once", async () => {
    const placed = await place();
    const { invite, log } = placed;
    reliably(invite, 180, { rseq: 776 });
    const first = await expectPrack("776 1 INVITE");
    expect(first.cseq.number).toBe(2);
    // The same again: the PRACK is on its way already.
    reliably(invite, 180, { rseq: 776 });
    // A gap: the one between has been lost and will come again.
    reliably(invite, 183, { rseq: 778, body: sdpOf("too-early") });
    reliably(invite, 183, { rseq: 777, body: sdpOf("answer") });
    expect((await expectPrack("777 1 INVITE")).cseq.number).toBe(3);
    expect((await log.expect("provisional")).response.status).toBe(180);
    expect((await log.expect("provisional")).response.sdp).toBe(sdpOf("answer"));
    expect(log.events.unread).toHaveLength(0);
    expect(pbx.unread).toHaveLength(0);
    await refuse(placed);
  });

  it("are counted for each fork by itself", async () => {
    const placed = await place();
    reliably(placed.invite, 180, { rseq: 5, tag: "a" });
    await expectPrack("5 1 INVITE", "a");
    reliably(placed.invite, 180, { rseq: 1, tag: "b" });
    await expectPrack("1 1 INVITE", "b");
    await placed.log.expect("provisional");
    await placed.log.expect("provisional");
    await refuse(placed);
  });

  it.each([["0"], ["x"], ["4294967296"], [""]])("with RSeq %j are none", async (rseq) => {
    const placed = await place();
    pbx.respond(placed.invite, 180, {
      toTag: "a",
      headers: [
        ["Contact", pbx.contact],
        ["Require", "100rel"],
        ["RSeq", rseq],
      ],
    });
    await placed.log.expect("provisional");
    expect(pbx.unread).toHaveLength(0);
    await refuse(placed);
  });

  it("bring the answer: what the 2xx says counts no more, and CSeq goes on (RFC 3261 §13.2.1)", async () => {
    const { invite, log } = await place();
    reliably(invite, 183, { rseq: 1, body: sdpOf("answer") });
    await expectPrack("1 1 INVITE");
    await log.expect("provisional");
    pbx.respond(invite, 200, { toTag: "a" });
    const { log: dialog, sdp } = await log.expect("accepted");
    expect(sdp).toBe(sdpOf("answer"));
    expect((await pbx.expectRequest("ACK")).cseq.number).toBe(1);
    dialog.dialog.bye();
    const bye = await pbx.expectRequest("BYE");
    expect(bye.cseq.number).toBe(3);
    pbx.respond(bye, 200);
  });

  it("do not stop the 2xx of another fork, which has its own answer", async () => {
    const { invite, log } = await place();
    reliably(invite, 183, { rseq: 1, tag: "a", body: sdpOf("of-a") });
    await expectPrack("1 1 INVITE", "a");
    await log.expect("provisional");
    pbx.respond(invite, 200, { toTag: "b", body: sdpOf("of-b") });
    const { log: dialog, sdp } = await log.expect("accepted");
    expect(sdp).toBe(sdpOf("of-b"));
    await pbx.expectRequest("ACK");
    dialog.dialog.bye();
    const bye = await pbx.expectRequest("BYE");
    expect([bye.toTag, bye.cseq.number]).toEqual(["b", 2]);
    pbx.respond(bye, 200);
  });
});

describe("RFC 3311 §5.2 UPDATE of the callee before it answers", () => {
  it("moves the target without an offer", async () => {
    const { invite, log } = await place();
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    const moved = engine.adopt(await SipPeer.udp(engine.udp));
    const far = PeerDialog.asCallee(pbx, invite, "a").from(moved);
    far.request("UPDATE");
    const ok = await moved.expectResponse(200, "UPDATE");
    expect(ok.contact?.uri).toContain(`127.0.0.1:${engine.udp.port}`);
    pbx.respond(invite, 200, { toTag: "a", body: sdpOf("answer"), headers: [] });
    const { log: dialog } = await log.expect("accepted");
    await moved.expectRequest("ACK");
    // The far end's numbers go on in the confirmed dialog.
    far.request("OPTIONS", { cseq: 1 });
    await moved.expectResponse(500, "OPTIONS");
    dialog.dialog.bye();
    moved.respond(await moved.expectRequest("BYE"), 200);
  });

  it("with an offer gets 491 before our own is answered, 488 after", async () => {
    const placed = await place();
    const { invite, log } = placed;
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    const far = PeerDialog.asCallee(pbx, invite, "a");
    far.request("UPDATE", { body: sdpOf("second") });
    await pbx.expectResponse(491, "UPDATE");
    reliably(invite, 183, { rseq: 1, body: sdpOf("answer") });
    await expectPrack("1 1 INVITE");
    await log.expect("provisional");
    far.request("UPDATE", { body: sdpOf("second") });
    await pbx.expectResponse(488, "UPDATE");
    await refuse(placed);
  });

  it("is answered by whoever takes offers; the 2xx brings nothing else then", async () => {
    const log = new OutgoingLog();
    const offers: string[] = [];
    engine.engine.invite(
      {
        target: { kind: "trunk", trunkId: "supported", number: "5" },
        from: { user: "1001" },
        to: { user: "5" },
        sdp: sdpOf("offer"),
      },
      {
        onProvisional: (response) => log.onProvisional(response),
        onAccepted: (dialog, sdp) => log.onAccepted(dialog, sdp),
        onFailed: (failure) => log.onFailed(failure),
        onReinvite: (offer, tag) => {
          offers.push(`${offer.method} ${tag}`);
          offer.accept(sdpOf("our-answer"));
        },
      },
    );
    const invite = await pbx.expectRequest("INVITE");
    reliably(invite, 183, { rseq: 1, body: sdpOf("answer") });
    await expectPrack("1 1 INVITE");
    await log.expect("provisional");
    PeerDialog.asCallee(pbx, invite, "a").request("UPDATE", { body: sdpOf("second") });
    expect((await pbx.expectResponse(200, "UPDATE")).sdp).toBe(sdpOf("our-answer"));
    expect(offers).toEqual(["UPDATE a"]);
    pbx.respond(invite, 200, { toTag: "a", body: sdpOf("answer") });
    const { log: dialog, sdp } = await log.expect("accepted");
    expect(sdp).toBe(sdpOf("second"));
    await pbx.expectRequest("ACK");
    dialog.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });
});

describe("RFC 6228 §4 199", () => {
  it("ends the early dialog of that fork alone", async () => {
    const placed = await place();
    const { invite, log } = placed;
    expect(invite.headers.list("Supported")).toContain("199");
    pbx.respond(invite, 183, { toTag: "a" });
    pbx.respond(invite, 180, { toTag: "b" });
    await log.expect("provisional");
    await log.expect("provisional");
    pbx.respond(invite, 199, { toTag: "a" });
    PeerDialog.asCallee(pbx, invite, "b").request("OPTIONS");
    await pbx.expectResponse(200, "OPTIONS");
    PeerDialog.asCallee(pbx, invite, "a").request("OPTIONS");
    await pbx.expectResponse(481, "OPTIONS");
    expect(log.events.unread).toHaveLength(0);
    await refuse(placed);
  });
});
