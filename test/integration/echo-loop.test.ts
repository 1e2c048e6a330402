import { describe, expect, it } from "vitest";

import { Capture, rtpPackets } from "../harness/capture.ts";
import { Sipp } from "../harness/sipp.ts";
import { useOffice } from "./support.ts";

const office = useOffice();

/** A telephone sends 50 packets a second, one with frames of 10 ms 100; an echo repeats them. */
const MOST_A_SECOND = 200;
const TALK_MS = 2000;

describe("the echo service", () => {
  it("does not run away when the far end is an echo too", async () => {
    const { gateway, officePort } = office();
    await using capture = await Capture.start("udp");
    await using sipp = await Sipp.start({
      scenario: "uac-call",
      port: officePort,
      remote: gateway.sip,
      service: "*43",
      values: { talk_ms: TALK_MS },
    });
    expect(await sipp.finished()).toMatchObject({ successfulCalls: 1 });
    const packets = rtpPackets(await capture.stop(), { destinationPort: sipp.mediaPort });
    const spanMs = (packets.at(-1)?.timeMs ?? 0) - (packets[0]?.timeMs ?? 0);
    const rate = Math.round((packets.length * 1000) / spanMs);
    console.info(`echo against echo: ${rate} packets a second`);
    expect(rate).toBeLessThan(MOST_A_SECOND);
    // They did meet: silence alone would be 50 a second.
    expect(rate).toBeGreaterThan(60);
  });
});
