import { describe, expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import { Sipp } from "../harness/sipp.ts";
import type { OutgoingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { telephoneSdp } from "./desk-call.ts";
import {
  callDesk,
  DESK_HOST,
  expectNoFault,
  reasonOf,
  talkToDesk,
  useOffice,
  useRecords,
} from "./support.ts";

/** What RFC 3261 and its extensions let cross on the wire, played by sipp. */

const office = useOffice({
  // Short enough for a test; RFC 4028 forbids it for the rest of the world.
  office: { "session-timer": { expires: "4s", minimum: "2s" } },
});
const theRecord = useRecords(office);

const DONE = { code: 0, successfulCalls: 1, failedCalls: 0 };
const CANCELLED = { sipStatus: 487, q850: 16, by: "caller" };

function uas(scenario: string): Promise<Sipp> {
  return Sipp.start({ scenario, port: office().officePort });
}

/** What the browser was told and has not been asked for; whether there was a 100 is a matter of speed. */
function besidesTrying(call: OutgoingCall): readonly string[] {
  return call.unread.filter((name) => name !== "100 INVITE");
}

describe("RFC 3261 §9.1 CANCEL and 200", () => {
  it.each([
    ["before the CANCEL has its answer", "uas-crossing-cancel"],
    ["after the CANCEL has its answer", "uas-answers-cancelled"],
  ])("cross, the 200 %s: the answered call is hung up at once", async (_when, scenario) => {
    await using sipp = await uas(scenario);
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = caller.invite("600");
    await call.expectResponse(180);
    call.cancel();
    await call.expectResponse(200, "CANCEL");
    expect((await call.refused()).statusCode).toBe(487);
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await sipp.received()).toEqual(["INVITE", "CANCEL", "ACK", "BYE"]);
    expect(besidesTrying(call)).toEqual([]);
    expect(await theRecord()).toMatchObject({ end: CANCELLED, durationMs: 0 });
  });
});

describe("RFC 3261 §13.2.2.4 forks", () => {
  it("183 of both, 200 of the second, a late 200 of the first: the caller sees one dialog", async () => {
    await using sipp = await uas("uas-forks");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = caller.invite("600");
    const early = await call.expectResponse(183);
    const answer = await call.answered();
    expect(answer.toTag).toBe(early.toTag);
    const bye = await sipp.waitForMessage("received", "BYE");
    expect(bye.text).toContain("tag=first");
    expect(call.unread).not.toContain("BYE");
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await sipp.received()).toEqual(["INVITE", "ACK", "ACK", "BYE", "BYE"]);
    const tags = caller.frames
      .filter(({ direction, text }) => direction === "received" && text.startsWith("SIP/2.0 "))
      .flatMap(({ text }) =>
        text.includes(call.callId) ? (/^To:.*tag=(.*)\r$/m.exec(text) ?? []) : [],
      )
      .filter((_value, index) => index % 2 === 1);
    expect(new Set(tags).size).toBe(1);
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "caller" } });
  });
});

describe("RFC 3261 §13.3.1.4 and §13.2.2.4 the 2xx and its ACK", () => {
  it("every repeated 200 gets the same ACK again", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    const first = await leg.answer();
    for (const _repetition of [1, 2, 3]) {
      const again = await leg.answer();
      expect(again.headers).toEqual(first.headers);
    }
    await call.answered();
    expect(besidesTrying(call)).toEqual([]);
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("our 200 is repeated until an ACK that was lost comes", async () => {
    const { gateway } = office();
    await using callee = await WsCaller.signIn(gateway, "1002");
    await using sipp = await Sipp.start({
      scenario: "uac-loses-ack",
      remote: gateway.sip,
      service: "1002",
    });
    const leg = await callee.incoming();
    await leg.answer();
    await leg.hungUp(10_000);
    expect(await sipp.finished()).toMatchObject(DONE);
    const answers = (await sipp.messages()).filter(({ text }) => /^CSeq: 1 INVITE/m.test(text));
    // At 0, 0.5 and 1.5 s; the ACK comes after 2.5 s.
    expect(answers.filter(({ what }) => what === "200")).toHaveLength(3);
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "caller" } });
  });
});

describe("RFC 3261 §14 re-INVITE", () => {
  it("of both sides at once: 491 each, and ours again after 2.1 to 4 s", async () => {
    await using sipp = await uas("uas-glare");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = await caller.call("600");
    const startedMs = performance.now();
    call.request("INVITE", { body: browserSdp({ direction: "sendonly", version: 3 }) });
    const response = await call.expectResponse((status) => status >= 200, "INVITE", 10_000);
    expect(response.statusCode).toBe(200);
    call.request("ACK", { cseq: response.cseq.number });
    expect(performance.now() - startedMs).toBeGreaterThan(2000);
    expect(performance.now() - startedMs).toBeLessThan(6000);
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("that is refused leaves the call as it was (§14.1)", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    const refused = call.reinvite(browserSdp({ direction: "sendonly", version: 3 }));
    leg.peer.respond(await leg.expectRequest("INVITE"), 488, { headers: [] });
    expect((await refused).statusCode).toBe(488);
    await leg.expectRequest("ACK");
    // The call goes on, in both directions: what the desk has been told still holds, so a browser
    // that says so again is answered here.
    const resumed = await call.reinvite(browserSdp({ version: 4 }));
    expect(resumed.statusCode).toBe(200);
    expect(resumed.sdp).toContain("a=sendrecv");
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success", end: { by: "caller" } });
  });

  it("without an offer gets ours, and the browser hears what its ACK changes", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    leg.dialog.request("INVITE");
    expect((await leg.expectResponse(200, "INVITE")).sdp).toContain("a=sendrecv");
    expect(besidesTrying(call)).toEqual([]);
    leg.dialog.request("ACK", {
      cseq: 1,
      body: telephoneSdp(DESK_HOST, { direction: "sendonly", version: 2 }),
    });
    // Held: silence first, so that the browser forgets the desk's stream, then our music.
    for (const [offered, answered] of [
      ["inactive", "inactive"],
      ["sendonly", "recvonly"],
    ] as const) {
      const reinvite = await call.expectRequest("INVITE");
      expect(reinvite.sdp).toContain(`a=${offered}`);
      const sdp = browserSdp({ setup: "active", direction: answered, version: 3 });
      call.respond(reinvite, 200, { sdp });
      await call.expectRequest("ACK");
    }
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it.each([481, 408])(
    "that gets %i ends the call on both sides (RFC 5057 §5.1)",
    async (status) => {
      await using caller = await WsCaller.signIn(office().gateway, "1001");
      const [call, leg] = await talkToDesk(office(), caller);
      call.request("INVITE", { body: browserSdp({ direction: "sendonly", version: 3 }) });
      leg.peer.respond(await leg.expectRequest("INVITE"), status, { headers: [] });
      if (status === 408) await leg.hungUp();
      await call.hungUp();
      expect(await theRecord()).toMatchObject({ end: { sipStatus: status, by: "callee" } });
    },
  );
});

describe("RFC 3262 reliable provisional responses", () => {
  it("of a trunk are acknowledged, and the answer in one stands although the 200 has none", async () => {
    await using sipp = await uas("uas-reliable");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = caller.invite("600");
    expect((await call.expectResponse(183)).sdp).toContain("m=audio");
    expect((await call.answered()).sdp).toContain("m=audio");
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await sipp.received()).toEqual(["INVITE", "PRACK", "PRACK", "ACK", "BYE"]);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it.each([0, 1800])(
    "are sent to a trunk that supports them, PRACK after %i ms",
    async (prackMs) => {
      const { gateway } = office();
      await using callee = await WsCaller.signIn(gateway, "1002");
      await using sipp = await Sipp.start({
        scenario: "uac-reliable",
        remote: gateway.sip,
        service: "1002",
        values: { prack_ms: prackMs },
      });
      const leg = await callee.incoming();
      leg.ring();
      await sipp.waitForMessage("sent", "PRACK");
      await leg.answer();
      await leg.hungUp();
      expect(await sipp.finished()).toMatchObject(DONE);
      const ringing = (await sipp.messages()).filter(({ what }) => what === "180");
      // At 0, 0.5 and 1.5 s.
      expect(ringing).toHaveLength(prackMs === 0 ? 1 : 3);
      expect(await theRecord()).toMatchObject({ result: "success" });
    },
  );
});

describe("RFC 4028 session timers", () => {
  it("a trunk that wants a longer interval gets it", async () => {
    await using sipp = await uas("uas-interval-too-small");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = await caller.call("600");
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("UPDATE refreshes the session, and the browser hears nothing of it", async () => {
    await using sipp = await uas("uas-refreshed");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = await caller.call("600");
    await sipp.waitForMessage("received", "UPDATE", 1);
    expect(besidesTrying(call)).toEqual([]);
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("a re-INVITE does where UPDATE is not allowed, with unchanged SDP", async () => {
    await using sipp = await uas("uas-refreshed-by-invite");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = await caller.call("600");
    const again = await sipp.waitForMessage("received", "INVITE", 1);
    const first = await sipp.waitForMessage("received", "INVITE", 0);
    const body = (text: string): string => text.slice(text.indexOf("\n\n"));
    expect(body(again.text.replaceAll("\r", ""))).toBe(body(first.text.replaceAll("\r", "")));
    await sipp.waitForMessage("received", "ACK", 1);
    expect(besidesTrying(call)).toEqual([]);
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("a trunk that does not refresh is hung up, and the browser with it", async () => {
    await using sipp = await uas("uas-never-refreshes");
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = await caller.call("600");
    expect(reasonOf(await call.hungUp())).toContain("Q.850;cause=102");
    expect(await sipp.finished()).toMatchObject(DONE);
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 408, q850: 102, by: "callee" } });
  });

  it("a browser that refreshes by UPDATE is answered here, and the trunk hears nothing of it", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller);
    await leg.answer();
    await call.answered();
    call.request("UPDATE", {
      headers: [
        ["Supported", "timer"],
        ["Session-Expires", "90;refresher=uac"],
      ],
    });
    const ok = await call.expectResponse(200, "UPDATE");
    expect(ok.headers.get("Session-Expires")).toBe("90;refresher=uac");
    expect(leg.unread).toEqual([]);
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success" });
  });
});

describe("all these calls", () => {
  it("have left no fault in the log", () => {
    expectNoFault(office().gateway);
  });
});
