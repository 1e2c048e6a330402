import { afterAll, describe, expect, it } from "vitest";

import { randomToken } from "../../src/core/ids.ts";
import type { SipRequest } from "../../src/signaling/message/message.ts";
import { browserSdp } from "../harness/browser-sdp.ts";
import { expectNothingLeft, metric, movedRecords, records } from "../harness/gateway-state.ts";
import type { IncomingCall, OutgoingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import { expectNoFault, talkToDesk, talkToUser, useOffice, type Office } from "./support.ts";

const office = useOffice({ desk: { transfer: "pass-through", dtmf: "rfc4733", replaces: "any" } });

afterAll(() => {
  expectNoFault(office().gateway);
});

type BrowserLeg = OutgoingCall | IncomingCall;

/** Answers a re-INVITE at a browser. @returns its offer */
async function reinvited(leg: BrowserLeg): Promise<string> {
  const invite = await leg.expectRequest("INVITE");
  leg.respond(invite, 200, { sdp: browserSdp({ setup: "active", version: 9 }) });
  await leg.expectRequest("ACK");
  return invite.body.toString();
}

/** Answers a re-INVITE at the desk. @returns its offer */
async function deskReinvited(leg: DeskCall): Promise<string> {
  const invite = await leg.expectRequest("INVITE");
  leg.peer.respond(invite, 200, { body: telephoneSdp(leg.peer.local.host, { version: 9 }) });
  await leg.expectRequest("ACK");
  return invite.body.toString();
}

/** Takes NOTIFYs until the last one. @returns their status lines */
async function told(
  expectNotify: () => Promise<SipRequest>,
  respond: (notify: SipRequest) => void,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (;;) {
    const notify = await expectNotify();
    respond(notify);
    lines.push(notify.body.toString().trim());
    const state = notify.headers.get("Subscription-State") ?? "";
    if (!state.startsWith("terminated")) continue;
    expect(state).toBe("terminated;reason=noresource");
    return lines;
  }
}

function toldAtBrowser(leg: BrowserLeg): Promise<readonly string[]> {
  return told(
    () => leg.expectRequest("NOTIFY"),
    (notify) => leg.respond(notify, 200),
  );
}

function toldAtDesk(leg: DeskCall): Promise<readonly string[]> {
  return told(
    () => leg.expectRequest("NOTIFY"),
    (notify) => leg.peer.respond(notify, 200, { headers: [] }),
  );
}

async function referFromBrowser(leg: BrowserLeg, target: string): Promise<number> {
  leg.request("REFER", { headers: [["Refer-To", target]] });
  return (await leg.expectResponse((status) => status >= 200, "REFER")).statusCode;
}

async function referFromDesk(leg: DeskCall, target: string): Promise<number> {
  leg.dialog.request("REFER", {
    headers: [
      ["Refer-To", target],
      ["Referred-By", "<sip:secret@desk.test>"],
    ],
  });
  return (await leg.expectResponse((status) => status >= 200, "REFER")).statusCode;
}

const signIn = (user: "1001" | "1002"): Promise<WsCaller> =>
  WsCaller.signIn(office().gateway, user);

describe("RFC 3515 a REFER of the PBX", () => {
  it("to a user: both browsers are joined, and nothing of the REFER reaches them", async () => {
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    const [desk, atAnn] = await talkToUser(office(), ann);
    expect(await referFromDesk(desk, "<sip:1002@localhost>")).toBe(202);
    const atBob = await bob.incoming();
    expect(atBob.invite.headers.has("Referred-By")).toBe(false);
    expect(atBob.invite.headers.get("From")).toContain("sip:1001@");
    atBob.ring();
    atBob.accept();
    const offer = await reinvited(atAnn);
    expect(offer).toContain("a=ice-ufrag:");
    await atBob.expectRequest("ACK");
    const lines = await toldAtDesk(desk);
    expect(lines[0]).toBe("SIP/2.0 100 Trying");
    expect(lines.at(-1)).toBe("SIP/2.0 200 OK");
    await desk.bye();
    await atAnn.bye();
    await atBob.hungUp();
  });

  it.each([
    ["another domain", "<sip:+4990012345@elsewhere.example>", "foreign"],
    ["a number that the plan does not have", "<sip:5551234@localhost>", undefined],
  ])("to %s is refused: nothing leaves, the call stays up", async (_what, target, reason) => {
    await using ann = await signIn("1001");
    const series = `offhook_calls_refused_total{reason="foreign"}`;
    const before = await metric(office().gateway, series);
    const [desk, atAnn] = await talkToUser(office(), ann);
    const from = office().gateway.logs().length;
    expect(await referFromDesk(desk, target)).toBe(403);
    if (reason !== undefined) {
      await office().gateway.waitForLog("call-refused", { from });
      expect(await metric(office().gateway, series)).toBe(before + 1);
    }
    expect(await referFromDesk(desk, "<sip:1001@localhost;method=BYE>")).toBe(603);
    expect(desk.unread).toEqual([]);
    expect(atAnn.unread).toEqual([]);
    await desk.bye();
    await atAnn.hungUp();
  });
});

describe("RFC 5589 a transfer of the PBX's party", () => {
  it("to a user: the PBX gets a re-INVITE and no REFER", async () => {
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    const [atAnn, desk] = await talkToDesk(office(), ann);
    expect(await referFromBrowser(atAnn, "<sip:1002@localhost>")).toBe(202);
    const atBob = await bob.incoming();
    atBob.accept();
    await deskReinvited(desk);
    await atBob.expectRequest("ACK");
    expect((await toldAtBrowser(atAnn)).at(-1)).toBe("SIP/2.0 200 OK");
    // The transferor does nothing: the gateway hangs up.
    await atAnn.hungUp();
    await desk.bye();
    await atBob.hungUp();
  });

  it("with consultation, both by re-INVITE", async () => {
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    const [first, desk] = await talkToDesk(office(), ann);
    const second = ann.invite("1002");
    const atBob = await bob.incoming();
    await atBob.answer();
    await second.answered();
    const tag = /;tag=([^;]+)/;
    const from = tag.exec(second.invite.headers.get("From") ?? "")?.[1];
    const to = tag.exec(second.request("OPTIONS").headers.get("To") ?? "")?.[1];
    await second.expectResponse(200, "OPTIONS");
    const replaces = encodeURIComponent(`${second.callId};to-tag=${to};from-tag=${from}`);
    expect(await referFromBrowser(first, `<sip:1002@localhost?Replaces=${replaces}>`)).toBe(202);
    await reinvited(atBob);
    await deskReinvited(desk);
    expect((await toldAtBrowser(first)).at(-1)).toBe("SIP/2.0 200 OK");
    await first.hungUp();
    await second.hungUp();
    await desk.bye();
    await atBob.hungUp();
    await expectNothingLeft(office().gateway);
    const [last, ...before] = await records(office().gateway, 3);
    expect(last).toMatchObject({ result: "success", transferredFrom: { by: { id: "1001" } } });
    expect(before.some(({ transfers }) => transfers !== undefined)).toBe(true);
  });

  it("to another of the PBX's numbers goes on to the PBX (transfer: pass-through)", async () => {
    await using ann = await signIn("1001");
    const [atAnn, desk] = await talkToDesk(office(), ann);
    expect(await referFromBrowser(atAnn, "<sip:701@localhost>")).toBe(202);
    const refer = await desk.expectRequest("REFER");
    expect(refer.headers.get("Refer-To")).toBe("<sip:701@127.0.0.2>");
    expect(refer.headers.has("Referred-By")).toBe(false);
    desk.peer.respond(refer, 202);
    for (const [state, line] of [
      ["active", "SIP/2.0 180 Ringing"],
      ["terminated;reason=noresource", "SIP/2.0 200 OK"],
    ] as const) {
      desk.dialog.request("NOTIFY", {
        headers: [
          ["Event", "refer"],
          ["Subscription-State", state],
        ],
        body: `${line}\r\n`,
        contentType: "message/sipfrag",
      });
      await desk.expectResponse(200, "NOTIFY");
    }
    expect((await toldAtBrowser(atAnn)).at(-1)).toBe("SIP/2.0 200 OK");
    await desk.hungUp();
    await atAnn.hungUp();
  });

  it("is done by the gateway when the PBX takes no REFER", async () => {
    await using ann = await signIn("1001");
    const [atAnn, desk] = await talkToDesk(office(), ann);
    expect(await referFromBrowser(atAnn, "<sip:701@localhost>")).toBe(202);
    desk.peer.respond(await desk.expectRequest("REFER"), 405, { headers: [] });
    const target = await DeskCall.incoming(desk.peer, "701");
    expect(target.invite.headers.has("Referred-By")).toBe(false);
    target.respond(200, { sdp: telephoneSdp(desk.peer.local.host) });
    await deskReinvited(desk);
    await target.expectRequest("ACK");
    expect((await toldAtBrowser(atAnn)).at(-1)).toBe("SIP/2.0 200 OK");
    await atAnn.hungUp();
    await desk.bye();
    await target.hungUp();
  });

  it("with consultation names the dialog as the PBX knows it", async () => {
    await using ann = await signIn("1001");
    const [first, desk] = await talkToDesk(office(), ann);
    const second = ann.invite("701");
    const consulted = await DeskCall.incoming(desk.peer, "701");
    await consulted.answer();
    const response = await second.answered();
    const to = response.to.tag;
    const from = second.invite.from.tag;
    const replaces = encodeURIComponent(`${second.callId};to-tag=${to};from-tag=${from}`);
    expect(await referFromBrowser(first, `<sip:701@localhost?Replaces=${replaces}>`)).toBe(202);
    const refer = await desk.expectRequest("REFER");
    const target = decodeURIComponent(refer.headers.get("Refer-To") ?? "");
    expect(target).toContain(`Replaces=${consulted.invite.callId};to-tag=`);
    expect(target).toContain(`from-tag=${consulted.invite.from.tag}`);
    desk.peer.respond(refer, 603, { headers: [] });
    // The PBX does not: the gateway joins the two itself.
    await deskReinvited(consulted);
    await deskReinvited(desk);
    expect((await toldAtBrowser(first)).at(-1)).toBe("SIP/2.0 200 OK");
    await first.hungUp();
    await second.hungUp();
    await desk.bye();
    await consulted.hungUp();
  });
});

describe("RFC 3891 an INVITE with Replaces", () => {
  async function takenBy(
    { gateway }: Office,
    user: "1001" | "1002",
    leg: OutgoingCall,
    toTag: string,
  ): Promise<[WsCaller, OutgoingCall]> {
    const page = await WsCaller.signIn(gateway, user);
    const value = `${leg.callId};to-tag=${toTag};from-tag=${leg.invite.from.tag}`;
    return [page, page.invite("700", { headers: [["Replaces", value]] })];
  }

  it("of a page that was loaded anew takes its call over", async () => {
    const ann = await signIn("1001");
    const call = ann.invite("700");
    const desk = await DeskCall.incoming(office().desk, "700");
    await desk.answer();
    const toTag = (await call.answered()).to.tag ?? "";
    await ann.cut();
    const [page, again] = await takenBy(office(), "1001", call, toTag);
    await deskReinvited(desk);
    await again.answered();
    await again.bye();
    await desk.hungUp();
    await page[Symbol.asyncDispose]();
    await expectNothingLeft(office().gateway);
    const [first, second] = await movedRecords(office().gateway);
    expect(second).toMatchObject({ transferredFrom: { call: first?.["id"] }, result: "success" });
  });

  it("of a trunk that is trusted with all takes the call of a user over", async () => {
    await using ann = await signIn("1001");
    const call = ann.invite("700");
    const desk = await DeskCall.incoming(office().desk, "700");
    await desk.answer();
    const toTag = (await call.answered()).to.tag ?? "";
    const value = `${call.callId};to-tag=${toTag};from-tag=${call.invite.from.tag}`;
    const taking = DeskCall.dial(office().desk, office().gateway, "1001", {
      headers: [["Replaces", value]],
    });
    await deskReinvited(desk);
    await taking.answered();
    await call.hungUp();
    await taking.bye();
    await desk.hungUp();
  });

  it("of a browser's own user picks up what rings there; its other browsers are told", async () => {
    await using ann = await signIn("1001");
    await using other = await signIn("1001");
    const desk = DeskCall.dial(office().desk, office().gateway, "1001");
    const [ringing, too] = await Promise.all([ann.incoming(), other.incoming()]);
    for (const leg of [ringing, too]) leg.ring();
    await desk.expectResponse(180, "INVITE");
    const { callId, from } = ringing.invite;
    const value = `${callId};to-tag=${from.tag};from-tag=${ringing.localTag}`;
    // Somebody else who knows the tags gets nothing.
    await using bob = await signIn("1002");
    const headers = [["Replaces", value]] as const;
    expect((await bob.invite("1001", { headers }).refused()).statusCode).toBe(403);
    await using page = await signIn("1001");
    const picked = page.invite("1001", { headers: [["Replaces", `${value};early-only`]] });
    await desk.answered();
    for (const leg of [ringing, too]) {
      const cancel = await leg.cancelled();
      expect(cancel.headers.get("Reason")).toContain("Call completed elsewhere");
    }
    expect(await deskReinvited(desk)).toContain("m=audio");
    await picked.answered();
    await picked.bye();
    await desk.hungUp();
    await expectNothingLeft(office().gateway);
    const [first, second] = await movedRecords(office().gateway);
    expect(second).toMatchObject({ transferredFrom: { call: first?.["id"] }, result: "success" });
  });

  it("of the trunk where it rings, with early media that the caller has heard", async () => {
    await using ann = await signIn("1001");
    const call = ann.invite("700");
    const desk = await DeskCall.incoming(office().desk, "700");
    desk.respond(183, { sdp: telephoneSdp(desk.peer.local.host) });
    const early = (await call.expectResponse(183, "INVITE")).body.toString();
    const { callId, from } = desk.invite;
    const value = `${callId};to-tag=${from.tag};from-tag=${desk.localTag}`;
    const picked = DeskCall.dial(office().desk, office().gateway, "700", {
      headers: [["Replaces", value]],
    });
    await desk.cancelled();
    expect((await call.answered()).body.toString()).toBe(early);
    await reinvited(call);
    await picked.answered();
    await call.bye();
    await picked.hungUp();
  });

  it("of another user is refused, and the call goes on", async () => {
    await using ann = await signIn("1001");
    const call = ann.invite("700");
    const desk = await DeskCall.incoming(office().desk, "700");
    await desk.answer();
    const toTag = (await call.answered()).to.tag ?? "";
    const [stranger, taking] = await takenBy(office(), "1002", call, toTag);
    expect((await taking.refused()).statusCode).toBe(403);
    const [other, guessing] = await takenBy(office(), "1001", call, randomToken(8));
    expect((await guessing.refused()).statusCode).toBe(481);
    for (const page of [stranger, other]) await page[Symbol.asyncDispose]();
    await call.bye();
    await desk.hungUp();
  });
});
