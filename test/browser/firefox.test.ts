import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestBrowser } from "../harness/chromium.ts";
import { Firefox } from "../harness/firefox.ts";
import { type Gateway, PASSWORDS, startGateway } from "../harness/gateway.ts";
import { CLEAN, openPhone, TONE_1002 } from "./support.ts";

/** What Firefox's microphone hears. */
const TONE_FIREFOX = 1000;
/** Its analyser's bins are some 6 Hz wide. */
const NEAR_HZ = 15;

let gateway: Gateway;
let chromium: TestBrowser;
let firefox: Firefox;

beforeAll(async () => {
  gateway = await startGateway();
  chromium = await TestBrowser.launch({ toneHz: TONE_1002 });
  firefox = await Firefox.launch(TONE_FIREFOX);
});

afterAll(async () => {
  await firefox?.close();
  await chromium?.close();
  await gateway?.stop();
});

describe("Firefox", () => {
  it("signs in, calls and is called with sound both ways, holds and resumes", async () => {
    await firefox.goto(`${gateway.httpUrl}/?raw-audio=1`);
    await firefox.fill("sign-in-user", "1001");
    await firefox.fill("sign-in-password", PASSWORDS["1001"]);
    await firefox.click("sign-in-submit");
    await firefox.waitForState("link-state", "ready");
    const bob = await openPhone(chromium, gateway, "1002");

    await firefox.fill("number-field", "1002");
    await firefox.click("call-button");
    await firefox.waitForState("call-state", "ringing");
    await bob.waitForCall("incoming");
    await bob.answer();
    await bob.waitForCall("connected");
    await firefox.waitForState("call-state", "connected");
    await expect
      .poll(async () => Math.abs((await firefox.remoteFrequency()) - TONE_1002), {
        timeout: 15_000,
      })
      .toBeLessThan(NEAR_HZ);
    await expect
      .poll(async () => (await bob.remoteTone(TONE_FIREFOX)).share, { timeout: 15_000 })
      .toBeGreaterThanOrEqual(CLEAN);

    await firefox.click("hold");
    await firefox.waitForState("call-state", "local-hold");
    await bob.waitForCall("remote-hold");
    expect((await bob.remoteTone(TONE_FIREFOX, 500)).share).toBeLessThan(0.1);
    await firefox.click("hold");
    await firefox.waitForState("call-state", "connected");
    await bob.waitForCall("connected");
    await expect
      .poll(async () => (await bob.remoteTone(TONE_FIREFOX)).share, { timeout: 15_000 })
      .toBeGreaterThanOrEqual(CLEAN);
    await expect
      .poll(async () => Math.abs((await firefox.remoteFrequency()) - TONE_1002), {
        timeout: 15_000,
      })
      .toBeLessThan(NEAR_HZ);
    await bob.end();
    await firefox.waitFor(`document.querySelector('[data-testid="number-field"]') !== null`);

    await bob.call("1001");
    await firefox.waitForState("call-state", "incoming");
    await firefox.click("answer");
    await bob.waitForCall("connected");
    await firefox.waitForState("call-state", "connected");
    await expect
      .poll(async () => (await bob.remoteTone(TONE_FIREFOX)).share, { timeout: 15_000 })
      .toBeGreaterThanOrEqual(CLEAN);
    await expect
      .poll(async () => Math.abs((await firefox.remoteFrequency()) - TONE_1002), {
        timeout: 15_000,
      })
      .toBeLessThan(NEAR_HZ);
    await firefox.click("end");
    await bob.part("number-field").waitFor();
    await bob.page.close();
  }, 120_000);
});
