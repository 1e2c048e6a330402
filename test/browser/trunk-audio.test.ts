import { afterAll, afterEach, describe, expect, it } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import { measureTone } from "../harness/tone.ts";
import { Sipp } from "../harness/sipp.ts";
import {
  expectNothingLeft,
  gatewayUri,
  isTranscodedInRtpengine,
  trunkTo,
} from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_PEER, useStage } from "./support.ts";

describe.each([
  ["narrow", false],
  ["opus", true],
] as const)("sound over a trunk, codecs: %s", (codecs, isTranscoded) => {
  let sipp: Sipp;
  let baresip: Baresip;
  const stage = useStage(async () => {
    sipp = await Sipp.start({ scenario: "uas-echo", calls: 0 });
    baresip = await Baresip.start({ user: "700" });
    return {
      config: {
        media: { codecs },
        trunks: {
          ...trunkTo(sipp.address),
          desk: { peer: `sip:${baresip.address.host}:${baresip.address.port}` },
        },
        dialplan: {
          routes: [
            { name: "desk", to: "700", do: { dial: "desk" } },
            { name: "office", to: "600", do: { dial: "office" } },
            { name: "in", from: { trunk: "desk" }, to: "@users", do: { ring: "@to" } },
          ],
        },
      },
    };
  });

  afterAll(async () => {
    await sipp.stop();
    await baresip.stop();
  });

  afterEach(async () => {
    const { gateway } = stage();
    await expectNothingLeft(gateway);
    const complaints = gateway.logs().filter(({ msg }) => msg.startsWith("rtpengine: "));
    expect(complaints.map(({ text }) => text)).toEqual([]);
  });

  it("the browser hears its own tone from sipp's RTP echo within 1.5 s of the click", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const elapsed = await phone.timeToTone(TONE_1001, () => phone.call("600"));
    await phone.waitForCall("connected");
    const tone = await phone.remoteTone(TONE_1001, 3000);
    console.info(
      `${codecs}: click to two-way sound ${Math.round(elapsed)} ms, tone in ${tone.share.toFixed(3)} of frames`,
    );
    expect(tone.share).toBeGreaterThan(CLEAN);
    expect(elapsed).toBeLessThan(1500);
    expect(await isTranscodedInRtpengine(gateway)).toBe(isTranscoded);
    await phone.end();
    await phone.waitForCall("ended");
    await phone.page.close();
  });

  it("browser and baresip hear each other, called by the browser", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("700");
    await phone.waitForCall("connected");
    const inBrowser = await phone.remoteTone(TONE_PEER, 3000);
    const heard = await baresip.heard();
    const lastMs = (heard.samples.length / heard.sampleRate) * 1000;
    const inBaresip = measureTone(heard, TONE_1001, Math.max(0, lastMs - 2000), lastMs);
    console.info(
      `${codecs}: in the browser ${inBrowser.share.toFixed(3)}, in baresip ${inBaresip.share.toFixed(3)}`,
    );
    expect(inBrowser.share).toBeGreaterThan(CLEAN);
    expect(inBaresip.share).toBeGreaterThan(CLEAN);
    expect(await isTranscodedInRtpengine(gateway)).toBe(isTranscoded);
    await phone.end();
    await baresip.waitForEvent("CALL_CLOSED");
    await phone.page.close();
  });

  it("browser and baresip hear each other, called by baresip", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await baresip.startDialling(gatewayUri(gateway, "1001"));
    await phone.waitForCall("incoming");
    await phone.answer();
    await phone.waitForCall("connected");
    const inBrowser = await phone.remoteTone(TONE_PEER, 3000);
    const heard = await baresip.heard();
    const lastMs = (heard.samples.length / heard.sampleRate) * 1000;
    const inBaresip = measureTone(heard, TONE_1001, Math.max(0, lastMs - 2000), lastMs);
    expect(inBrowser.share).toBeGreaterThan(CLEAN);
    expect(inBaresip.share).toBeGreaterThan(CLEAN);
    expect(await isTranscodedInRtpengine(gateway)).toBe(isTranscoded);
    await baresip.hangUp();
    await phone.waitForCall("ended");
    await phone.page.close();
  });
});
