import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IncomingMessage, InviteTarget } from "../../../src/signaling/engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, Inbox, TestEngine, TransferLog, sdpOf } from "../../harness/signaling-engine.ts";

const ANN = "urn:uuid:ann";

let engine: TestEngine;
let pbx: SipPeer;
let browser: SipPeer;
let messages: Inbox<IncomingMessage>;

beforeEach(async () => {
  messages = new Inbox();
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
    handler: { onMessage: (message) => messages.push(message) },
  });
  engine.adopt(pbx);
  browser = await engine.browser("1001", ANN);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface Sent {
  readonly uri?: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: string;
  readonly contentType?: string;
}

function send(peer: SipPeer, sent: Sent = {}): void {
  const isPbx = peer === pbx;
  const user = isPbx ? "sip:5@pbx.test" : `sip:1001@${DOMAIN}`;
  peer.request("MESSAGE", {
    uri: sent.uri ?? `sip:1002@${DOMAIN}`,
    from: `"Ann" <${user}>;tag=a`,
    to: `<sip:1002@${DOMAIN}>`,
    headers: sent.headers ?? [],
    body: sent.body ?? "Grüße",
    contentType: sent.contentType ?? "text/plain;charset=utf-8",
  });
}

describe("RFC 3428 §7 a MESSAGE of the far end", () => {
  it("comes from the user and instance of its connection", async () => {
    send(browser);
    const message = await messages.next();
    expect(message.party).toEqual({ kind: "user", userId: "1001", instanceId: ANN });
    expect(message.calledNumber).toBe("1002");
    expect(message.senderIdentity).toEqual({ user: "1001", displayName: "Ann" });
    expect(message.text).toBe("Grüße");
    message.respond(180);
    message.respond(202);
    message.respond(500);
    const response = await browser.expectResponse(202, "MESSAGE");
    expect(response.headers.has("Contact")).toBe(false);
    expect(browser.unread).toHaveLength(0);
  });

  it("comes from the trunk of its address", async () => {
    send(pbx);
    const message = await messages.next();
    expect(message.party).toEqual({ kind: "trunk", trunkId: "office" });
    message.respond(200);
    await pbx.expectResponse(200, "MESSAGE");
  });

  it.each<[string, Sent, number]>([
    ["another type", { contentType: "text/html" }, 415],
    ["an encoding", { headers: [["Content-Encoding", "gzip"]] }, 415],
    ["8 KiB and one octet", { body: "x".repeat(8193) }, 413],
    ["Require", { headers: [["Require", "x-y"]] }, 420],
    ["another domain", { uri: "sip:1002@elsewhere.test" }, 404],
    ["a GRUU that leads nowhere", { uri: `sip:1002@${DOMAIN};gr=urn:uuid:none` }, 480],
    ["no scheme of ours", { uri: "mailto:ann@gateway.test" }, 416],
  ])("with %s is refused", async (_title, sent, status) => {
    send(browser, sent);
    const response = await browser.expectResponse(status, "MESSAGE");
    if (status === 415) expect(response.headers.get("Accept")).toBe("text/plain");
    expect(messages.unread).toHaveLength(0);
  });

  it("with no hop left gets 483", async () => {
    const request = pbx.build("MESSAGE", {
      uri: `sip:1002@${DOMAIN}`,
      from: "<sip:5@pbx.test>;tag=a",
      to: `<sip:1002@${DOMAIN}>`,
      body: "x",
      contentType: "text/plain",
    });
    Object.assign(request, { headers: request.headers.with("Max-Forwards", "0") });
    pbx.send(request);
    await pbx.expectResponse(483, "MESSAGE");
  });

  it("to a GRUU names the instance", async () => {
    send(pbx, { uri: `sip:1001@${DOMAIN};gr=${ANN}` });
    const message = await messages.next();
    expect(message.calledInstance).toEqual({ userId: "1001", instanceId: ANN });
    message.respond(200);
    await pbx.expectResponse(200);
  });

  it("that nobody answers is answered when its sender has given up", async () => {
    send(pbx);
    const message = await messages.next();
    engine.clock.advance(32_000);
    await pbx.expectResponse(480, "MESSAGE");
    message.respond(200);
    expect(pbx.unread).toHaveLength(0);
  });

  it("inside a call goes to the call", async () => {
    const invite = pbx.request("INVITE", {
      uri: `sip:1001@${DOMAIN}`,
      from: "<sip:5@pbx.test>;tag=caller",
      to: `<sip:1001@${DOMAIN}>`,
      body: sdpOf("offer"),
    });
    const dialog = (await engine.invites.next()).invite.accept(sdpOf("answer"));
    if (dialog === undefined) throw new Error("the INVITE has ended");
    const log = new TransferLog(dialog);
    const far = PeerDialog.asCaller(pbx, invite, await pbx.expectResponse(200));
    far.request("ACK", { cseq: 1 });
    await log.expect("confirmed");
    far.request("MESSAGE", { body: "psst", contentType: "text/plain" });
    const message = await log.messages.next();
    expect(message.text).toBe("psst");
    message.respond(200);
    await pbx.expectResponse(200, "MESSAGE");
    far.request("MESSAGE", { body: "<b>", contentType: "text/html" });
    await pbx.expectResponse(415, "MESSAGE");
    const answer = dialog.request("MESSAGE", {
      contentType: "text/plain",
      body: Buffer.from("yes?"),
    });
    const sent = await pbx.expectRequest("MESSAGE");
    expect(sent.body.toString()).toBe("yes?");
    pbx.respond(sent, 200);
    expect(await answer).toBe(200);
    far.request("BYE");
    await pbx.expectResponse(200, "BYE");
    expect(messages.unread).toHaveLength(0);
  });

  it("without a method of the handler is refused, and not offered", async () => {
    const other = await TestEngine.start();
    const peer = await other.browser("1001");
    const options = (uri: string) =>
      peer.request("OPTIONS", { uri, from: `<sip:1001@${DOMAIN}>;tag=o`, to: `<${uri}>` });
    send(peer);
    const refused = await peer.expectResponse(405, "MESSAGE");
    expect(refused.headers.get("Allow")).not.toContain("MESSAGE");
    options(`sip:${DOMAIN}`);
    expect((await peer.expectResponse(200, "OPTIONS")).headers.get("Allow")).not.toContain(
      "MESSAGE",
    );
    await other.stop();
    browser.request("OPTIONS", {
      uri: `sip:${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=o`,
      to: `<sip:${DOMAIN}>`,
    });
    expect((await browser.expectResponse(200, "OPTIONS")).headers.get("Allow")).toContain(
      "MESSAGE",
    );
  });
});

describe("RFC 3428 §4 a MESSAGE of ours", () => {
  const trunk: InviteTarget = { kind: "trunk", trunkId: "office", number: "5" };
  const from = { user: "1001", displayName: "Ann" };

  function toBrowser(): InviteTarget {
    const [binding] = engine.engine.locations.bindings("1001");
    if (binding === undefined) throw new Error("1001 is not registered");
    return { kind: "binding", binding };
  }

  it.each([200, 202, 404, 486])("to a trunk ends with %i", async (status) => {
    const result = engine.engine.message({ target: trunk, from, to: { user: "5" }, text: "Grüße" });
    const request = await pbx.expectRequest("MESSAGE");
    expect(request.requestUri).toBe(`sip:5@127.0.0.1:${pbx.local.port}`);
    expect(request.headers.get("Content-Type")).toBe("text/plain;charset=utf-8");
    expect(request.headers.has("Contact")).toBe(false);
    expect(request.body.toString()).toBe("Grüße");
    pbx.respond(request, status);
    expect(await result).toBe(status);
  });

  it("to a browser goes to its connection", async () => {
    const to = { user: "1001" };
    const text = "x".repeat(5000);
    const result = engine.engine.message({ target: toBrowser(), from: { user: "5" }, to, text });
    const request = await browser.expectRequest("MESSAGE");
    expect(request.body).toHaveLength(5000);
    browser.respond(request, 200);
    expect(await result).toBe(200);
  });

  it("of more than 1300 octets never goes over UDP (§8)", async () => {
    const send = (length: number) =>
      engine.engine.message({ target: trunk, from, to: { user: "5" }, text: "x".repeat(length) });
    expect(await send(1300)).toBe(513);
    expect(await send(9000)).toBe(513);
    const result = send(700);
    pbx.respond(await pbx.expectRequest("MESSAGE"), 200);
    expect(await result).toBe(200);
    expect(pbx.unread).toHaveLength(0);
  });

  it("without an answer ends with 408 after Timer F", async () => {
    const result = engine.engine.message({ target: trunk, from, to: { user: "5" }, text: "?" });
    await pbx.expectRequest("MESSAGE");
    engine.clock.advance(32_000);
    expect(await result).toBe(408);
  });

  it("to nobody ends at once", async () => {
    const target = toBrowser();
    await browser.close();
    await browser.closed();
    const gone = { kind: "trunk", trunkId: "none", number: "5" } as const;
    const options = { from, to: { user: "1001" }, text: "?" };
    expect(await engine.engine.message({ ...options, target: gone })).toBe(503);
    await expect
      .poll(() => engine.engine.locations.bindings("1001").length, { timeout: 2000 })
      .toBe(0);
    expect(await engine.engine.message({ ...options, target })).toBe(480);
  });
});
