import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { formatSocketAddress } from "../../src/core/address.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, expectNoTransactions, records } from "../harness/gateway-state.ts";
import { freePort, freePorts } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import { UdpRelay, type UdpRelayCounts } from "../harness/udp-relay.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

/** Calls of each of the two kinds. */
const CALLS = 200;
const LINES = 20;
const LOSS = 0.1;
/** sipp is not at the relay's address, so that nothing goes past the relay. */
const SIPP_HOST = "127.0.0.3";
const MEDIA_PORTS = 1200;
/**
 * sipp gives up after 5 repeats by default, too few for one call in 20,000, and at a message that
 * comes late or twice.
 */
const PATIENT =
  "-max_invite_retrans 12 -max_non_invite_retrans 12 -default_behaviors all,-abortunexp".split(" ");

let gateway: Gateway;
let sippPort: number;
let toSipp: UdpRelay;
let toGateway: UdpRelay;

beforeAll(async () => {
  sippPort = await freePort(SIPP_HOST);
  const mediaPort = await freePorts(MEDIA_PORTS);
  toSipp = await UdpRelay.start({
    target: { host: SIPP_HOST, port: sippPort },
    loss: LOSS,
    seed: 11,
  });
  gateway = await startGateway({
    config: {
      // 127.0.0.1 is the relay: calls of sipp's come from there too.
      trunks: { lossy: { peer: `sip:${formatSocketAddress(toSipp.address)}` } },
      media: { ports: `${mediaPort}-${mediaPort + MEDIA_PORTS - 1}` },
      limits: { "max-calls-per-user": CALLS },
    },
  });
  toGateway = await UdpRelay.start({ target: gateway.sip, loss: LOSS, seed: 12 });
});

afterAll(async () => {
  await toSipp.stop();
  await toGateway.stop();
  await gateway.stop();
});

function expectLossy({ received, lost }: UdpRelayCounts): void {
  // INVITE, 200, ACK, BYE, 200: a call has at least five datagrams.
  expect(received).toBeGreaterThan(CALLS * 5);
  expect(lost / received).toBeGreaterThan(LOSS * 0.6);
  expect(lost / received).toBeLessThan(LOSS * 1.4);
}

function print(what: string, setUpMs: readonly number[]): void {
  const sorted = setUpMs.toSorted((left, right) => left - right);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  console.info(
    `${what}, ${LOSS * 100} % loss each way: ${setUpMs.length} calls, set-up ` +
      `${at(0.5)} ms median, ${at(0.95)} ms at 95 %, ${at(1)} ms at most`,
  );
}

/** sipp calls the echo service through the relay. */
async function callsFromTrunk(): Promise<void> {
  await using sipp = await Sipp.start({
    scenario: "uac-lossy",
    localHost: SIPP_HOST,
    remote: toGateway.address,
    service: "*43",
    calls: CALLS,
    rate: 20,
    args: PATIENT,
    // Signaling is what is tried here.
    rtpEcho: false,
  });
  const result = await sipp.finished(60_000);
  expect(result, await sipp.errors()).toEqual({
    code: 0,
    successfulCalls: CALLS,
    failedCalls: 0,
  });
}

/** A web user calls sipp through the relay. @returns milliseconds from INVITE to 200 */
async function callsFromBrowser(): Promise<readonly number[]> {
  await using sipp = await Sipp.start({
    scenario: "uas-lossy",
    localHost: SIPP_HOST,
    port: sippPort,
    calls: CALLS,
    args: PATIENT,
    rtpEcho: false,
  });
  await using caller = await WsCaller.signIn(gateway, "1001");
  const one = async (): Promise<number> => {
    const startedAt = performance.now();
    const call = caller.invite("600");
    await call.answered(35_000);
    const setUpMs = performance.now() - startedAt;
    await call.bye();
    return setUpMs;
  };
  const figures: number[] = [];
  // On so many lines at once, on each one call after the other.
  const line = async (): Promise<void> => {
    for (let count = 0; count < CALLS / LINES; count += 1) figures.push(await one());
  };
  await Promise.all(Array.from({ length: LINES }, line));
  const result = await sipp.finished(30_000);
  expect(result, await sipp.errors()).toMatchObject({ successfulCalls: CALLS, failedCalls: 0 });
  return figures;
}

describe("a network that loses every tenth datagram, each way", () => {
  it(`completes ${CALLS} calls from a trunk and ${CALLS} to it, and leaves nothing behind`, async () => {
    const [figures] = await Promise.all([callsFromBrowser(), callsFromTrunk()]);
    expect(figures).toHaveLength(CALLS);
    print("web user to trunk", figures);
    await expectNothingLeft(gateway);
    const all = await records(gateway, 1000);
    expect(all).toHaveLength(2 * CALLS);
    const ofTrunk = all.filter(({ from }) => JSON.stringify(from).includes('"trunk"'));
    expect(ofTrunk).toHaveLength(CALLS);
    expect(all.filter(({ result }) => result !== "success")).toEqual([]);
    expectLossy(toSipp.counts);
    expectLossy(toGateway.counts);
    await expectNoTransactions(gateway);
    expectNoFault(gateway);
  }, 120_000);
});
