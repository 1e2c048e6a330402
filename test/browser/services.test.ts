import { afterEach, describe, expect, it } from "vitest";
import { expectNothingLeft, lastRecord } from "../harness/gateway-state.ts";
import { CLEAN, expectTone, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

const stage = useStage();

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

describe("services", () => {
  it("*43 gives the caller's own voice back", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const elapsed = await phone.timeToTone(TONE_1001, () => phone.call("*43"));
    await phone.waitForCall("connected");
    const tone = await phone.remoteTone(TONE_1001, 2000);
    console.info(`echo: click to sound ${Math.round(elapsed)} ms, tone in ${tone.share} of frames`);
    expect(tone.share).toBeGreaterThan(CLEAN);
    await phone.end();
    await phone.waitForCall("ended");
    expect(await lastRecord(gateway)).toMatchObject({
      result: "success",
      to: "*43",
      end: { by: "caller" },
    });
    expect(phone.errors).toEqual([]);
    await phone.page.close();
  });

  it("*44 plays an announcement", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("*44");
    await phone.waitForCall("connected");
    const heard = await phone.remoteTone(TONE_1001, 2000);
    expect(heard.audible).toBeGreaterThan(0.3);
    expect(heard.share, "not the microphone's own tone").toBeLessThan(0.1);
    await phone.end();
    await phone.page.close();
  });

  it("*72 and a number says where calls are forwarded to, and hangs up", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("*721002");
    // Words and four digits, more than four seconds: a busy machine hears some of it.
    await expect
      .poll(async () => (await phone.remoteTone(TONE_1001, 500)).audible, { timeout: 15_000 })
      .toBeGreaterThan(0.2);
    await phone.waitForCall("ended");
    const user = await gateway.api("/api/v1/users/1001");
    expect(user.body).toMatchObject({ forward: { always: { number: "1002", on: true } } });
    // The phone asks after each call to a code, and says what holds.
    await phone.part("own-calls-notice").filter({ hasText: "1002" }).waitFor();
    const body = { forward: { always: null } };
    expect((await gateway.api("/api/v1/users/1001", { method: "POST", body })).status).toBe(200);
    await phone.page.close();
  });

  it("the settings forward every call: a caller gets there, and the first screen says so", async () => {
    const { gateway, ann, bob } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.part("settings").click();
    await phone.part("own-always").check();
    // A number that the user may not call is told, and nothing changes.
    await phone.part("own-always-number").fill("0900 1234567");
    await phone.part("own-calls-save").click();
    await phone.part("own-calls-problem").waitFor();
    await phone.part("own-always-number").fill("*43");
    await phone.part("own-calls-save").click();
    await phone.part("own-calls-saved").filter({ hasText: /saved/i }).waitFor();
    await phone.page.keyboard.press("Escape");
    await phone.part("own-calls-notice").filter({ hasText: "*43" }).waitFor();

    const caller = await openPhone(bob, gateway, "1002");
    await caller.call("1001");
    await caller.waitForCall("connected");
    await expectTone(caller, TONE_1002);
    await caller.end();
    await caller.waitForCall("ended");
    expect(await phone.part("answer").count()).toBe(0);

    await phone.part("own-calls-off").click();
    await phone.part("own-calls-notice").waitFor({ state: "detached" });
    const user = await gateway.api("/api/v1/users/1001");
    expect(user.body).toMatchObject({ forward: { always: { number: "*43", on: false } } });
    const body = { forward: { always: null } };
    expect((await gateway.api("/api/v1/users/1001", { method: "POST", body })).status).toBe(200);
    expect(caller.errors).toEqual([]);
    await Promise.all([phone.page.close(), caller.page.close()]);
  });

  it("*45 takes digits and speaks them", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("*45");
    await phone.waitForCall("connected");
    for (const digit of ["4", "2"]) await phone.page.keyboard.press(digit);
    await phone.page.keyboard.press("#");
    await expect
      .poll(async () => (await phone.remoteTone(TONE_1001, 500)).audible, { timeout: 8000 })
      .toBeGreaterThan(0.3);
    await phone.end();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);
    const { timeline } = await lastRecord(gateway);
    const digits = (Array.isArray(timeline) ? timeline : [])
      .filter((entry: { event: string }) => entry.event === "digit")
      .map((entry: { detail?: string }) => entry.detail);
    expect(digits).toEqual(["4", "2", "#"]);
    await phone.page.close();
  });
});
