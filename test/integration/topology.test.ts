import { describe, expect, it } from "vitest";

import type { SocketAddress } from "../../src/core/address.ts";
import { BROWSER, browserSdp } from "../harness/browser-sdp.ts";
import { Capture } from "../harness/capture.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { Sipp } from "../harness/sipp.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import { callDesk, DESK_HOST, useOffice } from "./support.ts";

/** Where the browser's connection comes from: no other part of these tests has this address. */
const BROWSER_HOST = "127.0.0.5";
const PBX_PRODUCT = "AcmePBX/7.3 (internal-node-4.pbx.example)";
const PBX_SSRC = "3405691582";

const office = useOffice();

/** The datagrams between the gateway's SIP port and a peer, as octets of text. */
async function sipOnTheWire(capture: Capture, gatewayAt: SocketAddress): Promise<string[]> {
  const packets = await capture.stop();
  return packets
    .filter(({ source, destination }) => [source.port, destination.port].includes(gatewayAt.port))
    .map(({ payload }) => payload.toString("latin1"));
}

/** What of a browser must never stand in a message to a PBX. */
const OF_THE_BROWSER = new Map<string, RegExp>([
  ["its address", new RegExp(BROWSER_HOST.replaceAll(".", "\\."))],
  ["its address in the SDP", new RegExp(BROWSER.address.replaceAll(".", "\\."))],
  ["its public address", new RegExp(BROWSER.publicAddress.replaceAll(".", "\\."))],
  ["its mDNS name", /\.local\b/],
  ["its Via and Contact host", /\.invalid/],
  ["WebSocket", /SIP\/2\.0\/WS|transport=ws/i],
  ["its user agent", /Harness browser/],
  ["an SSRC, a stream's name, a header extension", /a=(ssrc|msid|extmap|msid-semantic)/],
  ["ICE", /a=(candidate|ice-|end-of-candidates)|typ host/],
  ["DTLS", /a=(fingerprint|setup|tls-id)|SAVP/],
  ["BUNDLE", /a=(group|mid|rtcp-mux|rtcp-rsize|rtcp-fb|bundle-only)/],
  ["the name of its stream", new RegExp(`${BROWSER.stream}|${BROWSER.cname}|${BROWSER.ssrc}`)],
  ["its session id", /4611731400430051336/],
  ["the digest of the web user", /Authorization|nonce=/i],
  ["a password", new RegExp(Object.values(PASSWORDS).join("|"))],
]);

function expectNothingOf(leaks: ReadonlyMap<string, RegExp>, texts: readonly string[]): void {
  expect(texts.length).toBeGreaterThan(0);
  for (const [what, pattern] of leaks) {
    expect(
      texts.find((text) => pattern.test(text)),
      what,
    ).toBeUndefined();
  }
}

describe("what a PBX sees of a browser", () => {
  it("is the gateway alone: in a call to it, with hold and resume", async () => {
    const { gateway, officePort } = office();
    await using sipp = await Sipp.start({ scenario: "uas-echo", port: officePort });
    await using capture = await Capture.start(`udp port ${gateway.sip.port}`);
    await using caller = await WsCaller.signIn(gateway, "1001", { localAddress: BROWSER_HOST });
    const call = await caller.call("600");
    await call.reinvite(browserSdp({ direction: "sendonly", version: 3 }));
    await call.reinvite(browserSdp({ direction: "sendrecv", version: 4 }));
    await call.bye();
    expect(await sipp.finished()).toMatchObject({ successfulCalls: 1 });
    const wire = await sipOnTheWire(capture, gateway.sip);
    expectNothingOf(OF_THE_BROWSER, wire);
    const invites = wire.filter((text) => text.startsWith("INVITE "));
    expect(invites.length).toBeGreaterThanOrEqual(3);
    for (const invite of invites) {
      // RFC 3261 §18.1.1: within 200 octets of the path's MTU of 1500 UDP may not be used.
      expect(Buffer.byteLength(invite, "latin1")).toBeLessThan(1300);
      expect(invite).toMatch(/^From: "Ann Lee" <sip:1001@/m);
    }
    const own = call.invite;
    for (const theirs of [own.callId, own.fromTag ?? "", own.topmostVia.branch ?? ""]) {
      expect(theirs.length).toBeGreaterThan(5);
      expect(wire.find((text) => text.includes(theirs))).toBeUndefined();
    }
  });

  it("is the gateway alone: in a call from it", async () => {
    const { gateway } = office();
    await using callee = await WsCaller.signIn(gateway, "1002", { localAddress: BROWSER_HOST });
    await using capture = await Capture.start(`udp port ${gateway.sip.port}`);
    await using sipp = await Sipp.start({
      scenario: "uac-call",
      remote: gateway.sip,
      service: "1002",
      values: { talk_ms: 200 },
    });
    const leg = await callee.incoming();
    leg.ring();
    await leg.answer();
    await leg.hungUp();
    expect(await sipp.finished()).toMatchObject({ successfulCalls: 1 });
    const wire = await sipOnTheWire(capture, gateway.sip);
    expectNothingOf(OF_THE_BROWSER, wire);
    expect(wire.find((text) => text.includes(leg.localTag))).toBeUndefined();
  });

  it.each([486, 603])("is no header of its refusal with %i", async (status) => {
    const { gateway, desk } = office();
    await using callee = await WsCaller.signIn(gateway, "1002", { localAddress: BROWSER_HOST });
    const call = DeskCall.dial(desk, gateway, "1002");
    const leg = await callee.incoming();
    await leg.refuse(status, [
      ["Warning", '399 browser.invalid "at 192.0.2.77"'],
      ["Contact", "<sip:elsewhere@192.0.2.77>"],
      ["X-Note", "192.0.2.77"],
    ]);
    const response = await call.refused();
    expect(response.statusCode).toBe(status);
    const text = [...response.headers].map(([name, value]) => `${name}: ${value}`);
    expect(text.filter((line) => /192\.0\.2|invalid|Warning|X-Note/.test(line))).toEqual([]);
  });

  it("is none of the headers that a page smuggles into its INVITE", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = caller.invite("730", {
      headers: [
        ["P-Asserted-Identity", "<sip:+4930999999@bank.example>"],
        ["P-Preferred-Identity", "<sip:+4930999999@bank.example>"],
        ["Remote-Party-ID", "<sip:+4930999999@bank.example>;party=calling"],
        ["P-Charge-Info", "<sip:someone-else@bank.example>"],
        ["Privacy", "none"],
        ["Diversion", "<sip:+4930999999@bank.example>;reason=unconditional"],
        ["History-Info", "<sip:+4930999999@bank.example>;index=1"],
        ["Identity", "smuggled;info=<https://bank.example>;alg=ES256"],
        ["Record-Route", "<sip:127.0.0.9:5060;lr>"],
        ["X-Account", "smuggled"],
        ["X-FS-Support", "smuggled"],
        ["Alert-Info", "<http://127.0.0.9/smuggled>"],
        ["Call-Info", "<http://127.0.0.9/smuggled>;purpose=icon"],
        ["Subject", "smuggled"],
        ["Referred-By", "<sip:+4930999999@bank.example>"],
      ],
    });
    const leg = await DeskCall.incoming(office().desk, "730");
    const { headers } = leg.invite;
    const names = [...headers].map(([name]) => name);
    expect(names.toSorted()).toEqual(
      [
        "Via",
        "Max-Forwards",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Allow",
        "Supported",
        "Session-Expires",
        "Offhook-Hops",
        "User-Agent",
        "Content-Type",
        "Content-Length",
      ].toSorted(),
    );
    const text = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    expect(text).not.toMatch(/smuggled|bank\.example|127\.0\.0\.9|Harness browser/);
    expect(headers.get("From")).toContain("sip:1001@");
    await leg.refuse(486);
    await call.refused();
  });

  it("is no Replaces of a call that is not there: 481, and nothing goes out", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const call = caller.invite("730", {
      headers: [["Replaces", "smuggled;to-tag=1;from-tag=2"]],
    });
    expect((await call.refused()).statusCode).toBe(481);
    expect(office().desk.unread).toEqual([]);
  });

  it("is not a Route of its choice: the INVITE goes where the dialplan says", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "731");
    await leg.refuse(486);
    await call.refused();
    const routed = caller.invite("732", { headers: [["Route", `<sip:${DESK_HOST}:9;lr>`]] });
    const again = await DeskCall.incoming(office().desk, "732");
    expect(again.invite.headers.has("Route")).toBe(false);
    await again.refuse(486);
    await routed.refused();
  });
});

/** What of the PBX must never stand in a message to a browser. */
const OF_THE_PBX = new Map<string, RegExp>([
  ["its address", new RegExp(DESK_HOST.replaceAll(".", "\\."))],
  ["its product", /AcmePBX|pbx\.example/],
  ["its headers", /^X-Node|^P-Asserted|^Warning|^Record-Route/m],
  ["its SSRC", new RegExp(PBX_SSRC)],
  ["its CNAME", /node4-secret/],
  ["its session", /o=pbx|s=call/],
]);

const PBX_HEADERS = [
  ["Server", PBX_PRODUCT],
  ["User-Agent", PBX_PRODUCT],
  ["X-Node", "internal-node-4.pbx.example"],
  ["Warning", `399 ${DESK_HOST} "AcmePBX overload"`],
  ["P-Asserted-Identity", `<sip:600@${DESK_HOST}>`],
] as const;

const PBX_SDP = `${telephoneSdp(DESK_HOST)}a=ssrc:${PBX_SSRC} cname:node4-secret@${DESK_HOST}\r\n`;

describe("what a browser sees of the PBX", () => {
  it("is the gateway alone: in a call to it", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "733");
    leg.respond(180, { headers: PBX_HEADERS });
    await call.expectResponse(180);
    leg.respond(183, { sdp: PBX_SDP, headers: PBX_HEADERS });
    await call.expectResponse(183);
    leg.respond(200, { sdp: PBX_SDP, headers: PBX_HEADERS });
    await leg.expectRequest("ACK");
    await call.answered();
    // The PBX puts the call on hold, as it would say it, then ends it.
    leg.dialog.request("INVITE", {
      headers: PBX_HEADERS,
      body: PBX_SDP.replace("sendrecv", "sendonly").replace("4711 1", "4711 2"),
    });
    const hold = await call.expectRequest("INVITE");
    call.respond(hold, 200, { sdp: browserSdp({ setup: "active", direction: "recvonly" }) });
    await call.expectRequest("ACK");
    await leg.expectResponse(200, "INVITE");
    leg.dialog.request("ACK", { cseq: leg.dialog.cseq });
    const ended = leg.bye(PBX_HEADERS);
    await call.hungUp();
    await ended;
    const seen = caller.frames
      .filter(({ direction }) => direction === "received")
      .map(({ text }) => text);
    expectNothingOf(OF_THE_PBX, seen);
    const theirs = [
      leg.invite.callId,
      leg.invite.fromTag ?? "",
      leg.invite.topmostVia.branch ?? "",
    ];
    for (const part of theirs) {
      expect(part.length).toBeGreaterThan(5);
      expect(seen.find((text) => text.includes(part))).toBeUndefined();
    }
  });

  it("is the gateway alone: in a call from it", async () => {
    const { gateway, desk } = office();
    await using callee = await WsCaller.signIn(gateway, "1002");
    const call = DeskCall.dial(desk, gateway, "1002", { headers: PBX_HEADERS, sdp: PBX_SDP });
    const leg = await callee.incoming();
    await leg.answer();
    await call.answered();
    const ended = call.bye(PBX_HEADERS);
    await leg.hungUp();
    await ended;
    const seen = callee.frames
      .filter(({ direction }) => direction === "received")
      .map(({ text }) => text);
    expectNothingOf(OF_THE_PBX, seen);
    expect(leg.invite.from).toMatchObject({ displayName: "Desk" });
    expect(leg.invite.from.uri).toBe("sip:5550100@localhost");
    const { callId, fromTag = "" } = call.invite;
    expect(seen.find((text) => text.includes(callId) || text.includes(fromTag))).toBeUndefined();
  });
});
