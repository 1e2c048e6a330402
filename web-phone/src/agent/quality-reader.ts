/** Reads once a second how a call sounds, as the quality graph and its warnings want it. */
import { mosOf, type QualityReading } from "../quality.ts";
import { type DirectionCounts, lossOf, type StatsReading, readStats } from "./stats-reading.ts";

/** Counts since the begin of one connection. */
export interface SoundCounts {
  readonly reading: StatsReading;
  readonly octetsReceived: number;
  readonly levelSent: number | undefined;
  readonly levelReceived: number | undefined;
}

const EVERY_MS = 1_000;

function since(now: DirectionCounts, before: DirectionCounts | undefined): DirectionCounts {
  return {
    packets: Math.max(0, now.packets - (before?.packets ?? 0)),
    lost: Math.max(0, now.lost - (before?.lost ?? 0)),
  };
}

function numberIn(values: Iterable<unknown>, type: string, name: string): number | undefined {
  for (const stats of values) {
    if (typeof stats !== "object" || stats === null) continue;
    if (Reflect.get(stats, "type") !== type || Reflect.get(stats, "kind") !== "audio") continue;
    const value: unknown = Reflect.get(stats, name);
    if (typeof value === "number" && Number.isFinite(value)) return value;
  }
  return undefined;
}

/** Reads the values of an RTCStatsReport (W3C webrtc-stats). */
export function countsOf(values: readonly unknown[], atMs: number): SoundCounts {
  return {
    reading: readStats(values, atMs),
    octetsReceived: numberIn(values, "inbound-rtp", "bytesReceived") ?? 0,
    levelSent: numberIn(values, "media-source", "audioLevel"),
    levelReceived: numberIn(values, "inbound-rtp", "audioLevel"),
  };
}

/** What happened between two looks at one connection. */
export function readingBetween(
  before: SoundCounts | undefined,
  now: SoundCounts,
  at: number,
): QualityReading {
  const inbound = since(now.reading.inbound, before?.reading.inbound);
  const outbound = since(now.reading.outbound, before?.reading.outbound);
  const { reading, levelSent, levelReceived } = now;
  const figures = {
    roundTripMs: reading.roundTripMs ?? reading.iceRoundTripMs,
    jitterMs: reading.inbound.jitterMs,
    loss: Math.max(lossOf(inbound, true), lossOf(outbound, false)),
  };
  return {
    at,
    ...figures,
    octetsReceived: Math.max(0, now.octetsReceived - (before?.octetsReceived ?? 0)),
    packetsReceived: inbound.packets,
    packetsSent: outbound.packets,
    levelSent,
    levelReceived,
    mos: mosOf(figures),
  };
}

/** Reads from construction until `stop`. */
export class QualityReader {
  readonly #connection: () => RTCPeerConnection | undefined;
  readonly #onReading: (reading: QualityReading) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #last: { readonly connection: RTCPeerConnection; readonly counts: SoundCounts } | undefined;
  #isStopped = false;

  /** @param connection the call's peer connection at this moment */
  constructor(
    connection: () => RTCPeerConnection | undefined,
    onReading: (reading: QualityReading) => void,
  ) {
    this.#connection = connection;
    this.#onReading = onReading;
    this.#timer = setInterval(() => void this.#read(), EVERY_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    const connection = this.#connection();
    if (connection === undefined) return;
    try {
      const values: readonly unknown[] = [...(await connection.getStats()).values()];
      if (this.#isStopped || connection !== this.#connection()) return;
      const counts = countsOf(values, performance.now());
      const before = this.#last?.connection === connection ? this.#last.counts : undefined;
      this.#last = { connection, counts };
      // The first look has nothing to compare with.
      if (before !== undefined) this.#onReading(readingBetween(before, counts, Date.now()));
    } catch {
      // Closed meanwhile.
    }
  }
}
