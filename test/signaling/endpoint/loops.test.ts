import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IncomingInvite, InviteTarget } from "../../../src/signaling/engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import { HOPS_FIELD } from "../../../src/signaling/loop-guard.ts";
import { freePort } from "../../harness/ports.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;
let browser: SipPeer;

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

function dial(number: string, headers: readonly HeaderField[] = []): void {
  browser.request("INVITE", {
    uri: `sip:${number}@${DOMAIN}`,
    from: `<sip:1001@${DOMAIN}>;tag=b`,
    to: `<sip:${number}@${DOMAIN}>`,
    headers: [["Contact", browser.contact], ...headers],
    body: sdpOf("offer"),
  });
}

/** Passes a call on as the roof does, and its outcome back. */
function passOn(invite: IncomingInvite, target: InviteTarget): OutgoingLog {
  const log = new OutgoingLog();
  engine.engine.invite(
    {
      target,
      from: invite.callerIdentity,
      to: { user: invite.calledNumber },
      sdp: invite.sdp,
      onBehalfOf: invite,
    },
    log,
  );
  return log;
}

describe("RFC 5393 a gateway whose two trunks both lead to itself", () => {
  it("ends the call with 482 when it comes for the second time", async () => {
    const port = await freePort();
    engine = await TestEngine.start({
      udpPort: port,
      trunks: [
        { id: "a", peer: `sip:127.0.0.1:${port}` },
        { id: "b", peer: `sip:127.0.0.1:${port}` },
      ],
    });
    browser = await engine.browser("1001");
    dial("555");
    const passes: string[] = [];
    const legs: { readonly invite: IncomingInvite; readonly log: OutgoingLog }[] = [];
    for (const trunkId of ["a", "b"]) {
      const { invite } = await engine.invites.next(`the pass before ${trunkId}`);
      passes.push(`${invite.party.kind} ${invite.calledNumber}`);
      legs.push({ invite, log: passOn(invite, { kind: "trunk", trunkId, number: "555" }) });
    }
    for (const { invite, log } of legs.reverse()) {
      const { failure } = await log.expect("failed");
      expect(failure.reason.sipStatus).toBe(482);
      invite.reject(482);
    }
    await browser.expectResponse(482, "INVITE");
    expect(passes).toEqual(["user 555", "trunk 555"]);
    expect(engine.invites.unread).toHaveLength(0);
  });
});

describe("RFC 3261 §16.6 hops of a call that passes through", () => {
  beforeEach(async () => {
    pbx = await SipPeer.udp();
    engine = await TestEngine.start({
      trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
    });
    engine.adopt(pbx);
    browser = await engine.browser("1001");
  });

  const office: InviteTarget = { kind: "trunk", trunkId: "office", number: "5" };

  function fromOffice(number: string, hops: string): void {
    const request = pbx.build("INVITE", {
      uri: `sip:${number}@${DOMAIN}`,
      from: "<sip:7@pbx.test>;tag=p",
      to: `<sip:${number}@${DOMAIN}>`,
      headers: [
        ["Contact", pbx.contact],
        [HOPS_FIELD, hops],
      ],
      body: sdpOf("back"),
    });
    pbx.send(request);
  }

  async function passed(): Promise<{ readonly hops: string; finish: () => Promise<void> }> {
    dial("5");
    const { invite } = await engine.invites.next();
    const log = passOn(invite, office);
    const request = await pbx.expectRequest("INVITE");
    return {
      hops: request.headers.get(HOPS_FIELD) ?? "",
      finish: async () => {
        pbx.respond(request, 486, { toTag: "x" });
        await log.expect("failed");
        invite.reject(486);
        await browser.expectResponse(486);
      },
    };
  }

  it("has one hop less, and 69 when it began with more", async () => {
    for (const [given, sent] of [
      ["70", "69"],
      ["255", "69"],
      ["10", "9"],
      ["1", "0"],
    ] as const) {
      const request = browser.build("INVITE", {
        uri: `sip:5@${DOMAIN}`,
        from: `<sip:1001@${DOMAIN}>;tag=b`,
        to: `<sip:5@${DOMAIN}>`,
        headers: [["Contact", browser.contact]],
        body: sdpOf("offer"),
      });
      Object.assign(request, { headers: request.headers.with("Max-Forwards", given) });
      browser.send(request);
      const { invite } = await engine.invites.next();
      const log = passOn(invite, office);
      const out = await pbx.expectRequest("INVITE");
      expect(out.headers.getAll("Max-Forwards")).toEqual([sent]);
      pbx.respond(out, 486, { toTag: "x" });
      await log.expect("failed");
      invite.reject(486);
      await browser.expectResponse(486);
    }
  });

  it("may come back once for the same number from the other side, and not twice", async () => {
    const { hops, finish } = await passed();
    fromOffice("5", hops);
    const { invite } = await engine.invites.next("the call that came back");
    const log = passOn(invite, office);
    const again = await pbx.expectRequest("INVITE");
    const second = again.headers.get(HOPS_FIELD) ?? "";
    expect(second.startsWith(`${hops}.`)).toBe(true);
    fromOffice("5", second);
    await pbx.expectResponse(482, "INVITE");
    // Another number may, for a PBX may forward.
    fromOffice("6", second);
    const other = (await engine.invites.next()).invite;
    other.reject(404);
    await pbx.expectResponse(404);
    pbx.respond(again, 486, { toTag: "x" });
    await log.expect("failed");
    invite.reject(486);
    await pbx.expectResponse(486);
    await finish();
  });

  it("may pass five times at all", async () => {
    const { hops, finish } = await passed();
    let known = hops;
    for (const number of ["1", "2", "3", "4"]) {
      fromOffice(number, known);
      const { invite } = await engine.invites.next(`pass to ${number}`);
      const log = passOn(invite, office);
      const out = await pbx.expectRequest("INVITE");
      known = out.headers.get(HOPS_FIELD) ?? "";
      pbx.respond(out, 486, { toTag: "x" });
      await log.expect("failed");
      invite.reject(486);
      await pbx.expectResponse(486);
    }
    fromOffice("9", known);
    await pbx.expectResponse(482, "INVITE");
    await finish();
  });

  it("keeps what other gateways wrote, and drops what none did", async () => {
    fromOffice("1", "other-1=abc.def, x=y z, =, nonsense, other-2=ghi");
    const { invite } = await engine.invites.next();
    const log = passOn(invite, office);
    const out = await pbx.expectRequest("INVITE");
    expect(out.headers.get(HOPS_FIELD)).toMatch(
      /^[\w-]{12}=[\w-]{8}, other-1=abc\.def, other-2=ghi$/,
    );
    pbx.respond(out, 486, { toTag: "x" });
    await log.expect("failed");
    invite.reject(486);
    await pbx.expectResponse(486);
  });

  it("tells a browser nothing of it", async () => {
    const { hops, finish } = await passed();
    fromOffice("1001", hops);
    const { invite } = await engine.invites.next();
    const [binding] = engine.engine.locations.bindings("1001");
    if (binding === undefined) throw new Error("1001 is not registered");
    const log = passOn(invite, { kind: "binding", binding });
    const out = await browser.expectRequest("INVITE");
    expect(out.headers.has(HOPS_FIELD)).toBe(false);
    expect(out.headers.get("Max-Forwards")).toBe("69");
    browser.respond(out, 486, { toTag: "x" });
    await log.expect("failed");
    invite.reject(486);
    await pbx.expectResponse(486);
    await finish();
  });
});

describe("RFC 3261 §8.1.3.4 a 3xx", () => {
  it.each<[number, HeaderField[], readonly string[] | undefined]>([
    [
      302,
      [["Contact", "<sip:b@b.test>;q=0.2, <sip:a@a.test;user=phone>;q=0.9, <tel:+49301>"]],
      ["tel:+49301", "sip:a@a.test;user=phone", "sip:b@b.test"],
    ],
    [300, [], undefined],
    [486, [["Contact", "<sip:b@b.test>"]], undefined],
  ])("%i is never followed, and its contacts are told", async (status, headers, contacts) => {
    pbx = await SipPeer.udp();
    engine = await TestEngine.start({
      trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
    });
    engine.adopt(pbx);
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
    pbx.respond(await pbx.expectRequest("INVITE"), status, { toTag: "x", headers });
    const { failure } = await log.expect("failed");
    expect(failure.reason.sipStatus).toBe(status);
    expect(failure.contacts).toEqual(contacts);
    await pbx.expectRequest("ACK");
    expect(pbx.unread).toHaveLength(0);
  });
});
