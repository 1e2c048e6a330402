import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Capture, rtpPackets } from "../harness/capture.ts";
import { PhonePage, TestBrowser } from "../harness/chromium.ts";
import { type Gateway, PASSWORDS, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, lastRecord } from "../harness/gateway-state.ts";
import { audioPortOf } from "../harness/rtpengine.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "../integration/desk-call.ts";
import { DESK_HOST } from "../integration/support.ts";

const OTHER_HOST = "127.0.0.3";
const DIGITS = "15#";
const KEYS = ["1", "5", "hash"];

/** A browser that has no telephone-event: what it offers is chosen before the offer is made. */
const WITHOUT_EVENTS = `{
  const createOffer = RTCPeerConnection.prototype.createOffer;
  RTCPeerConnection.prototype.createOffer = function (...options) {
    const codecs = RTCRtpReceiver.getCapabilities("audio").codecs;
    const kept = codecs.filter(({ mimeType }) => mimeType !== "audio/telephone-event");
    for (const transceiver of this.getTransceivers()) transceiver.setCodecPreferences(kept);
    return createOffer.apply(this, options);
  };
}`;

/** Counts the key frames that the page has its encoder make. */
const COUNTS_KEY_FRAMES = `{
  window.keyFrames = 0;
  const setParameters = RTCRtpSender.prototype.setParameters;
  RTCRtpSender.prototype.setParameters = async function (parameters, options) {
    await setParameters.call(this, parameters, options);
    if (options?.encodingOptions?.[0]?.keyFrame === true) window.keyFrames += 1;
  };
}`;

let desk: SipPeer;
let infoDesk: SipPeer;
let gateway: Gateway;
let browser: TestBrowser;
let phone: PhonePage;

beforeAll(async () => {
  desk = await SipPeer.udp(undefined, DESK_HOST);
  infoDesk = await SipPeer.udp(undefined, OTHER_HOST);
  gateway = await startGateway({
    config: {
      media: { opus: { fec: true, dtx: true, ptime: "40ms", bitrate: 24_000 } },
      trunks: {
        desk: { peer: `sip:${DESK_HOST}:${desk.local.port}`, codecs: ["PCMU"], video: true },
        info: {
          peer: `sip:${OTHER_HOST}:${infoDesk.local.port}`,
          codecs: ["PCMU"],
          dtmf: "info",
        },
      },
      dialplan: {
        routes: [
          { name: "opus", to: "_6XX", do: { dial: "desk", "codec-policy": "opus" } },
          { name: "desk", to: "_7XX", do: { dial: "desk" } },
          { name: "info", to: "_8XX", do: { dial: "info" } },
        ],
      },
    },
  });
  desk.sendTo(gateway.sip);
  infoDesk.sendTo(gateway.sip);
  browser = await TestBrowser.launch();
  const page = await browser.newPage();
  await page.addInitScript(WITHOUT_EVENTS);
  phone = new PhonePage(page);
  await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
  await phone.signIn("1001", PASSWORDS["1001"]);
});

afterAll(async () => {
  await desk.close();
  await infoDesk.close();
  await browser.close();
  await gateway.stop();
});

async function pressKeys(): Promise<void> {
  const canInsert = await phone.page.evaluate(
    "window.offhookPhone.peerConnection().getSenders()[0].dtmf.canInsertDTMF",
  );
  expect(canInsert, "whether the browser can send events").toBe(false);
  await phone.part("keypad").click();
  for (const key of KEYS) await phone.part(`key-${key}`).click();
}

/** Calls a number at one of the PBXs, which answers with or without events. */
async function call(
  peer: SipPeer,
  number: string,
  line: TelephoneLine,
  hasEvents = false,
): Promise<DeskCall> {
  await phone.call(number);
  const leg = await DeskCall.incoming(peer, number);
  const offer = leg.invite.sdp ?? "";
  const event = /a=rtpmap:(\d+) telephone-event/.exec(offer)?.[1];
  leg.respond(200, { sdp: line.peer.sdp(hasEvents ? `0 ${event ?? "none"}` : "0") });
  await leg.expectRequest("ACK");
  line.talkTo(audioPortOf(offer));
  await phone.waitForCall("connected");
  await waitFor(() => line.peer.received.length > 20 || undefined, { what: "sound" });
  return leg;
}

/** @returns the media of the call's record */
async function end(leg: DeskCall): Promise<unknown> {
  await phone.end();
  await leg.hungUp();
  await phone.waitForCall("ended");
  await expectNothingLeft(gateway);
  expect(phone.errors).toEqual([]);
  return (await lastRecord(gateway))["media"];
}

describe("a phone in a browser without telephone-event", () => {
  it("sends digits to a trunk with events, on a route that wants Opus as media.opus says", async () => {
    await using line = await TelephoneLine.open();
    const leg = await call(desk, "600", line, true);
    const answer = await phone.page.evaluate<string>(
      "window.offhookPhone.peerConnection().remoteDescription.sdp",
    );
    const opus = /^a=rtpmap:(\d+) opus\//m.exec(answer)?.[1] ?? "";
    // Chromium keeps them in an order of its own.
    const asked = new RegExp(`^a=fmtp:${opus} (.*?)\r$`, "m").exec(answer)?.[1]?.split(";");
    expect(asked?.toSorted()).toEqual([
      "maxaveragebitrate=24000",
      "minptime=10",
      "usedtx=1",
      "useinbandfec=1",
    ]);
    expect(answer).toContain("a=ptime:40\r\n");
    await using capture = await Capture.start(`udp dst port ${audioPortOf(answer)}`);
    await pressKeys();
    await waitFor(() => line.heardEvents().length >= DIGITS.length || undefined, {
      what: "events",
      detail: () => line.heardEvents(),
    });
    expect(line.heardEvents()).toBe(DIGITS);
    const packets = rtpPackets(await capture.stop()).filter(
      ({ payloadType }) => payloadType === Number(opus),
    );
    const steps = packets.flatMap(({ sequence, timestamp }, index) => {
      const before = packets[index - 1];
      const isNext = before !== undefined && ((sequence - before.sequence) & 0xffff) === 1;
      return isNext ? [(timestamp - before.timestamp) >>> 0] : [];
    });
    expect(steps.length).toBeGreaterThan(5);
    expect(new Set(steps), "40 ms on the clock of Opus").toEqual(new Set([1920]));
    expect(await end(leg)).toMatchObject({
      policy: "opus",
      policyBy: "route",
      codecs: { caller: "opus/48000/2", "callee-1": "PCMU/8000" },
      isTranscoded: true,
      digits: [{ from: "caller", as: "info", to: "callee-1", way: "rfc4733", count: 3 }],
    });
  });

  it("sends digits to a trunk without events, which hears tones", async () => {
    await using line = await TelephoneLine.open();
    const leg = await call(desk, "700", line);
    await pressKeys();
    await waitFor(() => line.heardTones().length >= DIGITS.length || undefined, {
      what: "tones",
      detail: () => line.heardTones(),
    });
    expect(line.heardTones()).toBe(DIGITS);
    expect(await end(leg)).toMatchObject({
      policyBy: "default",
      dtmf: { caller: "inband", "callee-1": "inband" },
      digits: [{ from: "caller", as: "info", to: "callee-1", way: "inband", count: 3 }],
    });
  });

  it("makes whole pictures for a video telephone that asks by INFO (RFC 5168)", async () => {
    const page = await browser.newPage({ camera: "granted" });
    await page.addInitScript(COUNTS_KEY_FRAMES);
    await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
    const caller = new PhonePage(page);
    await caller.signIn("1002", PASSWORDS["1002"]);
    await using line = await TelephoneLine.open();
    await using pictures = await TelephoneLine.open();
    await caller.part("number-field").fill("701");
    await caller.part("video-call-button").click();
    const leg = await DeskCall.incoming(desk, "701");
    const offer = leg.invite.sdp ?? "";
    const vp8 = /a=rtpmap:(\d+) VP8\/90000/.exec(offer)?.[1] ?? "none";
    leg.respond(200, {
      sdp:
        line.peer.sdp("0") +
        `m=video ${pictures.peer.port} RTP/AVP ${vp8}\r\na=rtpmap:${vp8} VP8/90000\r\n`,
    });
    await leg.expectRequest("ACK");
    line.talkTo(audioPortOf(offer));
    await caller.waitForCall("connected");
    await waitFor(() => pictures.peer.received.length > 0 || undefined, { what: "pictures" });
    leg.dialog.request("INFO", {
      contentType: "application/media_control+xml",
      body:
        '<?xml version="1.0" encoding="utf-8"?><media_control><vc_primitive><to_encoder>' +
        "<picture_fast_update/></to_encoder></vc_primitive></media_control>",
    });
    await leg.expectResponse(200, "INFO");
    await expect.poll(() => page.evaluate("window.keyFrames"), { timeout: 15_000 }).toBe(1);
    await caller.end();
    await leg.hungUp();
    await expectNothingLeft(gateway);
    expect(caller.errors).toEqual([]);
    await page.close();
  });

  it("sends digits to a trunk of INFO, in order", async () => {
    await using line = await TelephoneLine.open();
    const leg = await call(infoDesk, "800", line);
    await pressKeys();
    let digits = "";
    let last = 0;
    while (digits.length < DIGITS.length) {
      const info = await leg.expectRequest("INFO");
      infoDesk.respond(info, 200, { headers: [] });
      // RFC 3261 §17.2.3: one that is sent again over UDP is the same one.
      if (info.cseq.number === last) continue;
      last = info.cseq.number;
      digits += /^Signal=(.)\r\nDuration=100\r\n$/.exec(info.body.toString())?.[1] ?? "?";
    }
    expect(digits).toBe(DIGITS);
    expect(await end(leg)).toMatchObject({
      digits: [{ from: "caller", as: "info", to: "callee-1", way: "info", count: 3 }],
    });
  });
});
