/**
 * How the sound of a call fares: a sample of the last seconds and the totals since the call began.
 * A call may change its peer connection on the way; the totals go on.
 */
import {
  type DirectionCounts,
  type DirectionSample,
  readStats,
  type StatsReading,
} from "./stats-reading.ts";

/** What one look at the statistics gives. */
export interface QualitySample {
  readonly intervalMs: number;
  readonly inbound: DirectionSample;
  readonly outbound: DirectionSample;
  /** Share of the heard sound, 0 to 1, that the browser had to make up. */
  readonly concealedShare: number;
  /** To the media relay and back, of the last ICE check. */
  readonly iceRoundTripMs: number | undefined;
  /** To whoever sends the RTCP reports and back. */
  readonly roundTripMs: number | undefined;
  readonly totals: { readonly inbound: DirectionCounts; readonly outbound: DirectionCounts };
}

/** How often the phone looks, in milliseconds. */
export const SAMPLE_EVERY_MS = 5_000;

const NOTHING: DirectionCounts = { packets: 0, lost: 0 };

function since(now: DirectionCounts, before: DirectionCounts): DirectionCounts {
  // Only a report that comes late can make a count fall.
  return {
    packets: Math.max(0, now.packets - before.packets),
    lost: Math.max(0, now.lost - before.lost),
  };
}

function add(one: DirectionCounts, other: DirectionCounts): DirectionCounts {
  return { packets: one.packets + other.packets, lost: one.lost + other.lost };
}

/** Samples one call from construction until `stop`. */
export class QualitySampler {
  readonly #connection: () => RTCPeerConnection | undefined;
  readonly #onSample: (sample: QualitySample) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #last: { readonly connection: RTCPeerConnection; readonly reading: StatsReading } | undefined;
  #lastAtMs: number;
  #totals: QualitySample["totals"] = { inbound: NOTHING, outbound: NOTHING };
  #isStopped = false;

  /**
   * @param connection the call's peer connection at this moment
   * @param onSample   called every five seconds while the call has a connection
   */
  constructor(
    connection: () => RTCPeerConnection | undefined,
    onSample: (sample: QualitySample) => void,
    everyMs: number = SAMPLE_EVERY_MS,
  ) {
    this.#connection = connection;
    this.#onSample = onSample;
    this.#lastAtMs = performance.now();
    this.#timer = setInterval(() => void this.#sample(), everyMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #sample(): Promise<void> {
    const connection = this.#connection();
    if (connection === undefined) return;
    let report: RTCStatsReport;
    try {
      report = await connection.getStats();
    } catch {
      // Closed meanwhile.
      return;
    }
    if (this.#isStopped || connection !== this.#connection()) return;
    const reading = readStats(report.values(), performance.now());
    const before = this.#last?.connection === connection ? this.#last.reading : undefined;
    this.#last = { connection, reading };
    const inbound = since(reading.inbound, before?.inbound ?? NOTHING);
    const outbound = since(reading.outbound, before?.outbound ?? NOTHING);
    this.#totals = {
      inbound: add(this.#totals.inbound, inbound),
      outbound: add(this.#totals.outbound, outbound),
    };
    const samples = reading.receivedSamples - (before?.receivedSamples ?? 0);
    const concealed = reading.concealedSamples - (before?.concealedSamples ?? 0);
    const intervalMs = Math.round(reading.atMs - this.#lastAtMs);
    this.#lastAtMs = reading.atMs;
    this.#onSample({
      intervalMs,
      inbound: { ...inbound, jitterMs: reading.inbound.jitterMs },
      outbound: { ...outbound, jitterMs: reading.outbound.jitterMs },
      concealedShare: samples <= 0 ? 0 : Math.min(1, Math.max(0, concealed / samples)),
      iceRoundTripMs: reading.iceRoundTripMs,
      roundTripMs: reading.roundTripMs,
      totals: this.#totals,
    });
  }
}
