/**
 * Where packets of a call are lost: between browser and gateway, between gateway and far end, or in
 * the gateway. Pure. What the browser says it sent and received, compared with what the media server
 * received from each side in the same time, tells the way apart.
 */

/** Packets since the call began, as far as anybody counted them. */
export interface PacketCounts {
  /** Of the browser's getStats. */
  readonly browser: {
    readonly sent: number;
    /** Of `sent`, what the last receiver on the way misses; 0 where it says nothing. */
    readonly reportedLost: number;
    readonly received: number;
    /** Gaps in what it received, wherever they arose. */
    readonly lost: number;
  };
  /** Of the media server. */
  readonly gateway: {
    readonly fromBrowser: number;
    readonly fromFarEnd: number;
    /** Packets that it got and could not use. */
    readonly errors: number;
  };
}

/** When a call begins. */
export const NO_PACKETS: PacketCounts = {
  browser: { sent: 0, reportedLost: 0, received: 0, lost: 0 },
  gateway: { fromBrowser: 0, fromFarEnd: 0, errors: 0 },
};

/** One part of the way. */
export type Segment =
  | "browser-uplink"
  | "browser-downlink"
  | "carrier-inbound"
  | "carrier-outbound"
  | "gateway";

/** Lost share of each part, 0 to 1. */
export type SegmentLoss = Readonly<Record<Segment, number>>;

/** Loss that people hear. */
const AUDIBLE = 0.03;
/** Fewer packets than this say nothing about a share. */
const ENOUGH_PACKETS = 100;
/** Packets that are under way while the two sides count. */
const UNDER_WAY = 5;

/** The loss between two moments of one call. */
export function lossBetween(before: PacketCounts, now: PacketCounts): SegmentLoss {
  const sent = now.browser.sent - before.browser.sent;
  const received = now.browser.received - before.browser.received;
  const fromBrowser = now.gateway.fromBrowser - before.gateway.fromBrowser;
  const fromFarEnd = now.gateway.fromFarEnd - before.gateway.fromFarEnd;
  const errors = now.gateway.errors - before.gateway.errors;
  const uplink = missing(sent - fromBrowser);
  const downlink = missing(fromFarEnd - received);
  // The gaps that the browser sees are all that was lost on both parts; what the last receiver of
  // its sound misses, likewise.
  const inbound = missing(now.browser.lost - before.browser.lost - downlink);
  const outbound = missing(now.browser.reportedLost - before.browser.reportedLost - uplink);
  return {
    "browser-uplink": share(uplink, sent),
    "browser-downlink": share(downlink, fromFarEnd),
    "carrier-inbound": share(inbound, fromFarEnd + inbound),
    "carrier-outbound": share(outbound, fromBrowser),
    gateway: share(errors, fromBrowser + fromFarEnd),
  };
}

/** The part that loses most, if anybody hears it. */
export function worstSegment(loss: SegmentLoss): Segment | undefined {
  let worst: Segment | undefined;
  for (const segment of SEGMENTS) {
    if (loss[segment] < AUDIBLE) continue;
    if (worst === undefined || loss[segment] > loss[worst]) worst = segment;
  }
  return worst;
}

/** All parts, in the order in which one is chosen when two lose alike. */
export const SEGMENTS: readonly Segment[] = [
  "browser-uplink",
  "browser-downlink",
  "carrier-inbound",
  "carrier-outbound",
  "gateway",
];

const PLACES: Readonly<Record<Segment, string>> = {
  "browser-uplink": "on the way from the browser to the gateway: the user's network",
  "browser-downlink": "on the way from the gateway to the browser: the user's network",
  "carrier-inbound": "on the way from the far end to the gateway: the carrier or the PBX",
  "carrier-outbound": "on the way from the gateway to the far end: the carrier or the PBX",
  gateway: "in the gateway: its media server could not use them",
};

/** One sentence for people; undefined when nothing is heard. */
export function describeLoss(loss: SegmentLoss): string | undefined {
  const segment = worstSegment(loss);
  if (segment === undefined) return undefined;
  return `${Math.round(loss[segment] * 100)} % of the packets are lost ${PLACES[segment]}.`;
}

function missing(count: number): number {
  return count <= UNDER_WAY ? 0 : count;
}

function share(lost: number, of: number): number {
  if (of < ENOUGH_PACKETS) return 0;
  return Math.round(Math.min(1, Math.max(0, lost / of)) * 1000) / 1000;
}
