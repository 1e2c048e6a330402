import { describe, expect, it } from "vitest";

import { Baresip } from "./baresip.ts";
import { Capture, rtpPackets, soundOf } from "./capture.ts";
import { Sipp } from "./sipp.ts";
import { measureTone } from "./tone.ts";
import { delay, waitFor } from "./wait.ts";

/** Waits until `seconds` of sound are in the recording, then measures the last second. */
async function lastSecond(phone: Baresip, seconds: number, frequencyHz: number) {
  const sound = await waitFor(
    async () => {
      const heard = await phone.heard().catch(() => undefined);
      return heard !== undefined && heard.samples.length >= heard.sampleRate * seconds && heard;
    },
    { what: `${seconds} s of sound`, intervalMs: 100 },
  );
  const endMs = (sound.samples.length / sound.sampleRate) * 1000;
  return measureTone(sound, frequencyHz, endMs - 1000);
}

describe("baresip", () => {
  it("dials sipp and hears its own tone echoed", async () => {
    await using echo = await Sipp.start({ scenario: "uas-echo" });
    await using phone = await Baresip.start();
    await phone.dial(`sip:600@${echo.address.host}:${echo.address.port}`);
    const tone = await lastSecond(phone, 2, 600);
    expect(tone.share).toBeGreaterThanOrEqual(0.95);
    await phone.hangUp();
    expect(await echo.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
  });

  it("answers a call by itself, holds, resumes and hangs up on command", async () => {
    await using phone = await Baresip.start({ user: "601", codec: "PCMA", toneHz: 400 });
    await using caller = await Sipp.start({
      scenario: "uac-call",
      remote: phone.address,
      service: "601",
      values: { codec_number: 8, codec: "PCMA/8000", talk_ms: 20_000 },
    });
    await phone.waitForEvent("CALL_ESTABLISHED");
    await phone.hold();
    const hold = await caller.waitForMessage("received", "INVITE", 0);
    expect(hold.text).toContain("a=sendonly");
    await phone.resume();
    const resume = await caller.waitForMessage("received", "INVITE", 1);
    expect(resume.text).toContain("a=sendrecv");
    await using capture = await Capture.start();
    await delay(1000);
    const rtp = rtpPackets(await capture.stop(), { sourcePort: caller.mediaPort });
    expect(rtp.length).toBeGreaterThan(40);
    expect(measureTone(soundOf(rtp), 400).share).toBeGreaterThanOrEqual(0.95);
    await phone.hangUp();
    expect(await caller.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
  });

  it("goes on with its tone after the other side has held it", async () => {
    await using peer = await Sipp.start({
      scenario: "uas-hold",
      values: { holds: 1, hold_ms: 500 },
    });
    await using phone = await Baresip.start();
    await phone.dial(`sip:600@${peer.address.host}:${peer.address.port}`);
    await peer.waitForMessage("sent", "ACK", 1);
    await using capture = await Capture.start();
    await delay(1000);
    const packets = await capture.stop();
    for (const port of [{ sourcePort: peer.mediaPort }, { destinationPort: peer.mediaPort }]) {
      const rtp = rtpPackets(packets, port);
      expect(rtp.length).toBeGreaterThan(40);
      expect(measureTone(soundOf(rtp), 600).share).toBeGreaterThanOrEqual(0.95);
    }
    await phone.hangUp();
  });

  it("rings until it is told to answer", async () => {
    await using phone = await Baresip.start({ answer: "manual" });
    await using caller = await Sipp.start({
      scenario: "uac-call",
      remote: phone.address,
      service: "600",
      values: { talk_ms: 200 },
    });
    await caller.waitForMessage("received", "180");
    expect(await caller.received()).not.toContain("200");
    await phone.accept();
    expect(await caller.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
  });
});
