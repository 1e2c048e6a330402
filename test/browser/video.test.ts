import { afterEach, describe, expect, it } from "vitest";

import { measureStreamTone } from "../harness/chromium.ts";
import { gatewayUri } from "../harness/gateway-state.ts";
import { JssipPage } from "../harness/jssip-page.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, TONE_PEER } from "./support.ts";
import { useVideoStage } from "./video-stage.ts";

const WITHIN = { timeout: 15_000 };

describe("video, passed through", () => {
  // Before the stage: hooks of this kind run in the reverse order, so this one after its own.
  afterEach(() => {
    const { gateway } = stage();
    const complaints = gateway.logs().filter(({ msg }) => msg.startsWith("rtpengine: "));
    expect(complaints.map(({ text }) => text)).toEqual([]);
  });

  const stage = useVideoStage();

  /** Waits until the page decodes pictures, at least ten more than now. */
  async function expectPictures(page: JssipPage, where: string): Promise<void> {
    const before = (await page.frames()).decoded;
    await expect
      .poll(async () => (await page.frames()).decoded, { message: where, timeout: 15_000 })
      .toBeGreaterThan(before + 10);
  }

  /** Waits until baresip has shown ten more pictures than now. */
  async function expectPicturesAtBaresip(): Promise<void> {
    const before = await stage().door.picturesShown();
    await expect
      .poll(() => stage().door.picturesShown(), { message: "pictures at baresip", timeout: 15_000 })
      .toBeGreaterThan(before + 10);
  }

  async function expectTone(page: JssipPage, frequencyHz: number): Promise<void> {
    await expect
      .poll(
        async () => (await measureStreamTone(page.page, "window.remote", frequencyHz, 500)).share,
        { message: `${frequencyHz} Hz heard`, timeout: 8000 },
      )
      .toBeGreaterThan(CLEAN);
  }

  async function expectConfirmed(page: JssipPage): Promise<void> {
    await expect.poll(() => page.state(), { timeout: 10_000 }).toBe("confirmed");
  }

  it("VP8 between Chromium and baresip, that a hold keeps", { timeout: 40_000 }, async () => {
    const { gateway, ann } = stage();
    const page = await JssipPage.open(ann, gateway, "1001", { video: true });
    await page.call("700");
    await expectConfirmed(page);
    await expectTone(page, TONE_PEER);
    await expectPictures(page, "pictures from baresip");
    await expectPicturesAtBaresip();
    await page.hold();
    await page.resume();
    await expectTone(page, TONE_PEER);
    await expectPictures(page, "pictures from baresip after a hold");
    await expectPicturesAtBaresip();
    await page.hangUp();
  });

  it("VP8 from a telephone that calls the browser", async () => {
    const { gateway, ann } = stage();
    const page = await JssipPage.open(ann, gateway, "1001", { video: true });
    await stage().door.startDialling(gatewayUri(gateway, "1001"));
    await expect.poll(() => page.state(), { timeout: 10_000 }).toBe("confirmed");
    await expectTone(page, TONE_PEER);
    await expectPictures(page, "pictures from baresip");
    await expectPicturesAtBaresip();
    await stage().door.hangUp();
  });

  /** A key frame that one page asks for is wanted of the other one, and comes. */
  async function expectKeyFrame(asking: JssipPage, asked: JssipPage): Promise<void> {
    const before = await asked.frames();
    const { keyFramesDecoded } = await asking.frames();
    await asking.askForKeyFrame();
    await expect
      .poll(async () => (await asked.frames()).keyFramesWanted, WITHIN)
      .toBeGreaterThan(before.keyFramesWanted);
    await expect
      .poll(async () => (await asked.frames()).keyFramesEncoded, WITHIN)
      .toBeGreaterThan(before.keyFramesEncoded);
    await expect
      .poll(async () => (await asking.frames()).keyFramesDecoded, WITHIN)
      .toBeGreaterThan(keyFramesDecoded);
  }

  it("H.264 between two browsers, whole pictures when they ask", async () => {
    const { gateway, ann, bob } = stage();
    const annPage = await JssipPage.open(ann, gateway, "1001", {
      video: true,
      videoCodec: "H264",
      asksForKeyFrames: true,
    });
    const bobPage = await JssipPage.open(bob, gateway, "1002", {
      video: true,
      asksForKeyFrames: true,
    });
    await annPage.call("1002");
    await expectConfirmed(annPage);
    await expectTone(annPage, TONE_1002);
    await expectTone(bobPage, TONE_1001);
    await expectPictures(annPage, "Bob's pictures");
    await expectPictures(bobPage, "Ann's pictures");
    for (const page of [annPage, bobPage]) {
      expect((await page.frames()).codec).toMatch(
        /^video\/H264 (?=.*packetization-mode=1)(?=.*profile-level-id=42)/,
      );
    }
    await expectKeyFrame(annPage, bobPage);
    await expectKeyFrame(bobPage, annPage);
    await annPage.hangUp();
  });

  it("is shown by the phone, and refused by a trunk without video, where the sound is not", async () => {
    const { gateway, ann, bob } = stage();
    const page = await JssipPage.open(ann, gateway, "1001", { video: true });
    const phone = await openPhone(bob, gateway, "1002");
    await page.call("1002");
    await phone.answer();
    await phone.waitForCall("connected");
    await expectTone(page, TONE_1002);
    await phone.part("video-theirs").waitFor();
    await expect.poll(async () => (await page.frames()).encoded, WITHIN).toBeGreaterThan(0);
    await page.hangUp();
    await phone.waitForCall("ended");
    await page.call("600");
    await expectConfirmed(page);
    await expectTone(page, TONE_1001);
    const invite = await stage().carrier.waitForMessage("received", "INVITE");
    expect(invite.text).not.toContain("m=video");
    await page.hangUp();
  });
});
