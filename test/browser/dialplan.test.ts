import { afterAll, afterEach, describe, expect, it } from "vitest";

import type { SocketAddress } from "../../src/core/address.ts";
import { Baresip } from "../harness/baresip.ts";
import { expectNothingLeft, gatewayUri, lastRecord } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import { liveCalls } from "../integration/support.ts";
import { openPhone, TONE_1001, TONE_1002, TONE_PEER, useStage } from "./support.ts";

// A plan as an office has it, with two browsers, a PBX's telephone (baresip) and carriers (sipp).

// The desk alone calls: a trunk is known by its address.
const CARRIERS = "127.0.0.2";

/** Whose sound it is counts here; how clean it is, other tests measure. */
const HEARD = 0.5;

let desk: Baresip;
let carrier: Sipp;
let busy: Sipp;
let congested: Sipp;

const stage = useStage(async () => {
  desk = await Baresip.start({ user: "600" });
  carrier = await Sipp.start({
    scenario: "uas-echo",
    values: { ring_ms: 20 },
    calls: 0,
    localHost: CARRIERS,
  });
  busy = await Sipp.start({
    scenario: "uas-refuses",
    values: { status: 486, reason: "Busy Here" },
    calls: 0,
    localHost: CARRIERS,
  });
  congested = await Sipp.start({ scenario: "uas-refuses", calls: 0, localHost: CARRIERS });
  return {
    config: {
      trunks: {
        desk: trunkAt(desk.address),
        carrier: trunkAt(carrier.address),
        busy: trunkAt(busy.address),
        congested: trunkAt(congested.address),
      },
      dialplan: {
        country: "DE",
        hooks: {
          crm: {
            // Nobody listens there.
            url: `http://127.0.0.1:${await freePort()}/`,
            secret: "browser-secret-0123456789",
          },
        },
        routes: [
          { name: "all", to: "500", do: { ring: ["1001", "1002"], timeout: "30s" } },
          {
            name: "sequence",
            to: "501",
            do: {
              ring: ["1001", "1002"],
              by: "sequence",
              each: "4s",
              timeout: "8s",
              then: { dial: "carrier" },
            },
          },
          { name: "busy", to: "502", do: { dial: "busy", on: { busy: { forward: "503" } } } },
          { name: "forwarded", to: "503", do: { ring: "1002" } },
          { name: "unknown", to: "504", do: { reject: 404, announce: "number-unknown" } },
          { name: "hook", to: "505", do: { ask: "crm", else: { dial: "desk", number: "600" } } },
          {
            name: "cause",
            to: "506",
            do: { dial: "congested", on: { busy: { reject: 486 }, "503": { dial: "carrier" } } },
          },
        ],
      },
    },
  };
});

afterEach(async () => {
  const { gateway, ann, bob } = stage();
  try {
    await expectNothingLeft(gateway);
  } finally {
    // One failed test must not take the next ones with it.
    await ann.closePages();
    await bob.closePages();
    for (const id of await liveCalls(gateway)) {
      await gateway.api(`/api/v1/calls/${id}`, { method: "DELETE" });
    }
  }
});

afterAll(async () => {
  await desk.stop();
  for (const peer of [carrier, busy, congested]) await peer.stop();
});

function trunkAt({ host, port }: SocketAddress): { readonly peer: string } {
  return { peer: `sip:${host}:${port}` };
}

async function bothPhones() {
  const { gateway, ann, bob } = stage();
  return {
    gateway,
    ann: await openPhone(ann, gateway, "1001"),
    bob: await openPhone(bob, gateway, "1002"),
  };
}

async function invitesOf(peer: Sipp): Promise<number> {
  return (await peer.received()).filter((what) => what === "INVITE").length;
}

describe("a plan of an office", () => {
  it("rings all, and lets them rest once one has answered", async () => {
    const { gateway, ann, bob } = await bothPhones();
    await desk.startDialling(gatewayUri(gateway, "500"));
    await ann.waitForCall("incoming");
    await bob.waitForCall("incoming");
    await bob.answer();
    await bob.waitForCall("connected");
    await expect.poll(() => ann.part("answer").count()).toBe(0);
    expect((await bob.remoteTone(TONE_PEER, 2000)).share).toBeGreaterThan(HEARD);
    await bob.end();
    await desk.waitForEvent("CALL_CLOSED");
    const record = await lastRecord(gateway);
    const simulated = await gateway.api("/api/v1/dialplan/simulate", {
      method: "POST",
      body: { trunk: "desk", from: "600", to: "500" },
    });
    expect(simulated.body).toMatchObject({ route: "all", trace: record["trace"] });
    expect(record).toMatchObject({
      route: "all",
      result: "success",
      trace: [
        {
          matched: true,
          steps: [
            { kind: "user", id: "1001", state: "idle" },
            { kind: "user", id: "1002", state: "idle" },
            { kind: "codecs", by: "default" },
          ],
        },
      ],
    });
  });

  it("rings one after the other, each for its time, then overflows to a trunk", async () => {
    const { gateway, ann, bob } = await bothPhones();
    const established = desk.events.filter(({ type }) => type === "CALL_ESTABLISHED").length;
    await desk.startDialling(gatewayUri(gateway, "501"));
    await ann.waitForCall("incoming");
    expect(await bob.part("answer").count()).toBe(0);
    await bob.waitForCall("incoming");
    await expect.poll(() => ann.part("answer").count()).toBe(0);
    await desk.waitForEvent("CALL_ESTABLISHED", established);
    await expect.poll(() => bob.part("answer").count()).toBe(0);
    expect(await invitesOf(carrier)).toBe(1);
    await desk.hangUp();
    await expectNothingLeft(gateway);
    expect(await lastRecord(gateway)).toMatchObject({
      route: "sequence",
      result: "success",
      legs: [{ kind: "trunk", id: "desk" }, { id: "1001" }, { id: "1002" }, { id: "carrier" }],
    });
  });

  it("forwards from a busy trunk to a colleague", async () => {
    const { gateway, ann, bob } = await bothPhones();
    await ann.call("502");
    await bob.waitForCall("incoming");
    await bob.answer();
    await ann.waitForCall("connected");
    expect((await ann.remoteTone(TONE_1002, 2000)).share).toBeGreaterThan(HEARD);
    expect(await invitesOf(busy)).toBe(1);
    await ann.end();
    await bob.waitForCall("ended");
    await expectNothingLeft(gateway);
    expect(await lastRecord(gateway)).toMatchObject({ route: "busy", result: "success" });
  });

  it("tells why before it refuses", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("504");
    await phone.waitForCall("early-media");
    await phone.waitForCall("ended", 40_000);
    expect(await phone.part("error-details").textContent()).toContain("404");
    expect(await lastRecord(gateway)).toMatchObject({
      route: "unknown",
      end: { sipStatus: 404, by: "gateway" },
    });
  });

  it("does without a hook that is down, and with the carrier that is left by its cause", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("505");
    await phone.waitForCall("connected");
    expect((await phone.remoteTone(TONE_PEER, 2000)).share).toBeGreaterThan(HEARD);
    await phone.end();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);
    expect(await lastRecord(gateway)).toMatchObject({ route: "hook", result: "success" });
    const before = await invitesOf(carrier);
    await phone.call("506");
    await phone.waitForCall("connected");
    // The carrier's echo.
    expect((await phone.remoteTone(TONE_1001, 2000)).share).toBeGreaterThan(HEARD);
    expect([await invitesOf(congested), await invitesOf(carrier)]).toEqual([1, before + 1]);
    await phone.end();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);
    expect(await lastRecord(gateway)).toMatchObject({ route: "cause", result: "success" });
  });
});
