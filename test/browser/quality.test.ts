import { afterAll, afterEach, describe, expect, it } from "vitest";

import { Baresip } from "../harness/baresip.ts";
import { GATEWAY_ADDRESS } from "../harness/browser-network.ts";
import { expectNothingLeft, lastRecord, metric } from "../harness/gateway-state.ts";
import { waitFor } from "../harness/wait.ts";
import { openMovingPhone, useMovingStage } from "./moving-stage.ts";
import { CLEAN, TONE_PEER } from "./support.ts";

/** OFFHOOK_TEST_SEGMENTS=all tries every part of the way; each takes some 10 s. */
const isWhole = process.env["OFFHOOK_TEST_SEGMENTS"] === "all";
const LOSS = 0.2;

let baresip: Baresip | undefined;
const stage = useMovingStage(async () => {
  baresip = await Baresip.start({ user: "700", localHost: GATEWAY_ADDRESS });
  const { host, port } = baresip.address;
  return {
    trunks: { desk: { peer: `sip:${host}:${port}` } },
    dialplan: { routes: [{ name: "desk", to: "700", do: { dial: "desk" } }] },
  };
});

afterEach(async () => {
  await stage().network.heal();
  await expectNothingLeft(stage().gateway);
});

afterAll(async () => {
  await baresip?.stop();
});

/** Loses packets on one part of the way. */
async function lose(segment: string): Promise<void> {
  const { gateway, network } = stage();
  const media = `${gateway.ports.media.min}:${gateway.ports.media.max}`;
  const { min, max } = baresip?.mediaPorts ?? { min: 0, max: 0 };
  const udp = ["-p", "udp"];
  switch (segment) {
    case "browser-uplink":
      await network.lose("gateway", ["-i", "wifi-gw", ...udp, "--dport", media], LOSS);
      return;
    case "browser-downlink":
      await network.lose("browser", ["-i", "wifi", ...udp, "--sport", media], LOSS);
      return;
    case "carrier-inbound":
      await network.lose("gateway", ["-i", "lo", ...udp, "--sport", `${min}:${max}`], LOSS);
      return;
    case "carrier-outbound":
      await network.lose("gateway", ["-i", "lo", ...udp, "--dport", `${min}:${max}`], LOSS);
  }
}

interface Quality {
  readonly legs: Readonly<Record<string, { readonly packets: number; readonly mos?: number }>>;
  readonly browsers: Readonly<
    Record<string, { readonly iceRoundTripMs?: number; readonly loss?: Record<string, number> }>
  >;
  readonly problem?: string;
}

function qualityOf(call: unknown): Quality | undefined {
  // The API's own shape; docs/api.md describes it.
  return (call as { readonly media?: { readonly quality?: Quality } }).media?.quality;
}

async function quality(): Promise<Quality | undefined> {
  const { gateway } = stage();
  const { body } = await gateway.api("/api/v1/calls");
  const id = /"id":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? "";
  return qualityOf((await gateway.api(`/api/v1/calls/${id}`)).body);
}

describe("the sound of a call, by part of its way", () => {
  it(
    "is told at the API, in the record, in metrics, and to the user",
    async () => {
      const { gateway, network } = stage();
      const phone = await openMovingPhone(stage());
      await phone.call("700");
      await phone.waitForCall("connected");
      if (!isWhole) expect((await phone.remoteTone(TONE_PEER, 1000)).share).toBeGreaterThan(CLEAN);
      const segments = isWhole
        ? // baresip 1.0 reports what it misses in the first seconds of a call alone.
          ["carrier-outbound", "browser-uplink", "carrier-inbound", "browser-downlink"]
        : ["carrier-inbound"];
      for (const segment of segments) {
        await lose(segment);
        let seen: Quality | undefined;
        await waitFor(
          async () => {
            seen = await quality();
            const loss = seen?.browsers["caller"]?.loss;
            if (loss === undefined) return undefined;
            const [worst] = Object.entries(loss).toSorted(([, one], [, other]) => other - one);
            return worst !== undefined && worst[0] === segment && worst[1] > LOSS / 2;
          },
          {
            what: `loss on ${segment}`,
            timeoutMs: 30_000,
            intervalMs: 500,
            detail: () => JSON.stringify(seen),
          },
        );
        console.info(`${segment}: ${JSON.stringify(seen)}`);
        expect(seen?.problem).toMatch(/^\d+ % of the packets are lost /);
        expect(seen?.browsers["caller"]?.iceRoundTripMs).toBeGreaterThanOrEqual(0);
        expect(seen?.legs["caller"]?.packets).toBeGreaterThan(100);
        await expect
          .poll(() => phone.page.evaluate("window.offhookPhone.state().call.loss"))
          .toBe(segment);
        await network.heal();
      }
      await phone.end();
      await phone.waitForCall("ended");
      const record = await lastRecord(gateway);
      expect(qualityOf(record)?.browsers["caller"]?.loss).toBeDefined();
      expect(qualityOf(record)?.legs["callee-1"]?.packets).toBeGreaterThan(100);
      expect(await metric(gateway, "offhook_call_loss_ratio_count")).toBe(1);
      await phone.page.close();
    },
    isWhole ? 180_000 : 90_000,
  );
});
