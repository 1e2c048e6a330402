import { afterAll, describe, expect, it } from "vitest";

import { directionOf } from "../../src/media/direction.ts";
import { Baresip } from "../harness/baresip.ts";
import { browserSdp } from "../harness/browser-sdp.ts";
import { hasDrachtio } from "../harness/drachtio.ts";
import { gatewayUri } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { Sipp } from "../harness/sipp.ts";
import { Telephone } from "../harness/telephone.ts";
import { bestTone } from "../harness/tone.ts";
import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import { ACCOUNT, Carrier, useDrachtioOffice } from "./drachtio-office.ts";
import { callDesk, callUser, expectNoFault, talkToDesk, talkToUser } from "./support.ts";

const DONE = { code: 0, successfulCalls: 1, failedCalls: 0 };
const CARRIER_HOST = "127.0.0.3";

/** Of the PBX that owns users. */
const OWNER_HOST = "127.0.0.4";

let carrier: Carrier | undefined;
let owner: Carrier | undefined;
const streamPort = await freePort();

const office = useDrachtioOffice(
  {
    office: { auth: ACCOUNT },
    desk: { dtmf: "info", transfer: "pass-through" },
    sections: { media: { music: "off" } },
    routes: [
      {
        name: "with a box",
        to: "1001",
        from: { user: "1001" },
        do: { ring: "1001", then: { voicemail: "desk", number: "*97" } },
      },
      { name: "stream", to: "_8XX", do: { dial: "stream" } },
    ],
  },
  async () => {
    carrier = await Carrier.registrar(CARRIER_HOST);
    owner = await Carrier.registrar(OWNER_HOST);
    return {
      carrier: { ...carrier.trunk, ping: "1s" },
      owner: { peer: owner.uri, registrar: true },
      stream: { peer: `sip:127.0.0.1:${streamPort};transport=tcp` },
    };
  },
);

afterAll(async () => {
  await carrier?.stop();
  await owner?.stop();
  if (hasDrachtio) expectNoFault(office().gateway);
});

const signIn = (user: "1001" | "1002"): Promise<WsCaller> =>
  WsCaller.signIn(office().gateway, user);

function uas(scenario: string, values: Readonly<Record<string, string>> = {}): Promise<Sipp> {
  return Sipp.start({ scenario, port: office().officePort, values });
}

describe("calls over drachtio-server", () => {
  it("with sound both ways between a telephone and baresip, hold, and baresip's BYE", async () => {
    const { desk, gateway, officePort } = office();
    await using baresip = await Baresip.start({ port: officePort, toneHz: 600 });
    await using phone = await Telephone.open(1000);
    const call = DeskCall.dial(desk, gateway, "600", { sdp: phone.sdp() });
    phone.talk((await call.answered()).body.toString());
    const hears = async (): Promise<boolean> =>
      bestTone(await phone.listen(300), 600, 200).share > 0.8;
    await waitFor(hears, { what: "baresip at the telephone", timeoutMs: 15_000 });
    const isHeard = async (): Promise<boolean> =>
      bestTone(await baresip.heard(), 1000, 200).share > 0.8;
    await waitFor(isHeard, {
      what: "the telephone at baresip",
      timeoutMs: 15_000,
      intervalMs: 300,
    });
    const held = await call.reinvite(phone.sdp("sendonly"));
    expect(held.statusCode).toBe(200);
    expect(directionOf(held.body.toString())).toBe("recvonly");
    const back = await call.reinvite(phone.sdp());
    expect(directionOf(back.body.toString())).toBe("sendrecv");
    phone.talk(back.body.toString());
    await waitFor(hears, { what: "baresip after the hold", timeoutMs: 15_000 });
    await baresip.hangUp();
    const bye = await call.expectRequest("BYE");
    call.peer.respond(bye, 200, { headers: [] });
  });

  it("in from baresip, answered by a browser, whose BYE reaches baresip", async () => {
    const { first, gateway, officePort } = office();
    await using baresip = await Baresip.start({ port: officePort, outboundProxy: first.sip });
    await using bob = await signIn("1002");
    await baresip.startDialling(gatewayUri(gateway, "1002"));
    const leg = await bob.incoming();
    leg.ring();
    await baresip.waitForEvent("CALL_RINGING");
    await leg.answer();
    await baresip.waitForEvent("CALL_ESTABLISHED");
    await leg.bye();
    await baresip.waitForEvent("CALL_CLOSED");
  });

  it("out to sipp, which challenges INVITE and BYE", async () => {
    await using sipp = await uas("uas-challenges", { qop: ', qop="auth"' });
    await using ann = await signIn("1001");
    const call = await ann.call("600");
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
  });

  it("over TCP, out to sipp and in from it", async () => {
    await using ann = await signIn("1001");
    await using answering = await Sipp.start({
      scenario: "uas-echo",
      transport: "TCP",
      port: streamPort,
    });
    const out = await ann.call("800");
    await out.bye();
    expect(await answering.finished()).toMatchObject(DONE);
    await using calling = await Sipp.start({
      scenario: "uac-call",
      transport: "TCP",
      remote: office().first.sip,
      service: "1001",
      values: { talk_ms: 100 },
    });
    const leg = await ann.incoming();
    await leg.answer();
    await leg.hungUp();
    expect(await calling.finished()).toMatchObject(DONE);
  });

  it("refused, given up by the caller, and given up by the far end", async () => {
    await using ann = await signIn("1001");
    const [busy, refusing] = await callDesk(office(), ann);
    await refusing.refuse(486);
    expect((await busy.refused()).statusCode).toBe(486);
    const [given, ringing] = await callDesk(office(), ann);
    ringing.respond(180);
    await given.expectResponse(180);
    given.cancel();
    await given.expectResponse(200, "CANCEL");
    await ringing.cancelled();
    expect((await given.refused()).statusCode).toBe(487);
    const [desk, atAnn] = await callUser(office(), ann);
    atAnn.ring();
    await desk.expectResponse(180, "INVITE");
    await desk.cancel();
    expect((await desk.refused()).statusCode).toBe(487);
    await atAnn.cancelled();
  });

  it("crosses a CANCEL with a 200: the far end is hung up", async () => {
    await using sipp = await uas("uas-crossing-cancel");
    await using ann = await signIn("1001");
    const call = ann.invite("600");
    await call.expectResponse(180);
    call.cancel();
    await call.expectResponse(200, "CANCEL");
    expect((await call.refused()).statusCode).toBe(487);
    expect(await sipp.finished()).toMatchObject(DONE);
  });
});

describe("RFC 3262 over drachtio-server", () => {
  it("acknowledges sipp's reliable responses, whose answer stands", async () => {
    await using sipp = await uas("uas-reliable");
    await using ann = await signIn("1001");
    const call = ann.invite("600");
    expect((await call.expectResponse(183)).sdp).toContain("m=audio");
    expect((await call.answered()).sdp).toContain("m=audio");
    await call.bye();
    expect(await sipp.finished()).toMatchObject(DONE);
  });

  it("rings reliably, and takes the PRACK", async () => {
    await using bob = await signIn("1002");
    await using sipp = await Sipp.start({
      scenario: "uac-reliable",
      remote: office().first.sip,
      service: "1002",
    });
    const leg = await bob.incoming();
    leg.ring();
    await sipp.waitForMessage("sent", "PRACK");
    await leg.answer();
    await leg.hungUp();
    expect(await sipp.finished()).toMatchObject(DONE);
  });
});

describe("RFC 3311 over drachtio-server", () => {
  it("the far end changes its media before it answers: it is answered, the browser not asked", async () => {
    await using ann = await signIn("1001");
    const [call, leg] = await callDesk(office(), ann);
    const { host } = leg.peer.local;
    leg.respond(183, {
      sdp: telephoneSdp(host),
      headers: [
        ["Require", "100rel"],
        ["RSeq", "1"],
      ],
    });
    leg.peer.respond(await leg.expectRequest("PRACK"), 200, { headers: [] });
    const early = (await call.expectResponse(183)).sdp;
    leg.dialog.request("UPDATE", {
      body: telephoneSdp(host, { version: 2 }).replace("m=audio 40000", "m=audio 40002"),
    });
    expect((await leg.expectResponse(200, "UPDATE")).sdp).toContain("m=audio");
    leg.respond(200);
    await leg.expectRequest("ACK");
    expect((await call.answered()).sdp).toBe(early);
    await call.bye();
    await leg.hungUp();
  });
});

describe("inside a call over drachtio-server", () => {
  it("re-INVITE and UPDATE of either side, and digits by INFO", async () => {
    await using ann = await signIn("1001");
    const [call, leg] = await talkToDesk(office(), ann);
    const hold = call.request("INVITE", {
      body: browserSdp({ direction: "sendonly", version: 3 }),
    });
    const offered = await leg.expectRequest("INVITE");
    expect(directionOf(offered.body.toString())).toBe("sendonly");
    const sdp = telephoneSdp(leg.peer.local.host, { direction: "recvonly", version: 2 });
    leg.peer.respond(offered, 200, { body: sdp });
    await leg.expectRequest("ACK");
    await call.expectResponse(200, "INVITE");
    call.request("ACK", { cseq: hold.cseq.number });
    for (const digit of "1#") {
      const body = `Signal=${digit}\r\nDuration=160\r\n`;
      call.request("INFO", { contentType: "application/dtmf-relay", body });
      const info = await leg.expectRequest("INFO");
      expect(info.body.toString()).toContain(`Signal=${digit}`);
      leg.peer.respond(info, 200, { headers: [] });
      await call.expectResponse(200, "INFO");
    }
    const back = browserSdp({ version: 4 });
    const resumed = call.request("INVITE", { body: back });
    leg.peer.respond(await leg.expectRequest("INVITE"), 200, {
      body: telephoneSdp(leg.peer.local.host, { version: 3 }),
    });
    await leg.expectRequest("ACK");
    await call.expectResponse(200, "INVITE");
    call.request("ACK", { cseq: resumed.cseq.number });
    // The desk's own: a refresh, and its hold.
    leg.dialog.request("UPDATE");
    await leg.expectResponse(200, "UPDATE");
    const held = leg.reinvite(
      telephoneSdp(leg.peer.local.host, { direction: "sendonly", version: 4 }),
    );
    const atAnn = await call.expectRequest("INVITE");
    call.respond(atAnn, 200, { sdp: browserSdp({ direction: "recvonly", version: 5 }) });
    await call.expectRequest("ACK");
    expect(directionOf((await held).body.toString())).toBe("recvonly");
    await leg.bye();
    await call.hungUp();
  });

  it("a REFER goes to the PBX, and the PBX's is carried out", async () => {
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    const [atAnn, leg] = await talkToDesk(office(), ann);
    atAnn.request("REFER", { headers: [["Refer-To", "<sip:701@localhost>"]] });
    const refer = await leg.expectRequest("REFER");
    expect(refer.headers.get("Refer-To")).toContain("sip:701@");
    leg.peer.respond(refer, 202);
    expect((await atAnn.expectResponse((status) => status >= 200, "REFER")).statusCode).toBe(202);
    leg.dialog.request("NOTIFY", {
      headers: [
        ["Event", "refer"],
        ["Subscription-State", "terminated;reason=noresource"],
      ],
      body: "SIP/2.0 200 OK\r\n",
      contentType: "message/sipfrag",
    });
    await leg.expectResponse(200, "NOTIFY");
    for (let state = ""; !state.startsWith("terminated");) {
      const notify = await atAnn.expectRequest("NOTIFY");
      atAnn.respond(notify, 200);
      state = notify.headers.get("Subscription-State") ?? "";
    }
    await leg.hungUp();
    await atAnn.hungUp();

    const [desk, talking] = await talkToUser(office(), ann);
    desk.dialog.request("REFER", { headers: [["Refer-To", "<sip:1002@localhost>"]] });
    await desk.expectResponse(202, "REFER");
    const atBob = await bob.incoming();
    atBob.accept();
    const invite = await talking.expectRequest("INVITE");
    talking.respond(invite, 200, { sdp: browserSdp({ setup: "active", version: 9 }) });
    await talking.expectRequest("ACK");
    await atBob.expectRequest("ACK");
    let line = "";
    for (let state = ""; !state.startsWith("terminated");) {
      const notify = await desk.expectRequest("NOTIFY");
      desk.peer.respond(notify, 200, { headers: [] });
      state = notify.headers.get("Subscription-State") ?? "";
      line = notify.body.toString();
    }
    expect(line).toContain("200 OK");
    await desk.bye();
    await talking.bye();
    await atBob.hungUp();
  });
});

describe("from an address that is no trunk's, over drachtio-server", () => {
  it("nobody can call, and a BYE with the right tags leaves nothing half-ended", async () => {
    const { first, gateway } = office();
    await using ann = await signIn("1001");
    const stranger = await SipPeer.udp(first.sip, "127.0.0.9");
    try {
      stranger.request("INVITE", {
        uri: gatewayUri(gateway, "1001"),
        from: "<sip:somebody@example.test>;tag=s",
        to: "<sip:1001@localhost>",
        body: telephoneSdp("127.0.0.9"),
      });
      await stranger.expectResponse(403, "INVITE");
      const [call, leg] = await talkToDesk(office(), ann);
      leg.dialog.from(stranger).request("BYE");
      await stranger.expectResponse(403, "BYE");
      // The server has ended the dialog by then, so both ends are told.
      await call.hungUp();
      await leg.hungUp();
    } finally {
      await stranger.close();
    }
  });
});

describe("beside calls over drachtio-server", () => {
  it("registers a trunk at a registrar that challenges, and knows by OPTIONS that it is up", async () => {
    const { gateway } = office();
    const trunk = await waitFor(
      async () => {
        const { body } = await gateway.api("/api/v1/trunks");
        const { items = [] } = body as { readonly items?: readonly TrunkJson[] };
        const found = items.find(({ id }) => id === "carrier");
        return found?.registration?.state === "registered" && found.state === "up" && found;
      },
      { what: "the carrier to be registered and up", detail: () => gateway.child.tail() },
    );
    expect(trunk.id).toBe("carrier");
    const answered = carrier?.requests.find(({ headers }) => headers.has("Authorization"));
    expect(answered?.headers.get("Authorization")).toContain('username="gw"');
    const contact = answered?.contact?.sipUri;
    expect([contact?.host, contact?.port]).toEqual(["127.0.0.1", office().first.sip.port]);
  });

  it("answers OPTIONS, and does not take a REGISTER", async () => {
    const { desk } = office();
    const common = {
      uri: `sip:127.0.0.1:${office().first.sip.port}`,
      from: "<sip:desk@pbx.test>;tag=o",
      to: "<sip:gateway@pbx.test>",
    };
    desk.request("OPTIONS", common);
    const options = await desk.expectResponse(200, "OPTIONS");
    expect(options.headers.get("Allow")).toContain("REFER");
    desk.request("REGISTER", common);
    await desk.expectResponse(405, "REGISTER");
  });

  it("a browser registers at the PBX that owns it, whose call to its contact reaches it", async () => {
    await using browser = await WsCaller.connect(office().gateway, "2001", { password: "any" });
    expect((await browser.register()).statusCode).toBe(200);
    const registered = owner?.requests.findLast(({ headers }) => headers.has("Authorization"));
    owner?.peer.request("INVITE", {
      uri: registered?.contact?.uri ?? "",
      from: "<sip:2002@pbx.test>;tag=o",
      to: "<sip:2001@localhost>",
      body: telephoneSdp(OWNER_HOST),
    });
    const leg = await browser.incoming();
    await leg.refuse(486);
    await owner?.peer.expectResponse(486, "INVITE");
  });

  it("RFC 6665: the lamp of the voicemail is asked at the PBX, shown, and let go", async () => {
    await using ann = await signIn("1001");
    const { desk } = office();
    const lamp = ann.ask("SUBSCRIBE", "1001", {
      headers: [
        ["Event", "message-summary"],
        ["Expires", "600"],
      ],
    });
    const asked = await desk.expectRequest("SUBSCRIBE");
    desk.respond(asked, 200, {
      toTag: "box",
      headers: [
        ["Contact", desk.contact],
        ["Expires", "600"],
      ],
    });
    const notify = (cseq: number, state: string, body = "Messages-Waiting: yes\r\n"): void => {
      desk.request("NOTIFY", {
        uri: asked.contact?.uri ?? "",
        from: `${asked.headers.get("To") ?? ""};tag=box`,
        to: asked.headers.get("From") ?? "",
        callId: asked.callId,
        cseq,
        headers: [
          ["Contact", desk.contact],
          ["Event", "message-summary"],
          ["Subscription-State", state],
        ],
        body,
        contentType: "application/simple-message-summary",
      });
    };
    notify(1, "active;expires=600");
    await desk.expectResponse(200, "NOTIFY");
    const accepted = await ann.told(lamp);
    expect(accepted.statusCode).toBe(200);
    expect((await ann.notified(lamp)).body.toString()).toContain("Messages-Waiting: yes");
    await ann.unsubscribe(lamp, accepted);
    const last = await desk.expectRequest("SUBSCRIBE");
    expect(last.headers.get("Expires")).toBe("0");
    desk.respond(last, 200, {
      headers: [
        ["Contact", desk.contact],
        ["Expires", "0"],
      ],
    });
    // drachtio-server answers the last one by itself.
    notify(2, "terminated;reason=timeout");
    await desk.expectResponse(500, "NOTIFY");
  });

  it("MESSAGE goes out and comes in", async () => {
    await using ann = await signIn("1001");
    const { desk } = office();
    const text = { body: "Grüße", contentType: "text/plain;charset=utf-8" };
    const sent = ann.ask("MESSAGE", "701", text);
    const atDesk = await desk.expectRequest("MESSAGE");
    expect(atDesk.body.toString()).toBe("Grüße");
    desk.respond(atDesk, 404, { toTag: "x", headers: [] });
    expect((await ann.told(sent)).statusCode).toBe(404);
    desk.request("MESSAGE", {
      uri: "sip:1001@localhost",
      from: "<sip:701@pbx.test>;tag=a",
      to: "<sip:1001@localhost>",
      ...text,
    });
    expect((await ann.text()).body.toString()).toBe("Grüße");
    await desk.expectResponse(200, "MESSAGE");
  });
});

interface TrunkJson {
  readonly id?: string;
  readonly state?: string;
  readonly registration?: { readonly state?: string };
}
