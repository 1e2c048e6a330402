import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, startGateway } from "../harness/gateway.ts";
import { TestRtpengine } from "../harness/rtpengine.ts";
import { SipBank } from "../harness/sip-bank.ts";
import { UdpRelay } from "../harness/udp-relay.ts";
import { waitFor } from "../harness/wait.ts";

const CALLS = 200;
/** Calls at a time. */
const AT_ONCE = 20;
const LOSS = 0.3;
const LIMIT_MS = 15_000;

let callers: SipBank;
let callees: SipBank;
let rtpengine: TestRtpengine;
let relay: UdpRelay;
let gateway: Gateway;

beforeAll(async () => {
  callers = await SipBank.open({ host: "127.0.0.2", hasSound: false });
  callees = await SipBank.open({ host: "127.0.0.3", hasSound: false });
  rtpengine = await TestRtpengine.start();
  relay = await UdpRelay.start({
    target: { host: "127.0.0.1", port: rtpengine.ngPort },
    loss: LOSS,
  });
  const trunk = (bank: SipBank) => ({ peer: `sip:${bank.address.host}:${bank.address.port}` });
  gateway = await startGateway({
    config: {
      media: { rtpengine: [`udp:${relay.address.host}:${relay.address.port}`] },
      trunks: { callers: trunk(callers), callees: trunk(callees) },
      dialplan: { routes: [{ name: "callees", to: "_7XX", do: { dial: "callees" } }] },
    },
  });
  callers.sendTo(gateway.sip);
  callees.sendTo(gateway.sip);
});

afterAll(async () => {
  await gateway.stop();
  await relay.stop();
  await rtpengine.stop();
  await callers[Symbol.asyncDispose]();
  await callees[Symbol.asyncDispose]();
});

describe("30 % of the ng datagrams are lost, each way", () => {
  it(`${CALLS} of ${CALLS} calls are set up and ended, and rtpengine never counts as down`, async () => {
    const numbers = Array.from(
      { length: CALLS },
      (_, index) => `7${String(index % 100).padStart(2, "0")}`,
    );
    const times: number[] = [];
    const startedMs = performance.now();
    const work = async (): Promise<void> => {
      for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
        const dialledMs = performance.now();
        const call = await callers.dial(number);
        times.push(performance.now() - dialledMs);
        await callers.hangUp(call);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const tookMs = Math.round(performance.now() - startedMs);
    times.sort((left, right) => left - right);
    const { received, lost } = relay.counts;
    console.info(
      `${times.length} calls in ${tookMs} ms, set up within ${Math.round(times[CALLS / 2] ?? 0)} ms ` +
        `(median) and ${Math.round(times.at(-1) ?? 0)} ms (most); ${lost} of ${received} datagrams lost`,
    );
    expect(times).toHaveLength(CALLS);
    expect(tookMs).toBeLessThan(LIMIT_MS);
    expect(lost / received).toBeGreaterThan(0.25);
    const complaints = gateway.logs().filter(({ msg }) => msg === "rtpengine is down");
    expect(complaints.map(({ text }) => text)).toEqual([]);
    await waitFor(async () => (await rtpengine.callIds()).length === 0, {
      what: "no session to be left in rtpengine",
    });
  });
});
