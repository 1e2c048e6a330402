/** Reads the browser's getStats as far as the sound of a call goes. Pure. */

/** Counts of one direction. */
export interface DirectionCounts {
  /** Inbound: packets that arrived. Outbound: packets that went out. */
  readonly packets: number;
  /** Packets that never arrived; outbound as the far end reports it, 0 until it does. */
  readonly lost: number;
}

/** One direction in the last interval. */
export interface DirectionSample extends DirectionCounts {
  readonly jitterMs: number | undefined;
}

/** What getStats says of one connection now; the counts are since its begin. */
export interface StatsReading {
  readonly atMs: number;
  readonly inbound: DirectionSample;
  readonly outbound: DirectionSample;
  readonly concealedSamples: number;
  readonly receivedSamples: number;
  readonly iceRoundTripMs: number | undefined;
  readonly roundTripMs: number | undefined;
}

/** Share of the packets of a direction that were lost, 0 to 1. */
export function lossOf({ packets, lost }: DirectionCounts, isInbound: boolean): number {
  const expected = isInbound ? packets + lost : packets;
  return expected <= 0 ? 0 : Math.min(1, lost / expected);
}

type Stats = Readonly<Record<string, unknown>>;

function isStats(value: unknown): value is Stats {
  return typeof value === "object" && value !== null;
}

function numberOf(stats: Stats | undefined, name: string): number | undefined {
  const value = stats?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function millisecondsOf(stats: Stats | undefined, name: string): number | undefined {
  const seconds = numberOf(stats, name);
  return seconds === undefined ? undefined : Math.round(seconds * 10_000) / 10;
}

/** Reads the values of an RTCStatsReport (W3C webrtc-stats). */
export function readStats(values: Iterable<unknown>, atMs: number): StatsReading {
  const all = [...values].filter(isStats);
  const audio = (type: string): Stats | undefined =>
    all.find((stats) => stats["type"] === type && stats["kind"] === "audio");
  const inbound = audio("inbound-rtp");
  const outbound = audio("outbound-rtp");
  const reported = audio("remote-inbound-rtp");
  const transport = all.find(({ type }) => type === "transport");
  const pair = all.find(
    ({ type, id }) => type === "candidate-pair" && id === transport?.["selectedCandidatePairId"],
  );
  return {
    atMs,
    inbound: {
      packets: numberOf(inbound, "packetsReceived") ?? 0,
      // A packet that came twice makes it negative (RFC 3550 A.3).
      lost: Math.max(0, numberOf(inbound, "packetsLost") ?? 0),
      jitterMs: millisecondsOf(inbound, "jitter"),
    },
    outbound: {
      packets: numberOf(outbound, "packetsSent") ?? 0,
      lost: Math.max(0, numberOf(reported, "packetsLost") ?? 0),
      jitterMs: millisecondsOf(reported, "jitter"),
    },
    concealedSamples: numberOf(inbound, "concealedSamples") ?? 0,
    receivedSamples: numberOf(inbound, "totalSamplesReceived") ?? 0,
    iceRoundTripMs: millisecondsOf(pair, "currentRoundTripTime"),
    roundTripMs: millisecondsOf(reported, "roundTripTime"),
  };
}
