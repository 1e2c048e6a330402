import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ASTERISK_TONE, hasAsterisk, useAsterisk } from "../harness/asterisk.ts";
import { TestBrowser } from "../harness/chromium.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { CLEAN } from "./support.ts";

const FILE = join(import.meta.dirname, "../../docs/connect/asterisk/pjsip-pass-through.conf");
const PASSWORD = "a-long-secret-of-2001";

describe("the shipped phone as a telephone of Asterisk's", () => {
  const asterisk = useAsterisk({
    "pjsip.conf": readFileSync(FILE, "utf8")
      // Its tones and the reading of digits are in the trunks' context.
      .replaceAll("context=internal", "context=from-gateway")
      // With one address for each trunk Asterisk sends sound from any of them but for this.
      .replace(
        "direct_media=no",
        "direct_media=no\nmedia_address=127.0.1.1\nbind_rtp_to_media_address=yes",
      ),
    "modules.conf": [
      "res_pjsip_mwi",
      "res_pjsip_mwi_body_generator",
      "res_pjsip_messaging",
      "app_voicemail",
    ]
      .map((name) => `\nload = ${name}.so\n`)
      .join(""),
    // A text to 690 comes back to the user.
    "extensions.conf": "\nexten => 690,1,MessageSend(pjsip:2001,sip:690@pbx.test)\n",
  });
  let gateway: Gateway;
  let browser: TestBrowser;

  beforeAll(async () => {
    if (!hasAsterisk()) return;
    gateway = await startGateway({
      config: {
        users: {},
        trunks: {
          pbx: { peer: asterisk().peer("plain"), accept: "127.0.1.0/24", registrar: true },
        },
      },
    });
    browser = await TestBrowser.launch({ toneHz: 700 });
  });

  it("has the voicemail lamp of the PBX, and its texts both ways", async () => {
    const phone = await browser.openPhone(`${gateway.httpUrl}/?raw-audio=1`);
    await phone.signIn("2001", PASSWORD);
    await asterisk().leaveMessage("2001");
    await phone.part("voicemail").waitFor();
    await phone.part("view-messages").click();
    await phone.part("chat-new").click();
    await phone.part("chat-to").fill("690");
    await phone.part("chat-text").fill("Grüße an die Anlage");
    await phone.part("chat-send").click();
    const texts = (): Promise<number> =>
      phone.part("chat-thread").getByText("Grüße an die Anlage").count();
    await expect.poll(texts, { timeout: 20_000 }).toBe(2);
    const sent = (): Promise<number> =>
      phone.part("chat-thread").locator("[data-state=sent]").count();
    await expect.poll(sent, { timeout: 20_000 }).toBe(1);
    await phone.page.close();
  });

  afterAll(async () => {
    if (!hasAsterisk()) return;
    await browser.close();
    await gateway.stop();
  });

  it("signs in with the PBX's password, dials a menu, is called, and keeps no password", async () => {
    const phone = await browser.openPhone(`${gateway.httpUrl}/?raw-audio=1`);
    await phone.enterCredentials("2001", "wrong");
    await phone.part("sign-in-error").waitFor();
    await phone.signIn("2001", PASSWORD);

    const nth = (await asterisk().allDigits()).length;
    await phone.call("601");
    await phone.waitForCall("connected");
    await expect
      .poll(async () => (await phone.remoteTone(ASTERISK_TONE, 500)).share, { timeout: 8000 })
      .toBeGreaterThan(CLEAN);
    await phone.part("keypad").click();
    for (const key of ["4", "star", "0", "hash"]) await phone.part(`key-${key}`).click();
    expect(await asterisk().digits(nth)).toBe("4*0");
    await phone.end();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);

    await asterisk().command("channel originate PJSIP/2001 extension 600@from-gateway");
    await phone.waitForCall("incoming");
    await phone.answer();
    await phone.waitForCall("connected");
    await phone.end();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);

    const kept = await phone.page.evaluate(
      () => `${JSON.stringify(sessionStorage)} ${JSON.stringify(localStorage)}`,
    );
    expect(kept).not.toContain(PASSWORD);
    expect(gateway.child.lines.filter((line) => line.includes(PASSWORD))).toEqual([]);
    // After a reload nobody is signed in: there was nothing to sign in with.
    await phone.page.reload();
    await phone.part("sign-in-user").waitFor();
  });
});
