import { createSocket } from "node:dgram";
import { describe, expect, it } from "vitest";

import { Baresip } from "./baresip.ts";
import { Capture, rtpPackets, soundOf, telephoneEvents } from "./capture.ts";
import { freePort } from "./ports.ts";
import { Sipp } from "./sipp.ts";
import { measureTone } from "./tone.ts";
import { delay, waitFor } from "./wait.ts";

describe("capture on the loopback", () => {
  it("sees what is sent, with ports and payload", async () => {
    await using capture = await Capture.start();
    const port = await freePort();
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => {
      socket.send("hello there", port, "127.0.0.1", () => socket.close(() => resolve()));
    });
    for (const packets of [await capture.soFar(), await capture.soFar(), await capture.stop()]) {
      const mine = packets.filter((packet) => packet.destination.port === port);
      expect(mine.map((packet) => packet.payload.toString())).toEqual(["hello there"]);
      expect(mine[0]?.source.host).toBe("127.0.0.1");
    }
  });

  it.each([
    { codec: "PCMU", number: 0, rtpmap: "PCMU/8000" },
    { codec: "PCMA", number: 8, rtpmap: "PCMA/8000" },
  ] as const)(
    "hears a $codec tone and reads every digit once",
    async ({ codec, number, rtpmap }) => {
      await using echo = await Sipp.start({
        scenario: "uas-echo",
        values: { codec_number: number, codec: rtpmap },
      });
      await using phone = await Baresip.start({ codec });
      await using capture = await Capture.start();
      await phone.dial(`sip:600@${echo.address.host}:${echo.address.port}`);
      await phone.sendDigits("159*#");
      // sipp sends back what it gets, so the tone has gone both ways after a second of sound.
      await waitFor(async () => (await phone.heard()).samples.length > 8000, { what: "sound" });
      await delay(500);
      await phone.hangUp();
      await echo.finished();
      const answer = await echo.waitForMessage("sent", "200");
      const event = Number(/a=rtpmap:(\d+) telephone-event/.exec(answer.text)?.[1]);
      const rtp = rtpPackets(await capture.stop(), { destinationPort: echo.mediaPort });
      expect(measureTone(soundOf(rtp), 600).share).toBeGreaterThanOrEqual(0.95);
      const digits = telephoneEvents(rtp, event);
      expect(digits.map((digit) => digit.digit).join("")).toBe("159*#");
      for (const digit of digits) {
        expect(digit.isMarkerFirst).toBe(true);
        expect(digit.endPackets).toBeGreaterThanOrEqual(1);
        expect(digit.durations).toEqual(digit.durations.toSorted((a, b) => a - b));
      }
    },
  );
});
