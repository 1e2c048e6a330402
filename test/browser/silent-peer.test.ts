import { afterAll, expect, it } from "vitest";

import { formatSocketAddress } from "../../src/core/address.ts";
import { expectNothingLeft, expectNoTransactions, lastRecord } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import { failureOf, openPhone, useStage } from "./support.ts";

let sipp: Sipp;
const stage = useStage(async () => {
  sipp = await Sipp.start({ scenario: "uas-never-answers", calls: 0 });
  return {
    config: {
      trunks: {
        silent: { peer: `sip:${formatSocketAddress(sipp.address)}` },
        void: { peer: `sip:127.0.0.1:${await freePort()}` },
      },
      dialplan: {
        routes: [
          { name: "silent", to: "600", do: { dial: "silent" } },
          { name: "void", to: "690", do: { dial: "void" } },
        ],
      },
    },
  };
});

afterAll(async () => {
  await sipp.stop();
});

it("a peer that says nothing is given up after Timer B, 32 s; a caller who hangs up is free at once", async () => {
  const { gateway, ann, bob } = stage();
  const patient = await openPhone(ann, gateway, "1001");
  const hasty = await openPhone(bob, gateway, "1002");
  await hasty.call("600");
  await sipp.waitForMessage("received", "INVITE");
  await hasty.end();
  await hasty.waitForCall("ended");
  // The phone itself may not send CANCEL before our 100.
  await expect
    .poll(() => lastRecord(gateway))
    .toMatchObject({ end: { sipStatus: 487, by: "caller" } });
  // RFC 3261 §9.1: no CANCEL before a provisional response.
  expect(await sipp.received()).not.toContain("CANCEL");
  await patient.call("600");
  // Nobody listens there at all.
  await hasty.call("690");
  const silent = await failureOf(patient);
  expect(silent.details).toContain("504");
  expect(silent.title).not.toMatch(/no answer/i);
  const dead = await failureOf(hasty);
  expect(dead.details).toMatch(/50[34]/);
  const records = await gateway.api("/api/v1/cdrs?limit=2");
  expect(records.body).toMatchObject({
    items: [{ end: { sipStatus: 504, q850: 102 } }, { end: { sipStatus: 504, q850: 102 } }],
  });
  await expectNothingLeft(gateway);
  await expectNoTransactions(gateway);
});
