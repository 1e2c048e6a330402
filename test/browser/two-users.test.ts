import { afterEach, describe, expect, it } from "vitest";
import { formatSocketAddress } from "../../src/core/address.ts";
import { TcpRelay } from "../harness/tcp-relay.ts";
import {
  expectNothingLeft,
  lastRecord,
  isTranscodedInRtpengine,
} from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

const stage = useStage();

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

describe("a call from browser to browser", () => {
  it("rings, connects, carries sound both ways without transcoding, and ends on both sides", async () => {
    const { gateway, ann, bob } = stage();
    const caller = await openPhone(ann, gateway, "1001");
    const callee = await openPhone(bob, gateway, "1002");
    await caller.call("1002");
    await callee.waitForCall("incoming");
    await caller.waitForCall("ringing");
    expect(await callee.page.getByText("Ann Lee").count()).toBeGreaterThan(0);
    await callee.answer();
    await caller.waitForCall("connected");
    await callee.waitForCall("connected");
    const atCaller = await caller.remoteTone(TONE_1002, 2000);
    const atCallee = await callee.remoteTone(TONE_1001, 2000);
    console.info(
      `browser to browser: ${atCaller.share.toFixed(3)} and ${atCallee.share.toFixed(3)} of frames`,
    );
    expect(atCaller.share).toBeGreaterThan(CLEAN);
    expect(atCallee.share).toBeGreaterThan(CLEAN);
    expect(await isTranscodedInRtpengine(gateway)).toBe(false);
    await callee.end();
    await caller.waitForCall("ended");
    expect(await lastRecord(gateway)).toMatchObject({ result: "success", end: { by: "callee" } });
    expect([...caller.errors, ...callee.errors]).toEqual([]);
    await caller.page.close();
    await callee.page.close();
  });

  it("rings every tab of the callee, and stops ringing in the others when one answers", async () => {
    const { gateway, ann, bob } = stage();
    const caller = await openPhone(ann, gateway, "1001");
    const first = await openPhone(bob, gateway, "1002");
    const second = await openPhone(bob, gateway, "1002");
    await caller.call("1002");
    await first.waitForCall("incoming");
    await second.waitForCall("incoming");
    await second.answer();
    await caller.waitForCall("connected");
    await expect.poll(() => first.part("answer").count()).toBe(0);
    await caller.end();
    await second.waitForCall("ended");
    for (const phone of [caller, first, second]) await phone.page.close();
  });

  it("keeps the call when the callee's connection is cut, and hangs it up over the new one", async () => {
    const { gateway, ann, bob } = stage();
    await using relay = await TcpRelay.start({ host: "127.0.0.1", port: gateway.ports.http });
    const caller = await openPhone(ann, gateway, "1001");
    const callee = await openPhone(bob, gateway, "1002", formatSocketAddress(relay.address));
    await caller.call("1002");
    await callee.answer();
    await caller.waitForCall("connected");
    relay.cut();
    await callee.waitForLink(/reconnecting/i);
    const meanwhile = await callee.remoteTone(TONE_1001, 1000);
    expect(meanwhile.share, "sound goes on without the connection").toBeGreaterThan(CLEAN);
    await callee.waitForLink("ready");
    await caller.end();
    await callee.waitForCall("ended");
    const record = await lastRecord(gateway);
    expect(record).toMatchObject({ result: "success" });
    const timeline = JSON.stringify(record["timeline"]);
    expect(timeline).toContain("connection lost");
    expect(timeline).toContain("connection restored");
    await caller.page.close();
    await callee.page.close();
  });
});
