import { LazyMap } from "../core/lazy-map.ts";
import type { Clock } from "../core/clock.ts";
import { subscribeCopy } from "./copies.ts";
import { Playback, type SoundCommand } from "./playback.ts";
import type { MediaSounds, PlayOptions } from "./session.ts";

interface Copy {
  readonly tag: string;
  readonly answer: (offer: string) => string;
}

/**
 * What a session does beside joining its legs: sounds that one of them hears, copies of what they
 * send. It knows them all, so that a session that moves to another rtpengine takes them along.
 */
export class SessionSounds implements MediaSounds {
  readonly #command: SoundCommand;
  readonly #inTurn: <T>(action: () => Promise<T>) => Promise<T>;
  readonly #clock: Clock;
  readonly #canReadFiles: boolean;
  /** By the tag of who hears it. */
  readonly #playbacks = new LazyMap<
    string,
    { readonly playback: Playback; readonly play: PlayOptions }
  >();
  /** By the tag of the receiver. */
  readonly #copies = new LazyMap<string, Copy>();
  #hasCopies = false;

  constructor(options: {
    readonly command: SoundCommand;
    /** Runs an action when those before it are done. */
    readonly inTurn: <T>(action: () => Promise<T>) => Promise<T>;
    readonly clock: Clock;
    readonly canReadFiles: boolean;
  }) {
    this.#command = options.command;
    this.#inTurn = options.inTurn;
    this.#clock = options.clock;
    this.#canReadFiles = options.canReadFiles;
  }

  /** Whether rtpengine has had receivers of copies: they are tags of the call too, for its life. */
  get hasCopies(): boolean {
    return this.#hasCopies;
  }

  play(play: PlayOptions): Promise<void> {
    return this.#inTurn(() => this.#play(play));
  }

  async stopPlaying(to: string): Promise<void> {
    try {
      await this.#inTurn(async () => {
        const playing = this.#playbacks.get(to);
        this.#playbacks.delete(to);
        await playing?.playback.stop();
      });
    } catch {
      // The session is closed, and the sound with it.
    }
  }

  subscribe(tag: string, receiver: string, answer: (offer: string) => string): Promise<void> {
    return this.#inTurn(async () => {
      this.#hasCopies = true;
      await subscribeCopy(this.#command, tag, receiver, answer);
      this.#copies.set(receiver, { tag, answer });
    });
  }

  async unsubscribe(receiver: string): Promise<void> {
    try {
      await this.#inTurn(async () => {
        this.#copies.delete(receiver);
        await this.#command("unsubscribe", { "to-tag": receiver });
      });
    } catch {
      // The session is closed, and its copies with it.
    }
  }

  /** The session is at another rtpengine: everything is begun anew there. Never throws. */
  async restore(): Promise<void> {
    for (const { play, playback } of this.#playbacks.values()) {
      playback.cancel();
      await this.#play(play).catch(() => undefined);
    }
    for (const [receiver, { tag, answer }] of this.#copies) {
      await subscribeCopy(this.#command, tag, receiver, answer).catch(() => undefined);
    }
  }

  /** Lets the timers go; the rest ends with the call. */
  close(): void {
    for (const { playback } of this.#playbacks.values()) playback.cancel();
    this.#playbacks.clear();
  }

  async #play(play: PlayOptions): Promise<void> {
    await this.#playbacks.get(play.to)?.playback.stop();
    const playback = new Playback({
      command: this.#command,
      clock: this.#clock,
      canReadFiles: this.#canReadFiles,
      play,
    });
    this.#playbacks.set(play.to, { playback, play });
    await playback.start();
  }
}
