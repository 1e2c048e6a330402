import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { InviteLog } from "../../harness/signaling-engine.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";

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

interface Arrived {
  readonly request: SipRequest;
  readonly log: InviteLog;
}

async function call(
  options: { readonly body?: string; readonly headers?: readonly [string, string][] } = {},
): Promise<Arrived> {
  const request = pbx.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: '"Ann Lee" <sip:+4930123@pbx.test>;tag=caller',
    to: "<sip:1001@gateway.test>",
    headers: [["Contact", pbx.contact], ["User-Agent", "PBX 1"], ...(options.headers ?? [])],
    body: options.body ?? sdpOf("offer"),
  });
  return { request, log: await engine.invites.next("the INVITE") };
}

describe("RFC 3261 §13.3 an INVITE that arrives", () => {
  it("is handed over with party, number, caller and offer", async () => {
    const { log } = await call();
    const { invite } = log;
    expect(invite.party).toEqual({ kind: "trunk", trunkId: "office" });
    expect(invite.calledNumber).toBe("1001");
    expect(invite.callerIdentity).toEqual({ user: "+4930123", displayName: "Ann Lee" });
    expect(invite.sdp).toBe(sdpOf("offer"));
    invite.reject(486);
    expect((await pbx.expectResponse(486)).reasonPhrase).toBe("Busy Here");
  });

  it("answers 18x and 2xx with one To-tag, and confirms at the ACK", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    log.invite.progress(183, { sdp: sdpOf("early") });
    const ringing = await pbx.expectResponse(180);
    const early = await pbx.expectResponse(183);
    const dialog = log.accept(sdpOf("answer"));
    const ok = await pbx.expectResponse(200);
    expect(early.toTag).toBe(ringing.toTag);
    expect(ok.toTag).toBe(ringing.toTag);
    expect(ok.sdp).toBe(sdpOf("answer"));
    expect(ok.contact?.uri).toContain(`127.0.0.1:${engine.udp.port}`);
    expect(ok.headers.get("Allow")).toContain("INVITE");
    expect(engine.engine.counts.dialogs).toBe(1);
    const far = PeerDialog.asCaller(pbx, request, ok);
    far.request("ACK", { cseq: 1 });
    expect((await dialog.expect("confirmed")).sdp).toBeUndefined();
    expect(dialog.dialog.remoteAgent).toBe("PBX 1");
    far.request("BYE", { headers: [["Reason", 'Q.850;cause=16;text="Normal call clearing"']] });
    await pbx.expectResponse(200, "BYE");
    expect((await dialog.expect("bye")).reason).toEqual({
      sipStatus: 200,
      q850: 16,
      text: "Normal call clearing",
    });
  });

  it("gives the answer to a late offer with the ACK", async () => {
    const { request, log } = await call({ body: "" });
    expect(log.invite.sdp).toBeUndefined();
    const dialog = log.accept(sdpOf("our-offer"));
    const ok = await pbx.expectResponse(200);
    const far = PeerDialog.asCaller(pbx, request, ok);
    far.request("ACK", { cseq: 1, body: sdpOf("their-answer") });
    expect((await dialog.expect("confirmed")).sdp).toBe(sdpOf("their-answer"));
    dialog.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("repeats the 2xx at T1, doubling up to T2, until the ACK", async () => {
    const { request, log } = await call();
    const dialog = log.accept(sdpOf("answer"));
    const first = await pbx.expectResponse(200);
    for (const waitMs of [500, 1000, 2000, 4000, 4000]) {
      engine.clock.advance(waitMs - 1);
      expect(pbx.unread).toHaveLength(0);
      engine.clock.advance(1);
      expect((await pbx.expectResponse(200)).sdp).toBe(first.sdp);
    }
    const far = PeerDialog.asCaller(pbx, request, first);
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    engine.clock.advance(8000);
    far.request("OPTIONS");
    await pbx.expectResponse(200, "OPTIONS");
    expect(pbx.unread).toHaveLength(0);
    dialog.dialog.bye();
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("hangs up when no ACK comes in 64·T1", async () => {
    const { log } = await call();
    const dialog = log.accept(sdpOf("answer"));
    await pbx.expectResponse(200);
    engine.clock.advance(31_999);
    expect(dialog.events.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect((await dialog.expect("lost")).reason.sipStatus).toBe(408);
    pbx.respond(await pbx.expectRequest("BYE"), 200);
    expect(engine.engine.counts.dialogs).toBe(0);
  });

  it("keeps a hang-up of ours back until the ACK (§15)", async () => {
    const { request, log } = await call();
    const dialog = log.accept(sdpOf("answer"));
    const ok = await pbx.expectResponse(200);
    dialog.dialog.bye({ sipStatus: 200, q850: 16, text: "Normal call clearing" });
    const far = PeerDialog.asCaller(pbx, request, ok);
    far.request("OPTIONS");
    await pbx.expectResponse(481, "OPTIONS");
    expect(pbx.unread).toHaveLength(0);
    far.request("ACK", { cseq: 1 });
    const bye = await pbx.expectRequest("BYE");
    expect(bye.headers.getAll("Reason")).toEqual([
      'SIP;cause=200;text="Normal call clearing"',
      'Q.850;cause=16;text="Normal call clearing"',
    ]);
    pbx.respond(bye, 200);
    expect(dialog.events.unread).toHaveLength(0);
  });

  it("repeats its last provisional response every minute (§13.3.1.1)", async () => {
    const { log } = await call();
    log.invite.progress(180);
    await pbx.expectResponse(180);
    engine.clock.advance(60_000);
    await pbx.expectResponse(180);
    log.invite.reject(480);
    await pbx.expectResponse(480);
  });

  it("ends with 487 when its Expires has passed", async () => {
    const { log } = await call({ headers: [["Expires", "20"]] });
    log.invite.progress(180);
    engine.clock.advance(20_000);
    await pbx.expectResponse(487);
    expect((await log.cancelled.next()).reason?.sipStatus).toBe(487);
    expect(log.invite.accept(sdpOf("late"))).toBeUndefined();
  });

  it("refuses the same INVITE that came by another way with 482 (§8.2.2.2)", async () => {
    const { request, log } = await call();
    pbx.request("INVITE", {
      uri: request.requestUri,
      from: request.headers.get("From") ?? "",
      to: request.headers.get("To") ?? "",
      callId: request.callId,
      cseq: 1,
    });
    await pbx.expectResponse(482);
    expect(engine.invites.unread).toHaveLength(0);
    log.invite.reject(404);
    await pbx.expectResponse(404);
  });
});

describe("RFC 3261 §9 CANCEL of an INVITE that arrived", () => {
  function cancel(request: SipRequest, headers: readonly [string, string][] = []): void {
    pbx.request("CANCEL", {
      uri: request.requestUri,
      from: request.headers.get("From") ?? "",
      to: request.headers.get("To") ?? "",
      callId: request.callId,
      cseq: request.cseq.number,
      branch: request.topmostVia.branch ?? "",
      headers,
    });
  }

  it("before the answer: 200, then 487, and the handler is told why", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    cancel(request, [["Reason", 'SIP;cause=200;text="Call completed elsewhere"']]);
    await pbx.expectResponse(200, "CANCEL");
    await pbx.expectResponse(487, "INVITE");
    expect((await log.cancelled.next()).reason).toEqual({
      sipStatus: 200,
      text: "Call completed elsewhere",
    });
    expect(log.invite.accept(sdpOf("late"))).toBeUndefined();
    log.invite.reject(486);
    expect(engine.engine.counts.dialogs).toBe(0);
  });

  it("after the 2xx: no effect", async () => {
    const { request, log } = await call();
    const dialog = log.accept(sdpOf("answer"));
    const ok = await pbx.expectResponse(200, "INVITE");
    cancel(request);
    await pbx.expectResponse(200, "CANCEL");
    expect(log.cancelled.unread).toHaveLength(0);
    const far = PeerDialog.asCaller(pbx, request, ok);
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    far.request("BYE");
    await dialog.expect("bye");
  });

  it("with another branch: 481, and the call goes on", async () => {
    const { request, log } = await call();
    pbx.request("CANCEL", {
      uri: request.requestUri,
      from: request.headers.get("From") ?? "",
      to: request.headers.get("To") ?? "",
      callId: request.callId,
      cseq: 1,
    });
    await pbx.expectResponse(481, "CANCEL");
    expect(log.cancelled.unread).toHaveLength(0);
    log.invite.reject(486);
    await pbx.expectResponse(486);
  });
});

describe("RFC 3261 §12, §15 requests inside an early dialog of ours", () => {
  it.each([
    ["BYE", 200],
    ["OPTIONS", 200],
    ["UPDATE", 200],
    ["INFO", 491],
    ["PRACK", 481],
    ["FROBNICATE", 501],
  ])("%s gets %i", async (method, status) => {
    const { request, log } = await call();
    log.invite.progress(180);
    const far = PeerDialog.asCaller(pbx, request, await pbx.expectResponse(180));
    far.request(method);
    await pbx.expectResponse(status, method);
    if (method === "BYE") {
      await pbx.expectResponse(487, "INVITE");
      await log.cancelled.next();
    } else {
      log.invite.reject(486);
      await pbx.expectResponse(486);
    }
  });

  it("refuses an UPDATE with an offer before the INVITE's is answered (RFC 3311 §5.2)", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    const far = PeerDialog.asCaller(pbx, request, await pbx.expectResponse(180));
    far.request("UPDATE", { body: sdpOf("second") });
    expect((await pbx.expectResponse(500)).headers.has("Retry-After")).toBe(true);
    log.invite.reject(486);
    await pbx.expectResponse(486);
  });
});
