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
  #ringContext: AudioContext | undefined;
  #sinks = { ringer: "", speaker: "" };
  /** The network's; undefined: those that ITU-T E.180 recommends. */
  network: NetworkTones | undefined;

  /** The sound engine, for others that want to listen; made at the first use. */
  get context(): AudioContext {
    if (this.#context === undefined) {
      this.#context = new AudioContext();
      applySink(this.#context, this.#sinks.speaker);
    }
    return this.#context;
  }

  /** The engine that rings, on a device of its own where one is chosen. */
  get #bell(): AudioContext {
    if (this.#ringContext === undefined) {
      this.#ringContext = new AudioContext();
      applySink(this.#ringContext, this.#sinks.ringer);
    }
    return this.#ringContext;
  }

  /** Where it rings and where everything else sounds; `""` is the system's default. */
  setSinks(sinks: { readonly ringer: string; readonly speaker: string }): void {
    this.#sinks = { ...sinks };
    if (this.#context !== undefined) applySink(this.#context, sinks.speaker);
    if (this.#ringContext !== undefined) applySink(this.#ringContext, sinks.ringer);
  }

  /** Where it rings now. */
  get ringSink(): string {
    return this.#sinks.ringer;
  }

  /** To be called in a click or key press: browsers let no page sound before one. */
  unlock(): void {
    for (const context of [this.context, this.#bell]) {
      if (context.state === "suspended") void context.resume().catch(() => undefined);
    }
  }

  /** Plays this tone, or silence. The same tone twice goes on undisturbed. */
  play(tone: Tone | undefined): void {
    if (this.#playing?.tone === tone) return;
    this.#playing?.stop();
    this.#playing = undefined;
    if (tone !== undefined) this.#playing = { tone, stop: this.#start(tone) };
  }

  key(key: PadKey): void {
    this.unlock();
    const context = this.context;
    this.#burst(context, context.destination, {
      frequencies: frequenciesOf(key),
      at: context.currentTime,
      seconds: 0.09,
      gain: 0.04,
    });
  }

  /** A tone to try a device with: one ring, or the key 5 for a while. */
  sample(role: "speaker" | "ringer", seconds: number): void {
    const context = role === "ringer" ? this.#bell : this.context;
    if (role === "ringer") {
      for (const burst of patternOf("ring", this.network).bursts) {
        this.#burst(context, context.destination, {
          ...burst,
          at: context.currentTime + 0.02 + burst.at,
        });
      }
      return;
    }
    const at = context.currentTime + 0.02;
    this.#burst(context, context.destination, { frequencies: [440], at, seconds, gain: 0.12 });
  }

  #start(tone: Tone): () => void {
    const pattern: Pattern = patternOf(tone, this.network);
    const context = tone === "ring" ? this.#bell : this.context;
    const output = context.createGain();
    output.connect(context.destination);
    let periods = Math.ceil(pattern.limitSeconds / pattern.periodSeconds);
    const period = (): void => {
      periods -= 1;
      if (periods < 0) return;
      for (const burst of pattern.bursts) {
        this.#burst(context, output, { ...burst, at: context.currentTime + 0.02 + burst.at });
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
  #burst(context: AudioContext, output: AudioNode, burst: Burst): void {
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

/** W3C Audio Output Devices; other browsers than Chromium sound where the system says. */
function applySink(context: AudioContext, sinkId: string): void {
  const setSinkId: unknown = Reflect.get(context, "setSinkId");
  if (typeof setSinkId !== "function") return;
  const done: unknown = Reflect.apply(setSinkId, context, [sinkId]);
  if (done instanceof Promise) {
    done.catch(() => {
      // Gone: it sounds at the default.
    });
  }
}
