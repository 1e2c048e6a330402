import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { type BankCall, SipBank } from "../harness/sip-bank.ts";
import { waitFor } from "../harness/wait.ts";
import { reasonOf } from "./support.ts";

const TIMEOUT_MS = 3000;

let callers: SipBank;
let callees: SipBank;
let gateway: Gateway;

beforeAll(async () => {
  callers = await SipBank.open({ host: "127.0.0.2" });
  callees = await SipBank.open({ host: "127.0.0.3" });
  const trunk = (bank: SipBank) => ({ peer: `sip:${bank.address.host}:${bank.address.port}` });
  gateway = await startGateway({
    config: {
      media: { timeout: `${TIMEOUT_MS / 1000}s` },
      trunks: { callers: trunk(callers), callees: trunk(callees) },
      dialplan: { routes: [{ name: "callees", to: "_7XX", do: { dial: "callees" } }] },
    },
  });
  callers.sendTo(gateway.sip);
  callees.sendTo(gateway.sip);
});

afterAll(async () => {
  await gateway.stop();
  await callers[Symbol.asyncDispose]();
  await callees[Symbol.asyncDispose]();
});

/** A call with sound both ways. */
async function talk(number: string): Promise<readonly [BankCall, BankCall]> {
  const caller = await callers.dial(number);
  const callee = callees.live.find(({ invite }) => invite?.uri.user === number);
  if (callee === undefined) throw new Error("the callee has no call");
  await waitFor(() => [caller, callee].every(({ rtp }) => (rtp?.received.length ?? 0) > 5), {
    what: "sound both ways",
  });
  return [caller, callee];
}

describe("no packet for as long as media.timeout", () => {
  it("ends a call with a reason, but not one that talks, and never one that is held", async () => {
    const [dead, deadFar] = await talk("701");
    const [alive] = await talk("702");
    const [holder, held] = await talk("703");
    const [asleep, asleepFar] = await talk("704");
    // A holder without music; and two telephones that hold each other.
    await callers.change(holder, "sendonly");
    await callers.change(asleep, "inactive");
    for (const call of [holder, held, asleep, asleepFar]) call.isSilent = true;
    const silentMs = performance.now();
    // Its machine has lost power: neither packets nor a BYE.
    deadFar.isSilent = true;
    await Promise.all([dead.over, deadFar.over]);
    const tookMs = performance.now() - silentMs;
    console.info(`the dead call was ended after ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeGreaterThanOrEqual(TIMEOUT_MS - 500);
    for (const { bye } of [dead, deadFar]) {
      if (bye === undefined) throw new Error("it was not hung up");
      expect(reasonOf(bye)).toContain("Q.850;cause=27");
    }
    await waitFor(async () => (await records(gateway)).length === 1, { what: "its record" });
    const [record] = await records(gateway);
    expect(record).toMatchObject({ end: { by: "gateway", sipStatus: 408, q850: 27 } });
    expect(JSON.stringify(record)).toMatch(/No sound from the callee for \d s/);

    // The held ones have been as silent, and stay so for longer than the dead one was given.
    await waitFor(() => performance.now() - silentMs > 2 * TIMEOUT_MS + 500, { what: "more time" });
    expect([alive, holder, held, asleep, asleepFar].map(({ state }) => state)).toEqual(
      Array.from({ length: 5 }, () => "up"),
    );
    // Resumed, it is given its whole time again.
    for (const call of [holder, held]) call.isSilent = false;
    await callers.change(holder, "sendrecv");
    const before = held.rtp?.received.length ?? 0;
    await waitFor(() => (held.rtp?.received.length ?? 0) > before + 3, { what: "sound again" });
    for (const call of [alive, holder, asleep]) await callers.hangUp(call);
    await expectNothingLeft(gateway);
  });
});
