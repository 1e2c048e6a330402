import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchange } from "../conformance/exchange.ts";
import { udpLine } from "../conformance/line.ts";
import type { Line } from "../conformance/line.ts";
import type { Gateway } from "../harness/gateway.ts";
import { expectNoTransactions, expectNothingLeft } from "../harness/gateway-state.ts";
import {
  ASKER,
  attack,
  ATTACKS,
  CARRIED,
  FarLeg,
  NEAR_HOST,
  problemsOf,
  startAttacked,
  type StandName,
  withBrowserOffer,
} from "./attack-stage.ts";

/** What is left of the attacks once their transactions have ended, which is waited for. */

let gateway: Gateway;
const far = new FarLeg();

beforeAll(async () => {
  gateway = await startAttacked(far);
});

afterAll(async () => {
  await expectNothingLeft(gateway);
  await expectNoTransactions(gateway);
  far.close();
  await gateway.stop();
});

function pssKilobytes(): number {
  const text = readFileSync(`/proc/${gateway.pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]);
}

describe("what is too large or takes long, a thousand times over", () => {
  const heavy = ATTACKS.filter(({ name }) => /^(?:size|redos)-/.test(name));

  async function round(count: number): Promise<void> {
    const open = (): Promise<Line> => udpLine({ host: NEAR_HOST, port: 5070 }, gateway.sip);
    const line = await open();
    for (let index = 0; index < count; index += 1) {
      for (const { octets } of heavy) {
        await exchange({ line, octets, asker: ASKER, isAnswered: true, reopen: open });
      }
    }
    await line.close();
    await expectNoTransactions(gateway);
  }

  it("leaves no memory behind", async () => {
    const stands: readonly StandName[] = ["trunk", "browser"];
    for (const stand of stands) {
      for (const { octets, ...answers } of ATTACKS) {
        await attack(gateway, stand, octets, answers[stand] !== null);
      }
    }
    for (const { octets } of CARRIED) {
      await attack(gateway, "browser", withBrowserOffer(octets), true);
    }
    // Twice the same: the first time takes what the second time may use again.
    await round(500);
    const before = pssKilobytes();
    await round(500);
    const grownKilobytes = pssKilobytes() - before;
    process.stdout.write(`memory after 500 more rounds: ${grownKilobytes} kB more\n`);
    expect(grownKilobytes).toBeLessThan(20_000);
    expect(problemsOf(gateway)).toEqual([]);
  }, 180_000);
});
