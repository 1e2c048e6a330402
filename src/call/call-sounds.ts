import { isReceiving } from "../media/direction.ts";
import type { Exchange, MediaSession } from "../media/session.ts";
import type { CallContext } from "./context.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { Hold } from "./hold.ts";
import { reasonOfMediaError } from "./media-reason.ts";
import { CallRecordings } from "./recording.ts";
import { type Change, openToHeld } from "./renegotiation.ts";
import type { Story } from "./story.ts";

/** The sounds of one call beside its talk: music on hold, and recordings with their consent. */
export class CallSounds {
  readonly #context: CallContext;
  readonly #media: MediaSession;
  readonly #story: Story;
  readonly #onChange: () => void;
  readonly #pair: () => Pick<Exchange, "branch" | "policy"> | undefined;
  readonly #hold: Hold;
  readonly #recordings: CallRecordings;
  /** A held end is being told of the music. */
  #opening: Promise<void> | undefined;

  constructor(options: {
    readonly context: CallContext;
    readonly media: MediaSession;
    readonly callId: string;
    readonly story: Story;
    /** The views of the call have changed. */
    readonly onChange: () => void;
    /** The pair of ends as it stands; undefined when it must not be changed now. */
    readonly pair: () => Pick<Exchange, "branch" | "policy"> | undefined;
  }) {
    const { context, media, callId, story } = options;
    this.#context = context;
    this.#media = media;
    this.#story = story;
    this.#onChange = options.onChange;
    this.#pair = options.pair;
    this.#hold = new Hold({ context, media, note: (event, detail) => story.note(event, detail) });
    const onChange = (): void => this.#onRecordingChanged();
    this.#recordings = new CallRecordings({ context, media, callId, onChange });
  }

  /**
   * Puts off what comes while a held end is told of the music: nobody need try again for that.
   *
   * @returns false when nothing is in the way
   */
  putsOff(action: () => void): boolean {
    if (this.#opening === undefined) return false;
    void this.#opening.then(action);
    return true;
  }

  /** @returns false when one runs, or the call has had its share */
  startRecording(caller: DialogEnd["leg"], callee: DialogEnd["leg"]): boolean {
    if (!this.#recordings.start(caller, callee)) return false;
    this.#story.note("recording");
    this.#tell();
    return true;
  }

  get isRecording(): boolean {
    return this.#recordings.isRunning;
  }

  /** @returns whether one was running */
  stopRecording(): boolean {
    return this.#recordings.stop();
  }

  /** A caller may have put the call on hold before it was answered. */
  onConnected(caller: DialogEnd, callee: DialogEnd | undefined): void {
    const isHeld = callee !== undefined && !isReceiving(caller.direction);
    if (isHeld) this.onChange(caller, callee, { isClosed: false });
  }

  /** The direction of an end may have changed. */
  onChange(end: DialogEnd, peer: DialogEnd, { isClosed }: Change): void {
    void this.#hold.update(end, peer, isClosed ? () => this.#open(end, peer) : undefined);
  }

  /** The call ends: no music any more; the recordings are whole when this resolves. Never throws. */
  async close(): Promise<void> {
    this.#hold.close();
    await this.#recordings.close();
    this.#story.recordingsChanged(() => this.#recordings.views);
  }

  /** Never throws: a held end that cannot be told waits in silence. */
  async #open(holder: DialogEnd, held: DialogEnd): Promise<void> {
    const pair = this.#pair();
    if (pair === undefined) return;
    this.#opening = openToHeld(this.#media, pair, holder, held).catch((error: unknown) => {
      const { text } = reasonOfMediaError(error);
      this.#context.logger.warn("a held party could not be told of the music", { reason: text });
    });
    await this.#opening;
    this.#opening = undefined;
  }

  #onRecordingChanged(): void {
    const last = this.#recordings.views.at(-1);
    if (last !== undefined && last.state !== "recording") {
      this.#story.note(`recording ${last.state}`, last.file);
    }
    // The consent has taken the place of what a held party heard.
    void this.#hold.restart();
    this.#tell();
  }

  #tell(): void {
    this.#story.recordingsChanged(() => this.#recordings.views);
    this.#onChange();
  }
}
