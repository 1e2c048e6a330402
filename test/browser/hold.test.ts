import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import { Capture, rtpPackets, soundOf } from "../harness/capture.ts";
import type { PhonePage } from "../harness/chromium.ts";
import { Sipp } from "../harness/sipp.ts";
import { makeTemporaryDirectory } from "../harness/temporary.ts";
import { generateTone, measureTone, writeWav } from "../harness/tone.ts";
import { expectNothingLeft, lastRecord, trunkTo } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_PEER, useStage } from "./support.ts";

const TURNS = 5;
/** What the held party hears: a file of the operator's. */
const TONE_MUSIC = 400;

async function musicFile(): Promise<string> {
  const path = join(await makeTemporaryDirectory("music"), "music.wav");
  await writeWav(path, generateTone({ frequencyHz: TONE_MUSIC, seconds: 3, amplitude: 0.3 }));
  return path;
}

describe("hold with music, and resume, with baresip", () => {
  let baresip: Baresip;
  const stage = useStage(async () => {
    baresip = await Baresip.start();
    const music = await musicFile();
    return { config: { media: { music }, trunks: trunkTo(baresip.address) } };
  });

  afterEach(async () => {
    await expectNothingLeft(stage().gateway);
  });

  /** One tone in the browser and one on the wire toward baresip, now. */
  async function measureBothWays(
    phone: PhonePage,
    tones: { readonly inBrowser: number; readonly atPeer: number } = {
      inBrowser: TONE_PEER,
      atPeer: TONE_1001,
    },
  ): Promise<{ inBrowser: number; atPeer: number }> {
    await using capture = await Capture.start("udp");
    const inBrowser = await phone.remoteTone(tones.inBrowser, 800);
    const { min, max } = baresip.mediaPorts;
    const packets = rtpPackets(await capture.stop()).filter(
      ({ payloadType, destination }) =>
        payloadType === 0 && destination.port >= min && destination.port <= max,
    );
    const heard = measureTone(soundOf(packets), tones.atPeer);
    return { inBrowser: inBrowser.share, atPeer: heard.share };
  }

  it(`from each side ${TURNS} times, with the sound measured again after each`, async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("600");
    await phone.waitForCall("connected");
    const first = await measureBothWays(phone);
    expect(first.inBrowser).toBeGreaterThan(CLEAN);
    expect(first.atPeer).toBeGreaterThan(CLEAN);
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await phone.hold();
      await phone.waitForCall("local-hold");
      await expect
        .poll(async () => (await phone.remoteTone(TONE_PEER, 300)).share, { timeout: 5000 })
        .toBeLessThan(0.1);
      const held = await measureBothWays(phone, { inBrowser: TONE_MUSIC, atPeer: TONE_MUSIC });
      expect(held.atPeer, `music at the held peer, hold ${turn}`).toBeGreaterThan(CLEAN);
      expect(held.inBrowser, `music at the holder, hold ${turn}`).toBeLessThan(0.1);
      await phone.hold();
      await phone.waitForCall("connected");
      const resumed = await measureBothWays(phone);
      expect(resumed.inBrowser, `heard in the browser after hold ${turn}`).toBeGreaterThan(CLEAN);
      expect(resumed.atPeer, `heard by the peer after hold ${turn}`).toBeGreaterThan(CLEAN);
    }
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await baresip.hold();
      await phone.waitForCall("remote-hold");
      await expect
        .poll(async () => (await phone.remoteTone(TONE_MUSIC, 300)).share, { timeout: 5000 })
        .toBeGreaterThan(CLEAN);
      const held = await measureBothWays(phone, { inBrowser: TONE_MUSIC, atPeer: TONE_MUSIC });
      expect(held.inBrowser, `music in the held browser, ${turn}`).toBeGreaterThan(CLEAN);
      expect(held.atPeer, `music at the holding peer, ${turn}`).toBeLessThan(0.1);
      await baresip.resume();
      await phone.waitForCall("connected");
      const resumed = await measureBothWays(phone);
      expect(resumed.inBrowser, `heard in the browser, peer's hold ${turn}`).toBeGreaterThan(CLEAN);
      expect(resumed.atPeer, `heard by the peer, its hold ${turn}`).toBeGreaterThan(CLEAN);
    }
    await phone.end();
    await phone.waitForCall("ended");
    const { timeline } = await lastRecord(gateway);
    const events = (Array.isArray(timeline) ? timeline : []).map(
      (entry: { event: string }) => entry.event,
    );
    expect(events.filter((event: string) => event === "held")).toHaveLength(2 * TURNS);
    expect(events.filter((event: string) => event === "resumed")).toHaveLength(2 * TURNS);
    expect(events.filter((event: string) => event === "music")).toHaveLength(2 * TURNS);
    await baresip.stop();
    await phone.page.close();
  });
});

describe("hold by a peer that only signals it", () => {
  let sipp: Sipp;
  const stage = useStage(async () => {
    sipp = await Sipp.start({
      scenario: "uas-hold",
      calls: 1,
      values: { holds: TURNS, hold_ms: 700 },
    });
    return { config: { trunks: trunkTo(sipp.address) } };
  });

  it(`sipp holds and resumes ${TURNS} times; the echo is back after each`, async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("600");
    await phone.waitForCall("connected");
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await sipp.waitForMessage("sent", "INVITE", 2 * turn - 1, 15_000);
      await phone.waitForCall("connected");
    }
    const tone = await phone.remoteTone(TONE_1001, 1000);
    expect(tone.share).toBeGreaterThan(CLEAN);
    await phone.end();
    expect(await sipp.finished()).toMatchObject({ failedCalls: 0 });
    await expectNothingLeft(gateway);
    await phone.page.close();
  });
});
