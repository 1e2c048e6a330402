import { afterAll, beforeAll, expect } from "vitest";
import { TestBrowser, type PhonePage } from "../harness/chromium.ts";
import { PASSWORDS, startGateway, type Gateway, type GatewayOptions } from "../harness/gateway.ts";

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
    const given = typeof options === "function" ? await options() : options;
    const [gateway, ann, bob] = await Promise.all([
      startGateway(given),
      TestBrowser.launch({ toneHz: TONE_1001 }),
      TestBrowser.launch({ toneHz: TONE_1002 }),
    ]);
    stage = { gateway, ann, bob };
  });
  afterAll(async () => {
    await Promise.all([stage?.ann.close(), stage?.bob.close(), stage?.gateway.stop()]);
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

/** Waits until the phone plays the tone whole, as it soon does when a call has been connected. */
export async function expectTone(phone: PhonePage, frequencyHz: number): Promise<void> {
  await expect
    .poll(async () => (await phone.remoteTone(frequencyHz, 500)).share, { timeout: 10_000 })
    .toBeGreaterThan(CLEAN);
}

/** Waits until the phone's call is over. @returns the words of the page about why */
export async function failureOf(phone: PhonePage) {
  await phone.waitForCall("ended", 40_000);
  return {
    title: await phone.part("error-title").textContent(),
    details: await phone.part("error-details").textContent(),
  };
}
