import { describe, expect, it } from "vitest";
import { PhonePage, REMOTE_STREAM, type TestBrowser } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { tonesInPage } from "./mixed-tones.ts";
import { CLEAN, TONE_1001, TONE_1002, TONE_PEER } from "./support.ts";
import { useVideoStage } from "./video-stage.ts";

/** In a mix a tone stands this far above the noise of the codec, in decibels. */
const CLEAR_DB = 25;
const PATIENCE_MS = 20_000;
const WITHIN = { timeout: PATIENCE_MS };
const stage = useVideoStage();

async function openWithCamera(
  browser: TestBrowser,
  user: keyof typeof PASSWORDS,
  camera: "granted" | "denied" = "granted",
): Promise<PhonePage> {
  const page = await browser.newPage({ camera });
  await page.goto(`${stage().gateway.httpUrl}/?raw-audio=1`);
  const phone = new PhonePage(page);
  await phone.signIn(user, PASSWORDS[user]);
  return phone;
}

/** Pictures that the page has decoded in its call, and how far their lightest and darkest are apart. */
async function seen(phone: PhonePage): Promise<{ decoded: number; contrast: number }> {
  return await phone.page.evaluate<{ decoded: number; contrast: number }>(`(async () => {
    const report = await window.offhookPhone.peerConnection()?.getStats();
    const decoded = [...(report?.values() ?? [])].find(
      ({ type, kind }) => type === "inbound-rtp" && kind === "video",
    )?.framesDecoded ?? 0;
    const video = document.querySelector("[data-testid=video-theirs]");
    if (video === null || video.videoWidth === 0) return { decoded, contrast: 0 };
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [32, 24];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 32, 24);
    const { data } = context.getImageData(0, 0, 32, 24);
    const light = Array.from({ length: 768 }, (_, at) => data[4 * at] + data[4 * at + 1] + data[4 * at + 2]);
    return { decoded, contrast: Math.max(...light) - Math.min(...light) };
  })()`);
}

/** Waits until the page decodes new pictures, and shows one that is no single colour. */
async function expectPictures(phone: PhonePage, contrast = 100): Promise<void> {
  await phone.part("video-theirs").waitFor(WITHIN);
  const before = (await seen(phone)).decoded;
  await expect.poll(async () => (await seen(phone)).decoded, WITHIN).toBeGreaterThan(before + 5);
  await expect.poll(async () => (await seen(phone)).contrast, WITHIN).toBeGreaterThan(contrast);
}

async function expectTone(phone: PhonePage, frequencyHz: number): Promise<void> {
  await expect
    .poll(async () => (await phone.remoteTone(frequencyHz, 500)).share, {
      message: `${frequencyHz} Hz heard`,
      ...WITHIN,
    })
    .toBeGreaterThan(CLEAN);
}

async function expectSound(caller: PhonePage, callee: PhonePage): Promise<void> {
  await Promise.all([expectTone(caller, TONE_1002), expectTone(callee, TONE_1001)]);
}

/** Waits until the telephone has shown new pictures. */
async function expectPicturesAtTheDoor(): Promise<void> {
  const before = await stage().door.picturesShown();
  await expect.poll(() => stage().door.picturesShown(), WITHIN).toBeGreaterThan(before + 5);
}

async function expectNotice(phone: PhonePage, text: string): Promise<void> {
  await phone.part("video-notice").filter({ hasText: text }).waitFor(WITHIN);
  await expect.poll(() => phone.part("camera").getAttribute("aria-pressed"), WITHIN).toBe("false");
}

describe("pictures in a call", () => {
  it("come from whoever shows a camera, through holds, and leave the sound to a transfer", async () => {
    const { ann, bob } = stage();
    const [caller, callee] = await Promise.all([
      openWithCamera(ann, "1001"),
      openWithCamera(bob, "1002"),
    ]);
    await caller.call("1002");
    await callee.answer();
    await caller.waitForCall("connected", PATIENCE_MS);
    await expectSound(caller, callee);
    expect(await callee.part("video").count()).toBe(0);

    // What the other one hears while the first pictures come.
    const meanwhile = callee.remoteTone(TONE_1001, 3000);
    await caller.part("camera").click();
    await expectPictures(callee);
    const { share, longestMs } = await meanwhile;
    console.info(`sound beside the first pictures: ${share.toFixed(3)}, longest ${longestMs} ms`);
    // The whole of it but for a moment, on a machine that encodes two pictures beside it.
    expect(share).toBeGreaterThan(0.6);
    await expectSound(caller, callee);
    expect(await callee.part("video-mine").count()).toBe(0);
    expect(await caller.part("video-theirs").count()).toBe(0);

    await callee.part("video-show").click();
    await expectPictures(caller);
    await expectPictures(callee);
    await expectSound(caller, callee);

    for (const [holder, held] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      await holder.hold();
      await held.waitForCall("remote-hold", PATIENCE_MS);
      await held.part("video-theirs").waitFor({ state: "detached", ...WITHIN });
      await holder.waitForCall("local-hold", PATIENCE_MS);
      await holder.hold();
      await held.waitForCall("connected", PATIENCE_MS);
      await expectPictures(caller);
      await expectPictures(callee);
      await expectSound(caller, callee);
    }

    await caller.part("camera").click();
    await callee.part("video-theirs").waitFor({ state: "detached", ...WITHIN });
    await expectPictures(caller);
    await expectSound(caller, callee);

    await caller.part("transfer").click();
    await caller.part("transfer-field").fill("700");
    await caller.part("transfer-now").click();
    await expectTone(callee, TONE_PEER);
    await callee.end();
  }, 120_000);

  it("begin with the call, and pass to a telephone that has them, both ways", async () => {
    const { ann, bob } = stage();
    const [caller, callee] = await Promise.all([
      openWithCamera(ann, "1001"),
      openWithCamera(bob, "1002"),
    ]);
    await caller.part("number-field").fill("1002");
    await caller.part("video-call-button").click();
    await callee.part("answer-video").click();
    await expectPictures(caller);
    await expectPictures(callee);
    await expectSound(caller, callee);
    await callee.end();
    await caller.waitForCall("ended", PATIENCE_MS);

    await caller.call("700");
    await expectTone(caller, TONE_PEER);
    await caller.page.keyboard.press("v");
    await expectPicturesAtTheDoor();
    await expectTone(caller, TONE_PEER);
    // The telephone's test picture is a pale one.
    await expectPictures(caller, 10);
    await caller.end();
  }, 120_000);

  it("leave the sound to a transfer that was asked for first, and to a conference of three", async () => {
    const { ann, bob } = stage();
    const [caller, callee] = await Promise.all([
      openWithCamera(ann, "1001"),
      openWithCamera(bob, "1002"),
    ]);
    async function callWithPictures(): Promise<void> {
      await caller.part("number-field").fill("1002");
      await caller.part("video-call-button").click();
      await callee.part("answer-video").click();
      await expectPictures(caller);
      await expectPictures(callee);
    }

    await callWithPictures();
    await caller.part("transfer").click();
    await caller.part("transfer-field").fill("700");
    await caller.part("transfer-ask").click();
    await callee.waitForCall("remote-hold", PATIENCE_MS);
    await expectTone(caller, TONE_PEER);
    await caller.part("transfer-complete").click();
    await caller.part("number-field").waitFor(WITHIN);
    await expectTone(callee, TONE_PEER);
    await callee.end();
    await callee.waitForCall("ended", PATIENCE_MS);

    await callWithPictures();
    await caller.part("add-call").click();
    await caller.call("700");
    await expectTone(caller, TONE_PEER);
    await caller.part("join").click();
    await callee.waitForCall("connected", PATIENCE_MS);
    await expect
      .poll(
        async () =>
          Math.min(...(await tonesInPage(callee.page, REMOTE_STREAM, [TONE_1001, TONE_PEER]))),
        WITHIN,
      )
      .toBeGreaterThan(CLEAR_DB);
    // The pictures of the two are back beside it.
    await expectPictures(callee);
    const ids = await caller.page.evaluate<string[]>(
      "[window.offhookPhone.state().call, ...window.offhookPhone.state().others].map(({ id }) => id)",
    );
    for (const id of ids) {
      const stream = `window.offhookPhone.media(${JSON.stringify(id)}).remoteStream`;
      await expect
        .poll(
          async () => Math.max(...(await tonesInPage(caller.page, stream, [TONE_1002, TONE_PEER]))),
          WITHIN,
        )
        .toBeGreaterThan(CLEAR_DB);
    }
    await caller.part("leave-conference").click();
    await caller.part("number-field").waitFor(WITHIN);
    await expectTone(callee, TONE_PEER);
    await callee.end();
  }, 120_000);

  it("end in a sentence where nobody takes them or no camera is to be had, and the sound goes on", async () => {
    const { ann, bob } = stage();
    const [caller, callee] = await Promise.all([
      openWithCamera(ann, "1001"),
      openWithCamera(bob, "1002", "denied"),
    ]);
    await caller.call("1002");
    await callee.answer();
    await caller.waitForCall("connected", PATIENCE_MS);
    await callee.part("camera").click();
    await expectNotice(callee, "may not use your camera");
    await caller.part("camera").click();
    await callee.part("video-decline").click();
    await expectNotice(caller, "takes no pictures");
    await callee.part("video-theirs").waitFor({ state: "detached", ...WITHIN });
    await expectSound(caller, callee);
    // Asked once more, it is shown once more.
    await caller.part("camera").click();
    await expectPictures(callee);
    await caller.end();
    await callee.waitForCall("ended", PATIENCE_MS);

    await caller.call("600");
    await expectTone(caller, TONE_1001);
    await caller.part("camera").click();
    await expectNotice(caller, "takes no pictures");
    await expectTone(caller, TONE_1001);
    await caller.end();
  }, 120_000);
});
