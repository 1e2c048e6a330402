import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { measureStreamTone, TestBrowser } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { SipJsPage } from "../harness/sipjs-page.ts";
import { CLEAN, TONE_1001, TONE_1002, useStage } from "./support.ts";

const TONE_1003 = 600;
const stage = useStage({
  config: { users: { "1003": { name: "Cal Fox", password: "harness-password-three" } } },
});
let cal: TestBrowser;
let a: SipJsPage;
let b: SipJsPage;
let c: SipJsPage;

beforeAll(async () => {
  const { gateway, ann, bob } = stage();
  cal = await TestBrowser.launch({ toneHz: TONE_1003 });
  a = await SipJsPage.open(ann, gateway, "1001", PASSWORDS["1001"]);
  b = await SipJsPage.open(bob, gateway, "1002", PASSWORDS["1002"]);
  c = await SipJsPage.open(cal, gateway, "1003", "harness-password-three");
});

afterAll(async () => {
  await cal?.close();
});

afterEach(async () => {
  await c.onIncoming("answer");
  await expectNothingLeft(stage().gateway);
});

/** Both hear the other one's tone. */
async function expectTalk(
  one: readonly [page: SipJsPage, call: number, toneHz: number],
  other: readonly [page: SipJsPage, call: number, toneHz: number],
): Promise<void> {
  for (const [[page, call], [, , toneHz]] of [
    [one, other],
    [other, one],
  ] as const) {
    // Whoever has just been asked anew needs some 100 ms for ICE and DTLS, and Chromium up to 3 s
    // when it stays on its old path until that has been silent.
    await expect
      .poll(
        async () => (await measureStreamTone(page.page, page.remote(call), toneHz, 1000)).share,
        { timeout: 10_000 },
      )
      .toBeGreaterThan(CLEAN);
  }
}

async function last(page: SipJsPage): Promise<number> {
  return (await page.callCount()) - 1;
}

describe("RFC 5589 a transfer by a browser", () => {
  it("blind: the other one talks to the target, and the transferor is let go", async () => {
    const call = await a.call("1002");
    const atB = await last(b);
    await expectTalk([a, call, TONE_1001], [b, atB, TONE_1002]);
    await a.refer(call, "1003");
    await a.waitForState(call, "Terminated");
    const { response, notifies } = await a.referLog();
    expect(response).toBe(202);
    expect(notifies[0]).toBe("SIP/2.0 100 Trying");
    expect(notifies.at(-1)).toBe("SIP/2.0 200 OK");
    const atC = await last(c);
    await expectTalk([b, atB, TONE_1002], [c, atC, TONE_1003]);
    await c.hangUp(atC);
    await b.waitForState(atB, "Terminated");
    await expectNothingLeft(stage().gateway);
    const [second, first] = await records(stage().gateway, 2);
    expect(first).toMatchObject({
      result: "success",
      transfers: [{ kind: "blind", to: "1003", result: "done", call: second?.["id"] }],
    });
    expect(second).toMatchObject({
      from: { id: "1002" },
      to: "1003",
      transferredFrom: { call: first?.["id"], by: { id: "1001" } },
    });
  });

  it("blind to one who refuses: both go on as before", async () => {
    await c.onIncoming("busy");
    const call = await a.call("1002");
    const atB = await last(b);
    await a.refer(call, "1003");
    await expect
      .poll(async () => (await a.referLog()).notifies.at(-1), { timeout: 10_000 })
      .toBe("SIP/2.0 486 Busy Here");
    await expectTalk([a, call, TONE_1001], [b, atB, TONE_1002]);
    await a.hangUp(call);
    await b.waitForState(atB, "Terminated");
  });

  it("blind by one who hangs up at once", async () => {
    await c.onIncoming("ring");
    const call = await a.call("1002");
    const atB = await last(b);
    const before = await c.callCount();
    await a.refer(call, "1003", { leavesAtOnce: true });
    await a.waitForState(call, "Terminated");
    await expect.poll(() => c.callCount(), { timeout: 10_000 }).toBe(before + 1);
    await c.page.evaluate(`window.calls[${before}].accept()`);
    await expectTalk([b, atB, TONE_1002], [c, before, TONE_1003]);
    await b.hangUp(atB);
    await c.waitForState(before, "Terminated");
  });

  it("attended: the two that it talks to talk to each other", async () => {
    const first = await a.call("1002");
    const atB = await last(b);
    await a.hold(first, true);
    const second = await a.call("1003");
    const atC = await last(c);
    await a.refer(first, second);
    await a.waitForState(first, "Terminated");
    await a.waitForState(second, "Terminated");
    expect((await a.referLog()).notifies.at(-1)).toBe("SIP/2.0 200 OK");
    await expectTalk([b, atB, TONE_1002], [c, atC, TONE_1003]);
    await b.hangUp(atB);
    await c.waitForState(atC, "Terminated");
    await expectNothingLeft(stage().gateway);
    const all = await records(stage().gateway, 3);
    expect(all.map(({ transfers }) => transfers).filter(Boolean)).toMatchObject([
      [{ kind: "attended", to: "1003", result: "done" }],
    ]);
  });

  it("to another domain it is refused, and the call goes on", async () => {
    const call = await a.call("1002");
    const atB = await last(b);
    await a.page.evaluate(
      `(() => {
        const { makeURI } = SIP.UserAgent;
        SIP.UserAgent.makeURI = () => makeURI("sip:+4990012345@elsewhere.example");
        return window.calls[${call}].refer(SIP.UserAgent.makeURI(""), {
          requestDelegate: { onReject: ({ message }) => { window.refused = message.statusCode; } },
        }).finally(() => { SIP.UserAgent.makeURI = makeURI; });
      })()`,
    );
    await expect.poll(() => a.page.evaluate("window.refused")).toBe(403);
    await stage().gateway.waitForLog("call-refused");
    await expectTalk([a, call, TONE_1001], [b, atB, TONE_1002]);
    await a.hangUp(call);
    await b.waitForState(atB, "Terminated");
  });
});
