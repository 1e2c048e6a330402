/** What the tones of the phone are made of; `tones.ts` plays them. */
import type { CallTone, NetworkTones } from "../agent/phone-agent.ts";

/** A tone that goes on until it is stopped, or for a while. */
export type Tone = "ring" | "ring-back" | "busy" | "call-waiting";

/** One sound of a tone. */
export interface Burst {
  readonly frequencies: readonly number[];
  /** Seconds from the start of the period. */
  readonly at: number;
  readonly seconds: number;
  readonly gain: number;
}

/** One period of a tone. */
export interface Pattern {
  readonly periodSeconds: number;
  readonly limitSeconds: number;
  readonly bursts: readonly Burst[];
}

function note(frequency: number, at: number): Burst {
  return { frequencies: [frequency, frequency * 2], at, seconds: 0.28, gain: 0.12 };
}

const RING: Pattern = {
  periodSeconds: 3,
  limitSeconds: 60,
  bursts: [
    note(659, 0),
    note(784, 0.2),
    note(988, 0.4),
    note(659, 0.9),
    note(784, 1.1),
    note(988, 1.3),
  ],
};

/** A network's tone: its cadence is on, off, on, off, … */
function networkTone({ frequencies, cadence }: CallTone, limitSeconds: number): Pattern {
  const bursts: Burst[] = [];
  let at = 0;
  for (const [index, seconds] of cadence.entries()) {
    if (index % 2 === 0) {
      bursts.push({ frequencies, at, seconds, gain: 0.08 / frequencies.length });
    }
    at += seconds;
  }
  return { periodSeconds: at, limitSeconds, bursts };
}

/** ITU-T E.180: what is usual where nobody says anything else. */
const USUAL: NetworkTones = {
  ringBack: { frequencies: [425], cadence: [1, 4] },
  busy: { frequencies: [425], cadence: [0.5, 0.5] },
};

/** @param tones of the network; undefined: those that ITU-T E.180 recommends */
export function patternOf(tone: Tone, tones: NetworkTones = USUAL): Pattern {
  switch (tone) {
    case "ring":
      return RING;
    case "ring-back":
      return networkTone(tones.ringBack, 300);
    case "call-waiting":
      // ITU-T E.180 §12: short, so that it disturbs no talk.
      return networkTone({ frequencies: [425], cadence: [0.2, 0.2, 0.2, 4.4] }, 60);
    case "busy":
      return networkTone(tones.busy, 2);
  }
}
