import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import {
  Asterisk,
  ASTERISK_TONE,
  type AsteriskTrunk,
  hasAsterisk,
  skipWithoutAsterisk,
} from "../harness/asterisk.ts";
import { type PhonePage, TestBrowser } from "../harness/chromium.ts";
import {
  expectNothingLeft,
  isTranscodedInRtpengine,
  lastRecord,
} from "../harness/gateway-state.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import {
  environmentFor,
  RTPENGINE_GENERATIONS,
  skipWithout,
} from "../harness/rtpengine-generation.ts";
import { bestTone } from "../harness/tone.ts";
import { CLEAN, openPhone, TONE_1001 } from "./support.ts";

// Every generation of rtpengine × every way of media toward a trunk × both directions: sound
// measured at both ends, digits read by Asterisk, and not a word of complaint from rtpengine.

/** One way of media: what the trunk is told, which of Asterisk's it is, and what must come of it. */
interface Column {
  readonly name: string;
  readonly trunk: AsteriskTrunk;
  readonly settings: Readonly<Record<string, string | readonly string[]>>;
  readonly isTranscoded: boolean;
}

const COLUMNS: readonly Column[] = [
  {
    name: "auto",
    trunk: "opus",
    settings: { codecs: ["opus", "PCMU"], "codec-policy": "auto" },
    isTranscoded: false,
  },
  { name: "narrow", trunk: "plain", settings: { "codec-policy": "narrow" }, isTranscoded: false },
  { name: "opus", trunk: "direct", settings: { "codec-policy": "opus" }, isTranscoded: true },
  { name: "G.722", trunk: "g722", settings: { codecs: ["G722"] }, isTranscoded: false },
  { name: "in-band DTMF", trunk: "inband", settings: { dtmf: "inband" }, isTranscoded: true },
  { name: "SDES", trunk: "sdes", settings: { srtp: "sdes" }, isTranscoded: false },
];

const DIGITS = "1590";
const SOUND_MS = 500;

let asterisk: Asterisk;
let browser: TestBrowser;

beforeAll(async () => {
  if (!hasAsterisk()) return;
  asterisk = await Asterisk.start();
  browser = await TestBrowser.launch({ toneHz: TONE_1001 });
});

afterAll(async () => {
  if (!hasAsterisk()) return;
  await browser.close();
  await asterisk.stop();
});

describe.each(RTPENGINE_GENERATIONS)("rtpengine $version", (generation) => {
  let gateway: Gateway;
  let phone: PhonePage;

  beforeEach((context) => {
    skipWithoutAsterisk(context);
    skipWithout(generation, context);
  });

  beforeAll(async () => {
    if (!hasAsterisk() || generation.command === undefined) return;
    gateway = await startGateway({
      env: await environmentFor(generation),
      config: {
        trunks: Object.fromEntries(
          COLUMNS.map(({ trunk, settings }) => [
            trunk,
            { peer: asterisk.peer(trunk), ...settings },
          ]),
        ),
        dialplan: {
          routes: COLUMNS.flatMap(({ trunk }, index) => [
            { name: `to ${trunk}`, to: `${index}601`, do: { dial: trunk, strip: 1 } },
            { name: `from ${trunk}`, from: { trunk }, to: "@users", do: { ring: "@to" } },
          ]),
        },
      },
    });
    phone = await openPhone(browser, gateway, "1001");
  });

  afterEach(async (context) => {
    // The next call shall not fail for the sake of this one.
    if (context.task.result?.state === "fail") await asterisk.hangUp();
    const complaints = gateway.logs().filter(({ msg }) => msg.startsWith("rtpengine: "));
    expect(complaints.map(({ text }) => text)).toEqual([]);
  });

  afterAll(async () => {
    if (!hasAsterisk() || generation.command === undefined) return;
    await phone.page.close();
    await gateway.stop();
  });

  /** Sound both ways and digits of the call that stands, and that `end` ends. */
  async function expectGoodCall(column: Column, end: () => Promise<void>): Promise<void> {
    const nth = (await asterisk.allDigits()).length;
    await phone.waitForCall("connected");
    await expect
      .poll(async () => (await phone.remoteTone(ASTERISK_TONE, SOUND_MS)).share, {
        message: "heard in the browser",
        // Asterisk sends its digits first, where it sends any.
        timeout: 15_000,
      })
      .toBeGreaterThan(CLEAN);
    expect(await isTranscodedInRtpengine(gateway)).toBe(column.isTranscoded);
    await phone.part("keypad").click();
    for (const digit of DIGITS) await phone.part(`key-${digit}`).click();
    expect(await asterisk.digits(nth)).toBe(DIGITS);
    await end();
    await phone.waitForCall("ended");
    await expectNothingLeft(gateway);
    const heard = await asterisk.heard();
    const there = bestTone(heard, TONE_1001, SOUND_MS);
    expect(there.share, "heard by Asterisk").toBeGreaterThan(CLEAN);
  }

  it.each(COLUMNS)("browser to trunk, $name", async (column) => {
    await phone.call(`${COLUMNS.indexOf(column)}601`);
    await expectGoodCall(column, () => phone.end());
  });

  it.each(COLUMNS)("trunk to browser, $name", async (column) => {
    const isInBand = column.trunk === "inband";
    await asterisk.call(gateway, "1001", {
      trunk: column.trunk,
      extension: isInBand ? "613" : "601",
    });
    await phone.waitForCall("incoming");
    await phone.answer();
    await expectGoodCall(column, () => asterisk.hangUp());
    // Its tones are heard for digits.
    expect((await lastRecord(gateway))["media"]).toMatchObject(
      isInBand
        ? {
            dtmf: { caller: "inband", "callee-1": "rfc4733" },
            digits: [{ from: "caller", as: "inband", to: "callee-1", way: "rfc4733" }],
          }
        : {},
    );
  });
});
