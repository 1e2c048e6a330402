import { join } from "node:path";
import type { Timer } from "../core/clock.ts";
import type { MediaLeg, MediaSession, Recording } from "../media/session.ts";
import type { CallContext } from "./context.ts";
import type { RecordingView } from "./record.ts";
import type { RecordingSettings } from "./sounds.ts";

/** Recordings that one call may make, one after another. */
const MAX_RECORDINGS = 20;
const SAMPLES_PER_MS = 8;

/**
 * The recordings of one call. A fault ends the recording and never the call: it is logged as an
 * error, stands in the record, and is counted.
 *
 * Without the consent that the configuration wants nothing is recorded: when it cannot be played,
 * the recording fails before it begins.
 */
export class CallRecordings {
  readonly #context: CallContext;
  readonly #media: MediaSession;
  readonly #callId: string;
  readonly #onChange: () => void;
  readonly #views: RecordingView[] = [];
  #state: "idle" | "starting" | "recording" | "closed" = "idle";
  #recording: Recording | undefined;
  #consent: { readonly timer: Timer; readonly stop: () => Promise<void> } | undefined;

  constructor(options: {
    readonly context: CallContext;
    readonly media: MediaSession;
    readonly callId: string;
    readonly onChange: () => void;
  }) {
    this.#context = options.context;
    this.#media = options.media;
    this.#callId = options.callId;
    this.#onChange = options.onChange;
  }

  /** All of the call so far, the running one last. */
  get views(): readonly RecordingView[] {
    const running = this.#recording;
    if (running === undefined) return [...this.#views];
    return this.#views.map((view, index) =>
      index === this.#views.length - 1 ? { ...view, durationMs: running.durationMs } : view,
    );
  }

  get isRunning(): boolean {
    return this.#state === "recording" || this.#state === "starting";
  }

  /**
   * Begins a recording, the caller to the left and the callee to the right.
   *
   * @returns false when one runs, or the call has had its share
   */
  start(caller: MediaLeg, callee: MediaLeg): boolean {
    if (this.#state !== "idle" || this.#views.length >= MAX_RECORDINGS) return false;
    this.#state = "starting";
    const number = this.#views.length + 1;
    const file = number === 1 ? `${this.#callId}.wav` : `${this.#callId}-${number}.wav`;
    this.#views.push({
      file,
      state: "recording",
      startedAt: new Date(this.#context.clock.wallMs()).toISOString(),
      durationMs: 0,
    });
    void this.#begin(file, `recording-${number}`, caller, callee);
    return true;
  }

  /** @returns false when none runs */
  stop(): boolean {
    if (!this.isRunning) return false;
    void this.#finish("done");
    return true;
  }

  /** The call ends: what was recorded is in its file when this resolves. Never throws. */
  async close(): Promise<void> {
    const wasRunning = this.isRunning;
    this.#state = "closed";
    this.#consent?.timer.cancel();
    this.#consent = undefined;
    if (wasRunning) await this.#settle("done");
  }

  async #begin(file: string, id: string, caller: MediaLeg, callee: MediaLeg): Promise<void> {
    const { recording: settings, logger } = this.#context;
    try {
      await this.#playConsent(settings, caller.tag, callee.tag);
      if (this.#state !== "starting") return;
      const recording = await this.#context.media.record(this.#media, {
        id,
        path: join(settings.directory, file),
        left: caller.tag,
        right: callee.tag,
        onFault: (detail) => this.#fail(detail),
      });
      if (this.#isStarting()) {
        this.#recording = recording;
        this.#state = "recording";
        this.#onChange();
      } else {
        await recording.stop();
      }
    } catch (error) {
      logger.debug("recording could not begin", { err: error });
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #isStarting(): boolean {
    return this.#state === "starting";
  }

  async #playConsent(settings: RecordingSettings, one: string, other: string): Promise<void> {
    if (settings.consent === undefined) return;
    const sound = await settings.consent();
    const stop = async (): Promise<void> => {
      await this.#media.sounds.stopPlaying(one);
      await this.#media.sounds.stopPlaying(other);
    };
    try {
      await this.#media.sounds.play({ to: one, instead: [other], sound, isLooped: false });
      await this.#media.sounds.play({ to: other, instead: [one], sound, isLooped: false });
    } catch (error) {
      await stop();
      throw error;
    }
    if (this.#state === "closed") return;
    const timer = this.#context.clock.after(sound.length / SAMPLES_PER_MS, () => {
      this.#consent = undefined;
      void stop().then(() => this.#onChange());
    });
    this.#consent = { timer, stop };
  }

  #fail(detail: string): void {
    if (!this.isRunning) return;
    this.#context.logger.error("recording failed", { call: this.#callId, detail });
    void this.#finish("failed", detail);
  }

  async #finish(state: "done" | "failed", detail?: string): Promise<void> {
    this.#state = "idle";
    await this.#settle(state, detail);
    this.#onChange();
  }

  async #settle(state: "done" | "failed", detail?: string): Promise<void> {
    const recording = this.#recording;
    this.#recording = undefined;
    const view = this.#views.at(-1);
    const index = this.#views.length - 1;
    await recording?.stop();
    if (view === undefined) return;
    if (recording === undefined && state === "done") {
      // It ended before it began: there is no file.
      this.#views.pop();
      return;
    }
    this.#views[index] = {
      ...view,
      state,
      durationMs: recording?.durationMs ?? 0,
      ...(detail === undefined ? {} : { detail }),
    };
  }
}
