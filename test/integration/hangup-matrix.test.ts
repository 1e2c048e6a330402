import { describe, expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import { callsInMemory, countingCalls } from "../harness/calls-in-memory.ts";
import { Sipp } from "../harness/sipp.ts";
import { waitFor } from "../harness/wait.ts";
import type { IncomingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { type DeskCall, telephoneSdp } from "./desk-call.ts";
import {
  callDesk,
  callUser,
  DESK_HOST,
  liveCalls,
  reasonOf,
  talkToDesk,
  talkToUser,
  useOffice,
  useRecords,
} from "./support.ts";
const office = useOffice({
  routes: [{ name: "short", to: "_79X", do: { dial: "desk", timeout: "1s" } }],
  gateway: { env: countingCalls() },
});

const theRecord = useRecords(office);

const CANCELLED = { sipStatus: 487, q850: 16, by: "caller" };
const CLEARED = { sipStatus: 200, q850: 16 };

describe("a web user calls a trunk; the user gives up", () => {
  it("before the trunk has said anything: the CANCEL waits for its first word", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    call.cancel();
    await call.expectResponse(200, "CANCEL");
    expect((await call.refused()).statusCode).toBe(487);
    // RFC 3261 §9.1
    expect(leg.unread).not.toContain("CANCEL");
    leg.respond(100);
    expect(reasonOf(await leg.cancelled())).toContain("Q.850;cause=16");
    expect(await theRecord()).toMatchObject({ end: CANCELLED, durationMs: 0 });
  });

  it.each([
    ["while it rings", (leg: DeskCall) => leg.respond(180), 180],
    [
      "during early media",
      (leg: DeskCall) => leg.respond(183, { sdp: telephoneSdp(DESK_HOST) }),
      183,
    ],
  ] as const)("%s", async (_state, reach, status) => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    reach(leg);
    await call.expectResponse(status);
    call.cancel([["Reason", 'SIP;cause=487;text="changed my mind"']]);
    await call.expectResponse(200, "CANCEL");
    expect((await call.refused()).statusCode).toBe(487);
    const cancel = await leg.cancelled();
    expect(reasonOf(cancel)).toContain("SIP;cause=487");
    expect(await theRecord()).toMatchObject({ end: CANCELLED, durationMs: 0 });
  });

  it("with BYE in the early dialog", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    leg.respond(180);
    call.confirm(await call.expectResponse(180));
    await call.bye();
    expect((await call.refused()).statusCode).toBe(487);
    await leg.cancelled();
    expect(await theRecord()).toMatchObject({ end: { by: "caller" }, durationMs: 0 });
  });

  it("with CANCEL while the trunk's 200 is on its way", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    leg.respond(180);
    await call.expectResponse(180);
    call.cancel();
    expect((await call.refused()).statusCode).toBe(487);
    // RFC 3261 §9.1: the INVITE is answered although the CANCEL has come.
    leg.peer.respond(await leg.expectRequest("CANCEL"), 200, { headers: [] });
    await leg.answer();
    await leg.hungUp();
    expect(await theRecord()).toMatchObject({ end: CANCELLED, durationMs: 0 });
  });

  it("with CANCEL after the 200, which comes too late", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    await leg.answer();
    const accept = await call.expectResponse(200, "INVITE");
    call.cancel();
    // RFC 3261 §9.2: it has no effect any more.
    await call.expectResponse(200, "CANCEL");
    call.confirm(accept);
    call.request("ACK", { cseq: 1 });
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "caller" } });
  });

  it("in the call", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    const ended = call.bye();
    expect(reasonOf(await leg.hungUp())).toContain("Q.850;cause=16");
    await ended;
    expect(await theRecord()).toMatchObject({
      result: "success",
      end: { ...CLEARED, by: "caller" },
    });
  });

  it("while a re-INVITE of hers waits for the trunk", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    call.request("INVITE", { body: browserSdp({ direction: "sendonly", version: 3 }) });
    const reinvite = await leg.expectRequest("INVITE");
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    const refusal = await call.expectResponse((status) => status >= 300, "INVITE");
    expect(refusal.statusCode).toBe(487);
    leg.peer.respond(reinvite, 487, { headers: [] });
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "caller" } });
  });
});

describe("a web user calls a trunk; the trunk ends it", () => {
  const refusals = [
    [486, 17],
    [404, 1],
    [603, 21],
    [480, 18],
    [503, 41],
    [600, 17],
  ] as const;

  it.each(refusals)("with %i at once, Q.850 %i", async (status, q850) => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    await leg.refuse(status);
    const response = await call.refused();
    expect(response.statusCode).toBe(status);
    expect(reasonOf(response)).toContain(`Q.850;cause=${q850}`);
    expect(await theRecord()).toMatchObject({ end: { sipStatus: status, q850, by: "callee" } });
  });

  it.each([
    ["ringing", (leg: DeskCall) => leg.respond(180), 180],
    ["early media", (leg: DeskCall) => leg.respond(183, { sdp: telephoneSdp(DESK_HOST) }), 183],
  ] as const)("with 486 after %s; its own Q.850 cause passes", async (_state, reach, status) => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    reach(leg);
    await call.expectResponse(status);
    await leg.refuse(486, [["Reason", "Q.850;cause=34"]]);
    const response = await call.refused();
    expect(response.statusCode).toBe(486);
    expect(reasonOf(response)).toContain("Q.850;cause=34");
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 486, q850: 34 } });
  });

  it("with BYE, whose Q.850 cause passes", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    const ended = leg.bye([["Reason", 'Q.850;cause=31;text="far away"']]);
    expect(reasonOf(await call.hungUp())).toContain("Q.850;cause=31");
    await ended;
    expect(await theRecord()).toMatchObject({ end: { q850: 31, by: "callee" } });
  });

  it("with BYE while a re-INVITE of the user's waits for it", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    call.request("INVITE", { body: browserSdp({ direction: "sendonly", version: 3 }) });
    const reinvite = await leg.expectRequest("INVITE");
    const ended = leg.bye();
    leg.peer.respond(reinvite, 487, { headers: [] });
    await call.hungUp();
    await ended;
    await call.expectResponse((status) => status >= 300, "INVITE");
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "callee" } });
  });

  it("both at the same moment", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    leg.dialog.request("BYE");
    call.request("BYE");
    // The gateway may have sent a BYE of its own when the other one comes: 481 says that the call
    // is over as well as 200 does.
    const isEnd = (status: number): boolean => status === 200 || status === 481;
    await Promise.all([leg.expectResponse(isEnd, "BYE"), call.expectResponse(isEnd, "BYE")]);
    if (leg.unread.includes("BYE")) await leg.hungUp();
    if (call.unread.includes("BYE")) await call.hungUp();
    expect(await theRecord()).toMatchObject({ end: CLEARED, result: "success" });
  });

  it("never, and the time to ring is over", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "790");
    leg.respond(180);
    await call.expectResponse(180);
    const response = await call.refused();
    expect(response.statusCode).toBe(480);
    expect(reasonOf(response)).toContain("Q.850;cause=19");
    expect(reasonOf(await leg.cancelled())).toContain("Q.850;cause=19");
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 480, q850: 19 } });
  });
});

describe("a trunk calls a web user; the trunk gives up", () => {
  it("before the browser has said anything", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await callUser(office(), callee);
    await call.cancel();
    expect((await call.refused()).statusCode).toBe(487);
    expect(leg.unread).not.toContain("CANCEL");
    leg.ring();
    await leg.cancelled();
    expect(await theRecord()).toMatchObject({ from: { kind: "trunk" }, end: CANCELLED });
  });

  it("while it rings", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await callUser(office(), callee);
    leg.ring();
    await call.expectResponse(180, "INVITE");
    await call.cancel([["Reason", "Q.850;cause=31"]]);
    expect((await call.refused()).statusCode).toBe(487);
    expect(reasonOf(await leg.cancelled())).toContain("Q.850;cause=31");
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 487, q850: 31, by: "caller" } });
  });

  it("while the browser's 200 is on its way", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await callUser(office(), callee);
    leg.ring();
    await call.expectResponse(180, "INVITE");
    await call.cancel();
    expect((await call.refused()).statusCode).toBe(487);
    leg.respond(await leg.expectRequest("CANCEL"), 200);
    await leg.answer();
    await leg.hungUp();
    expect(await theRecord()).toMatchObject({ end: CANCELLED, durationMs: 0 });
  });

  it("in the call", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await talkToUser(office(), callee);
    const ended = call.bye();
    expect(reasonOf(await leg.hungUp())).toContain("Q.850;cause=16");
    await ended;
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "caller" } });
  });

  it("while a re-INVITE of its own waits for the browser", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await talkToUser(office(), callee);
    call.dialog.request("INVITE", {
      body: telephoneSdp(DESK_HOST, { direction: "sendonly", version: 2 }),
    });
    const reinvite = await leg.expectRequest("INVITE");
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect((await call.expectResponse((status) => status >= 300, "INVITE")).statusCode).toBe(487);
    leg.respond(reinvite, 487);
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "caller" } });
  });
});

describe("a trunk calls a web user; the browser ends it", () => {
  it.each([
    [486, 17],
    [603, 21],
    [480, 18],
  ] as const)("with %i, Q.850 %i", async (status, q850) => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await callUser(office(), callee);
    leg.ring();
    await call.expectResponse(180, "INVITE");
    await leg.refuse(status);
    const response = await call.refused();
    expect(response.statusCode).toBe(status);
    expect(reasonOf(response)).toContain(`Q.850;cause=${q850}`);
    expect(await theRecord()).toMatchObject({ end: { sipStatus: status, q850, by: "callee" } });
  });

  it("in the call", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await talkToUser(office(), callee);
    const ended = leg.bye();
    expect(reasonOf(await call.hungUp())).toContain("Q.850;cause=16");
    await ended;
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "callee" } });
  });

  it("by going away while it rings", async () => {
    await using callee = await WsCaller.signIn(office().gateway, "1002");
    const [call, leg] = await callUser(office(), callee);
    leg.ring();
    await call.expectResponse(180, "INVITE");
    await callee.cut();
    expect([480, 503]).toContain((await call.refused()).statusCode);
    expect(await theRecord()).toMatchObject({ durationMs: 0 });
  });
});

describe("the operator ends a call", () => {
  async function hangUp(): Promise<void> {
    const { gateway } = office();
    const [id = ""] = await liveCalls(gateway);
    const { status } = await gateway.api(`/api/v1/calls/${id}`, { method: "DELETE" });
    expect(status).toBe(204);
  }

  it("that is up: BYE on both legs", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    await hangUp();
    await Promise.all([call.hungUp(), leg.hungUp()]);
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: "gateway" } });
  });

  it("that rings: CANCEL on one leg, 480 on the other", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    leg.respond(180);
    await call.expectResponse(180);
    await hangUp();
    expect((await call.refused()).statusCode).toBe(480);
    await leg.cancelled();
    expect(await theRecord()).toMatchObject({ end: { by: "gateway" }, durationMs: 0 });
  });
});

describe("two web users", () => {
  it.each(["caller", "callee"] as const)("talk, and the %s hangs up", async (who) => {
    const { gateway } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    await using bob = await WsCaller.signIn(gateway, "1002");
    const call = ann.invite("1002");
    const leg = await bob.incoming();
    leg.ring();
    await call.expectResponse(180);
    await leg.answer();
    await call.answered();
    const [first, second] = who === "caller" ? [call, leg] : [leg, call];
    const ended = first.bye();
    expect(reasonOf(await second.hungUp())).toContain("Q.850;cause=16");
    await ended;
    expect(await theRecord()).toMatchObject({ end: { ...CLEARED, by: who } });
  });

  it("ring several browsers: the others stop when one answers", async () => {
    const { gateway } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    await using desktop = await WsCaller.signIn(gateway, "1002");
    await using laptop = await WsCaller.signIn(gateway, "1002");
    const call = ann.invite("1002");
    const [winner, loser] = await Promise.all([desktop.incoming(), laptop.incoming()]);
    winner.ring();
    loser.ring();
    await call.expectResponse(180);
    winner.accept();
    // RFC 3326 §2: the phone that was not taken up need not say that it missed a call.
    expect(reasonOf(await loser.cancelled())).toContain("SIP;cause=200");
    await winner.expectRequest("ACK");
    await call.answered();
    const ended = call.bye();
    await winner.hungUp();
    await ended;
    expect(loser.unread).toEqual([]);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("answer at two browsers at once: one talks, the other is hung up", async () => {
    const { gateway } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    await using desktop = await WsCaller.signIn(gateway, "1002");
    await using laptop = await WsCaller.signIn(gateway, "1002");
    const call = ann.invite("1002");
    const legs = await Promise.all([desktop.incoming(), laptop.incoming()]);
    for (const leg of legs) leg.accept();
    await Promise.all(legs.map((leg) => leg.expectRequest("ACK")));
    await call.answered();
    const hasLost = (leg: IncomingCall): boolean => leg.unread.includes("BYE");
    const loser = await waitFor(() => legs.find(hasLost), { what: "BYE at one of the two" });
    await loser.hungUp();
    expect(legs.filter(hasLost)).toEqual([]);
    const ended = call.bye();
    await legs.find((leg) => leg !== loser)?.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success" });
  });
});

describe("sipp as the trunk", () => {
  it("is cancelled while it rings", async () => {
    const { gateway, officePort } = office();
    await using sipp = await Sipp.start({ scenario: "uas-no-answer", port: officePort });
    await using caller = await WsCaller.signIn(gateway, "1001");
    const call = caller.invite("600");
    await call.expectResponse(180);
    call.cancel();
    expect((await call.refused()).statusCode).toBe(487);
    expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await theRecord()).toMatchObject({ end: CANCELLED });
  });

  it.each([
    ["uas-echo", "caller"],
    ["uas-hangs-up", "callee"],
  ] as const)("talks as %s; the %s hangs up", async (scenario, by) => {
    const { gateway, officePort } = office();
    await using sipp = await Sipp.start({ scenario, port: officePort });
    await using caller = await WsCaller.signIn(gateway, "1001");
    const call = await caller.call("600");
    if (by === "caller") await call.bye();
    else await call.hungUp();
    expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await theRecord()).toMatchObject({ result: "success", end: { ...CLEARED, by } });
  });

  it("is busy", async () => {
    const { gateway, officePort } = office();
    await using sipp = await Sipp.start({ scenario: "uas-busy", port: officePort });
    await using caller = await WsCaller.signIn(gateway, "1001");
    expect((await caller.invite("600").refused()).statusCode).toBe(486);
    expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 486, q850: 17, by: "callee" } });
  });

  it("calls and gives up while the browser rings", async () => {
    const { gateway } = office();
    await using callee = await WsCaller.signIn(gateway, "1002");
    await using sipp = await Sipp.start({
      scenario: "uac-cancels",
      remote: gateway.sip,
      service: "1002",
      values: { ring_ms: 200 },
    });
    const leg = await callee.incoming();
    leg.ring();
    await leg.cancelled();
    expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 487, by: "caller" } });
  });
});

describe("after all of these calls", () => {
  // SIP remembers their INVITEs for half a minute (RFC 6026 §8), and must not keep more by it.
  it("the gateway keeps none in memory", async () => {
    expect(await callsInMemory(office().gateway)).toBe(0);
  });
});
