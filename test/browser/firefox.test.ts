import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PhonePage, TestBrowser } from "../harness/chromium.ts";
import { Firefox } from "../harness/firefox.ts";
import { type Gateway, PASSWORDS, startGateway } from "../harness/gateway.ts";
import { killRtpengine } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1002 } from "./support.ts";

/** What Firefox's microphone hears. */
const TONE_FIREFOX = 1000;
/** Chromium's microphone hears a tone of amplitude 0.4; silence is 0. */
const LOUD = 0.05;

/**
 * Firefox offers no loopback address, so the machine gets an interface of its own; `npm test` runs
 * in a network that ends with it.
 */
const MACHINE = { name: "ffx0", peer: "ffx1", address: "10.88.0.1" };

const run = promisify(execFile);

let gateway: Gateway;
let chromium: TestBrowser;
let firefox: Firefox;

beforeAll(async () => {
  const { name, peer, address } = MACHINE;
  await run("ip", ["link", "add", name, "type", "veth", "peer", "name", peer]);
  await run("ip", ["address", "add", `${address}/24`, "dev", name]);
  for (const end of [name, peer]) await run("ip", ["link", "set", end, "up"]);
  await run("ip", ["route", "add", "default", "via", "10.88.0.254", "dev", name]);
  gateway = await startGateway({ config: { media: { address } } });
  chromium = await TestBrowser.launch({ toneHz: TONE_1002 });
  firefox = await Firefox.launch(TONE_FIREFOX);
});

afterAll(async () => {
  await firefox?.close();
  await chromium?.close();
  await gateway?.stop();
  await run("ip", ["link", "del", MACHINE.name]).catch(() => undefined);
});

/** Waits until both hear each other. */
async function expectSound(bob: PhonePage): Promise<void> {
  await expect
    .poll(async () => (await bob.remoteTone(TONE_FIREFOX)).share, { timeout: 15_000 })
    .toBeGreaterThanOrEqual(CLEAN);
  await expect.poll(() => firefox.remoteLoudness(), { timeout: 15_000 }).toBeGreaterThan(LOUD);
}

describe("Firefox", () => {
  it("signs in, calls and is called with sound both ways, holds and resumes, and is moved", async () => {
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
    await expectSound(bob);

    await firefox.click("hold");
    await firefox.waitForState("call-state", "local-hold");
    await bob.waitForCall("remote-hold");
    // What had been sent before is still played.
    await expect
      .poll(async () => (await bob.remoteTone(TONE_FIREFOX, 500)).share, { timeout: 2000 })
      .toBeLessThan(0.1);
    await firefox.click("hold");
    await firefox.waitForState("call-state", "connected");
    await bob.waitForCall("connected");
    await expectSound(bob);

    const from = gateway.logs().length;
    killRtpengine(gateway);
    await gateway.waitForLog("rtpengine is up", { from });
    await expectSound(bob);
    await bob.end();
    await firefox.waitFor(`document.querySelector('[data-testid="number-field"]') !== null`);

    await bob.call("1001");
    await firefox.waitForState("call-state", "incoming");
    await firefox.click("answer");
    await bob.waitForCall("connected");
    await firefox.waitForState("call-state", "connected");
    await expectSound(bob);
    await firefox.click("end");
    await bob.part("number-field").waitFor();
    await bob.page.close();
  }, 120_000);
});
