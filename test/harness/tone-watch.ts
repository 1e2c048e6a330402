import type { Page } from "playwright-core";

/** What a watch has heard since it began. */
export interface WatchedTone {
  /** Whole 20 ms frames. */
  readonly frames: number;
  /** Longest run of frames without the tone between the first and the last frame, milliseconds. */
  readonly gapMs: number;
  /** How long the tone has been there without a break until now, milliseconds. */
  readonly steadyMs: number;
}

/**
 * Listens for a tone in whatever a page plays, also when that becomes another stream, as it does
 * when a phone goes on with a new peer connection. Several may listen in one page.
 */
export class ToneWatch {
  readonly #page: Page;
  readonly #name: string;

  /**
   * Begins, and waits until the tone is heard.
   *
   * @param expression JavaScript that gives the stream of now
   */
  static async start(
    page: Page,
    expression: string,
    frequencyHz: number,
    name = "watch",
  ): Promise<ToneWatch> {
    await page.evaluate(watchScript(name, expression, frequencyHz));
    const watch = new ToneWatch(page, name);
    await watch.untilSteady(500);
    await watch.reset();
    return watch;
  }

  private constructor(page: Page, name: string) {
    this.#page = page;
    this.#name = name;
  }

  /** Forgets what it has heard: a later wait is for what comes from now on. */
  async reset(): Promise<void> {
    await this.#page.evaluate(`window.offhookWatches.${this.#name}.reset()`);
  }

  async heard(): Promise<WatchedTone> {
    return await this.#page.evaluate<WatchedTone>(`window.offhookWatches.${this.#name}.heard()`);
  }

  /** Waits until the tone has been there for so long without a break. */
  async untilSteady(steadyMs: number, timeoutMs = 20_000): Promise<void> {
    await this.#page.waitForFunction(
      `window.offhookWatches.${this.#name}.heard().steadyMs >= ${steadyMs}`,
      undefined,
      { timeout: timeoutMs, polling: 20 },
    );
  }

  /** Waits until so much has been listened to since the begin. */
  async untilMs(durationMs: number): Promise<void> {
    await this.#page.waitForFunction(
      `window.offhookWatches.${this.#name}.heard().frames >= ${Math.ceil(durationMs / 20)}`,
      undefined,
      { timeout: durationMs + 20_000, polling: 20 },
    );
  }
}

// Samples are counted, not milliseconds: a page that is late on a busy machine has heard all the
// same. The worklet sends silence too, so that nothing heard is time that went by.
function watchScript(name: string, expression: string, frequencyHz: number): string {
  return `(async () => {
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const code = 'registerProcessor("watch", class extends AudioWorkletProcessor {'
    + ' process([input]) { this.port.postMessage(input[0] ? input[0].slice() : new Float32Array(128));'
    + ' return true; } });';
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  URL.revokeObjectURL(url);
  const node = new AudioWorkletNode(context, "watch", { numberOfOutputs: 0 });
  let playing;
  const follow = () => {
    const stream = ${expression};
    const track = stream?.getAudioTracks()[0];
    if (track === undefined || track.id === playing?.id) return;
    playing?.source.disconnect();
    const audio = new Audio();
    audio.srcObject = stream;
    void audio.play();
    const source = context.createMediaStreamSource(stream);
    source.connect(node);
    playing = { id: track.id, audio, source };
  };
  follow();
  setInterval(follow, 10);
  const length = 960;
  const coefficient = 2 * Math.cos((2 * Math.PI * ${frequencyHz}) / 48000);
  const frame = new Float32Array(length);
  let filled = 0, frames = 0, run = 0, missing = 0, gap = 0;
  node.port.onmessage = ({ data }) => {
    for (const sample of data) {
      frame[filled++] = sample;
      if (filled < length) continue;
      filled = 0;
      let before = 0, previous = 0, energy = 0;
      for (const value of frame) {
        const current = value + coefficient * previous - before;
        before = previous;
        previous = current;
        energy += value * value;
      }
      const power = previous * previous + before * before - coefficient * previous * before;
      const isAudible = Math.sqrt(energy / length) > 0.001;
      frames += 1;
      if (isAudible && (2 * power) / (length * energy) > 0.8) {
        run += 1;
        missing = 0;
      } else {
        run = 0;
        gap = Math.max(gap, (missing += 1));
      }
    }
  };
  (window.offhookWatches ??= {}).${name} = {
    reset: () => { frames = 0; run = 0; missing = 0; gap = 0; },
    heard: () => ({ frames, gapMs: gap * 20, steadyMs: run * 20 }),
  };
})()`;
}
