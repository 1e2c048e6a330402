import { afterAll, beforeAll, expect } from "vitest";
import { formatSocketAddress, tryParseSocketAddress } from "../../src/core/address.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { NgClient, type NgReply, type NgValue } from "../../src/media/ng-client.ts";
import { TestBrowser, type PhonePage } from "../harness/chromium.ts";
import { PASSWORDS, startGateway, type Gateway, type GatewayOptions } from "../harness/gateway.ts";
import { waitFor } from "../harness/wait.ts";

/** Tones that fit a 20 ms frame and are far apart: what each browser's microphone hears. */
export const TONE_1001 = 1000;
export const TONE_1002 = 800;
/** What baresip sends. */
export const TONE_PEER = 600;

/** A clean call: the tone holds at least this share of the 20 ms frames. */
export const CLEAN = 0.9;

/** One gateway for a file, with a browser or two; everything ends with the file. */
export interface Stage {
  readonly gateway: Gateway;
  readonly ann: TestBrowser;
  readonly bob: TestBrowser;
}

/**
 * Starts a gateway and browsers before the tests of a file.
 *
 * @returns a function that gives them, and throws before they are there
 */
export function useStage(
  options: GatewayOptions | (() => Promise<GatewayOptions>) = {},
): () => Stage {
  let stage: Stage | undefined;
  beforeAll(async () => {
    const gateway = await startGateway(typeof options === "function" ? await options() : options);
    stage = {
      gateway,
      ann: await TestBrowser.launch({ toneHz: TONE_1001 }),
      bob: await TestBrowser.launch({ toneHz: TONE_1002 }),
    };
  });
  afterAll(async () => {
    await stage?.ann.close();
    await stage?.bob.close();
    await stage?.gateway.stop();
  });
  return () => {
    if (stage === undefined) throw new Error("the stage is not there yet");
    return stage;
  };
}

/**
 * Opens the phone with the microphone's signal left as it is, and signs in.
 *
 * @param via `host:port` of a relay in front of the gateway
 */
export async function openPhone(
  browser: TestBrowser,
  gateway: Gateway,
  user: keyof typeof PASSWORDS,
  via?: string,
): Promise<PhonePage> {
  const url = via === undefined ? gateway.httpUrl : `http://${via}`;
  const phone = await browser.openPhone(`${url}/?raw-audio=1`);
  await phone.signIn(user, PASSWORDS[user]);
  return phone;
}

/** The URI at which a PBX reaches `number` through the gateway. */
export function gatewayUri(gateway: Gateway, number: string): string {
  return `sip:${number}@${formatSocketAddress(gateway.sip)}`;
}

/** Asks the gateway's own rtpengine, past the gateway. */
export async function askRtpengine(
  gateway: Gateway,
  command: "list" | "query",
  args: Readonly<Record<string, NgValue>> = {},
): Promise<NgReply> {
  const started = gateway.logs().findLast((line) => line.msg === "rtpengine started");
  const address = tryParseSocketAddress(String(started?.fields.get("ng")));
  if (address === undefined) throw new Error("the gateway has started no rtpengine");
  const client = new NgClient({ address, clock: new SystemClock(), logger: silentLogger });
  try {
    return await client.request(command, args);
  } finally {
    client.close();
  }
}

/** Ids of the calls that rtpengine holds. */
export async function rtpengineCalls(gateway: Gateway): Promise<readonly string[]> {
  const { calls } = await askRtpengine(gateway, "list", { limit: 100 });
  return Array.isArray(calls) ? calls.filter((id) => typeof id === "string") : [];
}

/** Whether rtpengine transcodes its one call now, by its own word in `query`. */
export async function isTranscodedInRtpengine(gateway: Gateway): Promise<boolean> {
  const calls = await rtpengineCalls(gateway);
  expect(calls).toHaveLength(1);
  const reply = await askRtpengine(gateway, "query", { "call-id": calls[0] ?? "" });
  return JSON.stringify(reply).includes('"transcoding"');
}

/** A trunk that points at a peer of the test. */
export function trunkTo(address: { readonly host: string; readonly port: number }) {
  return { office: { peer: `sip:${formatSocketAddress(address)}` } };
}

/** The value of one series of `GET /metrics`. */
export async function metric(gateway: Gateway, name: string): Promise<number> {
  const { body } = await gateway.api("/metrics");
  const line = String(body)
    .split("\n")
    .find((text) => text.startsWith(`${name} `) || text.startsWith(`${name}{`));
  return line === undefined ? Number.NaN : Number(line.slice(line.lastIndexOf(" ") + 1));
}

/**
 * Waits until nothing is left of any call: no call and no dialog in the gateway, no timer of a
 * call, and no session in rtpengine by its own `list`. (Transactions linger for their 32 s by
 * design; `expectNoTransactions` waits for those.)
 */
export async function expectNothingLeft(gateway: Gateway): Promise<void> {
  const names = ["offhook_calls_active", "offhook_sip_dialogs", "offhook_call_timers"];
  const left = async (): Promise<string[]> => {
    const values = await Promise.all(names.map((name) => metric(gateway, name)));
    const sessions = (await rtpengineCalls(gateway)).length;
    return [
      ...names.filter((_name, index) => values[index] !== 0),
      ...(sessions === 0 ? [] : [`${sessions} rtpengine sessions`]),
    ];
  };
  let last: string[] = [];
  await waitFor(
    async () => {
      last = await left();
      return last.length === 0;
    },
    {
      what: "nothing to be left of the calls",
      timeoutMs: 5000,
      intervalMs: 50,
      detail: () => last.join(", "),
    },
  );
}

/** Waits until the last transaction's timer has fired (RFC 3261 §17: Timer J, K, L: up to 32 s). */
export async function expectNoTransactions(gateway: Gateway): Promise<void> {
  await waitFor(async () => (await metric(gateway, "offhook_sip_transactions")) === 0, {
    what: "the last transaction to end",
    timeoutMs: 40_000,
    intervalMs: 500,
  });
}

/** The newest finished call. */
export async function lastRecord(gateway: Gateway): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await gateway.api("/api/v1/cdrs?limit=1");
  const items: unknown =
    typeof body === "object" && body !== null && "items" in body ? body.items : undefined;
  const [record]: readonly unknown[] = Array.isArray(items) ? items : [];
  expect(record, "a call record").toBeTypeOf("object");
  return Object.fromEntries(Object.entries(record ?? {}));
}
