import { afterAll, describe, expect, it } from "vitest";

import type { SipRequest } from "../../src/signaling/message/message.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault, talkToDesk, useOffice } from "./support.ts";

const office = useOffice({
  sections: {
    users: {
      "1001": { name: "Ann Lee", password: PASSWORDS["1001"], groups: ["staff"] },
      "1002": { name: "Bob Ray", password: PASSWORDS["1002"], groups: ["staff"] },
      "1003": { name: "Cal Fox", password: "harness-password-three" },
    },
  },
  routes: [
    {
      name: "with a box",
      to: "1001",
      from: { user: "1001" },
      do: { ring: "1001", then: { voicemail: "desk", number: "*97" } },
    },
  ],
});

afterAll(() => {
  expectNoFault(office().gateway);
});

const signIn = (user: "1001" | "1002"): Promise<WsCaller> =>
  WsCaller.signIn(office().gateway, user);
const TEXT = { body: "Grüße", contentType: "text/plain;charset=utf-8" };

describe("RFC 3428 MESSAGE", () => {
  it("goes between web users, and its sender hears when it could not be delivered", async () => {
    await using ann = await signIn("1001");
    const early = ann.ask("MESSAGE", "1002", TEXT);
    expect((await ann.told(early)).statusCode).toBe(480);
    await using bob = await signIn("1002");
    const sent = ann.ask("MESSAGE", "1002", TEXT);
    const got = await bob.text();
    expect(got.body.toString()).toBe("Grüße");
    expect(got.headers.get("From")).toContain('"Ann Lee" <sip:1001@localhost>');
    expect(got.callId).not.toBe(sent.callId);
    expect((await ann.told(sent)).statusCode).toBe(200);
  });

  it("goes to the PBX and comes from it, with the PBX's own answer", async () => {
    await using ann = await signIn("1001");
    const { desk } = office();
    const sent = ann.ask("MESSAGE", "701", TEXT);
    const atDesk = await desk.expectRequest("MESSAGE");
    expect(atDesk.uri.user).toBe("701");
    expect(atDesk.headers.list("Max-Forwards")).toEqual(["69"]);
    desk.respond(atDesk, 404, { toTag: "x", headers: [] });
    expect((await ann.told(sent)).statusCode).toBe(404);
    desk.request("MESSAGE", {
      uri: "sip:1001@localhost",
      from: "<sip:701@pbx.test>;tag=a",
      to: "<sip:1001@localhost>",
      ...TEXT,
    });
    expect((await ann.text()).headers.get("From")).toContain("sip:701@");
    await desk.expectResponse(200, "MESSAGE");
  });
});

describe("RFC 3428 §4 MESSAGE inside a call", () => {
  it("goes to the other end and to nobody else, both ways, with that end's answer", async () => {
    await using ann = await signIn("1001");
    const [call, leg] = await talkToDesk(office(), ann);
    call.request("MESSAGE", TEXT);
    const atDesk = await leg.expectRequest("MESSAGE");
    expect(atDesk.callId).toBe(leg.invite.callId);
    expect(atDesk.body.toString()).toBe(TEXT.body);
    office().desk.respond(atDesk, 202, { headers: [] });
    await call.expectResponse(202, "MESSAGE");

    leg.dialog.request("MESSAGE", TEXT);
    const atAnn = await call.expectRequest("MESSAGE");
    expect(atAnn.body.toString()).toBe(TEXT.body);
    call.respond(atAnn, 200);
    await leg.expectResponse(200, "MESSAGE");

    call.request("MESSAGE", { ...TEXT, body: "x".repeat(1000) });
    await call.expectResponse(513, "MESSAGE");
    call.request("MESSAGE", { body: "<html>", contentType: "text/html" });
    await call.expectResponse(415, "MESSAGE");
    await call.bye();
    await leg.hungUp();
  });
});

describe("lamps", () => {
  const subscribe = (browser: WsCaller, event: string, number: string): SipRequest =>
    browser.ask("SUBSCRIBE", number, {
      headers: [
        ["Event", event],
        ["Expires", "600"],
      ],
    });

  it("RFC 4235: a user's calls are shown to users of its groups, and to nobody else", async () => {
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    const lamp = subscribe(ann, "dialog", "1002");
    const accepted = await ann.told(lamp);
    expect(accepted.statusCode).toBe(200);
    expect((await ann.notified(lamp)).body.toString()).not.toContain("<state>");
    const call = await bob.call("*43");
    const states: string[] = [];
    while (states.at(-1) !== "confirmed") {
      const body = (await ann.notified(lamp)).body.toString();
      states.push(/<state>(\w+)/.exec(body)?.[1] ?? "none");
      expect(body).not.toContain("*43");
    }
    await call.bye();
    expect((await ann.notified(lamp)).body.toString()).not.toContain("<state>");
    expect((await ann.told(subscribe(ann, "dialog", "1003"))).statusCode).toBe(403);
    expect((await ann.told(subscribe(ann, "presence", "1002"))).statusCode).toBe(489);
    await ann.unsubscribe(lamp, accepted);
  });

  it("RFC 3842: the voicemail's lamp is asked at the trunk, and comes back as it is", async () => {
    await using ann = await signIn("1001");
    const { desk } = office();
    const lamp = subscribe(ann, "message-summary", "1001");
    const asked = await desk.expectRequest("SUBSCRIBE");
    expect(asked.uri.user).toBe("1001");
    expect(asked.headers.get("Event")).toBe("message-summary");
    desk.respond(asked, 200, {
      toTag: "box",
      headers: [
        ["Contact", desk.contact],
        ["Expires", "600"],
      ],
    });
    desk.request("NOTIFY", {
      uri: asked.contact?.uri ?? "",
      from: `${asked.headers.get("To") ?? ""};tag=box`,
      to: asked.headers.get("From") ?? "",
      callId: asked.callId,
      headers: [
        ["Contact", desk.contact],
        ["Event", "message-summary"],
        ["Subscription-State", "active;expires=600"],
      ],
      body: "Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n",
      contentType: "application/simple-message-summary",
    });
    await desk.expectResponse(200, "NOTIFY");
    const accepted = await ann.told(lamp);
    expect(accepted.statusCode).toBe(200);
    const notify = await ann.notified(lamp);
    expect(notify.contentType).toBe("application/simple-message-summary");
    expect(notify.body.toString()).toContain("Voice-Message: 2/8");
    expect((await ann.told(subscribe(ann, "message-summary", "1002"))).statusCode).toBe(403);
    await ann.unsubscribe(lamp, accepted);
    const last = await desk.expectRequest("SUBSCRIBE");
    expect(last.headers.get("Expires")).toBe("0");
    desk.respond(last, 200, {
      headers: [
        ["Contact", desk.contact],
        ["Expires", "0"],
      ],
    });
    desk.request("NOTIFY", {
      uri: asked.contact?.uri ?? "",
      from: `${asked.headers.get("To") ?? ""};tag=box`,
      to: asked.headers.get("From") ?? "",
      callId: asked.callId,
      cseq: 2,
      headers: [
        ["Contact", desk.contact],
        ["Event", "message-summary"],
        ["Subscription-State", "terminated;reason=timeout"],
      ],
    });
    await desk.expectResponse(200, "NOTIFY");
  });
});
