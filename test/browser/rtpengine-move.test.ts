import { afterAll, afterEach, describe, expect, it } from "vitest";

import { Baresip } from "../harness/baresip.ts";
import { type PhonePage, REMOTE_STREAM } from "../harness/chromium.ts";
import {
  expectNothingLeft,
  gatewayUri,
  killRtpengine,
  lastRecord,
} from "../harness/gateway-state.ts";
import { measureTone } from "../harness/tone.ts";
import { ToneWatch } from "../harness/tone-watch.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, TONE_PEER, useStage } from "./support.ts";

/** How long a call may be without sound when its rtpengine is killed. */
const GAP_LIMIT_MS = 1500;

let baresip: Baresip;
const stage = useStage(async () => {
  baresip = await Baresip.start({ user: "700" });
  return {
    config: {
      trunks: { desk: { peer: `sip:${baresip.address.host}:${baresip.address.port}` } },
      dialplan: {
        routes: [
          { name: "desk", to: "700", do: { dial: "desk" } },
          { name: "echo", to: "*43", do: "echo" },
          { name: "colleagues", to: "@users", do: { ring: "@to" } },
        ],
      },
    },
  };
});

afterAll(async () => {
  await baresip.stop();
});

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

/** Listens to what a phone plays. */
function listen(phone: PhonePage, frequencyHz: number): Promise<ToneWatch> {
  return ToneWatch.start(phone.page, REMOTE_STREAM, frequencyHz);
}

/** Waits until the tones are back after a fault. @returns the longest gap of each, milliseconds */
async function gapsOf(...watches: readonly ToneWatch[]): Promise<readonly number[]> {
  return await Promise.all(
    watches.map(async (watch) => {
      // Long enough for the fault to be heard, and for a repair that comes late.
      await watch.untilMs(3000);
      await watch.untilSteady(1000);
      return (await watch.heard()).gapMs;
    }),
  );
}

/** Notes of each connection that the page closes whether another one carried the call by then. */
async function watchFarewells(phone: PhonePage): Promise<() => Promise<readonly boolean[]>> {
  await phone.page.evaluate(`(() => {
    const { prototype } = RTCPeerConnection;
    const { close, setRemoteDescription } = prototype;
    const known = new Set();
    window.offhookFarewells = [];
    prototype.setRemoteDescription = function (...parameters) {
      known.add(this);
      return setRemoteDescription.apply(this, parameters);
    };
    prototype.close = function () {
      known.delete(this);
      window.offhookFarewells.push([...known].some((one) => one.connectionState === "connected"));
      return close.apply(this);
    };
  })()`);
  return () => phone.page.evaluate<readonly boolean[]>("window.offhookFarewells");
}

describe("rtpengine is killed in a call", () => {
  it("of the browser to a trunk: sound is back both ways within 1.5 s", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("700");
    await phone.waitForCall("connected");
    const watch = await listen(phone, TONE_PEER);
    killRtpengine(gateway);
    const [gapMs] = await gapsOf(watch);
    console.info(`killed, browser to trunk: ${gapMs} ms without sound`);
    expect(gapMs).toBeLessThan(GAP_LIMIT_MS);
    expect(measureTone(await baresip.hearAnew(1000), TONE_1001).share).toBeGreaterThan(CLEAN);
    await phone.end();
    await baresip.waitForEvent("CALL_CLOSED");
    const record = await lastRecord(gateway);
    expect(JSON.stringify(record)).toContain("media moved");
    await phone.page.close();
  });

  it("of a trunk to the browser: sound is back both ways within 1.5 s", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await baresip.startDialling(gatewayUri(gateway, "1001"));
    await phone.waitForCall("incoming");
    await phone.answer();
    await phone.waitForCall("connected");
    const watch = await listen(phone, TONE_PEER);
    killRtpengine(gateway);
    const [gapMs] = await gapsOf(watch);
    console.info(`killed, trunk to browser: ${gapMs} ms without sound`);
    expect(gapMs).toBeLessThan(GAP_LIMIT_MS);
    await baresip.hangUp();
    await phone.waitForCall("ended");
    await phone.page.close();
  });

  it("of the browser to a service: its echo is back within 1.5 s", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("*43");
    await phone.waitForCall("connected");
    const watch = await listen(phone, TONE_1001);
    killRtpengine(gateway);
    const [gapMs] = await gapsOf(watch);
    console.info(`killed, echo service: ${gapMs} ms without sound`);
    expect(gapMs).toBeLessThan(GAP_LIMIT_MS);
    await phone.end();
    await phone.waitForCall("ended");
    await phone.page.close();
  });

  // Again and again: what a call is after a move has to bear the next one (RFC 8445 §7.3.1.1, roles).
  it("of two browsers: sound is back both ways within 1.5 s, each of three times", async () => {
    const { gateway, ann, bob } = stage();
    const caller = await openPhone(ann, gateway, "1001");
    const callee = await openPhone(bob, gateway, "1002");
    await caller.call("1002");
    await callee.waitForCall("incoming");
    await callee.answer();
    await caller.waitForCall("connected");
    const watches = [await listen(caller, TONE_1002), await listen(callee, TONE_1001)];
    const farewells = await Promise.all([caller, callee].map((phone) => watchFarewells(phone)));
    for (let time = 1; time <= 3; time += 1) {
      for (const watch of watches) await watch.reset();
      killRtpengine(gateway);
      const gaps = await gapsOf(...watches);
      console.info(`killed, two browsers: ${gaps.join(" and ")} ms without sound`);
      expect(Math.max(...gaps)).toBeLessThan(GAP_LIMIT_MS);
    }
    // What the last move has made of the call bears a hold by either side.
    for (const [holder, held] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      await holder.hold();
      await held.waitForCall("remote-hold");
      await holder.hold();
      await held.waitForCall("connected");
      for (const watch of watches) await watch.reset();
      for (const watch of watches) await watch.untilSteady(500);
    }
    // A word to the old port may disturb the handshake of the new connection, which may have that port.
    for (const of of farewells) expect(await of()).toEqual([true, true, true]);
    await caller.end();
    await callee.waitForCall("ended");
    expect([...caller.errors, ...callee.errors]).toEqual([]);
    await caller.page.close();
    await callee.page.close();
  });
});
