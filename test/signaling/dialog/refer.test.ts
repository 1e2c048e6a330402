import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OutgoingReferOptions } from "../../../src/signaling/engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { Inbox, TestEngine, TransferLog, sdpOf } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [
      {
        id: "office",
        peer: `sip:127.0.0.1:${pbx.local.port}`,
        auth: { username: "us", password: "secret" },
      },
    ],
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface Call {
  readonly log: TransferLog;
  readonly far: PeerDialog;
}

async function answered(): Promise<Call> {
  const invite = pbx.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=caller",
    to: "<sip:1001@gateway.test>",
    body: sdpOf("offer"),
  });
  const dialog = (await engine.invites.next()).invite.accept(sdpOf("answer"));
  if (dialog === undefined) throw new Error("the INVITE has ended");
  const log = new TransferLog(dialog);
  const far = PeerDialog.asCaller(pbx, invite, await pbx.expectResponse(200));
  far.request("ACK", { cseq: 1 });
  await log.expect("confirmed");
  return { log, far };
}

async function end({ log, far }: Call): Promise<void> {
  far.request("BYE");
  await pbx.expectResponse(200, "BYE");
  await log.expect("bye");
}

const REFER_TO: HeaderField = ["Refer-To", "<sip:1002@gateway.test>"];

async function expectNotify(state: RegExp, body: string): Promise<SipRequest> {
  const notify = await pbx.expectRequest("NOTIFY");
  expect(notify.headers.get("Subscription-State")).toMatch(state);
  expect(notify.contentType).toBe("message/sipfrag");
  expect(notify.body.toString()).toBe(`${body}\r\n`);
  pbx.respond(notify, 200);
  return notify;
}

describe("RFC 3515 §2.4 a REFER of the far end", () => {
  it("is accepted with 202 and told at once, step by step, to the end", async () => {
    const call = await answered();
    call.far.request("REFER", {
      headers: [REFER_TO, ["Referred-By", "<sip:5@pbx.test>"]],
    });
    const refer = await call.log.refers.next();
    expect(refer.referTo).toMatchObject({ user: "1002", host: "gateway.test", method: "INVITE" });
    expect(refer.referredBy).toBe("<sip:5@pbx.test>");
    const progress = refer.accept();
    expect(refer.accept()).toBeUndefined();
    const accepted = await pbx.expectResponse(202, "REFER");
    expect(accepted.headers.has("Refer-Sub")).toBe(false);
    const first = await expectNotify(/^active;expires=600$/, "SIP/2.0 100 Trying");
    expect(first.headers.get("Event")).toBe("refer");
    expect(first.contact?.uri).toContain("@127.0.0.1");
    progress?.notify(180);
    await expectNotify(/^active;expires=600$/, "SIP/2.0 180 Ringing");
    progress?.notify(200);
    await expectNotify(/^terminated;reason=noresource$/, "SIP/2.0 200 OK");
    progress?.notify(200);
    expect(pbx.unread).toHaveLength(0);
    await end(call);
  });

  it("sends one NOTIFY at a time, and the last of those that wait", async () => {
    const call = await answered();
    call.far.request("REFER", { headers: [REFER_TO] });
    const progress = (await call.log.refers.next()).accept();
    await pbx.expectResponse(202);
    const first = await pbx.expectRequest("NOTIFY");
    progress?.notify(180);
    progress?.notify(183);
    progress?.notify(486, "Busy there");
    pbx.respond(first, 200);
    await expectNotify(/^terminated/, "SIP/2.0 486 Busy there");
    await end(call);
  });

  it("a second one of the same dialog is told with its id (§2.4.6)", async () => {
    const call = await answered();
    for (const event of ["refer", /^refer;id=3$/]) {
      call.far.request("REFER", { headers: [REFER_TO] });
      const progress = (await call.log.refers.next()).accept();
      await pbx.expectResponse(202);
      const notify = await expectNotify(/^active/, "SIP/2.0 100 Trying");
      expect(notify.headers.get("Event")).toMatch(event);
      progress?.notify(200);
      await expectNotify(/^terminated/, "SIP/2.0 200 OK");
    }
    await end(call);
  });

  it.each<[string, HeaderField]>([
    ["RFC 4488 Refer-Sub: false", ["Refer-Sub", "false"]],
    ["RFC 7614 Require: nosub", ["Require", "nosub"]],
  ])("%s: no NOTIFY", async (_title, field) => {
    const call = await answered();
    call.far.request("REFER", { headers: [REFER_TO, field] });
    const progress = (await call.log.refers.next()).accept();
    expect((await pbx.expectResponse(202)).headers.get("Refer-Sub")).toBe("false");
    progress?.notify(180);
    progress?.notify(200);
    await end(call);
    expect(pbx.unread).toHaveLength(0);
  });

  it("is refused, and then no NOTIFY follows", async () => {
    const call = await answered();
    call.far.request("REFER", { headers: [REFER_TO] });
    const refer = await call.log.refers.next();
    refer.reject(603);
    expect(refer.accept()).toBeUndefined();
    await pbx.expectResponse(603, "REFER");
    await end(call);
    expect(pbx.unread).toHaveLength(0);
  });

  it.each<[string, HeaderField[], number]>([
    ["no Refer-To", [], 400],
    ["two Refer-To", [REFER_TO, REFER_TO], 400],
    ["a broken Replaces in it", [["Refer-To", "<sip:x@y.test?Replaces=a>"]], 400],
    ["Require: explicitsub", [REFER_TO, ["Require", "explicitsub"]], 420],
  ])("%s", async (_title, headers, status) => {
    const call = await answered();
    call.far.request("REFER", { headers });
    await pbx.expectResponse(status, "REFER");
    expect(call.log.refers.unread).toHaveLength(0);
    await end(call);
  });

  it("holds at most four at a time", async () => {
    const call = await answered();
    for (let index = 0; index < 4; index += 1) {
      call.far.request("REFER", { headers: [REFER_TO] });
      (await call.log.refers.next()).accept();
      await pbx.expectResponse(202);
      await expectNotify(/^active/, "SIP/2.0 100 Trying");
    }
    call.far.request("REFER", { headers: [REFER_TO] });
    expect((await pbx.expectResponse(503)).headers.get("Retry-After")).toBe("5");
    await end(call);
    // The subscriptions run out on their own; nobody listens any more.
    engine.clock.advance(600_000);
  });

  it("the NOTIFYs outlive the call of whoever hung up after its REFER", async () => {
    const call = await answered();
    call.far.request("REFER", { headers: [REFER_TO] });
    const progress = (await call.log.refers.next()).accept();
    await pbx.expectResponse(202);
    await expectNotify(/^active/, "SIP/2.0 100 Trying");
    await end(call);
    expect(engine.engine.counts.dialogs).toBe(1);
    progress?.notify(200);
    await expectNotify(/^terminated/, "SIP/2.0 200 OK");
    expect(engine.engine.counts.dialogs).toBe(0);
  });

  it("481 to a NOTIFY ends the subscription and not the call", async () => {
    const call = await answered();
    call.far.request("REFER", { headers: [REFER_TO] });
    const progress = (await call.log.refers.next()).accept();
    await pbx.expectResponse(202);
    pbx.respond(await pbx.expectRequest("NOTIFY"), 481);
    call.far.request("OPTIONS");
    await pbx.expectResponse(200, "OPTIONS");
    progress?.notify(200);
    expect(pbx.unread).toHaveLength(0);
    await end(call);
  });

  it("SUBSCRIBE prolongs and ends what the REFER opened, and opens nothing else", async () => {
    const call = await answered();
    const subscribe = (event: string, expires: number) =>
      call.far.request("SUBSCRIBE", {
        headers: [
          ["Event", event],
          ["Expires", String(expires)],
        ],
      });
    subscribe("refer", 60);
    await pbx.expectResponse(481, "SUBSCRIBE");
    call.far.request("REFER", { headers: [REFER_TO] });
    const progress = (await call.log.refers.next()).accept();
    await pbx.expectResponse(202);
    await expectNotify(/^active/, "SIP/2.0 100 Trying");
    subscribe("dialog", 60);
    expect((await pbx.expectResponse(489)).headers.get("Allow-Events")).toBe("refer");
    subscribe("refer", 60);
    expect((await pbx.expectResponse(200, "SUBSCRIBE")).expires).toBe(60);
    await expectNotify(/^active;expires=60$/, "SIP/2.0 100 Trying");
    subscribe("refer", 0);
    await pbx.expectResponse(200, "SUBSCRIBE");
    await expectNotify(/^terminated;reason=timeout$/, "SIP/2.0 100 Trying");
    progress?.notify(200);
    expect(pbx.unread).toHaveLength(0);
    await end(call);
  });
});

describe("RFC 3515 a REFER of ours", () => {
  class ReferLog {
    readonly events = new Inbox<string>();
    onAccepted(): void {
      this.events.push("accepted");
    }
    onProgress(status: number, reasonPhrase: string): void {
      this.events.push(`${status} ${reasonPhrase}`);
    }
    onEnded(status: number, reasonPhrase: string): void {
      this.events.push(`end ${status} ${reasonPhrase}`);
    }
    async expect(...events: string[]): Promise<void> {
      for (const event of events) expect(await this.events.next(event)).toBe(event);
    }
  }

  async function refer(
    options: Partial<OutgoingReferOptions> = {},
  ): Promise<{ call: Call; log: ReferLog; request: SipRequest }> {
    const call = await answered();
    const log = new ReferLog();
    call.log.dialog.refer({ referTo: "sip:7@pbx.test", ...options }, log);
    return { call, log, request: await pbx.expectRequest("REFER") };
  }

  async function notify(
    call: Call,
    state: string,
    body: string,
    options: { readonly event?: string; readonly status?: number } = {},
  ): Promise<void> {
    call.far.request("NOTIFY", {
      headers: [
        ["Event", options.event ?? "refer"],
        ["Subscription-State", state],
      ],
      body,
      contentType: "message/sipfrag",
    });
    await pbx.expectResponse(options.status ?? 200, "NOTIFY");
  }

  it("says whom, who asks, and what it replaces; its NOTIFYs are told", async () => {
    const { call, log, request } = await refer({
      replaces: { callId: "a@b", toTag: "t", fromTag: "f", isEarlyOnly: false },
      referredBy: "sip:1001@gateway.test",
      headers: [["Offhook-Test", "1"]],
    });
    expect(request.headers.get("Refer-To")).toBe(
      "<sip:7@pbx.test?Replaces=a%40b%3Bto-tag%3Dt%3Bfrom-tag%3Df>",
    );
    expect(request.headers.get("Referred-By")).toBe("<sip:1001@gateway.test>");
    expect(request.headers.get("Offhook-Test")).toBe("1");
    expect(request.headers.has("Refer-Sub")).toBe(false);
    pbx.respond(request, 202);
    await log.expect("accepted");
    await notify(call, "active;expires=60", "SIP/2.0 100 Trying");
    await notify(call, "active", "SIP/2.0 180 Ringing", {
      event: `refer;id=${request.cseq.number}`,
    });
    await notify(call, "terminated;reason=noresource", "SIP/2.0 200 OK");
    await log.expect("100 Trying", "180 Ringing", "200 OK", "end 200 OK");
    await notify(call, "active", "SIP/2.0 200 OK", { status: 481 });
    await end(call);
  });

  it("a NOTIFY that overtakes the response counts as one", async () => {
    const { call, log, request } = await refer();
    await notify(call, "active", "SIP/2.0 100 Trying");
    await log.expect("accepted", "100 Trying");
    pbx.respond(request, 202);
    await notify(call, "terminated", "SIP/2.0 486 Busy Here");
    await log.expect("486 Busy Here", "end 486 Busy Here");
    await end(call);
  });

  it("a refused one ends with the status", async () => {
    const { call, log, request } = await refer();
    pbx.respond(request, 603);
    await log.expect("end 603 Decline");
    await end(call);
  });

  it("a challenged one is sent again; the NOTIFY may name either CSeq", async () => {
    const challenge = {
      headers: [["WWW-Authenticate", 'Digest realm="pbx", nonce="n", qop="auth"']],
    } as const;
    // The realm is learnt where we speak to the trunk itself, never from a call's far end.
    const text = engine.engine.message({
      target: { kind: "trunk", trunkId: "office", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      text: "hello",
    });
    pbx.respond(await pbx.expectRequest("MESSAGE"), 401, challenge);
    pbx.respond(await pbx.expectRequest("MESSAGE"), 200);
    expect(await text).toBe(200);
    const { call, log, request } = await refer();
    pbx.respond(request, 401, challenge);
    const again = await pbx.expectRequest("REFER");
    expect(again.cseq.number).toBe(request.cseq.number + 1);
    expect(again.headers.get("Refer-To")).toBe(request.headers.get("Refer-To"));
    pbx.respond(again, 202);
    await notify(call, "terminated", "SIP/2.0 200 OK", {
      event: `refer;id=${again.cseq.number}`,
    });
    await log.expect("accepted", "200 OK", "end 200 OK");
    await end(call);
  });

  it("without a subscription it ends with its response (RFC 4488)", async () => {
    const { call, log, request } = await refer({ hasSubscription: false });
    expect(request.headers.get("Refer-Sub")).toBe("false");
    pbx.respond(request, 202, { headers: [["Refer-Sub", "false"]] });
    await log.expect("accepted", "end 202 Accepted");
    await end(call);
  });

  it("without any NOTIFY it ends with 408 after Timer N", async () => {
    const { call, log, request } = await refer();
    pbx.respond(request, 202);
    await log.expect("accepted");
    engine.clock.advance(32_000);
    await log.expect("end 408 Request Timeout");
    await end(call);
  });

  it("when the subscription runs out the last that was told counts", async () => {
    const { call, log, request } = await refer();
    pbx.respond(request, 202);
    await log.expect("accepted");
    await notify(call, "active;expires=90", "SIP/2.0 180 Ringing");
    await log.expect("180 Ringing");
    engine.clock.advance(90_000);
    await log.expect("end 408 Request Timeout");
    await end(call);
  });

  it("ends with the call", async () => {
    const { call, log, request } = await refer();
    pbx.respond(request, 202);
    await log.expect("accepted");
    await end(call);
    await log.expect("end 481 Call/Transaction Does Not Exist");
    call.log.dialog.refer({ referTo: "sip:7@pbx.test" }, log);
    engine.clock.advance(0);
    await log.expect("end 481 The call is over");
  });

  it.each<[string, HeaderField[], number]>([
    ["no Subscription-State", [["Event", "refer"]], 400],
    [
      "another id",
      [
        ["Event", "refer;id=99"],
        ["Subscription-State", "active"],
      ],
      481,
    ],
  ])("a NOTIFY with %s", async (_title, headers, status) => {
    const { call, log, request } = await refer();
    pbx.respond(request, 202);
    await log.expect("accepted");
    call.far.request("NOTIFY", { headers });
    await pbx.expectResponse(status, "NOTIFY");
    await end(call);
    await log.expect("end 481 Call/Transaction Does Not Exist");
  });
});

describe("REFER by default", () => {
  it("outside a dialog is refused", async () => {
    pbx.request("REFER", {
      uri: "sip:1001@gateway.test",
      from: "<sip:5@pbx.test>;tag=x",
      to: "<sip:1001@gateway.test>",
      headers: [["Contact", pbx.contact], REFER_TO],
    });
    const response = await pbx.expectResponse(405, "REFER");
    expect(response.headers.get("Allow")).not.toContain("REFER");
  });
});
