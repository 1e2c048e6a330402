import { afterEach, describe, expect, it } from "vitest";
import { PhonePage } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { CLEAN, TONE_1001, TONE_1002, useStage } from "./support.ts";

const WITHIN = { timeout: 15_000 };
const stage = useStage();

afterEach(async () => {
  await stage().ann.closePages();
  await stage().bob.closePages();
  await expectNothingLeft(stage().gateway);
});

/** Pictures that the page has decoded in its call. */
async function decoded(phone: PhonePage): Promise<number> {
  return await phone.page.evaluate<number>(`(async () => {
    const report = await window.offhookPhone.peerConnection().getStats();
    return [...report.values()].find(
      ({ type, kind }) => type === "inbound-rtp" && kind === "video",
    )?.framesDecoded ?? 0;
  })()`);
}

async function expectPictures(phone: PhonePage): Promise<void> {
  const before = await decoded(phone);
  await expect.poll(async () => await decoded(phone), WITHIN).toBeGreaterThan(before + 10);
}

describe("pictures in a call between two phones", () => {
  it("come from whoever switches the camera on, and from nobody else", async () => {
    const { gateway, ann, bob } = stage();
    const [caller, callee] = await Promise.all(
      (
        [
          [ann, "1001"],
          [bob, "1002"],
        ] as const
      ).map(async ([browser, user]) => {
        const page = await browser.newPage({ camera: "granted" });
        await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
        const phone = new PhonePage(page);
        await phone.signIn(user, PASSWORDS[user]);
        return phone;
      }),
    );
    if (caller === undefined || callee === undefined) throw new Error("no phones");
    await caller.call("1002");
    await callee.answer();
    await caller.waitForCall("connected");
    expect(await callee.part("video").count()).toBe(0);
    await caller.part("camera").click();
    await callee.part("video-theirs").waitFor(WITHIN);
    await expectPictures(callee);
    expect(await callee.part("video-mine").count()).toBe(0);
    expect(await caller.part("video-theirs").count()).toBe(0);
    await callee.part("camera").click();
    await caller.part("video-theirs").waitFor(WITHIN);
    await expectPictures(caller);
    await expectPictures(callee);
    expect((await caller.remoteTone(TONE_1002)).share).toBeGreaterThan(CLEAN);
    expect((await callee.remoteTone(TONE_1001)).share).toBeGreaterThan(CLEAN);
    await caller.part("camera").click();
    await callee.part("video-theirs").waitFor({ state: "detached", ...WITHIN });
    await caller.end();
  });
});
