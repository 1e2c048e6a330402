import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { InviteLog } from "../../harness/signaling-engine.ts";
import type { ReliableUse } from "../../../src/signaling/dialog/leg-terms.ts";
import type { IncomingReinvite } from "../../../src/signaling/engine.ts";
import type { SipRequest, SipResponse } from "../../../src/signaling/message/message.ts";
import { waitFor } from "../../harness/wait.ts";

const peers: SipPeer[] = [];
let engine: TestEngine;
/** Leaves everything to the defaults of a trunk. */
let pbx: SipPeer;

beforeEach(async () => {
  const terms = (reliable: ReliableUse) => ({ reliable, session: undefined });
  peers.push(await SipPeer.udp(), await SipPeer.udp(undefined, "127.0.0.2"));
  peers.push(await SipPeer.udp(undefined, "127.0.0.3"));
  const uris = peers.map(({ local }) => `sip:${local.host}:${local.port}`);
  engine = await TestEngine.start({
    trunks: [
      { id: "office", peer: uris[0] ?? "", terms: terms("supported") },
      { id: "never", peer: uris[1] ?? "", terms: terms("off") },
      { id: "always", peer: uris[2] ?? "", terms: terms("required") },
    ],
  });
  for (const peer of peers) engine.adopt(peer);
  pbx = peers[0] ?? (await SipPeer.udp());
});

afterEach(async () => {
  peers.length = 0;
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

function invite(
  options: { readonly body?: string; readonly headers?: readonly [string, string][] } = {},
  peer = pbx,
): SipRequest {
  return peer.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=caller",
    to: "<sip:1001@gateway.test>",
    headers: [["Contact", peer.contact], ...(options.headers ?? [["Supported", "100rel"]])],
    body: options.body ?? sdpOf("offer"),
  });
}

interface Arrived {
  readonly request: SipRequest;
  readonly log: InviteLog;
}

async function call(options: Parameters<typeof invite>[0] = {}, peer = pbx): Promise<Arrived> {
  const request = invite(options, peer);
  return { request, log: await engine.invites.next("the INVITE") };
}

function rseqOf(response: SipResponse): string {
  expect(response.headers.get("Require")).toBe("100rel");
  return response.headers.get("RSeq") ?? "";
}

/** Acknowledges a reliable response. */
function prack(request: SipRequest, response: SipResponse, body?: string): PeerDialog {
  const far = PeerDialog.asCaller(pbx, request, response);
  far.request("PRACK", {
    headers: [["RAck", `${rseqOf(response)} 1 INVITE`]],
    ...(body === undefined ? {} : { body }),
  });
  return far;
}

async function finish({ request, log }: Arrived): Promise<void> {
  log.invite.reject(486);
  await pbx.expectResponse(486);
  pbx.request("ACK", {
    uri: request.requestUri,
    from: request.headers.get("From") ?? "",
    to: "<sip:1001@gateway.test>;tag=x",
    callId: request.callId,
    branch: request.topmostVia.branch ?? "",
  });
}

describe("RFC 3262 §3 reliable provisional responses of ours", () => {
  it("go to a caller that supports them, one after another, each with the next RSeq", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    log.invite.progress(183, { sdp: sdpOf("early") });
    const ringing = await pbx.expectResponse(180);
    expect(pbx.unread).toHaveLength(0);
    prack(request, ringing);
    await pbx.expectResponse(200, "PRACK");
    const early = await pbx.expectResponse(183);
    expect(early.sdp).toBe(sdpOf("early"));
    expect(Number(rseqOf(early))).toBe(Number(rseqOf(ringing)) + 1);
    prack(request, early).cseq = 3;
    await finish({ request, log });
  });

  it.each([
    ["a caller that does not name 100rel", [], 0],
    ["a trunk without them", [["Supported", "100rel"]], 1],
  ] as const)("do not go to %s", async (_what, headers, index) => {
    const peer = peers[index] ?? pbx;
    const own = headers.map(([name, value]): [string, string] => [name, value]);
    const { log } = await call({ headers: own }, peer);
    log.invite.progress(180);
    const ringing = await peer.expectResponse(180);
    expect(ringing.headers.get("RSeq")).toBeUndefined();
    log.invite.reject(486);
    await peer.expectResponse(486);
  });

  it("are sent again at T1, doubling, until the PRACK", async () => {
    const { request, log } = await call();
    log.invite.progress(183, { sdp: sdpOf("early") });
    const first = await pbx.expectResponse(183);
    for (const waitMs of [500, 1000, 2000, 4000, 8000]) {
      engine.clock.advance(waitMs - 1);
      expect(pbx.unread).toHaveLength(0);
      engine.clock.advance(1);
      expect(rseqOf(await pbx.expectResponse(183))).toBe(rseqOf(first));
    }
    prack(request, first);
    await pbx.expectResponse(200, "PRACK");
    engine.clock.advance(16_000);
    expect(pbx.unread).toHaveLength(0);
    await finish({ request, log });
  });

  it("end the INVITE with 504 when no PRACK comes in 64·T1", async () => {
    const { log } = await call();
    log.invite.progress(180);
    await pbx.expectResponse(180);
    engine.clock.advance(31_999);
    expect(log.cancelled.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect((await log.cancelled.next()).reason).toMatchObject({ sipStatus: 504, q850: 102 });
    await pbx.expectResponse(504);
  });

  it.each([
    ["another RSeq", (rseq: string) => `${Number(rseq) + 1} 1 INVITE`],
    ["another CSeq", (rseq: string) => `${rseq} 2 INVITE`],
    ["another method", (rseq: string) => `${rseq} 1 UPDATE`],
    ["no number", () => "x 1 INVITE"],
    ["too much", (rseq: string) => `${rseq} 1 INVITE 1`],
    ["nothing", () => ""],
  ])("are not acknowledged by a RAck with %s: 481", async (_what, rack) => {
    const { request, log } = await call();
    log.invite.progress(180);
    const ringing = await pbx.expectResponse(180);
    const far = PeerDialog.asCaller(pbx, request, ringing);
    far.request("PRACK", { headers: [["RAck", rack(rseqOf(ringing))]] });
    await pbx.expectResponse(481, "PRACK");
    engine.clock.advance(500);
    await pbx.expectResponse(180);
    await finish({ request, log });
  });

  it("are acknowledged once: another PRACK for the same one gets 481", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    const far = prack(request, await pbx.expectResponse(180));
    await pbx.expectResponse(200, "PRACK");
    far.request("PRACK", { headers: [["RAck", "1 1 INVITE"]] });
    await pbx.expectResponse(481, "PRACK");
    await finish({ request, log });
  });

  it("get a new RSeq when ringing is told again after a minute", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    const first = await pbx.expectResponse(180);
    prack(request, first);
    await pbx.expectResponse(200, "PRACK");
    engine.clock.advance(60_000);
    const again = await pbx.expectResponse(180);
    expect(Number(rseqOf(again))).toBe(Number(rseqOf(first)) + 1);
    await finish({ request, log });
  });
});

describe("RFC 3262 §5 offer and answer", () => {
  it("hold the 2xx until a response with our answer has its PRACK, and answer once", async () => {
    const { request, log } = await call();
    log.invite.progress(183, { sdp: sdpOf("answer") });
    const early = await pbx.expectResponse(183);
    const dialog = log.accept(sdpOf("answer"));
    await Promise.resolve();
    expect(pbx.unread).toHaveLength(0);
    const far = prack(request, early);
    await pbx.expectResponse(200, "PRACK");
    const ok = await pbx.expectResponse(200, "INVITE");
    expect(ok.sdp).toBeUndefined();
    expect(ok.toTag).toBe(early.toTag);
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    expect(pbx.unread).toHaveLength(0);
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it.each(["accepted", "refused"] as const)(
    "answer an offer in the PRACK that the 2xx waits for first: %s",
    async (outcome) => {
      const { request, log } = await call();
      log.invite.progress(183, { sdp: sdpOf("4711") });
      const early = await pbx.expectResponse(183);
      // What holds in the end is not what was said early: it would be offered next.
      const dialog = log.accept(sdpOf("4711").replace("RTP/AVP 0", "RTP/AVP 8"));
      const far = prack(request, early, sdpOf("second"));
      const { reinvite } = await dialog.expect("reinvite");
      expect([reinvite.method, reinvite.sdp]).toEqual(["PRACK", sdpOf("second")]);
      far.request("UPDATE", { body: sdpOf("third") });
      await pbx.expectResponse(500, "UPDATE");
      expect(pbx.unread).toHaveLength(0);
      if (outcome === "accepted") reinvite.accept(sdpOf("second-answer"));
      else reinvite.reject(488);
      const answer = await pbx.expectResponse(outcome === "accepted" ? 200 : 488, "PRACK");
      expect(answer.sdp).toBe(outcome === "accepted" ? sdpOf("second-answer") : undefined);
      expect((await pbx.expectResponse(200, "INVITE")).sdp).toBeUndefined();
      far.request("ACK", { cseq: 1 });
      await dialog.expect("confirmed");
      if (outcome === "refused") {
        const correction = await pbx.expectRequest("INVITE");
        expect(correction.sdp).toContain("RTP/AVP 8");
        pbx.respond(correction, 200, { body: sdpOf("theirs") });
        await pbx.expectRequest("ACK");
      }
      expect(pbx.unread).toHaveLength(0);
      far.request("BYE");
      await pbx.expectResponse(200, "BYE");
      await dialog.expect("bye");
    },
  );

  it("do not hold it for a response without SDP, whose PRACK still gets 200", async () => {
    const { request, log } = await call();
    log.invite.progress(180);
    const ringing = await pbx.expectResponse(180);
    const dialog = log.accept(sdpOf("answer"));
    expect((await pbx.expectResponse(200, "INVITE")).sdp).toBe(sdpOf("answer"));
    const far = prack(request, ringing);
    await pbx.expectResponse(200, "PRACK");
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    engine.clock.advance(32_000);
    expect(pbx.unread).toHaveLength(0);
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it("offer what differs in the end once the call is confirmed", async () => {
    const { request, log } = await call();
    log.invite.progress(183, { sdp: sdpOf("4711") });
    const far = prack(request, await pbx.expectResponse(183));
    await pbx.expectResponse(200, "PRACK");
    const final = sdpOf("4712").replace("RTP/AVP 0", "RTP/AVP 8");
    const dialog = log.accept(final);
    expect((await pbx.expectResponse(200, "INVITE")).sdp).toBeUndefined();
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    const reinvite = await pbx.expectRequest("INVITE");
    expect(reinvite.sdp).toContain("RTP/AVP 8");
    expect(reinvite.sdp).toContain("o=- 4711 2 IN");
    pbx.respond(reinvite, 200, { body: sdpOf("theirs") });
    await pbx.expectRequest("ACK");
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it("end a held call when no PRACK comes", async () => {
    const { log } = await call();
    log.invite.progress(183, { sdp: sdpOf("answer") });
    const early = await pbx.expectResponse(183);
    const dialog = log.accept(sdpOf("answer"));
    engine.clock.advance(32_000);
    expect((await dialog.expect("lost")).reason).toMatchObject({ sipStatus: 504, q850: 102 });
    expect((await pbx.expectResponse(504, "INVITE")).toTag).toBe(early.toTag);
  });

  it.each(["CANCEL", "BYE", "hang-up"] as const)("end a held call at a %s", async (what) => {
    const { request, log } = await call();
    log.invite.progress(183, { sdp: sdpOf("answer") });
    const early = await pbx.expectResponse(183);
    const dialog = log.accept(sdpOf("answer"));
    if (what === "hang-up") {
      dialog.dialog.bye({ sipStatus: 200, q850: 16 });
      await pbx.expectResponse(480, "INVITE");
      return;
    }
    if (what === "BYE") {
      PeerDialog.asCaller(pbx, request, early).request("BYE");
      await pbx.expectResponse(200, "BYE");
      await dialog.expect("bye");
    } else {
      pbx.request("CANCEL", {
        uri: request.requestUri,
        from: request.headers.get("From") ?? "",
        to: request.headers.get("To") ?? "",
        callId: request.callId,
        branch: request.topmostVia.branch ?? "",
        headers: [["Reason", "SIP;cause=200, Q.850;cause=26"]],
      });
      await pbx.expectResponse(200, "CANCEL");
      expect((await dialog.expect("lost")).reason).toMatchObject({ sipStatus: 200, q850: 26 });
    }
    await pbx.expectResponse(487, "INVITE");
  });

  it("bring our offer to a late offer where they are required, and its answer in the PRACK", async () => {
    const { request, log } = await call({ body: "", headers: [["Require", "100rel"]] });
    const told: string[] = [];
    log.invite.attach({
      onCancelled() {},
      onEarlyAnswer: (sdp) => told.push(sdp),
      onReinvite: (offer) => offer.accept(sdpOf("second-answer")),
    });
    expect(log.invite.needsEarlyOffer).toBe(true);
    log.invite.progress(183, { sdp: sdpOf("our offer") });
    const early = await pbx.expectResponse(183);
    expect(early.sdp).toBe(sdpOf("our offer"));
    const far = PeerDialog.asCaller(pbx, request, early);
    // RFC 3311 §5.2: our offer has no answer yet.
    far.request("UPDATE", { body: sdpOf("too early") });
    await pbx.expectResponse(491, "UPDATE");
    const rack = [["RAck", `${rseqOf(early)} 1 INVITE`]] as const;
    far.request("PRACK", { headers: rack });
    await pbx.expectResponse(400, "PRACK");
    far.request("PRACK", { headers: rack, body: sdpOf("answer") });
    expect((await pbx.expectResponse(200, "PRACK")).sdp).toBeUndefined();
    expect(told).toEqual([sdpOf("answer")]);
    log.invite.progress(180);
    const ringing = await pbx.expectResponse(180);
    far.request("PRACK", { headers: [["RAck", `${rseqOf(ringing)} 1 INVITE`]] });
    await pbx.expectResponse(200, "PRACK");
    far.request("UPDATE", { body: sdpOf("second") });
    expect((await pbx.expectResponse(200, "UPDATE")).sdp).toBe(sdpOf("second-answer"));
    const dialog = log.accept(sdpOf("second-answer"));
    expect((await pbx.expectResponse(200, "INVITE")).sdp).toBeUndefined();
    far.request("ACK", { cseq: 1 });
    expect((await dialog.expect("confirmed")).sdp).toBeUndefined();
    expect(pbx.unread).toHaveLength(0);
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it("are answered once: what holds in the end of our offer is not offered again", async () => {
    const { request, log } = await call({ body: "", headers: [["Require", "100rel"]] });
    log.invite.progress(183, { sdp: sdpOf("our offer") });
    const far = prack(request, await pbx.expectResponse(183), sdpOf("answer"));
    await pbx.expectResponse(200, "PRACK");
    const dialog = log.accept(sdpOf("our offer").replace("RTP/AVP 0", "RTP/AVP 8"));
    expect((await pbx.expectResponse(200, "INVITE")).sdp).toBeUndefined();
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    expect(pbx.unread).toHaveLength(0);
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it("send nothing reliably to a late offer, and nothing at all where it is required", async () => {
    const optional = await call({ body: "" });
    optional.log.invite.progress(180);
    expect((await pbx.expectResponse(180)).headers.get("RSeq")).toBeUndefined();
    await finish(optional);
    const required = await call({ body: "", headers: [["Require", "100rel"]] });
    required.log.invite.progress(180);
    required.log.invite.reject(486);
    await pbx.expectResponse(486);
    expect(pbx.unread).toHaveLength(0);
  });

  it.each(["UPDATE", "PRACK"] as const)(
    "refuse another offer in %s that nobody answers: 488",
    async (method) => {
      const { request, log } = await call();
      log.invite.progress(183, { sdp: sdpOf("answer") });
      const early = await pbx.expectResponse(183);
      if (method === "PRACK") {
        prack(request, early, sdpOf("second"));
      } else {
        const far = prack(request, early);
        await pbx.expectResponse(200, "PRACK");
        far.request("UPDATE", { body: sdpOf("second") });
      }
      await pbx.expectResponse(488, method);
      engine.clock.advance(20_000);
      expect(pbx.unread).toHaveLength(0);
      await finish({ request, log });
    },
  );

  it.each(["UPDATE", "PRACK"] as const)("hand another offer in %s over", async (method) => {
    const { request, log } = await call();
    log.invite.attach({
      onCancelled() {},
      onReinvite: (offer) => {
        expect([offer.method, offer.sdp]).toEqual([method, sdpOf("second")]);
        offer.accept(sdpOf("second-answer"));
      },
    });
    log.invite.progress(183, { sdp: sdpOf("answer") });
    const early = await pbx.expectResponse(183);
    const far = prack(request, early, method === "PRACK" ? sdpOf("second") : undefined);
    if (method === "UPDATE") {
      await pbx.expectResponse(200, "PRACK");
      far.request("UPDATE", { body: sdpOf("second") });
    }
    expect((await pbx.expectResponse(200, method)).sdp).toBe(sdpOf("second-answer"));
    // What has been agreed on last stands.
    const dialog = log.accept(sdpOf("second-answer"));
    expect((await pbx.expectResponse(200, "INVITE")).sdp).toBeUndefined();
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it("refuse an UPDATE with an offer while our answer has no PRACK: 500 (RFC 3311 §5.2)", async () => {
    const { request, log } = await call();
    log.invite.progress(183, { sdp: sdpOf("answer") });
    const early = await pbx.expectResponse(183);
    PeerDialog.asCaller(pbx, request, early).request("UPDATE", { body: sdpOf("second") });
    const seconds = (await pbx.expectResponse(500, "UPDATE")).headers.get("Retry-After");
    expect(Number(seconds)).toBeGreaterThanOrEqual(0);
    expect(Number(seconds)).toBeLessThanOrEqual(10);
    await finish({ request, log });
  });
});

describe("RFC 3261 §8.2.2.3 and §21.4.16 100rel that does not fit", () => {
  it("gets 420 where it is off and required by the caller", async () => {
    const peer = peers[1] ?? pbx;
    invite({ headers: [["Require", "100rel"]] }, peer);
    expect((await peer.expectResponse(420)).headers.get("Unsupported")).toBe("100rel");
  });

  it("gets 421 where we require it and the caller does not have it", async () => {
    const peer = peers[2] ?? pbx;
    invite({ headers: [] }, peer);
    expect((await peer.expectResponse(421)).headers.get("Require")).toBe("100rel");
  });
});

describe("RFC 6228 §5 199", () => {
  it("takes an offer with it that has no answer yet", async () => {
    const { request, log } = await call({ headers: [["Supported", "199, 100rel"]] });
    const offers: IncomingReinvite[] = [];
    log.invite.attach({ onCancelled() {}, onReinvite: (offer) => offers.push(offer) });
    log.invite.progress(183, { sdp: sdpOf("answer") });
    const far = prack(request, await pbx.expectResponse(183));
    await pbx.expectResponse(200, "PRACK");
    far.request("UPDATE", { body: sdpOf("second") });
    await waitFor(() => offers.length === 1, { what: "the offer" });
    log.invite.endEarlyDialog?.({ sipStatus: 503 });
    await pbx.expectResponse(487, "UPDATE");
    await pbx.expectResponse(199);
    offers[0]?.accept(sdpOf("too late"));
    expect(pbx.unread).toHaveLength(0);
    await finish({ request, log });
  });

  it("ends the early dialog of a fork that died, and another To-tag goes on", async () => {
    const { request, log } = await call({ headers: [["Supported", "199"]] });
    log.invite.progress(183, { sdp: sdpOf("first") });
    const first = await pbx.expectResponse(183);
    log.invite.endEarlyDialog?.({ sipStatus: 503, text: "Service Unavailable" });
    const over = await pbx.expectResponse(199);
    expect(over.toTag).toBe(first.toTag);
    expect(over.headers.get("Reason")).toContain("SIP;cause=503");
    PeerDialog.asCaller(pbx, request, first).request("OPTIONS");
    await pbx.expectResponse(481, "OPTIONS");
    log.invite.progress(180);
    const second = await pbx.expectResponse(180);
    expect(second.toTag).not.toBe(first.toTag);
    const dialog = log.accept(sdpOf("answer"));
    const ok = await pbx.expectResponse(200);
    expect(ok.toTag).toBe(second.toTag);
    const far = PeerDialog.asCaller(pbx, request, ok);
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    await dialog.expect("bye");
  });

  it.each([
    ["does not ask for it", [["Supported", "100rel"]], true],
    [
      "requires 100rel",
      [
        ["Require", "100rel"],
        ["Supported", "199"],
      ],
      true,
    ],
    ["has heard nothing yet", [["Supported", "199"]], false],
  ] as const)("is not sent to a caller that %s", async (_what, headers, hasRung) => {
    const { request, log } = await call({
      headers: headers.map(([name, value]): [string, string] => [name, value]),
    });
    if (hasRung) {
      log.invite.progress(180);
      await pbx.expectResponse(180);
    }
    log.invite.endEarlyDialog?.({ sipStatus: 503 });
    expect(pbx.unread).toHaveLength(0);
    await finish({ request, log });
  });
});
