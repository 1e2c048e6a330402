import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OutgoingInvite } from "../../../src/signaling/engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [
      {
        id: "office",
        peer: `sip:127.0.0.1:${pbx.local.port}`,
        auth: { username: "gw", password: "trunk secret" },
      },
    ],
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface Placed {
  readonly log: OutgoingLog;
  readonly attempt: OutgoingInvite;
  readonly invite: SipRequest;
}

async function place(
  options: { readonly sdp?: string | undefined; readonly headers?: readonly HeaderField[] } = {},
): Promise<Placed> {
  const log = new OutgoingLog();
  const attempt = engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: "office", number: "+49 30#1" },
      from: { user: "1001", displayName: 'Ann "A" Lée' },
      to: { user: "030123" },
      sdp: "sdp" in options ? options.sdp : sdpOf("offer"),
      headers: options.headers ?? [],
    },
    log,
  );
  return { log, attempt, invite: await pbx.expectRequest("INVITE") };
}

describe("RFC 3261 §8.1.1, §13.2.1 an INVITE of ours", () => {
  it("carries our addresses alone", async () => {
    const { attempt, log, invite } = await place({
      headers: [
        ["P-Early-Media", "supported"],
        ["Via", "SIP/2.0/UDP evil;branch=z9hG4bKx"],
        ["Route", "<sip:127.0.0.1:6379;lr>"],
      ],
    });
    const here = `127.0.0.1:${engine.udp.port}`;
    expect(invite.requestUri).toBe(`sip:+49%2030%231@127.0.0.1:${pbx.local.port}`);
    expect(invite.from.sipUri.user).toBe("1001");
    expect(invite.from.displayName).toBe('Ann "A" Lée');
    expect(invite.from.sipUri.host).toBe(DOMAIN);
    expect(invite.to.tag).toBeUndefined();
    expect(invite.contact?.uri).toBe(`sip:1001@${here}`);
    expect(invite.vias).toHaveLength(1);
    expect(invite.routes).toHaveLength(0);
    expect(invite.headers.get("User-Agent")).toBe("Offhook");
    expect(invite.headers.get("Max-Forwards")).toBe("70");
    expect(invite.headers.get("P-Early-Media")).toBe("supported");
    expect(invite.sdp).toBe(sdpOf("offer"));
    pbx.respond(invite, 404, { toTag: "a" });
    expect((await log.expect("failed")).failure).toEqual({
      cause: "response",
      reason: { sipStatus: 404, text: "Not Found" },
      reasonPhrase: "Not Found",
    });
    attempt.cancel();
  });

  it("tells the Reason of a refusal", async () => {
    const { log, invite } = await place();
    pbx.respond(invite, 480, {
      toTag: "a",
      headers: [["Reason", 'Q.850;cause=20;text="Subscriber absent"']],
    });
    await pbx.expectRequest("ACK");
    const { failure } = await log.expect("failed");
    expect(failure.reason).toEqual({ sipStatus: 480, q850: 20, text: "Subscriber absent" });
  });

  it("tells every fork's progress, and confirms the one that answers", async () => {
    const { log, invite } = await place();
    pbx.respond(invite, 100);
    pbx.respond(invite, 180, { toTag: "fork-a" });
    pbx.respond(invite, 183, { toTag: "fork-b", body: sdpOf("early-b") });
    expect((await log.expect("provisional")).response).toEqual({
      status: 180,
      reasonPhrase: "Ringing",
      sdp: undefined,
      remoteTag: "fork-a",
    });
    expect((await log.expect("provisional")).response).toMatchObject({
      status: 183,
      sdp: sdpOf("early-b"),
      remoteTag: "fork-b",
    });
    pbx.respond(invite, 200, { toTag: "fork-a", body: sdpOf("answer") });
    const ack = await pbx.expectRequest("ACK");
    expect(ack.toTag).toBe("fork-a");
    expect(ack.cseq.number).toBe(1);
    const accepted = await log.expect("accepted");
    expect(accepted.sdp).toBe(sdpOf("answer"));
    const far = PeerDialog.asCallee(pbx, invite, "fork-a");
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await accepted.log.expect("bye");
  });

  it("repeats the same ACK for every retransmission of the 2xx (§13.2.2.4)", async () => {
    const { log, invite } = await place();
    const ok = pbx.respond(invite, 200, { toTag: "a", body: sdpOf("answer") });
    const ack = await pbx.expectRequest("ACK");
    const accepted = await log.expect("accepted");
    pbx.send(ok);
    const again = await pbx.expectRequest("ACK");
    expect(again.topmostVia.branch).toBe(ack.topmostVia.branch);
    // The transaction is over: the dialog alone remembers.
    engine.clock.advance(40_000);
    pbx.send(ok);
    expect((await pbx.expectRequest("ACK")).topmostVia.branch).toBe(ack.topmostVia.branch);
    expect(log.events.unread).toHaveLength(0);
    accepted.log.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("acknowledges and hangs up the 2xx of every other fork", async () => {
    const { log, invite } = await place();
    pbx.respond(invite, 200, { toTag: "first", body: sdpOf("answer") });
    expect((await pbx.expectRequest("ACK")).toTag).toBe("first");
    const accepted = await log.expect("accepted");
    const second = pbx.respond(invite, 200, { toTag: "second", body: sdpOf("other") });
    expect((await pbx.expectRequest("ACK")).toTag).toBe("second");
    const bye = await pbx.expectRequest("BYE");
    expect(bye.toTag).toBe("second");
    pbx.respond(bye, 200);
    pbx.send(second);
    expect((await pbx.expectRequest("ACK")).toTag).toBe("second");
    expect(pbx.unread).toHaveLength(0);
    expect(engine.engine.counts.dialogs).toBe(1);
    accepted.log.dialog.bye();
    const last = await pbx.expectRequest("BYE");
    expect(last.toTag).toBe("first");
    pbx.respond(last, 200);
  });

  it("leaves the ACK of a late offer to its answer", async () => {
    const { log, invite } = await place({ sdp: undefined });
    expect(invite.body).toHaveLength(0);
    const ok = pbx.respond(invite, 200, { toTag: "a", body: sdpOf("their-offer") });
    const accepted = await log.expect("accepted");
    expect(accepted.sdp).toBe(sdpOf("their-offer"));
    pbx.send(ok);
    const far = PeerDialog.asCallee(pbx, invite, "a");
    far.request("OPTIONS");
    await pbx.expectResponse(200, "OPTIONS");
    expect(pbx.unread).toHaveLength(0);
    accepted.log.dialog.acknowledge(sdpOf("our-answer"));
    expect((await pbx.expectRequest("ACK")).sdp).toBe(sdpOf("our-answer"));
    pbx.send(ok);
    expect((await pbx.expectRequest("ACK")).sdp).toBe(sdpOf("our-answer"));
    accepted.log.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("sends an owed ACK before its BYE", async () => {
    const { log, invite } = await place({ sdp: undefined });
    pbx.respond(invite, 200, { toTag: "a", body: sdpOf("their-offer") });
    const accepted = await log.expect("accepted");
    accepted.log.dialog.bye();
    await pbx.expectRequest("ACK");
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("follows the route set of the 2xx (§12.2.1.1)", async () => {
    const { log, invite } = await place();
    const route = `<sip:127.0.0.1:${pbx.local.port};lr>`;
    pbx.respond(invite, 200, {
      toTag: "a",
      body: sdpOf("answer"),
      headers: [
        ["Record-Route", `<sip:127.0.0.1:9;lr>, ${route}`],
        ["Contact", "<sip:inside@10.99.0.1:5060?Route=%3Csip:evil%3E>"],
      ],
    });
    const ack = await pbx.expectRequest("ACK");
    expect(ack.headers.list("Route")).toEqual([route, "<sip:127.0.0.1:9;lr>"]);
    expect(ack.requestUri).toBe("sip:inside@10.99.0.1:5060");
    (await log.expect("accepted")).log.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("sends to the trunk itself when its Contact lies outside (no SSRF)", async () => {
    const { log, invite } = await place();
    pbx.respond(invite, 200, {
      toTag: "a",
      body: sdpOf("answer"),
      headers: [["Contact", "<sip:x@169.254.169.254:80>"]],
    });
    expect((await pbx.expectRequest("ACK")).requestUri).toBe("sip:x@169.254.169.254:80");
    (await log.expect("accepted")).log.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });
});

describe("RFC 3261 §9.1 cancelling an INVITE of ours", () => {
  it("holds the CANCEL back until a provisional response", async () => {
    const { attempt, log, invite } = await place();
    attempt.cancel({ sipStatus: 200, text: "Call completed elsewhere" });
    engine.clock.advance(400);
    expect(pbx.unread).toHaveLength(0);
    pbx.respond(invite, 180, { toTag: "a" });
    const cancel = await pbx.expectRequest("CANCEL");
    expect(cancel.topmostVia.branch).toBe(invite.topmostVia.branch);
    expect(cancel.headers.get("Reason")).toBe('SIP;cause=200;text="Call completed elsewhere"');
    pbx.respond(cancel, 200, { toTag: "a" });
    pbx.respond(invite, 487, { toTag: "a" });
    await pbx.expectRequest("ACK");
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "cancelled",
      reason: { sipStatus: 487 },
    });
  });

  it("acknowledges and hangs up a 2xx that crosses it", async () => {
    const { attempt, log, invite } = await place();
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    attempt.cancel();
    const cancel = await pbx.expectRequest("CANCEL");
    pbx.respond(invite, 200, { toTag: "a", body: sdpOf("answer") });
    pbx.respond(cancel, 481, { toTag: "b" });
    await pbx.expectRequest("ACK");
    pbx.respond(await pbx.expectRequest("BYE"), 200);
    expect((await log.expect("failed")).failure.cause).toBe("cancelled");
    expect(log.events.unread).toHaveLength(0);
  });

  it("ends although nothing ever answers", async () => {
    const { attempt, log } = await place();
    attempt.cancel();
    attempt.cancel();
    engine.clock.advance(32_000);
    expect((await log.expect("failed")).failure.cause).toBe("cancelled");
  });

  it("ends 64·T1 after a CANCEL that has no effect", async () => {
    const { attempt, log, invite } = await place();
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    attempt.cancel();
    await pbx.expectRequest("CANCEL");
    engine.clock.advance(32_000);
    expect((await log.expect("failed")).failure.cause).toBe("cancelled");
  });
});

describe("RFC 3261 §8.1.3.1, §16.6 an INVITE of ours without a final response", () => {
  it("fails with 408 when nothing answers (Timer B)", async () => {
    const { log } = await place();
    engine.clock.advance(31_999);
    expect(log.events.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "timeout",
      reason: { sipStatus: 408 },
    });
  });

  it("is cancelled three minutes after the last provisional response", async () => {
    const { log, invite } = await place();
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    engine.clock.advance(170_000);
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    engine.clock.advance(179_999);
    expect(pbx.unread.map((message) => message.kind === "request" && message.method)).not.toContain(
      "CANCEL",
    );
    engine.clock.advance(1);
    pbx.respond(await pbx.expectRequest("CANCEL"), 200);
    pbx.respond(invite, 487, { toTag: "a" });
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "timeout",
      reason: { sipStatus: 408 },
    });
  });

  it("fails with 503 when there is no such trunk, but not before invite() has returned", async () => {
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "trunk", trunkId: "gone", number: "1" },
        from: { user: "1" },
        to: { user: "1" },
        sdp: sdpOf("offer"),
      },
      log,
    );
    expect(log.events.unread).toHaveLength(0);
    engine.clock.advance(0);
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "transport",
      reason: { sipStatus: 503 },
    });
  });
});

describe("RFC 3261 §12.1.2 requests inside the early dialogs of our INVITE", () => {
  it.each([
    ["OPTIONS", 200],
    ["BYE", 403],
    ["UPDATE", 200],
    ["INFO", 491],
    ["PRACK", 481],
  ])("%s gets %i", async (method, status) => {
    const { attempt, log, invite } = await place();
    pbx.respond(invite, 180, { toTag: "a" });
    await log.expect("provisional");
    PeerDialog.asCallee(pbx, invite, "a").request(method);
    await pbx.expectResponse(status, method);
    attempt.cancel();
    pbx.respond(await pbx.expectRequest("CANCEL"), 200);
    pbx.respond(invite, 487, { toTag: "a" });
    await log.expect("failed");
  });
});
