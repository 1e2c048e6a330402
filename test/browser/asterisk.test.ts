import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  ASTERISK_MUSIC,
  ASTERISK_TONE,
  type AsteriskTrunk,
  hasAsterisk,
  useAsterisk,
} from "../harness/asterisk.ts";
import { Capture, type RtpPacket, rtpPackets, soundOf } from "../harness/capture.ts";
import { PhonePage } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { videoOf } from "../harness/video-codec.ts";
import { lastRecord } from "../harness/gateway-state.ts";
import { bestTone, measureTone } from "../harness/tone.ts";
import { delay } from "../harness/wait.ts";
import { leaveNothingBehind } from "./asterisk-stage.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

/** The first digit of a number, from this one on, chooses the trunk; the rest is Asterisk's extension. */
const FIRST = 6;
const TRUNKS = ["video", "plain", "hold", "past"] as const satisfies readonly AsteriskTrunk[];

const MEDIA_ADDRESS = "127.0.0.9";

/** What the page has decoded of the pictures in its call, and whether whole ones are asked of it. */
async function decodedVideo(phone: PhonePage): Promise<unknown> {
  return await phone.page.evaluate(`(async () => {
    const report = [...(await window.offhookPhone.peerConnection().getStats()).values()];
    const video = report.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    const codec = report.find(({ id }) => id === video?.codecId);
    const sent = report.find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
    return {
      mimeType: codec?.mimeType,
      hasFrames: (video?.framesDecoded ?? 0) > 10,
      isAsked: (sent?.firCount ?? 0) + (sent?.pliCount ?? 0) > 0,
    };
  })()`);
}

describe("Asterisk 22 as the trunk", () => {
  const asterisk = useAsterisk();
  const stage = useStage(async () => {
    if (!hasAsterisk()) return {};
    return {
      config: {
        // Asterisk puts its own address in the place of 127.0.0.1 in every SDP that it sends.
        media: { codecs: "narrow", address: MEDIA_ADDRESS },
        trunks: Object.fromEntries(
          TRUNKS.map((trunk) => [
            trunk,
            { peer: asterisk().peer(trunk), ...(trunk === "video" ? { video: true } : {}) },
          ]),
        ),
        dialplan: {
          routes: TRUNKS.flatMap((trunk, index) => [
            { name: `to ${trunk}`, to: `_${index + FIRST}X.`, do: { dial: trunk, strip: 1 } },
            { name: `from ${trunk}`, from: { trunk }, to: "@users", do: { ring: "@to" } },
          ]),
        },
      },
    };
  });

  leaveNothingBehind(asterisk, stage);

  afterEach(() => {
    if (!hasAsterisk()) return;
    const complaints = stage()
      .gateway.logs()
      .filter(({ msg }) => msg.startsWith("rtpengine: "));
    expect(complaints.map(({ text }) => text)).toEqual([]);
  });

  async function openAnn(): Promise<PhonePage> {
    const { gateway, ann } = stage();
    return await openPhone(ann, gateway, "1001");
  }

  /** Waits until a tone is heard clearly. */
  async function expectTone(phone: PhonePage, frequencyHz: number, where: string): Promise<void> {
    await expect
      .poll(async () => (await phone.remoteTone(frequencyHz, 500)).share, {
        message: `${frequencyHz} Hz heard by ${where}`,
        timeout: 8000,
      })
      .toBeGreaterThan(CLEAN);
  }

  async function end(phone: PhonePage): Promise<void> {
    await phone.end();
    await phone.waitForCall("ended");
  }

  it("echoes sound, and pictures of H.264, of which it asks for whole ones", async () => {
    const { gateway, ann } = stage();
    const page = await ann.newPage({ camera: "granted" });
    await page.addInitScript(videoOf("H264"));
    await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
    const phone = new PhonePage(page);
    await phone.signIn("1001", PASSWORDS["1001"]);
    await phone.part("number-field").fill("6600");
    await phone.part("video-call-button").click();
    await phone.waitForCall("connected");
    await expectTone(phone, TONE_1001, "the caller");
    await expect
      .poll(() => decodedVideo(phone), { timeout: 30_000 })
      .toMatchObject({
        mimeType: "video/H264",
        hasFrames: true,
      });
    await expectTone(phone, TONE_1001, "the caller, beside the pictures");
    await end(phone);
  });

  it("reads four digits", async () => {
    const phone = await openAnn();
    const nth = (await asterisk().allDigits()).length;
    await phone.call("7602");
    await phone.waitForCall("connected");
    await phone.part("keypad").click();
    for (const key of ["4", "star", "0", "hash"]) await phone.part(`key-${key}`).click();
    // Read() ends at the hash, which is none of its digits.
    expect(await asterisk().digits(nth)).toBe("4*0");
    await expectTone(phone, ASTERISK_TONE, "the caller, once they are read");
    await end(phone);
  });

  it("is heard before it answers, and after", async () => {
    const phone = await openAnn();
    await phone.call("7603");
    await expectTone(phone, ASTERISK_MUSIC, "the caller before the answer");
    await phone.waitForCall("connected");
    await expectTone(phone, ASTERISK_TONE, "the caller after the answer");
    await end(phone);
  });

  it("is heard before it says busy", async () => {
    const phone = await openAnn();
    await phone.call("7604");
    await expectTone(phone, ASTERISK_MUSIC, "the caller");
    await phone.waitForCall("ended");
    expect(await lastRecord(stage().gateway)).toMatchObject({
      result: "client_error",
      end: { sipStatus: 486, q850: 17 },
    });
  });

  it.each([
    ["busy", "7606", { sipStatus: 486, q850: 17 }],
    ["congestion", "7607", { sipStatus: 503, q850: 34 }],
    ["an unknown number", "7699", { sipStatus: 404 }],
  ])("says %s", async (_what, number, cause) => {
    const phone = await openAnn();
    await phone.call(number);
    await phone.waitForCall("ended");
    expect(await lastRecord(stage().gateway)).toMatchObject({ end: cause });
  });

  it("calls a browser", async () => {
    const phone = await openAnn();
    await asterisk().call(stage().gateway, "1001");
    await phone.waitForCall("incoming");
    await phone.answer();
    await phone.waitForCall("connected");
    await expectTone(phone, ASTERISK_TONE, "the browser");
    await asterisk().hangUp();
    await phone.waitForCall("ended");
    expect(bestTone(await asterisk().heard(), TONE_1001, 500).share).toBeGreaterThan(CLEAN);
  });

  describe("between two browsers", () => {
    // One for all that a test listens to: starting one takes longer than what is heard with it.
    let capture: Capture | undefined;

    beforeEach(async () => {
      capture = await Capture.start("udp");
    });

    afterEach(async () => {
      await capture?.[Symbol.asyncDispose]();
      capture = undefined;
    });

    /** Ann calls Bob by way of a trunk of Asterisk's; both hear each other. */
    async function join(trunk: (typeof TRUNKS)[number]) {
      const { gateway, bob } = stage();
      await asterisk().useGateway(gateway);
      const annPhone = await openAnn();
      const bobPhone = await openPhone(bob, gateway, "1002");
      await annPhone.call(`${TRUNKS.indexOf(trunk) + FIRST}6101002`);
      await bobPhone.waitForCall("incoming");
      await bobPhone.answer();
      await bobPhone.waitForCall("connected");
      await annPhone.waitForCall("connected");
      await expectOnWire(TONE_1002, "Bob on his way to Ann");
      await expectOnWire(TONE_1001, "Ann on her way to Bob");
      return { annPhone, bobPhone };
    }

    /**
     * Waits until a tone is clear in the plain RTP on its way from or to Asterisk.
     *
     * Asterisk joins two calls with the SSRC of the other one, music with its own. Chromium gives Web
     * Audio the newest SSRC of a track alone and not one that comes back, so that what the caller is
     * sent is measured on its way.
     */
    async function expectOnWire(
      frequencyHz: number,
      what: string,
      isMeant: (packet: RtpPacket) => boolean = () => true,
    ): Promise<void> {
      await expect
        .poll(
          async () => {
            const fromMs = Date.now();
            await delay(500);
            const packets = rtpPackets((await capture?.soFar()) ?? []);
            const plain = packets.filter(
              (p) => p.timeMs >= fromMs && p.payloadType === 0 && isMeant(p),
            );
            const streams = Map.groupBy(plain, (p) => `${p.source.port} ${p.destination.port}`);
            return [...streams.values()].some(
              (packets) => measureTone(soundOf(packets), frequencyHz).share > CLEAN,
            );
          },
          { message: what, timeout: 8000 },
        )
        .toBe(true);
    }

    /** Waits until a tone goes from the gateway to the gateway, past Asterisk. */
    async function expectPast(frequencyHz: number, what: string): Promise<void> {
      const { min, max } = stage().gateway.ports.media;
      const isOurs = ({ port }: { readonly port: number }): boolean => port >= min && port <= max;
      await expectOnWire(frequencyHz, what, (p) => isOurs(p.source) && isOurs(p.destination));
    }

    it("sends the sound past itself by re-INVITE, takes it back to hold with music, and sends it past again", async () => {
      const { annPhone, bobPhone } = await join("past");
      await expectPast(TONE_1002, "Bob, past Asterisk");
      await expectPast(TONE_1001, "Ann, past Asterisk");
      await expectTone(annPhone, TONE_1002, "Ann, past Asterisk");
      await expectTone(bobPhone, TONE_1001, "Bob, past Asterisk");
      await bobPhone.hold();
      await bobPhone.waitForCall("local-hold");
      await expectOnWire(ASTERISK_MUSIC, "music on its way to Ann");
      expect((await bobPhone.remoteTone(ASTERISK_MUSIC, 300)).share, "the holder").toBeLessThan(
        0.1,
      );
      await bobPhone.hold();
      await bobPhone.waitForCall("connected");
      await expectTone(bobPhone, TONE_1001, "Bob afterwards");
      await expectPast(TONE_1002, "Bob on his way to Ann, past Asterisk again");
      await end(annPhone);
      await bobPhone.waitForCall("ended");
    });

    it("plays music to the one that is held", async () => {
      const { annPhone, bobPhone } = await join("plain");
      await bobPhone.hold();
      await bobPhone.waitForCall("local-hold");
      await expectTone(annPhone, ASTERISK_MUSIC, "Ann while she is held");
      await bobPhone.hold();
      await bobPhone.waitForCall("connected");
      await expectTone(bobPhone, TONE_1001, "Bob afterwards");
      await expectOnWire(TONE_1002, "Bob on his way to Ann afterwards");
      await end(annPhone);
      await bobPhone.waitForCall("ended");
    });

    it("passes a hold and its end on by re-INVITE", async () => {
      const { annPhone, bobPhone } = await join("hold");
      await bobPhone.hold();
      await annPhone.waitForCall("remote-hold");
      await bobPhone.hold();
      await annPhone.waitForCall("connected");
      await expectOnWire(TONE_1002, "Bob on his way to Ann afterwards");
      await expectTone(bobPhone, TONE_1001, "Bob afterwards");
      await end(annPhone);
      await bobPhone.waitForCall("ended");
    });
  });
});
