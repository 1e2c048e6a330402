/**
 * The tones that telephone networks play, country by country: ITU-T E.180, Supplement 2. Plain data
 * without Node or DOM, for the gateway's announcements and for the web phone alike.
 */

/** One tone: its frequencies in Hz together, and seconds of sound and silence in turn. */
export interface CallTone {
  readonly frequencies: readonly number[];
  /** On, off, on, off, …: one period. */
  readonly cadence: readonly number[];
}

/** The tones of one country. */
export interface CallTones {
  readonly ringBack: CallTone;
  readonly busy: CallTone;
  readonly congestion: CallTone;
}

type Row = readonly [
  frequencies: readonly number[],
  ringBack: readonly number[],
  busy: readonly number[],
  congestion: readonly number[],
  /** Of busy and congestion, where they differ from the ring-back's. */
  busyFrequencies?: readonly number[],
  congestionFrequencies?: readonly number[],
];

/** ITU-T E.180: what a country has that says nothing else. */
const USUAL: Row = [[425], [1, 4], [0.5, 0.5], [0.25, 0.25]];
const BRITISH_RING: readonly number[] = [0.4, 0.2, 0.4, 2];
const NORTH_AMERICA: Row = [
  [440, 480],
  [2, 4],
  [0.5, 0.5],
  [0.25, 0.25],
  [480, 620],
  [480, 620],
];

const ROWS: Readonly<Record<string, Row>> = {
  AT: [[420], [1, 5], [0.4, 0.4], [0.2, 0.2]],
  AU: [[400, 450], BRITISH_RING, [0.375, 0.375], [0.375, 0.375], [425], [425]],
  BE: [[425], [1, 3], [0.5, 0.5], [0.167, 0.167]],
  BR: [[425], [1, 4], [0.25, 0.25], [0.25, 0.25, 0.75, 0.25]],
  CA: NORTH_AMERICA,
  CH: [[425], [1, 4], [0.5, 0.5], [0.2, 0.2]],
  CN: [[450], [1, 4], [0.35, 0.35], [0.7, 0.7]],
  CZ: [[425], [1, 4], [0.33, 0.33], [0.165, 0.165]],
  DE: [[425], [1, 4], [0.48, 0.48], [0.24, 0.24]],
  DK: [[425], [1, 4], [0.5, 0.5], [0.2, 0.2]],
  ES: [[425], [1.5, 3], [0.2, 0.2], [0.2, 0.2, 0.2, 0.6]],
  FI: [[425], [1, 4], [0.3, 0.3], [0.2, 0.2]],
  FR: [[440], [1.5, 3.5], [0.5, 0.5], [0.25, 0.25]],
  GB: [[400, 450], BRITISH_RING, [0.375, 0.375], [0.4, 0.35, 0.225, 0.525], [400], [400]],
  IE: [[400, 450], BRITISH_RING, [0.5, 0.5], [0.25, 0.25], [425], [425]],
  IN: [[400], BRITISH_RING, [0.75, 0.75], [0.25, 0.25]],
  IT: [[425], [1, 4], [0.5, 0.5], [0.2, 0.2]],
  JP: [[400], [1, 2], [0.5, 0.5], [0.5, 0.5]],
  MX: [[425], [1, 4], [0.25, 0.25], [0.25, 0.25]],
  NL: [[425], [1, 4], [0.5, 0.5], [0.25, 0.25]],
  NO: [[425], [1, 4], [0.5, 0.5], [0.2, 0.2]],
  NZ: [[400, 450], BRITISH_RING, [0.5, 0.5], [0.25, 0.25], [400], [400]],
  PL: [[425], [1, 4], [0.5, 0.5], [0.5, 0.5]],
  PT: [[425], [1, 5], [0.5, 0.5], [0.2, 0.2]],
  SE: [[425], [1, 5], [0.25, 0.25], [0.25, 0.75]],
  US: NORTH_AMERICA,
  ZA: [[400], BRITISH_RING, [0.5, 0.5], [0.25, 0.25]],
};

/** @param country ISO 3166 code; undefined, or one that is not in the table: E.180's own tones */
export function callTonesOf(country: string | undefined): CallTones {
  const key = country?.toUpperCase() ?? "";
  const row = (Object.hasOwn(ROWS, key) ? ROWS[key] : undefined) ?? USUAL;
  const [frequencies, ringBack, busy, congestion, busyFrequencies, congestionFrequencies] = row;
  return {
    ringBack: { frequencies, cadence: ringBack },
    busy: { frequencies: busyFrequencies ?? frequencies, cadence: busy },
    congestion: { frequencies: congestionFrequencies ?? frequencies, cadence: congestion },
  };
}
