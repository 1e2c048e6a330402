import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";

import { makeTemporaryDirectory } from "./temporary.ts";
import { generateTone, type ToneMeasurement, writeWav } from "./tone.ts";

const EXECUTABLE = "/usr/bin/chromium";
const browsers = new Set<Browser>();

export interface BrowserOptions {
  /** What its microphone hears, in Hz; default 1000. Multiples of 50 fit a 20 ms frame. */
  readonly toneHz?: number;
  readonly args?: readonly string[];
  /** Starts it elsewhere, as BrowserNetwork does; then the loopback is no network of its calls. */
  readonly executable?: string;
}

export interface PageOptions {
  /** Default 1280 × 800. */
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: "light" | "dark";
  /** Default: granted. */
  readonly microphone?: "granted" | "denied";
  /** Default: denied. */
  readonly camera?: "granted" | "denied";
}

/** A headless Chromium whose microphone hears a pure tone. */
export class TestBrowser implements AsyncDisposable {
  readonly browser: Browser;
  readonly #contexts: BrowserContext[] = [];

  static async launch(options: BrowserOptions = {}): Promise<TestBrowser> {
    const directory = await makeTemporaryDirectory("microphone");
    const toneFile = join(directory, "tone.wav");
    // Whole seconds: Chromium plays the file in a loop.
    const tone = generateTone({
      frequencyHz: options.toneHz ?? 1000,
      seconds: 10,
      amplitude: 0.4,
    });
    await writeWav(toneFile, tone);
    const browser = await chromium.launch({
      executablePath: options.executable ?? EXECUTABLE,
      headless: true,
      args: [
        "--no-sandbox",
        // Its camera at half its speed: pictures cost most of what a busy machine has.
        "--use-fake-device-for-media-stream=fps=10",
        `--use-file-for-fake-audio-capture=${toneFile}`,
        "--autoplay-policy=no-user-gesture-required",
        // A network namespace of a test has no other interface.
        ...(options.executable === undefined ? ["--allow-loopback-in-peer-connection"] : []),
        "--disable-features=WebRtcHideLocalIpsWithMdns",
        ...(options.args ?? []),
      ],
    });
    browsers.add(browser);
    return new TestBrowser(browser);
  }

  private constructor(browser: Browser) {
    this.browser = browser;
  }

  /** A page with storage of its own, like another user's browser. */
  async newPage(options: PageOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: options.viewport ?? { width: 1280, height: 800 },
      colorScheme: options.colorScheme ?? "light",
      // Only for the harness's own audio tap, a worklet out of a blob.
      bypassCSP: true,
      permissions: [
        ...(options.microphone === "denied" ? [] : ["microphone"]),
        ...(options.camera === "granted" ? ["camera"] : []),
      ],
    });
    this.#contexts.push(context);
    return await context.newPage();
  }

  /** Opens the gateway's web phone. @param httpUrl of the gateway */
  async openPhone(httpUrl: string, options: PageOptions = {}): Promise<PhonePage> {
    const page = await this.newPage(options);
    const phone = new PhonePage(page);
    await page.goto(httpUrl);
    return phone;
  }

  /** Closes every page, whatever it is doing. */
  async closePages(): Promise<void> {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
  }

  async close(): Promise<void> {
    browsers.delete(this.browser);
    await this.browser.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Where the web phone keeps what it plays. */
export const REMOTE_STREAM = "window.offhookPhone?.remoteStream()";

/** The web phone in a page, driven as a user would, by `data-testid`. */
export class PhonePage {
  readonly page: Page;
  /** Errors of the page: exceptions and console errors. */
  readonly errors: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
  }

  /** Any part of the page by its `data-testid`. */
  part(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** Signs in and waits until the phone can take calls. */
  async signIn(user: string, password: string): Promise<void> {
    await this.enterCredentials(user, password);
    await this.part("number-field").waitFor();
    await this.waitForLink("ready");
  }

  /** Fills in the sign-in form and sends it, whatever comes of it. */
  async enterCredentials(user: string, password: string): Promise<void> {
    await this.part("sign-in-user").fill(user);
    await this.part("sign-in-password").fill(password);
    await this.part("sign-in-submit").click();
  }

  /** Enters a number and presses the call button; does not wait for what comes of it. */
  async call(number: string): Promise<void> {
    await this.part("number-field").fill(number);
    await this.part("call-button").click();
  }

  async answer(): Promise<void> {
    await this.part("answer").click();
  }

  async decline(): Promise<void> {
    await this.part("decline").click();
  }

  async end(): Promise<void> {
    await this.part("end").click();
  }

  /** Presses the hold button: holds, and resumes when held. */
  async hold(): Promise<void> {
    await this.part("hold").click();
  }

  async mute(): Promise<void> {
    await this.part("mute").click();
  }

  /** Waits until the connection shows `state`: its `data-state`, or in its words. */
  async waitForLink(state: string | RegExp, timeoutMs = 10_000): Promise<void> {
    await this.#waitForState("link-state", state, timeoutMs);
  }

  /** Waits until the call shows `state`: its `data-state`, or in its words. */
  async waitForCall(state: string | RegExp, timeoutMs = 10_000): Promise<void> {
    await this.#waitForState("call-state", state, timeoutMs);
  }

  /** Measures a tone in what the phone plays now. */
  async remoteTone(frequencyHz: number, durationMs = 1000): Promise<ToneMeasurement> {
    return await measureStreamTone(this.page, REMOTE_STREAM, frequencyHz, durationMs);
  }

  /**
   * Milliseconds from the begin of `action` until the tone is heard in this page.
   *
   * @throws when it is not heard within `timeoutMs`
   */
  async timeToTone(
    frequencyHz: number,
    action: () => Promise<void>,
    timeoutMs = 10_000,
  ): Promise<number> {
    const start = await this.page.evaluate<number>("performance.timeOrigin + performance.now()");
    const heard = this.page.evaluate<number>(
      tapScript(REMOTE_STREAM, frequencyHz, timeoutMs, "first"),
    );
    // A rejection while the action still runs is for the await below.
    heard.catch(() => undefined);
    await action();
    const end = await heard;
    if (end < 0) throw new Error(`no tone of ${frequencyHz} Hz within ${timeoutMs} ms`);
    return end - start;
  }

  async #waitForState(testId: string, state: string | RegExp, timeoutMs: number): Promise<void> {
    const part = this.part(testId);
    const byWords = part.filter({ hasText: state });
    const locator =
      typeof state === "string"
        ? this.page.locator(`[data-testid="${testId}"][data-state="${state}"]`).or(byWords)
        : byWords;
    try {
      await locator.first().waitFor({ timeout: timeoutMs });
    } catch (error) {
      const shown = await part.allTextContents();
      throw new Error(`${testId} is not ${String(state)} but ${JSON.stringify(shown)}`, {
        cause: error,
      });
    }
  }
}

/**
 * Measures a tone in a MediaStream of a page.
 *
 * @param expression JavaScript that gives the stream, or undefined as long as there is none
 */
export async function measureStreamTone(
  page: Page,
  expression: string,
  frequencyHz: number,
  durationMs = 1000,
): Promise<ToneMeasurement> {
  return await page.evaluate<ToneMeasurement>(
    tapScript(expression, frequencyHz, durationMs, "measure"),
  );
}

// The first frames that a new tap gives are not whole, for as long as its machine is busy with it.
const SETTLE_SCRIPT = `await new Promise((resolve) => {
      let blocks = 0;
      setTimeout(resolve, 1000);
      // 128 samples each: 200 ms.
      tap.port.onmessage = () => { blocks += 1; if (blocks === 75) resolve(); };
    });`;

// Runs in the page: the whole measurement is there, so that only its result travels. `measure`
// gives a ToneMeasurement of the next durationMs; `first` the wall time of the first frame with the
// tone, or -1 after durationMs. The stream has to be played by an element too: Chromium gives a
// remote track to Web Audio only then. A track keeps its tap: another one each time would cost some
// frames of sound, and the first frames of a new one are not whole.
function tapScript(
  expression: string,
  frequencyHz: number,
  durationMs: number,
  mode: "measure" | "first",
): string {
  return `(async () => {
  const deadline = performance.now() + ${mode === "first" ? durationMs : 5000};
  let stream;
  for (;;) {
    stream = ${expression};
    if (stream?.getAudioTracks().length > 0) break;
    if (performance.now() > deadline) {
      if (${String(mode === "first")}) return -1;
      throw new Error("no stream with sound");
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const taps = (window.offhookTaps ??= new Map());
  const track = stream.getAudioTracks()[0];
  if (!taps.has(track.id)) {
    const audio = new Audio();
    audio.srcObject = stream;
    void audio.play();
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const code = 'registerProcessor("tap", class extends AudioWorkletProcessor {'
      + ' process([input]) { if (input[0]) this.port.postMessage(input[0].slice()); return true; } });';
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    URL.revokeObjectURL(url);
    const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    const source = context.createMediaStreamSource(stream);
    source.connect(tap);
    taps.set(track.id, { audio, context, source, tap });
    ${mode === "measure" ? SETTLE_SCRIPT : ""}
  }
  const { tap } = taps.get(track.id);
  const length = 960;
  const coefficient = 2 * Math.cos((2 * Math.PI * ${frequencyHz}) / 48000);
  const frame = new Float32Array(length);
  let filled = 0, frames = 0, withTone = 0, audible = 0, run = 0, longest = 0;
  const wanted = ${mode === "measure" ? Math.ceil(durationMs / 20) : "Infinity"};
  const result = await new Promise((resolve) => {
    const finish = () => resolve(${
      mode === "first"
        ? "-1"
        : `{ frames, share: frames === 0 ? 0 : withTone / frames, longestMs: longest * 20,
      audible: frames === 0 ? 0 : audible / frames }`
    });
    setTimeout(finish, ${mode === "first" ? durationMs : durationMs + 2000});
    tap.port.onmessage = ({ data }) => {
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
        const hasTone = isAudible && (2 * power) / (length * energy) > 0.8;
        frames += 1;
        if (isAudible) audible += 1;
        if (hasTone) {
          ${mode === "first" ? "resolve(performance.timeOrigin + performance.now());" : ""}
          withTone += 1;
          run += 1;
          longest = Math.max(longest, run);
        } else run = 0;
        if (frames >= wanted) return finish();
      }
    };
  });
  tap.port.onmessage = null;
  return result;
})()`;
}

if (process.env["VITEST"] !== undefined) {
  const { afterAll } = await import("vitest");
  afterAll(async () => {
    await Promise.all([...browsers].map((browser) => browser.close()));
    browsers.clear();
  });
}
