import { afterEach, describe, expect, it } from "vitest";
import { Capture, rtpPackets, telephoneEvents } from "../harness/capture.ts";
import { Sipp } from "../harness/sipp.ts";
import { expectNothingLeft, trunkTo } from "../harness/gateway-state.ts";
import { openPhone, TONE_1001, useStage } from "./support.ts";

const DIGITS = "0123456789*#";

describe.each(["narrow", "opus"] as const)("digits from the browser, codecs: %s", (codecs) => {
  let sipp: Sipp;
  const stage = useStage(async () => {
    sipp = await Sipp.start({ scenario: "uas-echo", calls: 0 });
    return { config: { media: { codecs }, trunks: trunkTo(sipp.address) } };
  });

  afterEach(async () => {
    await sipp.stop();
    await expectNothingLeft(stage().gateway);
  });

  it("arrive at the trunk as RFC 4733 events: each once, in order, on the 8 kHz clock", async () => {
    const { gateway, ann } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("600");
    await phone.waitForCall("connected");
    // Sound both ways first: digits before the keys are agreed on would be lost by DTLS, not by us.
    await phone.remoteTone(TONE_1001, 500);
    const answer = await sipp.waitForMessage("sent", "200");
    const payloadType = Number(/a=rtpmap:(\d+) telephone-event\/8000/.exec(answer.text)?.[1]);
    expect(payloadType).toBeGreaterThan(95);
    await using capture = await Capture.start(`udp dst port ${sipp.mediaPort}`);
    await phone.part("keypad").click();
    for (const digit of DIGITS) {
      const key = digit === "*" ? "star" : digit === "#" ? "hash" : digit;
      await phone.part(`key-${key}`).click();
    }
    // The page sends one digit after another; the last one's end packets close the line.
    await expect
      .poll(
        () =>
          phone.page.evaluate(
            "window.offhookPhone.peerConnection().getSenders()[0].dtmf.toneBuffer",
          ),
        {
          timeout: 10_000,
        },
      )
      .toBe("");
    await phone.remoteTone(TONE_1001, 600);
    const packets = rtpPackets(await capture.stop(), { destinationPort: sipp.mediaPort });
    const events = telephoneEvents(packets, payloadType);
    expect(events.map(({ digit }) => digit).join("")).toBe(DIGITS);
    const audio = packets.filter((packet) => packet.payloadType === 0);
    expect(audio.length, "PCMU goes on beside the digits").toBeGreaterThan(20);
    for (const event of events) {
      expect(event.endPackets, `end packets of ${event.digit}`).toBeGreaterThanOrEqual(1);
      // RFC 4733 §2.5.1.3: the duration grows in units of the 8 kHz clock; a key press of the
      // phone lasts 100 ms and more.
      const longest = Math.max(...event.durations);
      expect(longest, `duration of ${event.digit}`).toBeGreaterThanOrEqual(640);
      expect(longest, `duration of ${event.digit}`).toBeLessThanOrEqual(4000);
    }
    // The timestamps of the events run on the same 8 kHz line as the sound does.
    for (const [index, event] of events.entries()) {
      const before = events[index - 1];
      if (before === undefined) continue;
      const elapsedMs = event.timeMs - before.timeMs;
      const ticks = (event.timestamp - before.timestamp) >>> 0;
      expect(Math.abs(ticks / 8 - elapsedMs), `clock at ${event.digit}`).toBeLessThan(100);
    }
    await phone.end();
    await phone.waitForCall("ended");
    await phone.page.close();
  });
});
