import { describe, expect, it } from "vitest";
import {
  describeLoss,
  lossBetween,
  NO_PACKETS,
  SEGMENTS,
  worstSegment,
  type PacketCounts,
  type Segment,
} from "../../src/call/loss.ts";

const NOTHING = NO_PACKETS;

/** 500 packets each way, of which each part of the way loses so many. */
function call(lost: Partial<Record<Segment, number>>): PacketCounts {
  const of = (segment: Segment): number => lost[segment] ?? 0;
  const fromBrowser = 500 - of("browser-uplink");
  const fromFarEnd = 500 - of("carrier-inbound");
  return {
    browser: {
      sent: 500,
      reportedLost: of("browser-uplink") + of("carrier-outbound"),
      received: fromFarEnd - of("browser-downlink"),
      lost: of("carrier-inbound") + of("browser-downlink"),
    },
    gateway: { fromBrowser, fromFarEnd, errors: of("gateway") },
  };
}

describe("where the packets of a call are lost", () => {
  it.each(SEGMENTS.map((segment) => [segment]))("finds %s alone", (segment) => {
    const loss = lossBetween(NOTHING, call({ [segment]: 50 }));
    expect(worstSegment(loss)).toBe(segment);
    for (const other of SEGMENTS) {
      if (other === segment) expect(loss[other]).toBeGreaterThan(0.04);
      else expect(loss[other], other).toBe(0);
    }
    expect(describeLoss(loss)).toMatch(/^(5|10) % of the packets are lost /);
  });

  it("tells two parts apart, and names the worse one", () => {
    const loss = lossBetween(NOTHING, call({ "browser-downlink": 20, "carrier-inbound": 60 }));
    expect(loss["browser-downlink"]).toBeCloseTo(0.045, 2);
    expect(loss["carrier-inbound"]).toBeCloseTo(0.12, 2);
    expect(worstSegment(loss)).toBe("carrier-inbound");
  });

  it("takes packets that are under way, and loss that nobody hears, for none", () => {
    expect(worstSegment(lossBetween(NOTHING, call({ "browser-uplink": 5 })))).toBeUndefined();
    expect(describeLoss(lossBetween(NOTHING, call({ "browser-uplink": 10 })))).toBeUndefined();
  });

  it("says nothing about a time with hardly a packet, or with counts that fall", () => {
    const few = { ...NOTHING, browser: { ...NOTHING.browser, sent: 40 } };
    expect(worstSegment(lossBetween(NOTHING, few))).toBeUndefined();
    expect(worstSegment(lossBetween(call({}), NOTHING))).toBeUndefined();
  });
});
