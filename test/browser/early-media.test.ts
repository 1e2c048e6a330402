import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { formatSocketAddress } from "../../src/core/address.ts";
import { PhonePage, TestBrowser } from "../harness/chromium.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { Telephone } from "../harness/telephone.ts";
import { measureTone, type Sound } from "../harness/tone.ts";
import { DeskCall } from "../integration/desk-call.ts";
import { CLEAN, openPhone, TONE_1001, useStage } from "./support.ts";

const FIRST_HZ = 600;
const SECOND_HZ = 1400;
/** How soon after its 200 the winner must be heard. */
const WINNER_LIMIT_MS = 200;

let first: SipPeer;
let second: SipPeer;

/** SDPs that the browser got, out of the frames of its WebSocket, with the To-tags of the call. */
interface Seen {
  readonly tags: Set<string>;
  readonly ufrags: Set<string>;
  readonly ports: Set<string>;
  readonly roles: Set<string>;
  readonly codecs: Set<string>;
}

describe("early media of forks and of the next trunk", () => {
  const stage = useStage(async () => {
    first = await SipPeer.udp(undefined, "127.0.0.2");
    second = await SipPeer.udp(undefined, "127.0.0.3");
    return {
      config: {
        media: { codecs: "narrow" },
        trunks: {
          first: { peer: `sip:${formatSocketAddress(first.local)}` },
          second: { peer: `sip:${formatSocketAddress(second.local)}` },
        },
        dialplan: { routes: [{ name: "out", to: "_7XX", do: { dial: ["first", "second"] } }] },
      },
    };
  });
  beforeAll(() => {
    first.sendTo(stage().gateway.sip);
    second.sendTo(stage().gateway.sip);
  });
  afterAll(async () => {
    await first.close();
    await second.close();
  });

  async function phoneOf(gateway: Gateway) {
    const phone = await openPhone(stage().ann, gateway, "1001");
    const seen: Seen = {
      tags: new Set(),
      ufrags: new Set(),
      ports: new Set(),
      roles: new Set(),
      codecs: new Set(),
    };
    const look = (text: string): void => {
      if (!/^SIP\/2\.0 (?:18|200)/.test(text) || !/CSeq: \d+ INVITE/i.test(text)) return;
      seen.tags.add(/^To:.*;tag=([^;\s]+)/im.exec(text)?.[1] ?? "none");
      if (!text.includes("m=audio")) return;
      seen.ufrags.add(/a=ice-ufrag:(\S+)/.exec(text)?.[1] ?? "none");
      seen.ports.add(/m=audio (\d+)/.exec(text)?.[1] ?? "none");
      seen.roles.add(/a=setup:(\S+)/.exec(text)?.[1] ?? "none");
      seen.codecs.add(/m=audio \d+ \S+ (\d+)/.exec(text)?.[1] ?? "none");
    };
    const session = await phone.page.context().newCDPSession(phone.page);
    await session.send("Network.enable");
    session.on("Network.webSocketFrameReceived", ({ response }) => look(response.payloadData));
    return { phone, seen };
  }

  /** One dialog, one place and one codec at the browser. */
  function expectOne(seen: Seen): void {
    for (const [name, values] of Object.entries(seen)) {
      expect([...(values as Set<string>)], name).toHaveLength(1);
    }
  }

  it("RFC 3311 an UPDATE before the answer moves the callee's sound, and the browser stays", async () => {
    const { gateway } = stage();
    const { phone, seen } = await phoneOf(gateway);
    await using one = await Telephone.open(FIRST_HZ);
    await using other = await Telephone.open(SECOND_HZ, "PCMA");
    await phone.call("700");
    const call = await DeskCall.incoming(first, "700");
    call.respond(183, {
      sdp: one.sdp(),
      headers: [
        ["Require", "100rel"],
        ["RSeq", "1"],
      ],
    });
    first.respond(await call.expectRequest("PRACK"), 200, { headers: [] });
    one.talk(call.invite.body.toString());
    await phone.waitForCall("early-media");
    await expect
      .poll(async () => (await phone.remoteTone(FIRST_HZ, 300)).share, { timeout: 10_000 })
      .toBeGreaterThan(CLEAN);

    call.dialog.request("UPDATE", { body: other.sdp() });
    const answer = (await call.expectResponse(200, "UPDATE")).body.toString();
    expect(answer).toMatch(/m=audio [1-9]\d* RTP\/AVP 8 101/);
    one.silence();
    other.talk(answer);
    const isHeardBothWays = async (): Promise<void> => {
      await expect
        .poll(async () => (await phone.remoteTone(SECOND_HZ, 300)).share, { timeout: 10_000 })
        .toBeGreaterThan(CLEAN);
      await expect
        .poll(async () => toneOf(await other.listen(300), TONE_1001), { timeout: 10_000 })
        .toBeGreaterThan(0.8);
    };
    await isHeardBothWays();
    call.respond(200);
    await call.expectRequest("ACK");
    await phone.waitForCall("connected");
    await isHeardBothWays();
    expectOne(seen);
    await phone.end();
    await call.hungUp();
    await phone.waitForCall("ended");
    await phone.page.close();
    await expectNothingLeft(gateway);
  });

  it("two forks with 183 and different codecs, then 200 of the second", async () => {
    const { gateway } = stage();
    const { phone, seen } = await phoneOf(gateway);
    await using one = await Telephone.open(FIRST_HZ);
    await using other = await Telephone.open(SECOND_HZ, "PCMA");
    await phone.call("700");
    const call = await DeskCall.incoming(first, "700");
    const offer = call.invite.body.toString();
    const answer = (status: number, toTag: string, body: string): void => {
      first.respond(call.invite, status, { toTag, body });
    };
    answer(183, "fork-one", one.sdp());
    one.talk(offer);
    await phone.waitForCall("early-media");
    await expect
      .poll(async () => (await phone.remoteTone(FIRST_HZ, 300)).share, { timeout: 10_000 })
      .toBeGreaterThan(CLEAN);
    answer(183, "fork-two", other.sdp());
    one.silence();
    other.talk(offer);
    const elapsed = await phone.timeToTone(SECOND_HZ, async () => {
      answer(200, "fork-two", other.sdp());
      await call.expectRequest("ACK");
    });
    await phone.waitForCall("connected");
    expect((await phone.remoteTone(SECOND_HZ, 800)).share).toBeGreaterThan(CLEAN);
    await expect
      .poll(async () => toneOf(await other.listen(300), TONE_1001), { timeout: 5000 })
      .toBeGreaterThan(0.8);
    console.info(`the winner's sound ${Math.round(elapsed)} ms after its 200`);
    expect(elapsed).toBeLessThan(WINNER_LIMIT_MS);
    expectOne(seen);
    await phone.end();
    const bye = await call.expectRequest("BYE");
    first.respond(bye, 200, { headers: [] });
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);
    await phone.page.close();
  });

  it("failover after early media: the first trunk's ring-back, then the second's sound", async () => {
    const { gateway } = stage();
    const { phone, seen } = await phoneOf(gateway);
    await using one = await Telephone.open(FIRST_HZ);
    await using other = await Telephone.open(SECOND_HZ, "PCMA");
    await phone.call("701");
    const lost = await DeskCall.incoming(first, "701");
    one.talk(lost.invite.body.toString());
    lost.respond(183, { sdp: one.sdp() });
    await expect
      .poll(async () => (await phone.remoteTone(FIRST_HZ, 300)).share, { timeout: 10_000 })
      .toBeGreaterThan(CLEAN);
    await lost.refuse(503);
    one.silence();
    const won = await DeskCall.incoming(second, "701");
    other.talk(won.invite.body.toString());
    await won.answer(other.sdp());
    await phone.waitForCall("connected");
    await expect
      .poll(async () => (await phone.remoteTone(SECOND_HZ, 300)).share, { timeout: 5000 })
      .toBeGreaterThan(CLEAN);
    await expect
      .poll(async () => toneOf(await other.listen(300), TONE_1001), { timeout: 5000 })
      .toBeGreaterThan(0.8);
    expectOne(seen);
    await phone.end();
    await won.hungUp();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);
    await phone.page.close();
  });
});

describe("a page with max-bundle", () => {
  it("takes our answer, and keeps it through a hold", async () => {
    await using browser = await TestBrowser.launch();
    const gateway = await startGateway();
    try {
      const page = await browser.newPage();
      await page.addInitScript(`
        const Original = window.RTCPeerConnection;
        window.RTCPeerConnection = class extends Original {
          constructor(configuration) {
            super({ ...configuration, bundlePolicy: "max-bundle" });
          }
        };
      `);
      const phone = new PhonePage(page);
      await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
      await phone.signIn("1001", "harness-password-one");
      await phone.call("*43");
      await phone.waitForCall("connected");
      await expect
        .poll(async () => (await phone.remoteTone(1000, 300)).share, { timeout: 10_000 })
        .toBeGreaterThan(CLEAN);
      await phone.hold();
      await phone.waitForCall("local-hold");
      await phone.hold();
      await phone.waitForCall("connected");
      await expect
        .poll(async () => (await phone.remoteTone(1000, 300)).share, { timeout: 10_000 })
        .toBeGreaterThan(CLEAN);
      await phone.end();
    } finally {
      await gateway.stop();
    }
  });
});

function toneOf(sound: Sound, hz: number): number {
  return measureTone(sound, hz).share;
}
