import { createServer, type Server } from "node:http";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Exchange, MediaEngine } from "../../src/media/session.ts";
import { measureStreamTone, TestBrowser } from "../harness/chromium.ts";
import { freePort } from "../harness/ports.ts";
import { formatsOf, RtpPeer, TestRtpengine } from "../harness/rtpengine.ts";

const NO_HANDLER = { onFinished() {}, onDigit() {} };

// One peer connection with the microphone; the strictest bundle policy that a page may have.
const OPEN = `(async () => {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio });
  window.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  window.pc.ontrack = ({ track }) => { window.remote = new MediaStream([track]); };
  for (const track of microphone.getTracks()) window.pc.addTrack(track, microphone);
  window.gathered = async () => {
    const deadline = performance.now() + 2000;
    while (window.pc.iceGatheringState !== "complete" && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 5));
    return window.pc.localDescription.sdp;
  };
})()`;

const OFFER = `(async () => { await window.pc.setLocalDescription(); return window.gathered(); })()`;
const answerTo = (sdp: string): string => `(async () => {
  await window.pc.setRemoteDescription({ type: "offer", sdp: ${JSON.stringify(sdp)} });
  await window.pc.setLocalDescription();
  return window.gathered();
})()`;
const accept = (sdp: string): string =>
  `window.pc.setRemoteDescription({ type: "answer", sdp: ${JSON.stringify(sdp)} })`;
const direction = (value: string): string =>
  `window.pc.getTransceivers()[0].direction = ${JSON.stringify(value)}`;

const exchange = (from: "webrtc" | "rtp", to: "webrtc" | "rtp"): Exchange => ({
  offerer: { tag: "caller", kind: from },
  answerer: { tag: "callee-1", kind: to },
  branch: "b1",
});

const swapped = ({ offerer, answerer, branch }: Exchange): Exchange => ({
  offerer: answerer,
  answerer: offerer,
  branch,
});

/** What must stay the same at a browser for the life of its call. */
function transportOf(sdp: string): readonly string[] {
  return sdp
    .split("\r\n")
    .filter((line) => /^a=(?:ice-ufrag|fingerprint|mid|candidate)|^m=/.test(line))
    .map((line) => (line.startsWith("m=") ? line.split(" ").slice(0, 3).join(" ") : line));
}

describe("sound between Chromium and rtpengine", () => {
  let server: Server;
  let browser: TestBrowser;
  let rtpengine: TestRtpengine;
  let engine: MediaEngine;
  let url = "";

  beforeAll(async () => {
    const port = await freePort();
    server = createServer((_request, response) => {
      response.setHeader("Content-Type", "text/html");
      response.end("<!doctype html><title>Call</title>");
    });
    await new Promise<void>((resolve) => {
      server.listen(port, "127.0.0.1", resolve);
    });
    url = `http://127.0.0.1:${port}/`;
    [browser, rtpengine] = await Promise.all([
      TestBrowser.launch({ toneHz: 1000 }),
      TestRtpengine.start(),
    ]);
    engine = await rtpengine.engine();
  }, 30_000);

  afterAll(async () => {
    await browser.close();
    await engine.stop();
    await rtpengine.stop();
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });

  async function openPage(): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(url);
    await page.evaluate(OPEN);
    return page;
  }

  async function expectTone(page: Page): Promise<void> {
    // The first piece holds the silence before the sound.
    await measureStreamTone(page, "window.remote", 1000, 500);
    const tone = await measureStreamTone(page, "window.remote", 1000, 1000);
    expect(tone.share).toBeGreaterThanOrEqual(0.95);
  }

  it.each([
    { policy: "narrow", codec: "PCMU/8000", isTranscoded: false },
    { policy: "opus", codec: "opus/48000/2", isTranscoded: true },
  ] as const)(
    "policy $policy: the echo service returns the tone, also after a hold",
    async ({ policy, codec, isTranscoded }) => {
      const page = await openPage();
      const session = engine.createSession({ policy });
      const service = await engine.createService("echo", NO_HANDLER);
      const pair: Exchange = {
        offerer: { tag: "caller", kind: "webrtc" },
        answerer: { tag: "callee-1", kind: "rtp", codecs: ["PCMU", "PCMA"] },
        branch: "b1",
      };
      const negotiate = async (): Promise<string> => {
        const offer = await session.offer(pair, await page.evaluate<string>(OFFER));
        const answer = await session.answer(pair, await service.answer(offer));
        await page.evaluate(accept(answer));
        return answer;
      };
      const first = await negotiate();
      await expectTone(page);
      await page.evaluate(direction("inactive"));
      await negotiate();
      await page.evaluate(direction("sendrecv"));
      const last = await negotiate();
      await expectTone(page);
      expect(transportOf(last)).toEqual(transportOf(first));

      const report = await session.query();
      expect(report.isTranscoded).toBe(isTranscoded);
      expect(report.codecs["caller"]).toBe(codec);
      expect(report.packetsFrom["caller"]).toBeGreaterThan(50);
      service.close();
      await session.close();
      await page.close();
    },
    30_000,
  );

  it.each([
    { policy: "narrow", isTranscoded: false },
    { policy: "opus", isTranscoded: true },
  ] as const)(
    "policy $policy: a telephone calls the browser, and each of them re-offers",
    async ({ policy, isTranscoded }) => {
      const page = await openPage();
      await using peer = await RtpPeer.open();
      peer.echo();
      const session = engine.createSession({ policy });
      const pair = exchange("rtp", "webrtc");
      const toBrowser = async (): Promise<string> => {
        const offer = await session.offer(pair, peer.sdp());
        const answer = await page.evaluate<string>(answerTo(offer));
        await session.answer(pair, answer);
        return offer;
      };
      const first = await toBrowser();
      await expectTone(page);
      const toPeer = await session.offer(swapped(pair), await page.evaluate<string>(OFFER));
      expect(toPeer).toMatch(/^m=audio \d+ RTP\/AVP /m);
      // A telephone answers with the first codec and the event number of the offer.
      const formats = formatsOf(toPeer);
      const answer = peer.sdp(`${formats.at(0)} ${formats.at(-1)}`);
      await page.evaluate(accept(await session.answer(swapped(pair), answer)));
      await expectTone(page);
      const last = await toBrowser();
      await expectTone(page);
      expect(transportOf(last)[0]).toBe(transportOf(first)[0]);
      const { codecs, isTranscoded: asked } = await session.query();
      expect(asked).toBe(isTranscoded);
      expect(session.negotiated()).toEqual({
        codecs,
        isTranscoded,
        packetsFrom: {},
        dtmf: { caller: "rfc4733", "callee-1": "rfc4733" },
        srtp: { caller: "none", "callee-1": "dtls" },
      });
      await session.close();
      await page.close();
    },
    30_000,
  );

  it("two browsers talk Opus to each other, and either may re-offer", async () => {
    const [caller, callee] = await Promise.all([openPage(), openPage()]);
    const session = engine.createSession({ policy: "auto" });
    const pair = exchange("webrtc", "webrtc");
    const negotiate = async (from: Page, to: Page, pair: Exchange): Promise<void> => {
      const offer = await session.offer(pair, await from.evaluate<string>(OFFER));
      const answer = await to.evaluate<string>(answerTo(offer));
      await from.evaluate(accept(await session.answer(pair, answer)));
    };
    await negotiate(caller, callee, pair);
    await expectTone(callee);
    await expectTone(caller);
    await negotiate(callee, caller, swapped(pair));
    await expectTone(callee);
    await expectTone(caller);
    const report = await session.close();
    expect(report?.isTranscoded).toBe(false);
    expect(report?.codecs).toEqual({ caller: "opus/48000/2", "callee-1": "opus/48000/2" });
    await caller.close();
    await callee.close();
  }, 30_000);
});
