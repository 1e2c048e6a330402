import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Binding, OutgoingInvite } from "../../../src/signaling/engine.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { PeerDialog } from "../../harness/sip-peer.ts";
import type { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { DialogLog, InviteLog } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

const ANN = "urn:uuid:ann";

let engine: TestEngine;
let browser: SipPeer;

beforeEach(async () => {
  engine = await TestEngine.start();
  browser = await engine.browser("1001", ANN);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

function binding(): Binding {
  const [first] = engine.engine.locations.bindings("1001");
  if (first === undefined) throw new Error("1001 is not registered");
  return first;
}

interface Ringing {
  readonly log: OutgoingLog;
  readonly attempt: OutgoingInvite;
  readonly invite: SipRequest;
}

async function ring(): Promise<Ringing> {
  const log = new OutgoingLog();
  const attempt = engine.engine.invite(
    {
      target: { kind: "binding", binding: binding() },
      from: { user: "+4930123", displayName: "Ann" },
      to: { user: "1001" },
      sdp: sdpOf("offer"),
    },
    log,
  );
  return { log, attempt, invite: await browser.expectRequest("INVITE") };
}

interface Call {
  readonly log: DialogLog;
  readonly far: PeerDialog;
}

async function callIn(): Promise<Call> {
  const { log, invite } = await ring();
  browser.respond(invite, 200, { toTag: "browser", body: sdpOf("answer") });
  await browser.expectRequest("ACK");
  return {
    log: (await log.expect("accepted")).log,
    far: PeerDialog.asCallee(browser, invite, "browser"),
  };
}

async function dial(uri = `sip:*43@${DOMAIN}`): Promise<{ invite: SipRequest; log: InviteLog }> {
  const invite = browser.request("INVITE", {
    uri,
    from: `<sip:1001@${DOMAIN}>;tag=caller`,
    to: `<${uri}>`,
    body: sdpOf("offer"),
  });
  return { invite, log: await engine.invites.next("the INVITE") };
}

async function end(call: Call, at = browser): Promise<void> {
  call.log.dialog.bye();
  at.respond(await at.expectRequest("BYE"), 200);
}

describe("RFC 7118 calls of a browser", () => {
  it("an INVITE goes to its Contact over its connection, from an opaque address of ours", async () => {
    const { attempt, invite, log } = await ring();
    expect(invite.requestUri).toBe(binding().contactUri);
    expect(invite.from.uri).toBe(`sip:+4930123@${DOMAIN}`);
    expect(invite.to.uri).toBe(`sip:1001@${DOMAIN}`);
    expect(invite.topmostVia.transport).toBe("WS");
    expect(invite.contact?.uri).toMatch(/^sip:[\w-]{12}@127\.0\.0\.1:8080;transport=ws$/);
    expect(invite.headers.has("Record-Route")).toBe(false);
    browser.respond(invite, 180, { toTag: "x" });
    await log.expect("provisional");
    attempt.cancel();
    browser.respond(await browser.expectRequest("CANCEL"), 200);
    browser.respond(invite, 487, { toTag: "x" });
    await log.expect("failed");
  });

  it("an INVITE of its own names user and instance", async () => {
    const { log } = await dial();
    expect(log.invite.party).toEqual({ kind: "user", userId: "1001", instanceId: ANN });
    expect(log.invite.calledNumber).toBe("*43");
    log.invite.reject(486);
    await browser.expectResponse(486);
  });

  it.each([
    [`sip:1002@${DOMAIN}`, undefined, "1002"],
    ["sip:1002@127.0.0.1", undefined, "1002"],
    ["tel:+4930123", undefined, "+4930123"],
    [`sip:a%20b@${DOMAIN};user=phone`, undefined, "a b"],
    ["sip:1002@elsewhere.test", 404, ""],
    ["mailto:ann@gateway.test", 416, ""],
  ])("Request-URI %s", async (uri, status, number) => {
    if (status === undefined) {
      const { log } = await dial(uri);
      expect(log.invite.calledNumber).toBe(number);
      log.invite.reject(486);
      await browser.expectResponse(486);
    } else {
      browser.request("INVITE", {
        uri,
        from: `<sip:1001@${DOMAIN}>;tag=caller`,
        to: `<sip:x@${DOMAIN}>`,
      });
      await browser.expectResponse(status);
    }
  });

  it("answers over the same connection, and is acknowledged on it", async () => {
    const { invite, log } = await dial();
    log.invite.progress(180);
    await browser.expectResponse(180);
    const dialog = log.accept(sdpOf("answer"));
    const ok = await browser.expectResponse(200, "INVITE");
    expect(ok.contact?.uri).toContain("transport=ws");
    const far = PeerDialog.asCaller(browser, invite, ok);
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    await end({ log: dialog, far });
  });
});

describe("reliability.md a2-25: requests inside a browser's dialog", () => {
  it("with right tags from another connection, or another user, are refused and do nothing", async () => {
    const call = await callIn();
    const nobody = await engine.connect();
    const other = await engine.browser("1002", "urn:uuid:bob");
    const sameUser = await engine.browser("1001", "urn:uuid:other-browser-of-ann");
    for (const thief of [nobody, other, sameUser]) {
      for (const method of ["BYE", "INVITE", "INFO"]) {
        call.far.from(thief).request(method, { cseq: 90, body: sdpOf("hijack") });
        await thief.expectResponse(403, method);
      }
    }
    expect(call.log.events.unread).toHaveLength(0);
    nobody.request("BYE", {
      uri: `sip:x@${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=browser`,
      to: `<sip:5@${DOMAIN}>;tag=wrong`,
      callId: call.far.callId,
    });
    await nobody.expectResponse(481, "BYE");
    await end(call);
  });

  it("with wrong tags get 481", async () => {
    const call = await callIn();
    browser.request("BYE", {
      uri: "sip:x@gateway.test",
      from: `<sip:1001@${DOMAIN}>;tag=other`,
      to: `<sip:5@${DOMAIN}>;tag=${call.log.dialog.localTag}`,
      callId: call.far.callId,
    });
    await browser.expectResponse(481, "BYE");
    await end(call);
  });

  it("our digest leaks nowhere: a browser that challenges our BYE gets no credentials", async () => {
    const call = await callIn();
    call.log.dialog.bye();
    const bye = await browser.expectRequest("BYE");
    browser.respond(bye, 407, {
      headers: [["Proxy-Authenticate", 'Digest realm="carrier.test", nonce="8B05", algorithm=MD5']],
    });
    const far = engine.engine.counts;
    expect(far.dialogs).toBe(0);
    browser.request("OPTIONS", {
      uri: `sip:${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=o`,
      to: `<sip:1001@${DOMAIN}>`,
    });
    await browser.expectResponse(200, "OPTIONS");
    expect(browser.unread).toHaveLength(0);
  });
});

describe("a call outlives its WebSocket", () => {
  it("tells of the loss and the return, and reaches the new connection", async () => {
    const call = await callIn();
    await browser.close();
    await call.log.expect("flow-lost");
    const again = await engine.browser("1001", ANN);
    await call.log.expect("flow-restored");
    await end(call, again);
  });

  it("sends a request that was on its way again", async () => {
    const call = await callIn();
    const result = call.log.dialog.reinvite(sdpOf("hold"));
    const before = await browser.expectRequest("INVITE");
    const info = call.log.dialog.request("INFO", {});
    await browser.expectRequest("INFO");
    await browser.close();
    await call.log.expect("flow-lost");
    const again = await engine.browser("1001", ANN);
    const after = await again.expectRequest("INVITE");
    expect(after.sdp).toBe(sdpOf("hold"));
    expect(after.cseq.number).toBeGreaterThan(before.cseq.number);
    expect(after.topmostVia.branch).not.toBe(before.topmostVia.branch);
    again.respond(after, 200, { body: sdpOf("held") });
    expect(await result).toEqual({ ok: true, sdp: sdpOf("held") });
    await again.expectRequest("ACK");
    again.respond(await again.expectRequest("INFO"), 200);
    expect(await info).toBe(200);
    await end(call, again);
  });

  it("sends a request that began without a connection when there is one", async () => {
    const call = await callIn();
    await browser.close();
    await call.log.expect("flow-lost");
    const result = call.log.dialog.reinvite(sdpOf("restart"));
    const again = await engine.browser("1001", ANN);
    again.respond(await again.expectRequest("INVITE"), 200, { body: sdpOf("answer") });
    expect((await result).ok).toBe(true);
    await end(call, again);
  });

  it("gives such a request up after 64·T1, and keeps the call", async () => {
    const call = await callIn();
    await browser.close();
    await call.log.expect("flow-lost");
    const result = call.log.dialog.reinvite(sdpOf("restart"));
    engine.clock.advance(32_000);
    expect(await result).toMatchObject({ ok: false, reason: { sipStatus: 503 } });
    expect(call.log.events.unread).toHaveLength(0);
    call.log.dialog.bye();
  });

  it("keeps a BYE for the browser's return", async () => {
    const call = await callIn();
    await browser.close();
    await call.log.expect("flow-lost");
    call.log.dialog.bye();
    expect(engine.engine.counts.dialogs).toBe(0);
    engine.clock.advance(10_000);
    const again = await engine.browser("1001", ANN);
    again.respond(await again.expectRequest("BYE"), 200);
  });

  it("moves when the same instance registers elsewhere while the old connection hangs", async () => {
    const call = await callIn();
    const again = await engine.browser("1001", ANN);
    await call.log.expect("flow-lost");
    await call.log.expect("flow-restored");
    // What was on its way on the old connection is answered there, and leads nothing back.
    call.far.request("OPTIONS");
    await browser.expectResponse(200, "OPTIONS");
    const moved = call.far.from(again);
    moved.request("INVITE", { body: sdpOf("ice-restart") });
    (await call.log.expect("reinvite")).reinvite.accept(sdpOf("answer"));
    await again.expectResponse(200, "INVITE");
    moved.request("ACK", { cseq: moved.cseq });
    await call.log.expect("confirmed");
    await browser.close();
    await end(call, again);
  });

  it("does not come back through another instance of the same user", async () => {
    const call = await callIn();
    await browser.close();
    await call.log.expect("flow-lost");
    const other = await engine.browser("1001", "urn:uuid:other");
    call.far.from(other).request("BYE");
    await other.expectResponse(403, "BYE");
    expect(call.log.events.unread).toHaveLength(0);
    call.log.dialog.bye();
  });

  it("lets the browser prove itself when it speaks before it has registered again", async () => {
    const call = await callIn();
    await browser.close();
    await call.log.expect("flow-lost");
    const again = await engine.connect();
    call.far.from(again).request("BYE");
    const challenge = await again.expectResponse(401, "BYE");
    expect(challenge.headers.getAll("WWW-Authenticate")).not.toHaveLength(0);
    expect(call.log.events.unread).toHaveLength(0);
    await again.register({ user: "1001", password: "secret-1001", domain: DOMAIN, expires: 0 });
    call.far.from(again).request("BYE", { cseq: 5 });
    await again.expectResponse(200, "BYE");
    await call.log.expect("flow-restored");
    await call.log.expect("bye");
  });

  it("a caller that comes back in time gets its answer on the new connection", async () => {
    const { invite, log } = await dial();
    log.invite.progress(180);
    await browser.expectResponse(180);
    await browser.close();
    await waitFor(() => engine.engine.counts.flows === 0, { what: "the end of the connection" });
    engine.clock.advance(5000);
    const again = await engine.browser("1001", ANN);
    await again.expectResponse(180);
    const dialog = log.accept(sdpOf("answer"));
    const ok = await again.expectResponse(200, "INVITE");
    expect(ok.topmostVia.branch).toBe(invite.topmostVia.branch);
    const far = PeerDialog.asCaller(again, invite, ok);
    far.request("ACK", { cseq: 1 });
    await dialog.expect("confirmed");
    await end({ log: dialog, far }, again);
  });

  it("a caller that does not come back has cancelled", async () => {
    const { log } = await dial();
    await browser.close();
    await waitFor(() => engine.engine.counts.flows === 0, { what: "the end of the connection" });
    engine.clock.advance(9999);
    expect(log.cancelled.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect((await log.cancelled.next()).reason?.sipStatus).toBe(487);
    expect(log.invite.accept(sdpOf("late"))).toBeUndefined();
  });

  it("a callee whose connection goes while it rings fails with 503", async () => {
    const { log, invite } = await ring();
    browser.respond(invite, 180, { toTag: "x" });
    await log.expect("provisional");
    await browser.close();
    expect((await log.expect("failed")).failure).toMatchObject({
      cause: "transport",
      reason: { sipStatus: 503 },
    });
    // Its answer comes all the same: it is told that the call is over.
    const again = await engine.browser("1001", ANN);
    again.respond(invite, 200, { toTag: "x", body: sdpOf("answer") });
    await again.expectRequest("ACK");
    again.respond(await again.expectRequest("BYE"), 200);
  });

  it("a binding that has gone fails with 503", async () => {
    const gone = binding();
    await browser.close();
    await waitFor(() => engine.engine.counts.flows === 0, { what: "the end of the connection" });
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "binding", binding: gone },
        from: { user: "5" },
        to: { user: "1001" },
        sdp: undefined,
      },
      log,
    );
    engine.clock.advance(0);
    expect((await log.expect("failed")).failure.cause).toBe("transport");
  });
});
