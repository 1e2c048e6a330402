import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { measureStreamTone, TestBrowser } from "./chromium.ts";
import { freePort } from "./ports.ts";

// A call of a page with itself: microphone → peer connection → peer connection → remote stream.
const LOOP = `(async () => {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  window.microphone = await navigator.mediaDevices.getUserMedia({ audio });
  const caller = new RTCPeerConnection();
  const callee = new RTCPeerConnection();
  caller.onicecandidate = ({ candidate }) => candidate && callee.addIceCandidate(candidate);
  callee.onicecandidate = ({ candidate }) => candidate && caller.addIceCandidate(candidate);
  callee.ontrack = ({ streams }) => { window.remote = streams[0]; };
  for (const track of window.microphone.getTracks()) caller.addTrack(track, window.microphone);
  await caller.setLocalDescription();
  await callee.setRemoteDescription(caller.localDescription);
  await callee.setLocalDescription();
  await caller.setRemoteDescription(callee.localDescription);
})()`;

describe("Chromium", () => {
  let server: Server;
  let browser: TestBrowser;
  let url = "";

  beforeAll(async () => {
    const port = await freePort();
    server = createServer((_request, response) => {
      // As strict as the gateway's own: the tap has to work all the same.
      response.setHeader("Content-Security-Policy", "default-src 'self'");
      response.setHeader("Content-Type", "text/html");
      response.end("<!doctype html><title>Loop</title>");
    });
    await new Promise<void>((resolve) => {
      server.listen(port, "127.0.0.1", resolve);
    });
    url = `http://127.0.0.1:${port}/`;
    browser = await TestBrowser.launch({ toneHz: 1000 });
  });
  afterAll(async () => {
    await browser.close();
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });

  it("hears its own tone through a peer connection, and no other", async () => {
    const page = await browser.newPage();
    await page.goto(url);
    await page.evaluate(LOOP);
    const first = await measureStreamTone(page, "window.remote", 1000, 500);
    const clean = await measureStreamTone(page, "window.remote", 1000, 1000);
    const other = await measureStreamTone(page, "window.remote", 600, 500);
    expect(first.frames).toBe(25);
    expect(clean.share).toBeGreaterThanOrEqual(0.95);
    expect(other).toMatchObject({ share: 0 });
    expect(other.audible).toBeGreaterThan(0.9);
  });

  it("hears silence when the microphone is muted", async () => {
    const page = await browser.newPage();
    await page.goto(url);
    await page.evaluate(LOOP);
    await page.evaluate("window.microphone.getAudioTracks()[0].enabled = false");
    await measureStreamTone(page, "window.remote", 1000, 500);
    expect(await measureStreamTone(page, "window.remote", 1000, 500)).toMatchObject({
      share: 0,
      audible: 0,
    });
  });

  it("can refuse the microphone", async () => {
    const page = await browser.newPage({ microphone: "denied" });
    await page.goto(url);
    const name = await page.evaluate<string>(
      `navigator.mediaDevices.getUserMedia({ audio: true }).then(() => "given", (e) => e.name)`,
    );
    expect(name).toBe("NotAllowedError");
  });
});
