import type { Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

import { BrowserNetwork, GATEWAY_ADDRESS } from "../harness/browser-network.ts";
import { measureStreamTone, PhonePage, TestBrowser } from "../harness/chromium.ts";
import { type Gateway, PASSWORDS, startGateway, type YamlValue } from "../harness/gateway.ts";
import { TONE_1001 } from "./support.ts";

/** A gateway, and one router away a browser whose network can change. */
export interface MovingStage {
  readonly network: BrowserNetwork;
  readonly gateway: Gateway;
  readonly browser: TestBrowser;
}

/** Sections of offhook.yaml. */
export interface StageSections {
  readonly media?: Section;
  readonly trunks?: Section;
  readonly dialplan?: Section;
}

type Section = Readonly<Record<string, YamlValue>>;

/** Where what a page plays is found. */
export const PHONE_STREAM = "window.offhookPhone?.remoteStream()";

/**
 * Starts network, gateway and browser before the tests of a file.
 *
 * @param sections of offhook.yaml; `media` is merged with the address that the browser reaches
 */
export function useMovingStage(
  sections: () => Promise<StageSections> = async () => ({}),
): () => MovingStage {
  let stage: MovingStage | undefined;
  beforeAll(async () => {
    const network = await BrowserNetwork.start();
    const { media, ...others } = await sections();
    const gateway = await startGateway({
      config: (ports) => ({
        http: { listen: `${GATEWAY_ADDRESS}:${ports.http}` },
        media: {
          address: GATEWAY_ADDRESS,
          ...media,
        },
        ...others,
      }),
    });
    const browser = await TestBrowser.launch({
      toneHz: TONE_1001,
      executable: network.executable,
      // Its origin is no loopback and has no certificate: without this, no microphone.
      args: [`--unsafely-treat-insecure-origin-as-secure=${gateway.httpUrl}`],
    });
    stage = { network, gateway, browser };
  });
  afterAll(async () => {
    await stage?.browser.close();
    await stage?.gateway.stop();
    await stage?.network.stop();
  });
  return () => {
    if (stage === undefined) throw new Error("the stage is not there yet");
    return stage;
  };
}

/** A page that may use its microphone, at the gateway's origin. */
export async function openPage({ browser, gateway }: MovingStage, path: string): Promise<Page> {
  const page = await browser.newPage();
  await page.context().grantPermissions(["microphone"], { origin: gateway.httpUrl });
  await page.goto(`${gateway.httpUrl}${path}`);
  return page;
}

/** The web phone, signed in as 1001. */
export async function openMovingPhone(stage: MovingStage): Promise<PhonePage> {
  const phone = new PhonePage(await openPage(stage, "/?raw-audio=1"));
  await phone.signIn("1001", PASSWORDS["1001"]);
  return phone;
}

/** The window of one look at the sound, and how many of them in a row are sound that is back. */
const LOOK_MS = 100;
const STEADY_LOOKS = 5;

/**
 * Milliseconds from the end of `action` until the tone is there again, for good. What is still
 * buffered when `action` ends is no return: the sound must have been gone, or go on for longer than
 * any buffer.
 *
 * @param expression JavaScript that gives the stream that is played now
 * @throws when it is not there within `timeoutMs`
 */
export async function timeToReturn(
  page: Page,
  expression: string,
  frequencyHz: number,
  action: () => Promise<void>,
  timeoutMs = 15_000,
): Promise<number> {
  await action();
  const startedAt = performance.now();
  let backAt: number | undefined;
  let wasGone = false;
  let steady = 0;
  const looks: string[] = [];
  while (performance.now() - startedAt < timeoutMs) {
    const lookedAt = performance.now();
    const share = await shareOfTone(page, expression, frequencyHz);
    looks.push(`${Math.round(lookedAt - startedAt)}:${share.toFixed(1)}`);
    if (share < 0.8) {
      steady = 0;
      backAt = undefined;
      wasGone ||= share === 0;
      continue;
    }
    backAt ??= performance.now() - startedAt;
    steady += 1;
    if (steady >= STEADY_LOOKS && (wasGone || lookedAt - startedAt > 4_000)) {
      return wasGone ? backAt : 0;
    }
  }
  throw new Error(`the sound is not back within ${timeoutMs} ms: ${looks.join(" ")}`);
}

/**
 * Waits until the tone is there without a break at a time when nothing can be left in any buffer.
 *
 * @param afterMs from now to that time
 * @throws when it is not there 3 s later
 */
export async function waitForSoundAfter(
  page: Page,
  expression: string,
  frequencyHz: number,
  afterMs: number,
): Promise<void> {
  const startedAt = performance.now();
  const looks: string[] = [];
  for (let steady = 0; performance.now() - startedAt < afterMs + 3_000;) {
    const lookedAt = performance.now() - startedAt;
    const share = await shareOfTone(page, expression, frequencyHz);
    looks.push(`${Math.round(lookedAt)}:${share.toFixed(1)}`);
    steady = share < 0.8 ? 0 : steady + 1;
    if (steady >= STEADY_LOOKS && lookedAt > afterMs) return;
  }
  throw new Error(`the sound is not there: ${looks.join(" ")}`);
}

/** 0 as well while the phone is between two peer connections and plays no stream at all. */
async function shareOfTone(page: Page, expression: string, frequencyHz: number): Promise<number> {
  try {
    return (await measureStreamTone(page, expression, frequencyHz, LOOK_MS)).share;
  } catch (error) {
    if (error instanceof Error && error.message.includes("no stream with sound")) return 0;
    throw error;
  }
}
