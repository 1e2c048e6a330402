import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { expectNothingLeft, trunkTo } from "../harness/gateway-state.ts";
import { Sipp } from "../harness/sipp.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

/** Beside the loopback: browsers send from this one, rtpengine has taken the other first. */
const SECOND = "192.0.2.77";
const INTERFACE = "second0";
/** Addresses are learned for three seconds: what is sent after them counts. */
const LISTEN_MS = 6000;

function ip(...args: readonly string[]): void {
  execFileSync("ip", args);
}

beforeAll(() => {
  const peer = `${INTERFACE}-peer`;
  ip("link", "add", INTERFACE, "type", "veth", "peer", "name", peer);
  ip("address", "add", `${SECOND}/24`, "dev", INTERFACE);
  for (const end of [INTERFACE, peer]) ip("link", "set", end, "up");
});
afterAll(() => {
  ip("link", "delete", INTERFACE);
});

describe("a browser with two addresses", () => {
  let sipp: Sipp;
  const stage = useStage(async () => {
    sipp = await Sipp.start({ scenario: "uas-echo", calls: 0 });
    return { config: { trunks: trunkTo(sipp.address) } };
  });
  afterAll(async () => {
    await sipp.stop();
  });
  afterEach(async () => {
    await expectNothingLeft(stage().gateway);
  });

  it.each([
    ["the echo test", "*43"],
    ["a trunk", "600"],
  ])("is heard for good by %s", async (_whom, number) => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call(number);
    await phone.waitForCall("connected");
    expect((await phone.remoteTone(TONE_1001, LISTEN_MS)).share).toBeGreaterThan(CLEAN);
    await phone.end();
    await phone.page.close();
  });

  it("is heard for good by another one", async () => {
    const { gateway, ann, bob } = stage();
    const caller = await openPhone(ann, gateway, "1001");
    const callee = await openPhone(bob, gateway, "1002");
    await caller.call("1002");
    await callee.answer();
    await caller.waitForCall("connected");
    const [atCaller, atCallee] = await Promise.all([
      caller.remoteTone(TONE_1002, LISTEN_MS),
      callee.remoteTone(TONE_1001, LISTEN_MS),
    ]);
    expect(atCaller.share).toBeGreaterThan(CLEAN);
    expect(atCallee.share).toBeGreaterThan(CLEAN);
    await caller.end();
    await callee.waitForCall("ended");
    await caller.page.close();
    await callee.page.close();
  });
});
