import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { PhonePage } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { openPhone, useStage } from "./support.ts";

const stage = useStage();

/** Where the keyboard is: the `data-testid`, else the element's name. */
async function focusOf(page: Page): Promise<string> {
  return await page.evaluate<string>(
    "document.activeElement.dataset.testid ?? document.activeElement.tagName",
  );
}

async function expectFocusKept(page: Page): Promise<void> {
  await expect.poll(() => focusOf(page)).not.toBe("BODY");
}

/** Presses Tab until the keyboard is at that part, as a user without a mouse would. */
async function tabTo(page: Page, testId: string): Promise<void> {
  for (let presses = 0; presses < 40; presses += 1) {
    if ((await focusOf(page)) === testId) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${testId}, but to ${await focusOf(page)}`);
}

describe("an incoming call reaches a user whose eyes are elsewhere", () => {
  it("by title, icon, badge, live region and a notification that answers", async () => {
    const { gateway, ann, bob } = stage();
    const context = await ann.browser.newContext({
      viewport: { width: 1280, height: 800 },
      permissions: ["microphone", "notifications"],
    });
    // The window is behind another one, and notifications are switched on.
    await context.addInitScript(`
      localStorage.setItem("offhook.preferences", JSON.stringify({ hasNotifications: true }));
      document.hasFocus = () => false;
      window.badge = 0;
      navigator.setAppBadge = async (count) => { window.badge = count; };
      navigator.clearAppBadge = async () => { window.badge = 0; };
    `);
    const annPhone = new PhonePage(await context.newPage());
    await annPhone.page.goto(gateway.httpUrl);
    await annPhone.signIn("1001", PASSWORDS["1001"]);
    const bobPhone = await openPhone(bob, gateway, "1002");
    const icon = "document.querySelector('link[rel=icon]').getAttribute('href')";
    await annPhone.page.evaluate("navigator.serviceWorker.ready.then(() => true)");
    await annPhone.part("view-contacts").click();
    await annPhone.part("contact-search").fill("half a na");

    await bobPhone.call("1001");
    await annPhone.waitForCall("incoming");
    expect(await annPhone.page.title()).toMatch(/Bob Ray is calling/);
    expect(await annPhone.page.evaluate(icon)).toContain("favicon-ringing.svg");
    expect(await annPhone.page.evaluate("badge")).toBe(1);
    const live = annPhone.page.locator("[aria-live=assertive]");
    await expect.poll(() => live.textContent()).toBe("Incoming call from Bob Ray");
    expect((await annPhone.part("answer").boundingBox())?.height).toBeGreaterThanOrEqual(48);
    expect(await focusOf(annPhone.page)).toBe("contact-search");
    const shown = `navigator.serviceWorker.ready
      .then((registration) => registration.getNotifications())
      .then((all) => all.map(({ title, actions }) => title + " " + actions.map(({ action }) => action)))`;
    await expect
      .poll(() => annPhone.page.evaluate(shown))
      .toEqual(["Bob Ray is calling answer,decline"]);

    const [worker] = context.serviceWorkers();
    await worker?.evaluate(`self.registration.getNotifications().then(([notification]) =>
      self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action: "answer" })))`);
    await annPhone.waitForCall("connected");
    await bobPhone.waitForCall("connected");
    await expect.poll(() => annPhone.page.evaluate(shown)).toEqual([]);
    expect(await annPhone.page.evaluate(icon)).toContain("favicon.svg");
    expect(await annPhone.page.evaluate("badge")).toBe(0);
    expect(await focusOf(annPhone.page)).toBe("contact-search");

    // Function keys act out of a text field; letters stay in it.
    await annPhone.page.keyboard.press("F8");
    await expect.poll(() => annPhone.part("mute").getAttribute("aria-pressed")).toBe("true");
    await annPhone.page.keyboard.press("m");
    expect(await annPhone.part("contact-search").inputValue()).toBe("half a nam");
    expect(await annPhone.part("mute").getAttribute("aria-pressed")).toBe("true");
    await annPhone.page.keyboard.press("F9");
    await annPhone.waitForCall("local-hold");
    await annPhone.page.keyboard.press("F9");
    await annPhone.waitForCall("connected");

    // A key of the user's own takes the place of the one before.
    await annPhone.part("settings").click();
    await annPhone.part("key-mute").click();
    await annPhone.page.keyboard.press("5");
    await expect.poll(() => annPhone.part("key-notice").textContent()).toMatch(/cannot be used/);
    await annPhone.page.keyboard.press("x");
    await expect.poll(() => annPhone.part("key-mute").textContent()).toBe("X");
    await annPhone.page.keyboard.press("Escape");
    await annPhone.part("end").focus();
    await annPhone.page.keyboard.press("m");
    await annPhone.page.keyboard.press("x");
    await expect.poll(() => annPhone.part("mute").getAttribute("aria-pressed")).toBe("false");
    await annPhone.page.keyboard.press("x");
    await expect.poll(() => annPhone.part("mute").getAttribute("aria-pressed")).toBe("true");

    // Switched off, none of them does anything.
    await annPhone.part("settings").click();
    await annPhone.part("has-shortcuts").uncheck();
    await annPhone.page.keyboard.press("Escape");
    await annPhone.part("end").focus();
    for (const key of ["F8", "F9", "m", "h", "F4"]) await annPhone.page.keyboard.press(key);
    expect(await annPhone.part("mute").getAttribute("aria-pressed")).toBe("true");
    await annPhone.waitForCall("connected");
    await annPhone.end();
    await bobPhone.waitForCall("ended");

    // Declined out of the notification: the caller is told, and the notification is gone.
    await bobPhone.call("1001");
    await annPhone.waitForCall("incoming");
    await expect
      .poll(() => annPhone.page.evaluate(shown))
      .toEqual(["Bob Ray is calling answer,decline"]);
    await worker?.evaluate(`self.registration.getNotifications().then(([notification]) =>
      self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action: "decline" })))`);
    await expect.poll(() => bobPhone.part("error-title").textContent()).toBe("Declined");
    await expect.poll(() => annPhone.page.evaluate(shown)).toEqual([]);
    await context.close();
    await bobPhone.page.close();
  });
});

describe("the keyboard alone", () => {
  it("signs in, dials, answers, holds, transfers and hangs up, and never loses its place", async () => {
    const { gateway, ann, bob } = stage();
    const annPhone = await ann.openPhone(gateway.httpUrl);
    const { page } = annPhone;
    await annPhone.part("sign-in-user").waitFor();
    await expectFocusKept(page);
    await page.keyboard.type("1001");
    await page.keyboard.press("Tab");
    await page.keyboard.type(PASSWORDS["1001"]);
    await page.keyboard.press("Enter");
    await annPhone.waitForLink("ready");
    await expectFocusKept(page);

    const bobPhone = await openPhone(bob, gateway, "1002");
    await tabTo(page, "number-field");
    await page.keyboard.type("1002");
    await page.keyboard.press("Enter");
    await annPhone.waitForCall("ringing");
    await expectFocusKept(page);
    await bobPhone.waitForCall("incoming");
    await expectFocusKept(bobPhone.page);
    await tabTo(bobPhone.page, "answer");
    await bobPhone.page.keyboard.press("Enter");
    await bobPhone.waitForCall("connected");
    await expectFocusKept(bobPhone.page);
    await annPhone.waitForCall("connected");

    await tabTo(page, "hold");
    await page.keyboard.press("Space");
    await annPhone.waitForCall("local-hold");
    expect(await focusOf(page)).toBe("hold");
    await page.keyboard.press("Space");
    await annPhone.waitForCall("connected");
    await page.keyboard.press("t");
    await annPhone.part("transfer-sheet").waitFor();
    await expect.poll(() => focusOf(page)).toBe("transfer-field");
    await page.keyboard.type("9999");
    await page.keyboard.press("Enter");
    await annPhone.part("transfer-failed").waitFor();
    await expectFocusKept(page);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await annPhone.waitForCall("connected");
    await tabTo(page, "end");
    await page.keyboard.press("Enter");
    await annPhone.part("number-field").waitFor();
    await expectFocusKept(page);
    await bobPhone.part("number-field").waitFor();
    await expectFocusKept(bobPhone.page);
    await page.close();
    await bobPhone.page.close();
  });
});

describe("recents and contacts", () => {
  it("say why a call did not come off, and keep names from visit to visit", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("9999");
    await phone.part("error-close").or(phone.part("error-action")).first().waitFor();
    await expect
      .poll(() => phone.part("recent-list").textContent())
      .toMatch(/9999.*Number not found/);
    await phone.part("recent-clear").click();
    await expect.poll(() => phone.part("recent-list").textContent()).toBe("");
    // The same button takes it back: the keyboard is still there.
    await phone.page.keyboard.press("Enter");
    await expect.poll(() => phone.part("recent-list").textContent()).toContain("9999");
    await phone.part("error-close").click();
    await phone.part("number-field").fill("+442079460018");
    await expect.poll(() => phone.part("number-preview").textContent()).toBe("+44 20 7946 0018");
    await phone.part("number-field").fill("");

    await phone.part("view-contacts").click();
    await phone.part("contact-file").setInputFiles({
      name: "book.vcf",
      mimeType: "text/vcard",
      buffer: Buffer.from(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë Écho\r\nTEL;TYPE=cell:*43\r\nEND:VCARD\r\n",
      ),
    });
    await expect.poll(() => phone.part("contact-notice").textContent()).toBe("1 contact added");
    await phone.page.reload();
    await phone.waitForLink("ready");
    await phone.part("view-contacts").click();
    await phone.part("contact-search").fill("zoe ech");
    await phone.part("contact-search").press("Enter");
    await phone.waitForCall("connected");
    await phone.end();
    await phone.page.close();
  });

  it("check the sound: microphone, speaker, echo", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.part("check-open").click();
    await phone.part("check-listen").click();
    await expect.poll(() => phone.part("check-heard").textContent()).toBe("We can hear you.");
    await phone.part("check-next").click();
    await phone.part("check-play").click();
    await phone.part("check-hear").click();
    await phone.part("check-echo").click();
    await expect
      .poll(() => phone.part("check-echo-state").textContent(), { timeout: 10_000 })
      .toMatch(/you should hear yourself/);
    const theirs = phone.page.locator("dialog .call__meters [role=meter]").last();
    await expect
      .poll(async () => Number(await theirs.getAttribute("aria-valuenow")))
      .toBeGreaterThan(20);
    await phone.part("check-echo-end").click();
    await expect
      .poll(() => phone.part("check-echo-state").textContent())
      .toBe("Sound passes both ways.");
    await phone.part("check-next").click();
    await phone.part("number-field").waitFor();

    // What the phone knows, as a file, without what opens anything.
    await phone.part("settings").click();
    const [file] = await Promise.all([
      phone.page.waitForEvent("download"),
      phone.part("download-report").click(),
    ]);
    const report = await readFile(await file.path(), "utf8");
    expect(JSON.parse(report)).toBeTypeOf("object");
    expect(report).toContain("*43");
    expect(report).not.toContain(PASSWORDS["1001"]);
    expect(report).not.toMatch(/"password"|authorization|ice-pwd|fingerprint/i);
    expect(phone.errors).toEqual([]);
    await phone.page.close();
  });
});
