import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import { Capture, rtpPackets, soundOf } from "../harness/capture.ts";
import { type PhonePage, REMOTE_STREAM } from "../harness/chromium.ts";
import { expectNothingLeft, trunkTo } from "../harness/gateway-state.ts";
import { meanToneShare, tonesInPage } from "./mixed-tones.ts";
import {
  CLEAN,
  expectTone,
  openPhone,
  TONE_1001,
  TONE_1002,
  TONE_PEER,
  useStage,
} from "./support.ts";

/** In a mix a tone stands this far above the noise of the codec, in decibels. */
const CLEAR_DB = 25;
const WITHIN = { timeout: 15_000 };

let baresip: Baresip;
const stage = useStage(async () => {
  baresip = await Baresip.start();
  return { config: { trunks: trunkTo(baresip.address) } };
});

let ann: PhonePage;
let bob: PhonePage;

/** Ann talks with the desk phone, and Bob calls her. */
beforeEach(async () => {
  const { gateway } = stage();
  ann = await openPhone(stage().ann, gateway, "1001");
  bob = await openPhone(stage().bob, gateway, "1002");
  await ann.call("600");
  await ann.waitForCall("connected");
  await bob.call("1001");
  await ann.part("call-waiting").waitFor();
});

afterEach(async () => {
  await ann.page.close();
  await bob.page.close();
  await expectNothingLeft(stage().gateway);
});

/** What the desk phone is sent in about a second from now on. */
async function heardAtDesk(
  capture: Capture,
  frequenciesHz: readonly number[],
): Promise<readonly number[]> {
  const fromMs = Date.now();
  await ann.page.waitForTimeout(1_000);
  const { min, max } = baresip.mediaPorts;
  const packets = rtpPackets(await capture.soFar()).filter(
    ({ timeMs, payloadType, destination }) =>
      timeMs >= fromMs && payloadType === 0 && destination.port >= min && destination.port <= max,
  );
  const sound = soundOf(packets);
  return frequenciesHz.map((hz) => meanToneShare(sound, hz));
}

describe("a second call while one is up", () => {
  it("is declined, and the first goes on untouched", async () => {
    expect(await ann.part("waiting-caller").textContent()).toContain("Bob Ray");
    await ann.part("decline-waiting").click();
    await bob.waitForCall("ended");
    expect(await bob.part("error-title").textContent()).toMatch(/declined/i);
    await ann.waitForCall("connected");
    await expectTone(ann, TONE_PEER);
    await ann.end();
  });

  it("takes the place of the first", async () => {
    await ann.part("end-and-answer").click();
    await bob.waitForCall("connected");
    await ann.waitForCall("connected");
    expect(await ann.part("line").count()).toBe(0);
    await expectTone(ann, TONE_1002);
    await bob.end();
  });

  it("is answered while the first waits; both swap, join to one conversation, and part", async () => {
    await using capture = await Capture.start("udp");
    await ann.page.keyboard.press("F2");
    await bob.waitForCall("connected");
    await ann.waitForCall("connected");
    await expectTone(ann, TONE_1002);
    await expectTone(bob, TONE_1001);
    expect(await ann.part("line").textContent()).toMatch(/on hold/i);

    await ann.part("swap").click();
    await bob.waitForCall("remote-hold");
    await ann.waitForCall("connected");
    await expect
      .poll(async () => (await ann.remoteTone(TONE_PEER)).share, WITHIN)
      .toBeGreaterThan(CLEAN);

    await ann.part("join").click();
    await bob.waitForCall("connected");
    await expect
      .poll(
        async () =>
          Math.min(...(await tonesInPage(bob.page, REMOTE_STREAM, [TONE_1001, TONE_PEER]))),
        WITHIN,
      )
      .toBeGreaterThan(CLEAR_DB);
    const [fromAnn = 0, fromBob = 0] = await heardAtDesk(capture, [TONE_1001, TONE_1002]);
    console.info(`conference at the desk: ${fromAnn.toFixed(2)} and ${fromBob.toFixed(2)}`);
    expect(fromAnn).toBeGreaterThan(0.2);
    expect(fromBob).toBeGreaterThan(0.2);
    const heard: number[] = [];
    for (const id of await ann.page.evaluate<string[]>(
      "[window.offhookPhone.state().call, ...window.offhookPhone.state().others].map(({ id }) => id)",
    )) {
      const stream = `window.offhookPhone.media(${JSON.stringify(id)}).remoteStream`;
      heard.push(Math.max(...(await tonesInPage(ann.page, stream, [TONE_1002, TONE_PEER]))));
    }
    expect(Math.min(...heard), "both at the one who joined them").toBeGreaterThan(CLEAR_DB);

    await ann.part("split").click();
    await bob.waitForCall("remote-hold");
    await expect
      .poll(async () => {
        const [mine = 0, theirs = 0] = await heardAtDesk(capture, [TONE_1001, TONE_1002]);
        return mine > CLEAN && theirs < 0.1;
      }, WITHIN)
      .toBe(true);
    await ann.end();
    // The one who waited is in the pane, still waiting.
    await ann.waitForCall("local-hold");
    await ann.hold();
    await ann.waitForCall("connected");
    await expect
      .poll(async () => (await bob.remoteTone(TONE_1001)).share, WITHIN)
      .toBeGreaterThan(CLEAN);
    await ann.end();
    await bob.waitForCall("ended");
  });
});
