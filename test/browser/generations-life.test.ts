import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { Baresip } from "../harness/baresip.ts";
import { REMOTE_STREAM, TestBrowser } from "../harness/chromium.ts";
import { expectNothingLeft, killRtpengine, lastRecord } from "../harness/gateway-state.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import {
  environmentFor,
  RTPENGINE_GENERATIONS,
  skipWithout,
} from "../harness/rtpengine-generation.ts";
import { makeTemporaryDirectory } from "../harness/temporary.ts";
import { measureTone, readWav } from "../harness/tone.ts";
import { ToneWatch } from "../harness/tone-watch.ts";
import { waitFor } from "../harness/wait.ts";
import { CLEAN, openPhone, TONE_1001, TONE_PEER } from "./support.ts";

// What happens in the life of a call, on the generations of rtpengine that the other files do not run:
// recording, quality, the browser's new network, the end of its rtpengine.

const LATER = RTPENGINE_GENERATIONS.filter(({ version }) => version !== "10.5");
const PATIENCE_MS = 60_000;

interface CallJson {
  readonly id: string;
  readonly media?: {
    readonly packetsFrom?: Readonly<Record<string, number>>;
    readonly quality?: {
      readonly legs: Readonly<Record<string, { readonly packets: number; readonly mos?: number }>>;
    };
  };
  readonly recordings?: readonly { readonly state: string; readonly file: string }[];
}

let browser: TestBrowser;
let baresip: Baresip;

beforeAll(async () => {
  browser = await TestBrowser.launch({ toneHz: TONE_1001 });
  baresip = await Baresip.start({ user: "700" });
});

afterAll(async () => {
  await browser.close();
  await baresip.stop();
});

describe.each(LATER)("a recorded call through rtpengine $version", (generation) => {
  let gateway: Gateway;
  let recordings: string;

  beforeEach((context) => skipWithout(generation, context));

  beforeAll(async () => {
    if (generation.command === undefined) return;
    recordings = join(await makeTemporaryDirectory("recordings"), generation.version);
    gateway = await startGateway({
      env: await environmentFor(generation),
      config: {
        recording: { directory: recordings },
        trunks: { desk: { peer: `sip:${baresip.address.host}:${baresip.address.port}` } },
        dialplan: {
          routes: [{ name: "desk", to: "700", do: { dial: "desk", record: true } }],
        },
      },
    });
  });

  afterAll(async () => {
    if (generation.command !== undefined) await gateway.stop();
  });

  async function liveCall(): Promise<CallJson> {
    const { body } = await gateway.api("/api/v1/calls");
    const id = /"id":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? "";
    // The API's own shape; docs/api.md describes it.
    return (await gateway.api(`/api/v1/calls/${id}`)).body as CallJson;
  }

  it(
    "has its quality, and goes on in another network and at another rtpengine",
    async () => {
      const phone = await openPhone(browser, gateway, "1001");
      await phone.call("700");
      await phone.waitForCall("connected");
      // Behind the tone that tells of the recording.
      const watch = await ToneWatch.start(phone.page, REMOTE_STREAM, TONE_PEER);
      const seen = await waitFor(
        async () => {
          const legs = (await liveCall()).media?.quality?.legs;
          return legs?.["caller"]?.mos === undefined ? undefined : legs;
        },
        { what: "what the browser says of its sound", timeoutMs: 30_000, intervalMs: 250 },
      );
      expect(seen["caller"]?.mos).toBeGreaterThan(3);
      expect(seen["caller"]?.packets).toBeGreaterThan(50);
      expect(seen["callee-1"]?.packets).toBeGreaterThan(50);

      // The phone goes on with another peer connection, as it does in another network.
      const before = await phone.page.evaluate<string>(UFRAG);
      expect(before).not.toBe("");
      await phone.page.evaluate("void window.dispatchEvent(new Event('online'))");
      await waitFor(async () => (await phone.page.evaluate<string>(UFRAG)) !== before, {
        what: "another peer connection",
        timeoutMs: 20_000,
      });
      await expectBothHeard(watch, "in the other network");

      killRtpengine(gateway);
      await waitFor(async () => JSON.stringify(await liveCall()).includes("media moved"), {
        what: "the move",
        timeoutMs: 20_000,
      });
      await expectBothHeard(watch, "after the move");
      await phone.end();
      await phone.waitForCall("ended");
      await expectNothingLeft(gateway);

      const record = (await lastRecord(gateway)) as unknown as CallJson;
      expect(record).toMatchObject({ result: "success", recordings: [{ state: "done" }] });
      // What the killed one had counted is gone with it.
      expect(record.media?.packetsFrom?.["caller"]).toBeGreaterThan(50);
      expect(record.media?.packetsFrom?.["callee-1"]).toBeGreaterThan(50);
      const path = join(recordings, record.recordings?.[0]?.file ?? "");
      for (const [channel, hz] of [TONE_1001, TONE_PEER].entries()) {
        const sound = await readWav(path, channel);
        const endMs = (sound.samples.length / sound.sampleRate) * 1000;
        const { share } = measureTone(sound, hz, endMs - 1200, endMs - 400);
        // A busy machine leaves holes in it; what has stopped, or is the other party, has next to nothing.
        expect(share, `channel ${channel} of the recording at its end`).toBeGreaterThan(0.6);
      }
      expect(phone.errors).toEqual([]);
      await phone.page.close();
    },
    PATIENCE_MS * 2,
  );

  /** Waits until both sides hear each other, by sound that has come since now. */
  async function expectBothHeard(watch: ToneWatch, where: string): Promise<void> {
    await watch.reset();
    await watch.untilSteady(1000, 30_000);
    await expect
      .poll(
        async () => {
          const sound = await baresip.hearAnew(800);
          return measureTone(sound, TONE_1001).share;
        },
        { message: `the browser's tone in baresip, ${where}`, timeout: 30_000 },
      )
      .toBeGreaterThan(CLEAN);
  }
});

/** What tells one peer connection of the phone from the next. */
const UFRAG = String.raw`/a=ice-ufrag:(\S+)/.exec(
  window.offhookPhone.peerConnection()?.localDescription?.sdp ?? "")?.[1] ?? ""`;
