import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { DialogLog } from "../../harness/signaling-engine.ts";
import type { SipMessage, SipRequest } from "../../../src/signaling/message/message.ts";

type Fields = readonly (readonly [string, string])[];

let engine: TestEngine;
let pbx: SipPeer;
/** A trunk without terms of ours. */
let plain: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  plain = await SipPeer.udp(undefined, "127.0.0.2");
  engine = await TestEngine.start({
    trunks: [
      {
        id: "office",
        peer: `sip:127.0.0.1:${pbx.local.port}`,
        terms: {
          reliable: "supported",
          session: { expiresSeconds: 1800, minimumSeconds: 120 },
        },
      },
      { id: "plain", peer: `sip:127.0.0.2:${plain.local.port}` },
    ],
  });
  engine.adopt(pbx);
  engine.adopt(plain);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface Call {
  readonly log: DialogLog;
  readonly far: PeerDialog;
  /** What the gateway said of the session when the call was set up. */
  readonly said: SipMessage;
}

function sessionOf(message: SipMessage): readonly (string | undefined)[] {
  return ["Session-Expires", "Min-SE", "Require"].map((name) => message.headers.get(name));
}

async function placed(fields: Fields, trunkId = "office", peer = pbx): Promise<Call> {
  const outgoing = new OutgoingLog();
  engine.engine.invite(
    {
      target: { kind: "trunk", trunkId, number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
    },
    outgoing,
  );
  const invite = await peer.expectRequest("INVITE");
  accept(invite, fields, peer, "callee");
  await peer.expectRequest("ACK");
  const { log } = await outgoing.expect("accepted");
  return { log, far: PeerDialog.asCallee(peer, invite, "callee"), said: invite };
}

function accept(request: SipRequest, fields: Fields, peer = pbx, toTag?: string): void {
  peer.respond(request, 200, {
    ...(toTag === undefined ? {} : { toTag }),
    headers: [["Contact", peer.contact], ...fields.map(([a, b]) => [a, b] as const)],
    ...(request.sdp === undefined ? {} : { body: sdpOf("answer") }),
  });
}

function ring(fields: Fields, peer = pbx): SipRequest {
  return peer.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=caller",
    to: "<sip:1001@gateway.test>",
    headers: [["Contact", peer.contact], ...fields.map(([a, b]) => [a, b] as const)],
    body: sdpOf("offer"),
  });
}

async function answered(fields: Fields, peer = pbx): Promise<Call> {
  const invite = ring(fields, peer);
  const log = (await engine.invites.next()).accept(sdpOf("answer"));
  const said = await peer.expectResponse(200);
  const far = PeerDialog.asCaller(peer, invite, said);
  far.request("ACK", { cseq: 1 });
  await log.expect("confirmed");
  return { log, far, said };
}

async function end({ log, far }: Call, peer = pbx): Promise<void> {
  far.request("BYE");
  await peer.expectResponse(200, "BYE");
  await log.expect("bye");
}

const ALLOW_UPDATE = ["Allow", "INVITE, ACK, BYE, UPDATE"] as const;

describe("RFC 4028 §7 an INVITE of ours", () => {
  it("asks for an interval and tells our minimum", async () => {
    const call = await placed([]);
    expect(sessionOf(call.said)).toEqual(["1800", "120", undefined]);
    expect(call.said.headers.list("Supported")).toContain("timer");
    // §7.2: no Session-Expires in the 2xx, no timer.
    engine.clock.advance(3_600_000);
    expect(pbx.unread).toHaveLength(0);
    await end(call);
  });

  it("asks for nothing without terms, and a far end that wants a timer refreshes it", async () => {
    const call = await placed([["Session-Expires", "90;refresher=uas"]], "plain", plain);
    expect(sessionOf(call.said)).toEqual([undefined, undefined, undefined]);
    engine.clock.advance(1_000_000);
    expect(plain.unread).toHaveLength(0);
    call.far.request("UPDATE", {
      headers: [
        ["Supported", "timer"],
        ["Session-Expires", "90;refresher=uac"],
      ],
    });
    const ok = await plain.expectResponse(200, "UPDATE");
    expect(sessionOf(ok)).toEqual(["90;refresher=uac", undefined, "timer"]);
    await end(call, plain);
  });

  it("is sent again with a larger interval after 422 (§7.3)", async () => {
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
    const first = await pbx.expectRequest("INVITE");
    pbx.respond(first, 422, { toTag: "x", headers: [["Min-SE", "3600"]] });
    await pbx.expectRequest("ACK");
    const second = await pbx.expectRequest("INVITE");
    expect(second.callId).toBe(first.callId);
    expect(second.fromTag).toBe(first.fromTag);
    expect(second.cseq.number).toBe(2);
    expect(sessionOf(second)).toEqual(["3600", "3600", undefined]);
    // The same again would go on for ever.
    pbx.respond(second, 422, { toTag: "x", headers: [["Min-SE", "3600"]] });
    await pbx.expectRequest("ACK");
    expect((await outgoing.expect("failed")).failure.reason.sipStatus).toBe(422);
  });

  it.each([["nothing"], ["86401"], ["60"]])("fails at a 422 with Min-SE %s", async (minimum) => {
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
    pbx.respond(invite, 422, { toTag: "x", headers: [["Min-SE", minimum]] });
    expect((await outgoing.expect("failed")).failure.reason.sipStatus).toBe(422);
    await pbx.expectRequest("ACK");
  });
});

describe("RFC 4028 §9 an INVITE of the far end", () => {
  const SUPPORTED = ["Supported", "timer"] as const;

  it.each([
    // What the INVITE says; the 2xx: interval, who refreshes, Require.
    [[SUPPORTED, ["Session-Expires", "600"]], "600;refresher=uas", "timer"],
    [[SUPPORTED, ["Session-Expires", "600;refresher=uac"]], "600;refresher=uac", "timer"],
    [[SUPPORTED, ["x", "600; refresher=uas"]], "600;refresher=uas", "timer"],
    [[SUPPORTED, ["Session-Expires", "7200"]], "1800;refresher=uas", "timer"],
    [[SUPPORTED, ["Session-Expires", "7200"], ["Min-SE", "3600"]], "3600;refresher=uas", "timer"],
    [[SUPPORTED], "1800;refresher=uas", "timer"],
    // A proxy on the way wants it, the caller knows nothing of it.
    [[["Session-Expires", "600"]], "600;refresher=uas", undefined],
    [[], undefined, undefined],
    [[["Session-Expires", "soon"]], undefined, undefined],
    [[["Session-Expires", "0"]], undefined, undefined],
  ] as const)("with %j is answered with %s", async (fields, interval, required) => {
    const call = await answered(fields);
    expect(sessionOf(call.said)).toEqual([interval, undefined, required]);
    await end(call);
  });

  it("gets 422 with our minimum for less, if it knows what that means", async () => {
    ring([SUPPORTED, ["Session-Expires", "119"]]);
    const refusal = await pbx.expectResponse(422);
    expect(refusal.headers.get("Min-SE")).toBe("120");
    const call = await answered([["Session-Expires", "119"]]);
    expect(call.said.headers.get("Session-Expires")).toBe("119;refresher=uas");
    call.far.request("UPDATE", { headers: [SUPPORTED, ["Session-Expires", "100"]] });
    expect((await pbx.expectResponse(422, "UPDATE")).headers.get("Min-SE")).toBe("120");
    call.far.request("INVITE", {
      headers: [SUPPORTED, ["Session-Expires", "100"]],
      body: sdpOf("again"),
    });
    expect((await pbx.expectResponse(422, "INVITE")).headers.get("Min-SE")).toBe("120");
    expect(call.log.events.unread).toHaveLength(0);
    await end(call);
  });
});

describe("RFC 4028 §7.4 and §10 refreshes of ours", () => {
  it("go out as UPDATE at half of the interval, each beginning it anew", async () => {
    const call = await placed([ALLOW_UPDATE, ["Session-Expires", "600;refresher=uac"]]);
    for (let round = 0; round < 3; round += 1) {
      engine.clock.advance(299_999);
      expect(pbx.unread).toHaveLength(0);
      engine.clock.advance(1);
      const update = await pbx.expectRequest("UPDATE");
      expect(sessionOf(update)).toEqual(["600;refresher=uac", "120", undefined]);
      expect(update.body).toHaveLength(0);
      accept(update, [["Session-Expires", "600;refresher=uac"]]);
      await arrived(call);
    }
    await end(call);
  });

  it("go out as re-INVITE with unchanged SDP where the far end does not allow UPDATE", async () => {
    const call = await placed([["Session-Expires", "600"]]);
    engine.clock.advance(300_000);
    const reinvite = await pbx.expectRequest("INVITE");
    expect(reinvite.sdp).toBe(sdpOf("offer"));
    expect(sessionOf(reinvite)).toEqual(["600;refresher=uac", "120", undefined]);
    accept(reinvite, [["Session-Expires", "600;refresher=uac"]]);
    await pbx.expectRequest("ACK");
    expect(call.log.events.unread).toHaveLength(0);
    await end(call);
  });

  it("change over to re-INVITE when UPDATE gets 405", async () => {
    const call = await placed([ALLOW_UPDATE, ["Session-Expires", "600;refresher=uac"]]);
    engine.clock.advance(300_000);
    pbx.respond(await pbx.expectRequest("UPDATE"), 405);
    accept(await pbx.expectRequest("INVITE"), [["Session-Expires", "600;refresher=uac"]]);
    await pbx.expectRequest("ACK");
    await end(call);
  });

  it("are asked for again with a larger interval after 422", async () => {
    const call = await placed([ALLOW_UPDATE, ["Session-Expires", "600;refresher=uac"]]);
    engine.clock.advance(300_000);
    pbx.respond(await pbx.expectRequest("UPDATE"), 422, { headers: [["Min-SE", "1000"]] });
    const update = await pbx.expectRequest("UPDATE");
    expect(sessionOf(update)).toEqual(["1000;refresher=uac", "1000", undefined]);
    accept(update, [["Session-Expires", "1000;refresher=uac"]]);
    await end(call);
  });

  it("of a re-INVITE are asked for again after 422 too", async () => {
    const call = await placed([["Session-Expires", "600;refresher=uac"]]);
    const result = call.log.dialog.reinvite(sdpOf("hold"));
    const first = await pbx.expectRequest("INVITE");
    expect(first.headers.get("Session-Expires")).toBe("600;refresher=uac");
    pbx.respond(first, 422, { headers: [["Min-SE", "900"]] });
    const second = await pbx.expectRequest("INVITE");
    expect(sessionOf(second)).toEqual(["900;refresher=uac", "900", undefined]);
    expect(second.sdp).toBe(sdpOf("hold"));
    accept(second, [["Session-Expires", "900;refresher=uac"]]);
    expect(await result).toMatchObject({ ok: true });
    await end(call);
  });

  it("that are refused are tried again, and the call ends only with the interval", async () => {
    const call = await placed([ALLOW_UPDATE, ["Session-Expires", "200;refresher=uac"]]);
    engine.clock.advance(100_000);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      pbx.respond(await pbx.expectRequest("UPDATE"), 500);
      await arrived(call);
      engine.clock.advance(attempt < 3 ? 25_000 : 24_999);
    }
    expect(call.log.events.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect((await call.log.expect("lost")).reason).toMatchObject({ sipStatus: 408, q850: 102 });
    const bye = await pbx.expectRequest("BYE");
    expect(bye.headers.list("Reason").join()).toContain("Session timer expired");
    pbx.respond(bye, 200);
  });

  it.each([481, 408])("that get %i end the call (RFC 5057 §5.1)", async (status) => {
    const call = await placed([ALLOW_UPDATE, ["Session-Expires", "600;refresher=uac"]]);
    engine.clock.advance(300_000);
    pbx.respond(await pbx.expectRequest("UPDATE"), status);
    expect((await call.log.expect("lost")).reason.sipStatus).toBe(status);
    if (status === 408) pbx.respond(await pbx.expectRequest("BYE"), 200);
  });
});

describe("RFC 4028 §10 refreshes of the far end", () => {
  it("that do not come end the call a little before the interval", async () => {
    const call = await placed([["Session-Expires", "600;refresher=uas"]]);
    engine.clock.advance(567_999);
    expect(pbx.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect((await call.log.expect("lost")).reason).toMatchObject({ sipStatus: 408, q850: 102 });
    const bye = await pbx.expectRequest("BYE");
    expect(bye.headers.list("Reason")).toContain('Q.850;cause=102;text="Session timer expired"');
    pbx.respond(bye, 200);
  });

  it.each(["UPDATE", "INVITE"] as const)("by %s begin it anew", async (method) => {
    const call = await placed([["Session-Expires", "600;refresher=uas"]]);
    for (let round = 0; round < 3; round += 1) {
      engine.clock.advance(500_000);
      call.far.request(method, {
        headers: [
          ["Supported", "timer"],
          ["Session-Expires", "600;refresher=uac"],
        ],
        ...(method === "INVITE" ? { body: sdpOf("answer") } : {}),
      });
      if (method === "INVITE") {
        const { reinvite } = await call.log.expect("reinvite");
        reinvite.accept(sdpOf("offer"));
      }
      const ok = await pbx.expectResponse(200, method);
      expect(ok.headers.get("Session-Expires")).toBe("600;refresher=uac");
      if (method === "INVITE") {
        call.far.request("ACK");
        await call.log.expect("confirmed");
      }
    }
    await end(call);
  });

  it("may give the work to us, and none of both ends the timer", async () => {
    const call = await placed([ALLOW_UPDATE, ["Session-Expires", "600;refresher=uas"]]);
    call.far.request("UPDATE", {
      headers: [
        ["Supported", "timer"],
        ["Session-Expires", "600;refresher=uas"],
      ],
    });
    await pbx.expectResponse(200, "UPDATE");
    engine.clock.advance(300_000);
    accept(await pbx.expectRequest("UPDATE"), []);
    // §7.2: a 2xx without the field; nothing expires any more.
    await arrived(call);
    engine.clock.advance(3_600_000);
    expect(pbx.unread).toHaveLength(0);
    await end(call);
  });
});

describe("a browser's session", () => {
  it("is never refreshed from here, and does not end by itself", async () => {
    const browser = await engine.browser("1001");
    const call = await answeredBrowser(browser, [
      ["Supported", "timer"],
      ["Session-Expires", "90"],
    ]);
    expect(sessionOf(call.said)).toEqual(["90;refresher=uac", undefined, "timer"]);
    engine.clock.advance(600_000);
    expect(browser.unread).toHaveLength(0);
    call.far.request("UPDATE", {
      headers: [
        ["Supported", "timer"],
        ["Session-Expires", "90;refresher=uac"],
      ],
    });
    expect((await browser.expectResponse(200, "UPDATE")).headers.get("Session-Expires")).toBe(
      "90;refresher=uac",
    );
    expect(call.log.events.unread).toHaveLength(0);
    await end(call, browser);
  });

  it("is refreshed when the browser asks for that", async () => {
    const browser = await engine.browser("1001");
    const call = await answeredBrowser(browser, [
      ["Supported", "timer"],
      ["Allow", "INVITE, ACK, BYE, UPDATE"],
      ["Session-Expires", "90;refresher=uas"],
    ]);
    engine.clock.advance(45_000);
    const update = await browser.expectRequest("UPDATE");
    expect(update.headers.get("Session-Expires")).toBe("90;refresher=uac");
    accept(update, [["Session-Expires", "90;refresher=uac"]], browser);
    await end(call, browser);
  });

  async function answeredBrowser(browser: SipPeer, fields: Fields): Promise<Call> {
    const invite = browser.request("INVITE", {
      uri: "sip:600@gateway.test",
      from: "<sip:1001@gateway.test>;tag=caller",
      to: "<sip:600@gateway.test>",
      headers: [
        ["Contact", browser.registerContact({ instance: "urn:uuid:1001" })],
        ...fields.map(([a, b]) => [a, b] as const),
      ],
      body: sdpOf("offer"),
    });
    const log = (await engine.invites.next()).accept(sdpOf("answer"));
    const said = await browser.expectResponse(200, "INVITE");
    const far = PeerDialog.asCaller(browser, invite, said);
    far.request("ACK", { cseq: 1 });
    await log.expect("confirmed");
    return { log, far, said };
  }
});

/** Everything that the far end has sent so far has been taken. */
async function arrived({ far }: Call): Promise<void> {
  far.request("OPTIONS");
  await pbx.expectResponse(200, "OPTIONS");
}
