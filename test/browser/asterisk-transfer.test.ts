import { describe, expect, it } from "vitest";

import { hasAsterisk, useAsterisk } from "../harness/asterisk.ts";
import { measureStreamTone } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { SipJsPage } from "../harness/sipjs-page.ts";
import { waitFor } from "../harness/wait.ts";
import { leaveNothingBehind } from "./asterisk-stage.ts";
import { CLEAN, TONE_1001, TONE_1002, useStage } from "./support.ts";

describe("transfers with Asterisk 22 as the trunk", () => {
  const asterisk = useAsterisk();
  const stage = useStage(async () => {
    if (!hasAsterisk()) return {};
    return {
      config: {
        media: { codecs: "narrow" },
        trunks: { plain: { peer: asterisk().peer("plain"), transfer: "pass-through" } },
        dialplan: {
          routes: [
            { name: "to Asterisk", to: "_7X.", do: { dial: "plain", strip: 1 } },
            { name: "users", to: "@users", do: { ring: "@to" } },
          ],
        },
      },
    };
  });

  leaveNothingBehind(asterisk, stage);

  async function openBoth(): Promise<readonly [SipJsPage, SipJsPage]> {
    const { gateway, ann, bob } = stage();
    await asterisk().useGateway(gateway);
    return [
      await SipJsPage.open(ann, gateway, "1001", PASSWORDS["1001"]),
      await SipJsPage.open(bob, gateway, "1002", PASSWORDS["1002"]),
    ];
  }

  async function expectTone(page: SipJsPage, call: number, frequencyHz: number): Promise<void> {
    await expect
      .poll(
        async () => (await measureStreamTone(page.page, page.remote(call), frequencyHz, 500)).share,
        { timeout: 8000 },
      )
      .toBeGreaterThan(CLEAN);
  }

  it("Asterisk asks for one: its caller talks to the browser that it has named", async () => {
    const [ann, bob] = await openBoth();
    const call = await ann.call("76201002");
    await bob.waitForState(0, "Established");
    await expectTone(ann, call, TONE_1002);
    await expectTone(bob, 0, TONE_1001);
    await waitFor(
      async () => (await asterisk().log()).some((line) => line.includes("TRANSFER SUCCESS")),
      { what: "Asterisk to be told", timeoutMs: 5000 },
    );
    await ann.hangUp(call);
    await bob.waitForState(0, "Terminated");
  });

  // 600 sends back what it hears: whoever talks to it hears itself.
  it("a browser asks for one and hangs up at once: Asterisk talks to the other browser", async () => {
    const [ann, bob] = await openBoth();
    const call = await ann.call("7600");
    await expectTone(ann, call, TONE_1001);
    await ann.refer(call, "1002", { leavesAtOnce: true });
    await bob.waitForState(0, "Established");
    await expectTone(bob, 0, TONE_1002);
    await bob.hangUp(0);
  });

  it("a browser asks for one with consultation", async () => {
    const [ann, bob] = await openBoth();
    const first = await ann.call("7600");
    await ann.hold(first, true);
    const second = await ann.call("1002");
    await ann.refer(first, second);
    await ann.waitForState(first, "Terminated");
    await ann.waitForState(second, "Terminated");
    expect((await ann.referLog()).notifies.at(-1)).toBe("SIP/2.0 200 OK");
    await expectTone(bob, 0, TONE_1002);
    await bob.hangUp(0);
  });

  it("RFC 3891: another of its telephones picks up what rings, and hears the browser", async () => {
    const [ann] = await openBoth();
    const { gateway } = stage();
    const pickUp = async (): Promise<void> => {
      await waitFor(
        async () => {
          const { body } = await gateway.api("/api/v1/calls");
          const isTold = (await asterisk().log()).some((line) => /RINGING \S/.test(line));
          return isTold && JSON.stringify(body).includes('"state":"ringing"');
        },
        { what: "Asterisk to ring", timeoutMs: 15_000 },
      );
      // 600 sends back what it hears.
      await asterisk().command(
        "channel originate Local/614@from-gateway extension 600@from-gateway",
      );
    };
    const [call] = await Promise.all([ann.call("7616"), pickUp()]);
    await expectTone(ann, call, TONE_1001);
    await ann.hangUp(call);
  });

  it("to another of its extensions: Asterisk is asked to transfer its own party", async () => {
    const [ann, bob] = await openBoth();
    // By way of Asterisk, so that it has a party to transfer: its call to Bob.
    const call = await ann.call("76101002");
    await bob.waitForState(0, "Established");
    await expectTone(bob, 0, TONE_1001);
    await ann.refer(call, "7600");
    await ann.waitForState(call, "Terminated");
    const { response, notifies } = await ann.referLog();
    expect([response, notifies.at(-1)]).toEqual([202, "SIP/2.0 200 OK"]);
    await expectTone(bob, 0, TONE_1002);
    await bob.hangUp(0);
  });
});
