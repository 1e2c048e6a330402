import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import { Capture, rtpPackets, soundOf } from "../harness/capture.ts";
import type { Gateway } from "../harness/gateway.ts";
import { Sipp } from "../harness/sipp.ts";
import { makeTemporaryDirectory } from "../harness/temporary.ts";
import { generateTone, measureTone, writeWav } from "../harness/tone.ts";
import { expectNothingLeft, lastRecord, trunkTo } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_PEER, useStage } from "./support.ts";

const TURNS = 5;
/** Until both directions are certainly the new ones. */
const SETTLE_MS = 300;
/** What the held party hears: a file of the operator's. */
const TONE_MUSIC = 400;

async function musicFile(): Promise<string> {
  const path = join(await makeTemporaryDirectory("music"), "music.wav");
  await writeWav(path, generateTone({ frequencyHz: TONE_MUSIC, seconds: 3, amplitude: 0.3 }));
  return path;
}

const isMusic = (event: string): boolean => event === "music";

/** The events of the only call that is up. */
async function timelineOfCall(gateway: Gateway): Promise<readonly string[]> {
  const { body: list } = await gateway.api("/api/v1/calls");
  const [{ id }] = (list as { items: readonly [{ id: string }] }).items;
  const { body } = await gateway.api(`/api/v1/calls/${id}`);
  return (body as { timeline: readonly { event: string }[] }).timeline.map(({ event }) => event);
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

  /** What was to be heard at the peer while the browser was being measured. */
  interface Window {
    readonly what: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly tone: number;
    readonly isHeard: boolean;
  }

  it(`from each side ${TURNS} times, with the sound measured again after each`, async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    // One capture for all: starting one takes longer than what is measured with it.
    await using capture = await Capture.start("udp");
    const windows: Window[] = [];
    const measure = async (
      what: string,
      tones: { readonly inBrowser: number; readonly atPeer: number },
      isHeard: { readonly inBrowser: boolean; readonly atPeer: boolean },
    ): Promise<void> => {
      const fromMs = Date.now() + SETTLE_MS;
      const { share } = await phone.remoteTone(tones.inBrowser, SETTLE_MS + 800);
      windows.push({ what, fromMs, toMs: Date.now(), tone: tones.atPeer, isHeard: isHeard.atPeer });
      if (isHeard.inBrowser) expect(share, `in the browser, ${what}`).toBeGreaterThan(CLEAN);
      else expect(share, `in the browser, ${what}`).toBeLessThan(0.1);
    };
    /** The gateway plays to whoever is held a moment after the hold itself. */
    const musicBegan = async (times: number): Promise<void> => {
      await expect
        .poll(() => timelineOfCall(gateway).then((events) => events.filter(isMusic).length))
        .toBe(times);
    };
    const resumed = (): Promise<void> =>
      expect
        .poll(async () => (await phone.remoteTone(TONE_PEER, 300)).share, { timeout: 5000 })
        .toBeGreaterThan(CLEAN);
    const voices = { inBrowser: TONE_PEER, atPeer: TONE_1001 };
    const music = { inBrowser: TONE_MUSIC, atPeer: TONE_MUSIC };
    const both = { inBrowser: true, atPeer: true };
    await phone.call("600");
    await phone.waitForCall("connected");
    await resumed();
    await measure("at first", voices, both);
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await phone.hold();
      await phone.waitForCall("local-hold");
      await musicBegan(turn);
      await expect
        .poll(async () => (await phone.remoteTone(TONE_PEER, 300)).share, { timeout: 5000 })
        .toBeLessThan(0.1);
      await measure(`music for the peer, hold ${turn}`, music, { inBrowser: false, atPeer: true });
      await phone.hold();
      await phone.waitForCall("connected");
      await resumed();
      await measure(`after hold ${turn}`, voices, both);
    }
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await baresip.hold();
      await phone.waitForCall("remote-hold");
      await expect
        .poll(async () => (await phone.remoteTone(TONE_MUSIC, 300)).share, { timeout: 5000 })
        .toBeGreaterThan(CLEAN);
      await measure(`music in the browser, ${turn}`, music, { inBrowser: true, atPeer: false });
      await baresip.resume();
      await phone.waitForCall("connected");
      await resumed();
      await measure(`after the peer's hold ${turn}`, voices, both);
    }
    const { min, max } = baresip.mediaPorts;
    const packets = rtpPackets(await capture.stop()).filter(
      ({ payloadType, destination }) =>
        payloadType === 0 && destination.port >= min && destination.port <= max,
    );
    expect(windows).toHaveLength(1 + 4 * TURNS);
    for (const { what, fromMs, toMs, tone, isHeard } of windows) {
      const sound = soundOf(packets.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs));
      const { share } = measureTone(sound, tone);
      if (isHeard) expect(share, `at the peer, ${what}`).toBeGreaterThan(CLEAN);
      else expect(share, `at the peer, ${what}`).toBeLessThan(0.1);
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
