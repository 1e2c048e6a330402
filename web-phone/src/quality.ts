/**
 * What the numbers of a call's sound mean: a mean opinion score, a word for it, and warnings that
 * neither flicker nor stay. Pure.
 */

/** One second of a call's sound. Undefined: the browser did not say. */
export interface QualityReading {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly roundTripMs: number | undefined;
  readonly jitterMs: number | undefined;
  /** Share of the packets of this second that did not arrive, 0 to 1: the worse direction. */
  readonly loss: number;
  /** Octets of sound that arrived in this second. */
  readonly octetsReceived: number;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** Loudness of what goes out and comes in, 0 to 1; undefined when the browser does not say. */
  readonly levelSent: number | undefined;
  readonly levelReceived: number | undefined;
  /** 1 (bad) to 4.5 (as good as a telephone gets). */
  readonly mos: number;
}

/** What users are warned of. */
export const QUALITY_WARNINGS = [
  "round-trip",
  "jitter",
  "loss",
  "mos",
  "nothing-received",
  "nothing-said",
] as const;

/** See {@link QUALITY_WARNINGS}. */
export type QualityWarning = (typeof QUALITY_WARNINGS)[number];

/** A word for a score. */
export type QualityWord = "good" | "fair" | "poor";

const ROUND_TRIP_LIMIT_MS = 400;
const JITTER_LIMIT_MS = 30;
const LOSS_LIMIT = 0.03;
const MOS_LIMIT = 3.5;
const NOTHING_RECEIVED_SECONDS = 3;
const NOTHING_SAID_SECONDS = 10;
/** A microphone that is on never gives less than its own noise. */
const FLAT_LEVEL = 0.000_1;
const WINDOW = 5;
const BAD_ENOUGH = 3;

/** How many readings a call keeps: five minutes. */
export const READINGS_KEPT = 300;

/**
 * A score by a short form of ITU-T G.107's E-model: delay and lost packets take from the best
 * rating that a narrow telephone line has, and the rating becomes a score (G.107 Annex B).
 */
export function mosOf(reading: {
  readonly roundTripMs: number | undefined;
  readonly jitterMs: number | undefined;
  readonly loss: number;
}): number {
  // Buffers wait for twice the jitter; encoding and decoding take 10 ms.
  const delayMs = (reading.roundTripMs ?? 0) + 2 * (reading.jitterMs ?? 0) + 10;
  const byDelay = 94.2 - (delayMs < 160 ? delayMs / 40 : (delayMs - 120) / 10);
  const rating = Math.max(0, byDelay - 250 * reading.loss);
  const score = 1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating);
  return Math.round(100 * Math.min(4.5, Math.max(1, score))) / 100;
}

/** Good from 4.0, fair from 3.5, else poor. */
export function wordOfMos(mos: number): QualityWord {
  if (mos >= 4) return "good";
  return mos >= MOS_LIMIT ? "fair" : "poor";
}

function isBad(warning: "round-trip" | "jitter" | "loss" | "mos", reading: QualityReading) {
  switch (warning) {
    case "round-trip":
      return (reading.roundTripMs ?? 0) > ROUND_TRIP_LIMIT_MS;
    case "jitter":
      return (reading.jitterMs ?? 0) > JITTER_LIMIT_MS;
    case "loss":
      return reading.loss > LOSS_LIMIT;
    case "mos":
      return reading.mos < MOS_LIMIT;
  }
}

function isLast(
  readings: readonly QualityReading[],
  count: number,
  holds: (reading: QualityReading) => boolean,
): boolean {
  return readings.length >= count && readings.slice(-count).every(holds);
}

/**
 * The warnings after the newest reading: one begins when three of the last five were bad, and ends
 * after five good ones.
 *
 * @param readings the newest last
 * @param before   the warnings that stood
 * @param isQuiet  the call is held or muted: silence is no fault then
 */
export function warningsOf(
  readings: readonly QualityReading[],
  before: readonly QualityWarning[],
  isQuiet: { readonly received: boolean; readonly sent: boolean },
): readonly QualityWarning[] {
  const window = readings.slice(-WINDOW);
  const now = QUALITY_WARNINGS.filter((warning) => {
    switch (warning) {
      case "nothing-received":
        return (
          !isQuiet.received &&
          isLast(readings, NOTHING_RECEIVED_SECONDS, ({ packetsReceived }) => packetsReceived === 0)
        );
      case "nothing-said":
        return (
          !isQuiet.sent &&
          isLast(
            readings,
            NOTHING_SAID_SECONDS,
            ({ levelSent }) => levelSent !== undefined && levelSent < FLAT_LEVEL,
          )
        );
      case "round-trip":
      case "jitter":
      case "loss":
      case "mos": {
        const bad = window.filter((reading) => isBad(warning, reading)).length;
        if (bad >= BAD_ENOUGH) return true;
        const isClear = window.length >= WINDOW && bad === 0;
        return before.includes(warning) && !isClear;
      }
    }
  });
  const isSame = now.length === before.length && now.every((one, index) => before[index] === one);
  return isSame ? before : now;
}
