import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { measureStreamTone, type TestBrowser } from "../harness/chromium.ts";
import { bundleClient } from "../harness/client-bundle.ts";
import { PASSWORDS, type Gateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

const stage = useStage();
let jssip = "";

beforeAll(async () => {
  jssip = await bundleClient("jssip", "JsSIP");
});

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

/** A page with stock JsSIP, registered with the user's own password, that answers every call. */
async function openJssip(
  browser: TestBrowser,
  gateway: Gateway,
  user: keyof typeof PASSWORDS,
): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`${gateway.httpUrl}/healthz`);
  await page.addScriptTag({ content: jssip });
  await page.evaluate(
    `(async () => {
      const media = { mediaConstraints: { video: false, audio: {
        echoCancellation: false, noiseSuppression: false, autoGainControl: false } } };
      const ua = new JsSIP.UA({
        sockets: [new JsSIP.WebSocketInterface(${JSON.stringify(gateway.wsUrl)})],
        uri: "sip:${user}@localhost", password: ${JSON.stringify(PASSWORDS[user])},
      });
      window.remote = undefined;
      window.ended = undefined;
      const follow = (session) => {
        window.session = session;
        const tracks = (connection) => connection.addEventListener("track", (event) => {
          window.remote = event.streams[0] ?? new MediaStream([event.track]);
        });
        if (session.connection) tracks(session.connection);
        session.on("peerconnection", ({ peerconnection }) => tracks(peerconnection));
        session.on("ended", ({ cause }) => { window.ended = cause; });
        session.on("failed", ({ cause }) => { window.ended = cause; });
      };
      ua.on("newRTCSession", ({ session, originator }) => {
        follow(session);
        if (originator === "remote") session.answer(media);
      });
      window.call = (number) => ua.call("sip:" + number + "@localhost", media);
      await new Promise((resolve, reject) => {
        ua.on("registered", resolve);
        ua.on("registrationFailed", ({ cause }) => reject(new Error(cause)));
        ua.start();
      });
    })()`,
  );
  return page;
}

describe("stock JsSIP", () => {
  it("registers with the user's password, and calls the web phone with sound both ways", async () => {
    const { gateway, ann, bob } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const page = await openJssip(bob, gateway, "1002");
    await page.evaluate("window.call('1001')");
    await phone.answer();
    await phone.waitForCall("connected");
    const atPhone = await phone.remoteTone(TONE_1002, 2000);
    const atJssip = await measureStreamTone(page, "window.remote", TONE_1001, 2000);
    expect(atPhone.share).toBeGreaterThan(CLEAN);
    expect(atJssip.share).toBeGreaterThan(CLEAN);
    await phone.end();
    await expect.poll(() => page.evaluate("window.ended")).toBe("Terminated");
    await phone.page.close();
    await page.close();
  });

  it("is called by the web phone, and hangs up", async () => {
    const { gateway, ann, bob } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const page = await openJssip(bob, gateway, "1002");
    await phone.call("1002");
    await phone.waitForCall("connected");
    const atPhone = await phone.remoteTone(TONE_1002, 2000);
    expect(atPhone.share).toBeGreaterThan(CLEAN);
    await page.evaluate("window.session.terminate()");
    await phone.waitForCall("ended");
    await phone.page.close();
    await page.close();
  });

  it("hears the echo test", async () => {
    const { gateway, bob } = stage();
    const page = await openJssip(bob, gateway, "1002");
    await page.evaluate("window.call('*43')");
    const echo = await measureStreamTone(page, "window.remote", TONE_1002, 2000);
    expect(echo.share).toBeGreaterThan(CLEAN);
    await page.evaluate("window.session.terminate()");
    await page.close();
  });
});
