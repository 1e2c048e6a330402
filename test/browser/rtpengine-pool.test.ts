import { loadavg } from "node:os";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type PhonePage, REMOTE_STREAM, TestBrowser } from "../harness/chromium.ts";
import { type Gateway, startGateway, type YamlValue } from "../harness/gateway.ts";
import { killRtpengine } from "../harness/gateway-state.ts";
import { TestRtpengine } from "../harness/rtpengine.ts";
import { type BankCall, SipBank } from "../harness/sip-bank.ts";
import { ToneWatch } from "../harness/tone-watch.ts";
import { waitFor } from "../harness/wait.ts";
import { openPhone, TONE_1001, TONE_PEER } from "./support.ts";

const CALLS = 20;
/** Of 20 calls, one is Chromium's; the others go from one PBX to another. */
const PBX_CALLS = CALLS - 1;
const HANG_LIMIT_MS = 3000;
const KILL_LIMIT_MS = 1500;

let callers: SipBank;
let callees: SipBank;
let ann: TestBrowser;

beforeAll(async () => {
  callers = await SipBank.open({ host: "127.0.0.2", toneHz: 400 });
  callees = await SipBank.open({ host: "127.0.0.3", toneHz: TONE_PEER });
  ann = await TestBrowser.launch({ toneHz: TONE_1001 });
});

afterAll(async () => {
  await ann.close();
  await callers[Symbol.asyncDispose]();
  await callees[Symbol.asyncDispose]();
});

async function start(media: YamlValue): Promise<Gateway> {
  const trunk = (bank: SipBank) => ({ peer: `sip:${bank.address.host}:${bank.address.port}` });
  const gateway = await startGateway({
    config: {
      media,
      trunks: { callers: trunk(callers), callees: trunk(callees) },
      dialplan: { routes: [{ name: "callees", to: "_7XX", do: { dial: "callees" } }] },
    },
  });
  callers.sendTo(gateway.sip);
  callees.sendTo(gateway.sip);
  return gateway;
}

/** Chromium's call first, then the PBX's. */
async function talk(gateway: Gateway): Promise<{ phone: PhonePage; watch: ToneWatch }> {
  const phone = await openPhone(ann, gateway, "1001");
  await phone.call("700");
  await phone.waitForCall("connected");
  for (const call of callees.live) call.isDense = true;
  const watch = await ToneWatch.start(phone.page, REMOTE_STREAM, TONE_PEER);
  for (let index = 0; index < PBX_CALLS; index += 1) await callers.dial(`7${10 + index}`);
  await untilHeard(performance.now(), [...callers.live, ...callees.live]);
  expect(callees.live).toHaveLength(CALLS);
  return { phone, watch };
}

/** Waits until each telephone has had a packet after that instant. */
async function untilHeard(sinceMs: number, calls: readonly BankCall[]): Promise<void> {
  const isHeard = ({ rtp }: BankCall): boolean => (rtp?.received.at(-1)?.atMs ?? 0) > sinceMs;
  await waitFor(() => calls.every((call) => call.state === "over" || isHeard(call)), {
    what: "packets to each telephone",
    timeoutMs: 15_000,
    detail: () => `${calls.filter(isHeard).length} of ${calls.length} had one`,
  });
}

/**
 * The longest gap of each telephone after a fault, and of the browser.
 *
 * @param settleMs until when all must be back to be counted
 */
async function gapsAfter(faultMs: number, watch: ToneWatch, settleMs: number) {
  await watch.untilMs(settleMs + 500);
  await watch.untilSteady(1000);
  await untilHeard(performance.now(), [...callers.live, ...callees.live]);
  const gaps = [...callers.live, ...callees.live].map((call) => call.gapMs(faultMs));
  return { gaps, browserMs: (await watch.heard()).gapMs };
}

function report(what: string, gaps: readonly number[], browserMs: number): void {
  const sorted = gaps.toSorted((left, right) => left - right);
  const load = (loadavg()[0] ?? 0).toFixed(1);
  console.info(
    `${what}: ${callees.live.length} of ${CALLS} calls left; without sound: browser ${browserMs} ms, ` +
      `telephones ${sorted[0]} to ${sorted.at(-1)} ms; load ${load}`,
  );
}

async function endAll(phone: PhonePage): Promise<void> {
  await phone.end();
  await phone.waitForCall("ended");
  await phone.page.close();
  for (const call of callers.live) await callers.hangUp(call);
  await waitFor(() => callees.live.length === 0, { what: "the callees to be hung up" });
  callers.calls.clear();
  callees.calls.clear();
}

/** What operators see of a node. */
async function node(gateway: Gateway, name: string): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await gateway.api("/api/v1/media/nodes");
  const { items } = body as { items: Readonly<Record<string, unknown>>[] };
  return items.find((item) => item["name"] === name) ?? {};
}

describe("two rtpengines with 20 calls", () => {
  it("the one with most of them hangs: they live on at the other within 3 s, new calls work, it is drained, and empty", async () => {
    await using big = await TestRtpengine.start();
    await using small = await TestRtpengine.start();
    const bigName = `127.0.0.1:${big.ngPort}`;
    const smallName = `127.0.0.1:${small.ngPort}`;
    await using gateway = await start({
      rtpengine: [
        { socket: `udp:${bigName}`, weight: 3 },
        { socket: `udp:${smallName}`, weight: 1 },
      ],
    });
    const { phone, watch } = await talk(gateway);
    expect(await node(gateway, bigName)).toMatchObject({ state: "up", weight: 3, calls: 15 });
    expect(await node(gateway, smallName)).toMatchObject({ state: "up", weight: 1, calls: 5 });

    const faultMs = performance.now();
    await watch.reset();
    process.kill(big.child.pid, "SIGSTOP");
    let during = 0;
    try {
      // New calls while nobody knows yet, and after: none waits for the hung one.
      for (let index = 0; index < 4; index += 1) {
        const startedMs = performance.now();
        const call = await callers.dial(`7${50 + index}`);
        during = Math.max(during, performance.now() - startedMs);
        await callers.hangUp(call);
      }
      const { gaps, browserMs } = await gapsAfter(faultMs, watch, 3000);
      report("one of two hangs", gaps, browserMs);
      console.info(`new calls meanwhile: answered within ${Math.round(during)} ms`);
      expect(during).toBeLessThan(HANG_LIMIT_MS);
      expect(callees.live.length).toBeGreaterThanOrEqual(19);
      expect(Math.max(...gaps, browserMs)).toBeLessThan(HANG_LIMIT_MS);
      expect(await node(gateway, bigName)).toMatchObject({ state: "down", calls: 0 });
      expect(await node(gateway, smallName)).toMatchObject({ state: "up", calls: CALLS });
    } finally {
      process.kill(big.child.pid, "SIGCONT");
    }

    // It is heard again, keeps nothing of what was moved, and takes the calls of the other.
    await waitFor(async () => (await node(gateway, bigName))["state"] === "up", {
      what: "it to be up",
    });
    const drained = await gateway.api(`/api/v1/media/nodes/${smallName}`, {
      method: "POST",
      body: { drain: true, move: true },
    });
    expect(drained.status).toBe(200);
    await waitFor(async () => (await node(gateway, smallName))["calls"] === 0, {
      what: "the drained one to be empty",
      timeoutMs: 10_000,
    });
    await untilHeard(performance.now(), [...callers.live, ...callees.live]);
    await watch.untilSteady(500);
    const next = await callers.dial("790");
    expect(await node(gateway, bigName)).toMatchObject({ calls: CALLS + 1, draining: false });
    expect(await node(gateway, smallName)).toMatchObject({ calls: 0, draining: true });
    await callers.hangUp(next);
    await endAll(phone);
    for (const rtpengine of [big, small]) {
      await waitFor(async () => (await rtpengine.callIds()).length === 0, {
        what: "no session to be left in either",
      });
    }
  });
});

describe("the managed rtpengine with 20 calls", () => {
  it("is killed: 20 live on, and the browser hears its peer within 1.5 s", async () => {
    await using gateway = await start({});
    const { phone, watch } = await talk(gateway);
    const faultMs = performance.now();
    await watch.reset();
    killRtpengine(gateway);
    const { gaps, browserMs } = await gapsAfter(faultMs, watch, 2500);
    report("rtpengine killed", gaps, browserMs);
    expect(callees.live).toHaveLength(CALLS);
    expect(callers.live).toHaveLength(PBX_CALLS);
    expect(browserMs).toBeLessThan(KILL_LIMIT_MS);
    await endAll(phone);
  });
});
