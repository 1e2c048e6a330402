import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WebSocketRoute } from "playwright-core";
import { Baresip } from "../harness/baresip.ts";
import { PhonePage } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { expectNothingLeft, trunkTo } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1002, TONE_PEER, useStage } from "./support.ts";

const WITHIN = { timeout: 15_000 };

let baresip: Baresip;
const stage = useStage(async () => {
  baresip = await Baresip.start();
  return { config: { trunks: trunkTo(baresip.address) } };
});

let ann: PhonePage;

beforeEach(async () => {
  ann = await openPhone(stage().ann, stage().gateway, "1001");
});

afterEach(async () => {
  await stage().ann.closePages();
  await stage().bob.closePages();
  await expectNothingLeft(stage().gateway);
});

/** Bob's phone; one that wants to be left alone answers 486. */
async function openBob(isDoNotDisturb = false): Promise<PhonePage> {
  const { gateway, bob } = stage();
  const page = await bob.newPage();
  if (isDoNotDisturb) {
    await page.addInitScript("localStorage.setItem('offhook.do-not-disturb', 'true')");
  }
  const phone = new PhonePage(page);
  await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
  await phone.signIn("1002", PASSWORDS["1002"]);
  return phone;
}

async function expectTone(phone: PhonePage, frequencyHz: number): Promise<void> {
  await expect
    .poll(async () => (await phone.remoteTone(frequencyHz, 500)).share, WITHIN)
    .toBeGreaterThan(CLEAN);
}

describe("handing a call on", () => {
  beforeEach(async () => {
    await ann.call("600");
    await ann.waitForCall("connected");
  });

  it("at once: the two talk, and the one who did it is free", async () => {
    const bob = await openBob();
    await ann.page.keyboard.press("t");
    await ann.part("transfer-field").pressSequentially("1002");
    await ann.part("transfer-now").click();
    await bob.waitForCall("incoming");
    await expect.poll(() => ann.part("transfer-progress").textContent(), WITHIN).toMatch(/rings/i);
    await bob.answer();
    await bob.waitForCall("connected");
    await expectTone(bob, TONE_PEER);
    await ann.part("number-field").waitFor();
    const state = await ann.page.evaluate<{ digits: string; kind: string }>(
      "({ digits: window.offhookPhone.state().call?.digits, kind: window.offhookPhone.state().recent[0].kind })",
    );
    expect(state).toEqual({ digits: "", kind: "transferred" });
    await bob.end();
  });

  it("to one who is busy: the call is back with the reason, and both hear each other", async () => {
    const bob = await openBob(true);
    await ann.part("transfer").click();
    await ann.part("transfer-field").fill("1002");
    await ann.part("transfer-now").click();
    await expect.poll(() => ann.part("transfer-failed").textContent(), WITHIN).toMatch(/busy/i);
    await ann.waitForCall("connected");
    await expectTone(ann, TONE_PEER);
    expect(await bob.part("answer").count()).toBe(0);
    await ann.end();
  });

  it("after asking: back to the one who waits, and then the two are brought together", async () => {
    const bob = await openBob();
    await ann.part("transfer").click();
    await ann.part("transfer-field").fill("1002");
    await ann.part("transfer-ask").click();
    await bob.answer();
    await ann.waitForCall("connected");
    await expectTone(ann, TONE_1002);
    await ann.part("transfer-back").click();
    await bob.waitForCall("ended");
    await ann.waitForCall("connected");
    await expectTone(ann, TONE_PEER);

    await ann.part("transfer").click();
    await ann.part("transfer-field").fill("1002");
    await ann.part("transfer-ask").click();
    await bob.answer();
    await ann.waitForCall("connected");
    await ann.part("transfer-complete").click();
    await ann.part("number-field").waitFor(WITHIN);
    await bob.waitForCall("connected");
    await expectTone(bob, TONE_PEER);
    expect(await ann.part("line").count()).toBe(0);
    await bob.end();
  });
});

/** The value of a header field in a message. */
function fieldOf(message: string, name: string): string {
  return new RegExp(`^${name}: *(.*?)\r$`, "im").exec(message)?.[1] ?? "";
}

describe("a far end that names somebody to call", () => {
  it("gets nobody called without a click", async () => {
    const { gateway } = stage();
    const bob = await openBob();
    const page = await stage().ann.newPage();
    const sent: string[] = [];
    const received: string[] = [];
    let toPage: WebSocketRoute | undefined;
    await page.routeWebSocket(/\/ws$/, (near) => {
      toPage = near;
      const far = near.connectToServer();
      near.onMessage((message) => {
        sent.push(String(message));
        // What answers our own REFER is no business of the gateway.
        if (!/^CSeq: \d+ REFER\r$/m.test(String(message))) far.send(message);
      });
      far.onMessage((message) => {
        received.push(String(message));
        near.send(message);
      });
    });
    await ann.page.close();
    const phone = new PhonePage(page);
    await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
    await phone.signIn("1001", PASSWORDS["1001"]);
    await phone.call("*43");
    await phone.waitForCall("connected");
    const answer = received.find(
      (message) => message.startsWith("SIP/2.0 200") && /^CSeq: \d+ INVITE\r$/m.test(message),
    );
    const invite = sent.findLast((message) => message.startsWith("INVITE"));
    if (answer === undefined || invite === undefined) throw new Error("there is no call");
    const invites = (): number => sent.filter((message) => message.startsWith("INVITE")).length;
    const before = invites();
    const refer = (sequence: number): void =>
      toPage?.send(
        [
          `REFER ${/<(.*?)>/.exec(fieldOf(invite, "Contact"))?.[1] ?? ""} SIP/2.0`,
          `Via: SIP/2.0/WS test.invalid;branch=z9hG4bKrefer${sequence}`,
          `From: ${fieldOf(answer, "To")}`,
          `To: ${fieldOf(answer, "From")}`,
          `Call-ID: ${fieldOf(answer, "Call-ID")}`,
          `CSeq: ${7000 + sequence} REFER`,
          "Max-Forwards: 70",
          "Contact: <sip:test@test.invalid;transport=ws>",
          "Refer-To: <sip:1002@localhost>",
          "Content-Length: 0",
          "",
          "",
        ].join("\r\n"),
      );
    const answersToRefer = (): string[] =>
      sent
        .filter((message) => /^CSeq: 70\d\d REFER\r$/m.test(message))
        .map((message) => message.slice(8, 11));

    refer(1);
    expect(await phone.part("referral").textContent()).toContain("1002");
    expect(answersToRefer()).toEqual([]);
    await phone.part("referral-refuse").click();
    await expect.poll(answersToRefer).toEqual(["603"]);
    expect(invites()).toBe(before);
    expect(await bob.part("answer").count()).toBe(0);

    refer(2);
    await phone.part("referral-accept").click();
    await bob.waitForCall("incoming");
    expect(answersToRefer()).toEqual(["603", "202"]);
    await bob.answer();
    await phone.waitForCall("connected");
    await expectTone(phone, TONE_1002);
    await phone.end();
    await phone.end();
  });
});
