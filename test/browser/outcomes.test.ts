import { afterEach, describe, expect, it } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import { Sipp, type SippScenario } from "../harness/sipp.ts";
import {
  expectNothingLeft,
  expectNoTransactions,
  gatewayUri,
  lastRecord,
} from "../harness/gateway-state.ts";
import { failureOf, openPhone, TONE_1001, useStage } from "./support.ts";
import { freePort } from "../harness/ports.ts";

let peerPort = 0;
const stage = useStage(async () => {
  peerPort = await freePort();
  return {
    config: {
      trunks: {
        office: { peer: `sip:127.0.0.1:${peerPort}` },
      },
      dialplan: {
        routes: [
          { name: "colleagues", to: "@users", do: { ring: "@to", timeout: "3s" } },
          { name: "short", to: "601", do: { dial: "office", timeout: "3s" } },
          { name: "office", to: "_6XX", from: { group: "all" }, do: { dial: "office" } },
        ],
      },
      users: {
        "1001": { name: "Ann Lee", password: "harness-password-one", groups: ["all"] },
        "1002": { name: "Bob Ray", password: "harness-password-two", groups: ["all"] },
      },
    },
  };
});

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

async function withPeer<Result>(
  scenario: SippScenario,
  body: (sipp: Sipp) => Promise<Result>,
  values: Readonly<Record<string, string | number>> = {},
): Promise<Result> {
  const sipp = await Sipp.start({ scenario, port: peerPort, calls: 0, values });
  try {
    return await body(sipp);
  } finally {
    await sipp.stop();
  }
}

describe("a browser's call that does not come about", () => {
  it.each([
    ["busy", "uas-busy", "600", /busy/i, "486", { sipStatus: 486, q850: 17, by: "callee" }],
    ["no answer", "uas-no-answer", "601", /no answer/i, "480", { sipStatus: 480, q850: 19 }],
  ] as const)("%s", async (_name, scenario, number, title, code, end) => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await withPeer(scenario, async (sipp) => {
      await phone.call(number);
      const shown = await failureOf(phone);
      expect(shown.title).toMatch(title);
      expect(shown.details).toContain(code);
      if (scenario === "uas-no-answer") await sipp.waitForMessage("received", "CANCEL");
    });
    expect(await lastRecord(gateway)).toMatchObject({ result: "client_error", end });
    await phone.page.close();
  });

  it("an unknown number", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("999");
    const shown = await failureOf(phone);
    expect(shown.title).toMatch(/not found/i);
    expect(shown.details).toContain("404");
    expect(await lastRecord(gateway)).toMatchObject({ end: { sipStatus: 404, by: "gateway" } });
    await phone.page.close();
  });

  it("a colleague who declines", async () => {
    const { gateway, ann, bob } = stage();
    const caller = await openPhone(ann, gateway, "1001");
    const callee = await openPhone(bob, gateway, "1002");
    await caller.call("1002");
    await callee.waitForCall("incoming");
    await callee.decline();
    const shown = await failureOf(caller);
    expect(shown.title).toMatch(/declined/i);
    expect(await lastRecord(gateway)).toMatchObject({ end: { sipStatus: 603 } });
    await caller.page.close();
    await callee.page.close();
  });

  it("a colleague who does not answer", async () => {
    const { gateway, ann, bob } = stage();
    const caller = await openPhone(ann, gateway, "1001");
    const callee = await openPhone(bob, gateway, "1002");
    await caller.call("1002");
    await callee.waitForCall("incoming");
    const shown = await failureOf(caller);
    expect(shown.title).toMatch(/no answer/i);
    await expect.poll(() => callee.part("answer").count()).toBe(0);
    await caller.page.close();
    await callee.page.close();
  });

  it("a colleague who is not signed in", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("1002");
    const shown = await failureOf(phone);
    expect(shown.details).toContain("480");
    await phone.page.close();
  });
});

describe("cancelling", () => {
  it("while it rings: CANCEL reaches the peer", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await withPeer("uas-no-answer", async (sipp) => {
      await phone.call("600");
      await phone.waitForCall("ringing");
      await phone.end();
      await sipp.waitForMessage("received", "CANCEL");
      await phone.waitForCall("ended");
    });
    await phone.page.close();
  });

  it("by a PBX that gives up: the browser stops ringing", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const baresip = await Baresip.start({ port: peerPort });
    await baresip.startDialling(gatewayUri(gateway, "1001"));
    await phone.waitForCall("incoming");
    await baresip.hangUp();
    await expect.poll(() => phone.part("answer").count()).toBe(0);
    await baresip.stop();
    await phone.page.close();
  });
});

describe("answers of every kind", () => {
  it("183 with early media, then 200", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await withPeer(
      "uas-early-media",
      async () => {
        await phone.call("600");
        await phone.waitForCall("early-media");
        const early = await phone.remoteTone(TONE_1001, 1000);
        expect(early.share, "heard before the answer").toBeGreaterThan(0.5);
        await phone.waitForCall("connected");
        const late = await phone.remoteTone(TONE_1001, 1000);
        expect(late.share).toBeGreaterThan(0.9);
        await phone.end();
        await phone.waitForCall("ended");
      },
      { ring_ms: 3000 },
    );
    await phone.page.close();
  });

  it("the peer hangs up first", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await withPeer("uas-hangs-up", async () => {
      await phone.call("600");
      await phone.waitForCall("connected");
      await phone.waitForCall("ended");
    });
    expect(await lastRecord(gateway)).toMatchObject({ result: "success", end: { by: "callee" } });
    await phone.page.close();
  });

  it("the PBX calls, and the browser declines", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const baresip = await Baresip.start({ port: peerPort });
    await baresip.startDialling(gatewayUri(gateway, "1001"));
    await phone.waitForCall("incoming");
    await phone.decline();
    const closed = await baresip.waitForEvent("CALL_CLOSED");
    expect(closed.param).toContain("603");
    await baresip.stop();
    await phone.page.close();
  });
});

describe("after everything", () => {
  it("no transaction is left either", async () => {
    await expectNoTransactions(stage().gateway);
  });
});
