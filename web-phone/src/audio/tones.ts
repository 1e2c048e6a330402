/** The tones that a telephone makes by itself, drawn by oscillators: no file, no request. */
import type { NetworkTones } from "../agent/phone-agent.ts";
import type { PadKey } from "../number.ts";
import { type Burst, type Pattern, patternOf, type Tone } from "./patterns.ts";

export type { Tone } from "./patterns.ts";

const KEY_COLUMNS = [1209, 1336, 1477] as const;
const KEY_ROWS: ReadonlyMap<number, string> = new Map([
  [697, "123"],
  [770, "456"],
  [852, "789"],
  [941, "*0#"],
]);

/** ITU-T Q.23: the two frequencies of a key. */
function frequenciesOf(key: PadKey): readonly number[] {
  for (const [row, keys] of KEY_ROWS) {
    const column = KEY_COLUMNS[keys.indexOf(key)];
    if (column !== undefined) return [row, column];
  }
  return [];
}

/** Plays one going tone at a time, and key tones over it. */
export class Tones {
  #context: AudioContext | undefined;
  #playing: { readonly tone: Tone; readonly stop: () => void } | undefined;
  /** The network's; undefined: those that ITU-T E.180 recommends. */
  network: NetworkTones | undefined;

  /** The sound engine, for others that want to listen; made at the first use. */
  get context(): AudioContext {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** To be called in a click or key press: browsers let no page sound before one. */
  unlock(): void {
    if (this.context.state === "suspended") void this.context.resume().catch(() => undefined);
  }

  /** Plays this tone, or silence. The same tone twice goes on undisturbed. */
  play(tone: Tone | undefined): void {
    if (this.#playing?.tone === tone) return;
    this.#playing?.stop();
    this.#playing = undefined;
    if (tone !== undefined)
      this.#playing = { tone, stop: this.#start(patternOf(tone, this.network)) };
  }

  key(key: PadKey): void {
    this.unlock();
    const context = this.context;
    this.#burst(context.destination, {
      frequencies: frequenciesOf(key),
      at: context.currentTime,
      seconds: 0.09,
      gain: 0.04,
    });
  }

  #start(pattern: Pattern): () => void {
    const context = this.context;
    const output = context.createGain();
    output.connect(context.destination);
    let periods = Math.ceil(pattern.limitSeconds / pattern.periodSeconds);
    const period = (): void => {
      periods -= 1;
      if (periods < 0) return;
      for (const burst of pattern.bursts) {
        this.#burst(output, { ...burst, at: context.currentTime + 0.02 + burst.at });
      }
    };
    period();
    const timer = setInterval(period, pattern.periodSeconds * 1000);
    return () => {
      clearInterval(timer);
      output.disconnect();
    };
  }

  /** One sound with soft edges; `at` is the engine's time here. */
  #burst(output: AudioNode, burst: Burst): void {
    const context = this.context;
    const envelope = context.createGain();
    envelope.connect(output);
    envelope.gain.setValueAtTime(0, burst.at);
    envelope.gain.linearRampToValueAtTime(burst.gain, burst.at + 0.012);
    envelope.gain.setValueAtTime(burst.gain, burst.at + burst.seconds - 0.03);
    envelope.gain.linearRampToValueAtTime(0, burst.at + burst.seconds);
    for (const frequency of burst.frequencies) {
      const oscillator = context.createOscillator();
      oscillator.frequency.value = frequency;
      oscillator.connect(envelope);
      oscillator.start(burst.at);
      oscillator.stop(burst.at + burst.seconds);
    }
  }
}
