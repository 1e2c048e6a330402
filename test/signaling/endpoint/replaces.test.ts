import { afterEach, describe, expect, it } from "vitest";
import type { EngineTrunk } from "../../../src/signaling/embedded-engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let office: SipPeer;
let carrier: SipPeer;

async function start(
  options: { readonly handlesReplaces?: boolean; readonly carrier?: Partial<EngineTrunk> } = {},
): Promise<void> {
  office = await SipPeer.udp();
  carrier = await SipPeer.udp(undefined, "127.0.0.2");
  engine = await TestEngine.start({
    trunks: [
      { id: "office", peer: `sip:127.0.0.1:${office.local.port}` },
      { id: "carrier", peer: `sip:127.0.0.2:${carrier.local.port}`, ...options.carrier },
    ],
    handler: { handlesReplaces: options.handlesReplaces ?? true },
  });
  engine.adopt(office);
  engine.adopt(carrier);
}

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

/** An INVITE of ours to the office that rings. */
async function ring(): Promise<{ log: OutgoingLog; invite: SipRequest }> {
  const log = new OutgoingLog();
  engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: "office", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
    },
    log,
  );
  const invite = await office.expectRequest("INVITE");
  office.respond(invite, 180, { toTag: "callee" });
  await log.expect("provisional");
  return { log, invite };
}

/** What names the dialog of an INVITE of ours: its From-tag is ours. */
function replacesOf(invite: SipRequest, more = ""): HeaderField {
  return ["Replaces", `${invite.callId};to-tag=${invite.fromTag};from-tag=callee${more}`];
}

function call(peer: SipPeer, headers: readonly HeaderField[]): void {
  peer.request("INVITE", {
    uri: `sip:1001@${DOMAIN}`,
    from: "<sip:7@pbx.test>;tag=third",
    to: `<sip:1001@${DOMAIN}>`,
    headers: [["Contact", peer.contact], ...headers],
    body: sdpOf("third"),
  });
}

async function answered(): Promise<{ log: OutgoingLog; invite: SipRequest; hangUp: () => void }> {
  const { log, invite } = await ring();
  office.respond(invite, 200, { toTag: "callee", body: sdpOf("answer") });
  await office.expectRequest("ACK");
  const { dialog } = (await log.expect("accepted")).log;
  return { log, invite, hangUp: () => dialog.bye() };
}

async function end(hangUp: () => void): Promise<void> {
  hangUp();
  office.respond(await office.expectRequest("BYE"), 200);
}

describe("RFC 3891 §3 Replaces", () => {
  it("gives the roof the dialog that is replaced", async () => {
    await start();
    const { invite, hangUp } = await answered();
    call(office, [replacesOf(invite), ["Require", "replaces"]]);
    const { invite: incoming } = await engine.invites.next();
    expect(incoming.replaces?.callId).toBe(invite.callId);
    expect(incoming.replaces?.remoteTag).toBe("callee");
    expect(incoming.replacesInvite).toBeUndefined();
    incoming.reject(486);
    await office.expectResponse(486);
    await end(hangUp);
  });

  it("gives the roof the call of ours that still rings", async () => {
    await start();
    const { log, invite } = await ring();
    call(office, [replacesOf(invite, ";early-only")]);
    const { invite: incoming } = await engine.invites.next();
    expect(incoming.replaces).toBeUndefined();
    incoming.replacesInvite?.cancel();
    office.respond(await office.expectRequest("CANCEL"), 200);
    office.respond(invite, 487, { toTag: "callee" });
    await log.expect("failed");
    incoming.reject(486);
    await office.expectResponse(486);
  });

  it.each<[string, (invite: SipRequest) => HeaderField[], number]>([
    ["early-only of an answered call", (invite) => [replacesOf(invite, ";early-only")], 486],
    ["no such Call-ID", () => [["Replaces", "none;to-tag=a;from-tag=b"]], 481],
    [
      "the tags the other way round",
      (invite) => [["Replaces", `${invite.callId};to-tag=callee;from-tag=${invite.fromTag}`]],
      481,
    ],
    ["two of them", (invite) => [replacesOf(invite), replacesOf(invite)], 400],
    ["a broken one", () => [["Replaces", "a;to-tag=b"]], 400],
  ])("%s", async (_title, headers, status) => {
    await start();
    const { invite, hangUp } = await answered();
    call(office, headers(invite));
    await office.expectResponse(status, "INVITE");
    expect(engine.invites.unread).toHaveLength(0);
    await end(hangUp);
  });

  it("an early dialog that we did not begin: 481", async () => {
    await start();
    call(office, []);
    const { invite: ringing } = await engine.invites.next();
    ringing.progress(180);
    const { toTag } = await office.expectResponse(180);
    call(office, [["Replaces", `${ringing.callId};to-tag=${toTag};from-tag=third`]]);
    await office.expectResponse(481, "INVITE");
    ringing.reject(486);
    await office.expectResponse(486);
  });

  it("a dialog that is being hung up: 603", async () => {
    await start();
    call(office, []);
    const { invite: incoming } = await engine.invites.next();
    const dialog = incoming.accept(sdpOf("answer"));
    const accept = await office.expectResponse(200);
    dialog?.bye();
    call(office, [["Replaces", `${accept.callId};to-tag=${accept.toTag};from-tag=third`]]);
    await office.expectResponse(603, "INVITE");
    // Without an ACK the BYE goes out in the end.
    engine.clock.advance(32_000);
    office.respond(await office.expectRequest("BYE"), 200);
  });
});

describe("RFC 3891 §8 who may replace", () => {
  it("another trunk may not, whatever it knows", async () => {
    await start();
    const { invite, hangUp } = await answered();
    call(carrier, [replacesOf(invite)]);
    await carrier.expectResponse(403, "INVITE");
    expect(engine.invites.unread).toHaveLength(0);
    await end(hangUp);
  });

  it("a web user may not replace the call of a trunk", async () => {
    await start();
    const browser = await engine.browser("1001");
    const { invite, hangUp } = await answered();
    browser.request("INVITE", {
      uri: `sip:5@${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=b`,
      to: `<sip:5@${DOMAIN}>`,
      headers: [["Contact", browser.contact], replacesOf(invite)],
      body: sdpOf("third"),
    });
    await browser.expectResponse(403, "INVITE");
    await end(hangUp);
  });

  it("a web user may take its own call over with another browser", async () => {
    await start();
    const tablet = await engine.browser("1001", "urn:uuid:tablet");
    const desk = await engine.browser("1001", "urn:uuid:desk");
    const dial = (peer: SipPeer, tag: string, headers: readonly HeaderField[]) =>
      peer.request("INVITE", {
        uri: `sip:5@${DOMAIN}`,
        from: `<sip:1001@${DOMAIN}>;tag=${tag}`,
        to: `<sip:5@${DOMAIN}>`,
        headers: [["Contact", peer.contact], ...headers],
        body: sdpOf(tag),
      });
    dial(tablet, "tablet", []);
    const dialog = (await engine.invites.next()).invite.accept(sdpOf("answer"));
    const accept = await tablet.expectResponse(200);
    const value = `${accept.callId};to-tag=${accept.toTag};from-tag=tablet`;
    dial(desk, "desk", [["Replaces", value]]);
    const { invite } = await engine.invites.next();
    expect(invite.replaces).toBe(dialog);
    invite.reject(486);
    await desk.expectResponse(486);
    dialog?.bye();
  });

  it("a trunk that is trusted with all may", async () => {
    await start({ carrier: { mayReplaceAny: true } });
    const { invite, hangUp } = await answered();
    call(carrier, [replacesOf(invite)]);
    const { invite: incoming } = await engine.invites.next();
    expect(incoming.replaces?.callId).toBe(invite.callId);
    incoming.reject(486);
    await carrier.expectResponse(486);
    await end(hangUp);
  });
});

describe("Replaces by default", () => {
  it("is left alone, and refused where it is required", async () => {
    await start({ handlesReplaces: false });
    const { invite, hangUp } = await answered();
    call(office, [replacesOf(invite)]);
    const { invite: incoming } = await engine.invites.next();
    expect(incoming.replaces).toBeUndefined();
    incoming.reject(486);
    await office.expectResponse(486);
    call(office, [replacesOf(invite), ["Require", "replaces"]]);
    expect((await office.expectResponse(420)).headers.get("Unsupported")).toBe("replaces");
    await end(hangUp);
  });

  it.each([
    [true, true],
    [false, false],
  ])("is offered in OPTIONS: %s", async (handlesReplaces, isOffered) => {
    await start({ handlesReplaces });
    office.request("OPTIONS", {
      uri: `sip:${DOMAIN}`,
      from: "<sip:pbx.test>;tag=o",
      to: `<sip:${DOMAIN}>`,
    });
    const { headers } = await office.expectResponse(200, "OPTIONS");
    expect(headers.list("Supported").includes("replaces")).toBe(isOffered);
    expect(headers.get("Accept")).toBe("application/sdp");
    expect(headers.get("Accept-Encoding")).toBe("identity");
    expect(headers.get("Accept-Language")).toBe("en");
    expect(headers.get("Allow")).toContain("INVITE, ACK, CANCEL, BYE, OPTIONS");
  });
});
