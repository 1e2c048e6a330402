import { afterEach, expect, it } from "vitest";

import { expectNothingLeft } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

const stage = useStage({ config: { media: { ice: "lite" } } });

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

it("two browsers talk when the media server is an ICE-lite agent to both", async () => {
  const { gateway, ann, bob } = stage();
  const caller = await openPhone(ann, gateway, "1001");
  const callee = await openPhone(bob, gateway, "1002");
  await caller.call("1002");
  await callee.answer();
  await caller.waitForCall("connected");
  for (const [phone, tone] of [
    [caller, TONE_1002],
    [callee, TONE_1001],
  ] as const) {
    expect((await phone.remoteTone(tone, 1500)).share).toBeGreaterThan(CLEAN);
    const remote = "window.offhookPhone.peerConnection().remoteDescription.sdp";
    expect(await phone.page.evaluate<string>(remote)).toContain("a=ice-lite");
  }
  await caller.end();
  await callee.waitForCall("ended");
  await caller.page.close();
  await callee.page.close();
});
