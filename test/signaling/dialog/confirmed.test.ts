import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { DialogLog } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;
let stranger: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
  });
  engine.adopt(pbx);
  stranger = engine.adopt(await SipPeer.udp(engine.udp, "127.0.0.2"));
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface Call {
  readonly log: DialogLog;
  readonly far: PeerDialog;
}

/** A call that the trunk has placed and we have answered: the trunk owns the Call-ID. */
async function answered(): Promise<Call> {
  const invite = pbx.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=caller",
    to: "<sip:1001@gateway.test>",
    body: sdpOf("offer"),
  });
  const log = (await engine.invites.next()).accept(sdpOf("answer"));
  const far = PeerDialog.asCaller(pbx, invite, await pbx.expectResponse(200));
  far.request("ACK", { cseq: 1 });
  await log.expect("confirmed");
  return { log, far };
}

/** A call that we have placed: we own the Call-ID. */
async function placed(): Promise<Call> {
  const outgoing = new OutgoingLog();
  engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: "office", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
    },
    outgoing,
  );
  const invite = await pbx.expectRequest("INVITE");
  pbx.respond(invite, 200, { toTag: "callee", body: sdpOf("answer") });
  await pbx.expectRequest("ACK");
  const { log } = await outgoing.expect("accepted");
  return { log, far: PeerDialog.asCallee(pbx, invite, "callee") };
}

async function end({ log, far }: Call): Promise<void> {
  far.request("BYE");
  await pbx.expectResponse(200, "BYE");
  await log.expect("bye");
}

describe("RFC 3261 §12.2 requests inside a dialog", () => {
  it("answers 481 to wrong tags, and the call goes on", async () => {
    const call = await answered();
    pbx.request("BYE", {
      uri: "sip:x@gateway.test",
      from: "<sip:5@pbx.test>;tag=caller",
      to: "<sip:1001@gateway.test>;tag=wrong",
      callId: call.far.callId,
      cseq: 2,
    });
    await pbx.expectResponse(481, "BYE");
    expect(call.log.events.unread).toHaveLength(0);
    await end(call);
  });

  it("answers 403 to right tags from a foreign address, and the call goes on", async () => {
    const call = await answered();
    for (const method of ["BYE", "INVITE", "INFO"]) {
      call.far.from(stranger).request(method, { cseq: 50, body: sdpOf("hijack") });
      await stranger.expectResponse(403, method);
    }
    expect(call.log.events.unread).toHaveLength(0);
    // The stranger's numbers have not counted either.
    await end(call);
  });

  it("answers 500 to a CSeq that is not higher (§12.2.2)", async () => {
    const call = await answered();
    call.far.request("OPTIONS", { cseq: 7 });
    await pbx.expectResponse(200, "OPTIONS");
    call.far.request("BYE", { cseq: 6 });
    await pbx.expectResponse(500, "BYE");
    call.far.request("BYE", { cseq: 7 });
    await pbx.expectResponse(500, "BYE");
    call.far.cseq = 7;
    await end(call);
  });

  it.each([
    ["OPTIONS", 200],
    ["SUBSCRIBE", 405],
    ["FROBNICATE", 501],
  ])("answers %s with %i and says what is allowed", async (method, status) => {
    const call = await answered();
    call.far.request(method);
    const response = await pbx.expectResponse(status, method);
    expect(response.headers.get("Allow")).toContain("INVITE");
    await end(call);
  });

  it("answers 420 to what it does not know (§8.2.2.3)", async () => {
    const call = await answered();
    call.far.request("INFO", { headers: [["Require", "100rel, frob, nothing"]] });
    expect((await pbx.expectResponse(420)).headers.get("Unsupported")).toBe("frob, nothing");
    await end(call);
  });

  it.each(["INFO", "MESSAGE", "NOTIFY", "REFER"])("hands %s over", async (method) => {
    const call = await answered();
    call.far.request(method);
    const { request } = await call.log.expect("request");
    expect(request.request.method).toBe(method);
    request.respond(603, { reason: { sipStatus: 603, text: "No" } });
    request.respond(200);
    const response = await pbx.expectResponse(603, method);
    expect(response.headers.get("Reason")).toBe('SIP;cause=603;text="No"');
    await end(call);
  });

  it("sends other requests and tells the status", async () => {
    const call = await placed();
    const status = call.log.dialog.request("INFO", {
      contentType: "application/dtmf-relay",
      body: Buffer.from("Signal=5\r\n"),
    });
    const info = await pbx.expectRequest("INFO");
    expect(info.cseq.number).toBe(2);
    expect(info.contentType).toBe("application/dtmf-relay");
    pbx.respond(info, 415);
    expect(await status).toBe(415);
    await end(call);
  });

  it.each([
    [481, false],
    [408, true],
  ])("is lost when the far end answers %i (§12.2.1.2)", async (status, hasBye) => {
    const call = await placed();
    const result = call.log.dialog.request("INFO", {});
    pbx.respond(await pbx.expectRequest("INFO"), status);
    expect(await result).toBe(status);
    expect((await call.log.expect("lost")).reason.sipStatus).toBe(status);
    if (hasBye) pbx.respond(await pbx.expectRequest("BYE"), 481);
    else expect(pbx.unread).toHaveLength(0);
  });

  it("is lost when the far end is silent", async () => {
    const call = await placed();
    const result = call.log.dialog.request("INFO", {});
    await pbx.expectRequest("INFO");
    engine.clock.advance(32_000);
    expect(await result).toBe(408);
    expect((await call.log.expect("lost")).reason.sipStatus).toBe(408);
    pbx.respond(await pbx.expectRequest("BYE"), 481);
  });

  it("ends pending requests when the far end hangs up", async () => {
    const call = await placed();
    const info = call.log.dialog.request("INFO", {});
    const reinvite = call.log.dialog.reinvite(sdpOf("new"));
    const second = call.log.dialog.reinvite(sdpOf("newer"));
    await pbx.expectRequest("INVITE");
    await end(call);
    expect(await info).toBe(481);
    expect((await reinvite).ok).toBe(false);
    expect((await second).ok).toBe(false);
    expect((await call.log.dialog.reinvite(sdpOf("never"))).ok).toBe(false);
    expect(await call.log.dialog.request("INFO", {})).toBe(481);
  });
});

describe("RFC 3261 §14.1 our re-INVITE", () => {
  it("brings the answer, refreshes the target and is acknowledged", async () => {
    const call = await placed();
    const result = call.log.dialog.reinvite(sdpOf("hold"));
    const invite = await pbx.expectRequest("INVITE");
    expect(invite.toTag).toBe("callee");
    expect(invite.cseq.number).toBe(2);
    pbx.respond(invite, 100);
    pbx.respond(invite, 200, {
      body: sdpOf("held"),
      headers: [["Contact", `<sip:moved@127.0.0.1:${pbx.local.port}>`]],
    });
    expect((await pbx.expectRequest("ACK")).cseq.number).toBe(2);
    expect(await result).toEqual({ ok: true, sdp: sdpOf("held") });
    call.log.dialog.bye();
    const bye = await pbx.expectRequest("BYE");
    expect(bye.requestUri).toBe(`sip:moved@127.0.0.1:${pbx.local.port}`);
    pbx.respond(bye, 200);
  });

  it("goes one at a time, in order", async () => {
    const call = await placed();
    const first = call.log.dialog.reinvite(sdpOf("one"));
    const second = call.log.dialog.reinvite(sdpOf("two"));
    const one = await pbx.expectRequest("INVITE");
    expect(one.sdp).toBe(sdpOf("one"));
    expect(pbx.unread).toHaveLength(0);
    pbx.respond(one, 488);
    expect(await first).toMatchObject({ ok: false, reason: { sipStatus: 488 } });
    const two = await pbx.expectRequest("INVITE");
    expect(two.sdp).toBe(sdpOf("two"));
    pbx.respond(two, 200, { body: sdpOf("answer") });
    expect(await second).toMatchObject({ ok: true });
    await end(call);
  });

  it("waits for the ACK of our own 2xx first", async () => {
    const invite = pbx.request("INVITE", {
      uri: "sip:1001@gateway.test",
      from: "<sip:5@pbx.test>;tag=caller",
      to: "<sip:1001@gateway.test>",
      body: sdpOf("offer"),
    });
    const log = (await engine.invites.next()).accept(sdpOf("answer"));
    const far = PeerDialog.asCaller(pbx, invite, await pbx.expectResponse(200));
    const result = log.dialog.reinvite(sdpOf("hold"));
    far.request("OPTIONS");
    await pbx.expectResponse(200, "OPTIONS");
    expect(pbx.unread).toHaveLength(0);
    far.request("ACK", { cseq: 1 });
    pbx.respond(await pbx.expectRequest("INVITE"), 200, { body: sdpOf("held") });
    expect((await result).ok).toBe(true);
    await log.expect("confirmed");
    await end({ log, far });
  });

  it.each([
    ["2.1 to 4 s when we made the Call-ID", placed, 3050],
    ["0 to 2 s when the far end made it", answered, 1000],
  ])("after 491 comes again in %s", async (_title, begin, waitMs) => {
    const call = await begin();
    const result = call.log.dialog.reinvite(sdpOf("hold"));
    pbx.respond(await pbx.expectRequest("INVITE"), 491);
    await pbx.expectRequest("ACK");
    engine.clock.advance(waitMs - 1);
    call.far.request("OPTIONS");
    await pbx.expectResponse(200, "OPTIONS");
    expect(pbx.unread).toHaveLength(0);
    engine.clock.advance(1);
    const again = await pbx.expectRequest("INVITE");
    expect(again.sdp).toBe(sdpOf("hold"));
    pbx.respond(again, 200, { body: sdpOf("held") });
    expect((await result).ok).toBe(true);
    await end(call);
  });

  it("gives a late offer to the caller and sends its answer in the ACK", async () => {
    const call = await placed();
    const result = call.log.dialog.reinvite(undefined);
    pbx.respond(await pbx.expectRequest("INVITE"), 200, { body: sdpOf("their-offer") });
    expect(await result).toEqual({ ok: true, sdp: sdpOf("their-offer") });
    call.log.dialog.acknowledge(sdpOf("our-answer"));
    expect((await pbx.expectRequest("ACK")).sdp).toBe(sdpOf("our-answer"));
    await end(call);
  });
});

describe("RFC 3261 §14.2 a re-INVITE of the far end", () => {
  it("is handed over, answered until its ACK, and confirmed", async () => {
    const call = await placed();
    call.far.request("INVITE", { body: sdpOf("hold") });
    const { reinvite } = await call.log.expect("reinvite");
    expect(reinvite.sdp).toBe(sdpOf("hold"));
    expect(reinvite.method).toBe("INVITE");
    reinvite.accept(sdpOf("held"));
    reinvite.reject(488);
    const ok = await pbx.expectResponse(200, "INVITE");
    expect(ok.sdp).toBe(sdpOf("held"));
    engine.clock.advance(500);
    await pbx.expectResponse(200, "INVITE");
    call.far.request("ACK", { cseq: 1 });
    await call.log.expect("confirmed");
    await end(call);
  });

  it("without SDP asks for our offer, and its ACK brings the answer", async () => {
    const call = await answered();
    call.far.request("INVITE");
    const { reinvite } = await call.log.expect("reinvite");
    expect(reinvite.sdp).toBeUndefined();
    reinvite.accept(sdpOf("our-offer"));
    await pbx.expectResponse(200, "INVITE");
    call.far.request("ACK", { cseq: call.far.cseq, body: sdpOf("their-answer") });
    expect((await call.log.expect("confirmed")).sdp).toBe(sdpOf("their-answer"));
    await end(call);
  });

  it("gets 491 while one of ours is on its way: glare", async () => {
    const call = await placed();
    const result = call.log.dialog.reinvite(sdpOf("ours"));
    const ours = await pbx.expectRequest("INVITE");
    call.far.request("INVITE", { body: sdpOf("theirs") });
    await pbx.expectResponse(491, "INVITE");
    call.far.request("UPDATE", { body: sdpOf("theirs") });
    await pbx.expectResponse(491, "UPDATE");
    pbx.respond(ours, 491);
    engine.clock.advance(2000);
    // In our wait theirs comes first; ours gives way so that nobody waits for the other.
    call.far.request("INVITE", { body: sdpOf("theirs") });
    const { reinvite } = await call.log.expect("reinvite");
    expect(await result).toMatchObject({ ok: false, reason: { sipStatus: 491 } });
    expect(await call.log.dialog.reinvite(sdpOf("again"))).toMatchObject({
      ok: false,
      reason: { sipStatus: 491 },
    });
    reinvite.accept(sdpOf("answer"));
    await pbx.expectResponse(200, "INVITE");
    call.far.request("ACK", { cseq: call.far.cseq });
    await call.log.expect("confirmed");
    await end(call);
  });

  it("gets 500 with Retry-After while another one waits for us", async () => {
    const call = await placed();
    call.far.request("INVITE", { body: sdpOf("one") });
    const { reinvite } = await call.log.expect("reinvite");
    call.far.request("INVITE", { body: sdpOf("two") });
    const busy = await pbx.expectResponse(500, "INVITE");
    const seconds = Number(busy.headers.get("Retry-After"));
    expect(seconds).toBeGreaterThanOrEqual(0);
    expect(seconds).toBeLessThanOrEqual(10);
    reinvite.reject(488, { reasonPhrase: "No Common Codec" });
    expect((await pbx.expectResponse(488, "INVITE")).reasonPhrase).toBe("No Common Codec");
    await end(call);
  });

  it("can be cancelled before its answer", async () => {
    const call = await placed();
    const invite = call.far.request("INVITE", { body: sdpOf("one") });
    const { reinvite } = await call.log.expect("reinvite");
    call.far.request("CANCEL", {
      cseq: invite.cseq.number,
      branch: invite.topmostVia.branch ?? "",
    });
    await pbx.expectResponse(200, "CANCEL");
    await pbx.expectResponse(487, "INVITE");
    reinvite.accept(sdpOf("late"));
    await end(call);
  });

  it("hangs up when its 2xx is never acknowledged", async () => {
    const call = await placed();
    call.far.request("INVITE", { body: sdpOf("one") });
    (await call.log.expect("reinvite")).reinvite.accept(sdpOf("answer"));
    engine.clock.advance(32_000);
    expect((await call.log.expect("lost")).reason.sipStatus).toBe(408);
    pbx.respond(await pbx.expectRequest("BYE"), 200);
  });

  it("gets 415 when its body is no SDP", async () => {
    const call = await placed();
    call.far.request("INVITE", { contentType: "text/plain", body: "hello" });
    expect((await pbx.expectResponse(415)).headers.get("Accept")).toBe("application/sdp");
    await end(call);
  });

  it("UPDATE with an offer is one too, without ACK (RFC 3311)", async () => {
    const call = await answered();
    call.far.request("UPDATE", { body: sdpOf("hold") });
    const { reinvite } = await call.log.expect("reinvite");
    expect(reinvite.method).toBe("UPDATE");
    reinvite.accept(sdpOf("held"));
    expect((await pbx.expectResponse(200, "UPDATE")).sdp).toBe(sdpOf("held"));
    call.far.request("UPDATE");
    await pbx.expectResponse(200, "UPDATE");
    engine.clock.advance(40_000);
    expect(call.log.events.unread).toHaveLength(0);
    await end(call);
  });

  it("gets 487 when the far end hangs up before we have answered (§15.1.2)", async () => {
    const call = await placed();
    call.far.request("INVITE", { body: sdpOf("one") });
    const { reinvite } = await call.log.expect("reinvite");
    await end(call);
    await pbx.expectResponse(487, "INVITE");
    reinvite.accept(sdpOf("late"));
  });
});
