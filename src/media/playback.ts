import type { Clock, Timer } from "../core/clock.ts";
import type { NgArguments, NgReply } from "./ng-client.ts";
import type { PlayOptions } from "./session.ts";
import { formatMuLawWav, SOUND_RATE } from "./sound/wav.ts";

/**
 * What one ng datagram can carry of a sound, with room for the rest of the command: 7.5 s. Longer
 * sounds go out piece by piece; rtpengine keeps SSRC and sequence numbers from one to the next.
 */
const PIECE_OCTETS = 60_000;
/** As often as matters: rtpengine counts down from here. */
const FOR_EVER = 1_000_000;

/** Sends a command about the call. */
export type SoundCommand = (
  command:
    | "play media"
    | "stop media"
    | "block media"
    | "unblock media"
    | "subscribe request"
    | "subscribe answer"
    | "unsubscribe",
  args: NgArguments,
) => Promise<NgReply>;

/**
 * A sound that one leg hears in place of the other leg's.
 *
 * The sound travels in the command, so that an rtpengine elsewhere needs no file of ours; one of
 * our own machine reads a long file by itself. The other leg's packets are blocked meanwhile: two
 * streams at once are noise in a plain telephone.
 */
export class Playback {
  readonly #command: SoundCommand;
  readonly #clock: Clock;
  readonly #options: PlayOptions;
  readonly #canReadFiles: boolean;
  #state: "new" | "playing" | "stopped" = "new";
  #timer: Timer | undefined;
  #startedMs = 0;
  #sentOctets = 0;

  constructor(options: {
    readonly command: SoundCommand;
    readonly clock: Clock;
    readonly canReadFiles: boolean;
    readonly play: PlayOptions;
  }) {
    this.#command = options.command;
    this.#clock = options.clock;
    this.#canReadFiles = options.canReadFiles;
    this.#options = options.play;
  }

  /** @throws MediaError when rtpengine refuses; nothing is blocked then */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "playing";
    const { instead } = this.#options;
    await this.#block("block media", instead);
    try {
      await this.#begin();
    } catch (error) {
      this.#state = "stopped";
      await this.#block("unblock media", instead).catch(() => undefined);
      throw error;
    }
  }

  /** Never throws: what cannot be stopped ends with the call. */
  async stop(): Promise<void> {
    if (this.#state !== "playing") return;
    this.cancel();
    const { to, instead } = this.#options;
    await this.#command("stop media", { "from-tag": to }).catch(() => undefined);
    await this.#block("unblock media", instead).catch(() => undefined);
  }

  /** Lets the timer go; the media end with the call. */
  cancel(): void {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #block(command: "block media" | "unblock media", tags: readonly string[]): Promise<void> {
    for (const tag of tags) await this.#command(command, { "from-tag": tag });
  }

  async #begin(): Promise<void> {
    const { to, sound, file, isLooped } = this.#options;
    const repeat: NgArguments = isLooped ? { "repeat-times": FOR_EVER } : {};
    if (sound.length <= PIECE_OCTETS) {
      await this.#command("play media", {
        "from-tag": to,
        blob: formatMuLawWav(sound),
        ...repeat,
      });
      return;
    }
    if (file !== undefined && this.#canReadFiles) {
      try {
        await this.#command("play media", { "from-tag": to, file, ...repeat });
        return;
      } catch {
        // A format or a path that it cannot read: the pieces are left.
      }
    }
    this.#startedMs = this.#clock.monotonicMs();
    await this.#piece();
  }

  /** One piece after another, each when the one before it has been played. */
  async #piece(): Promise<void> {
    const { to, sound, isLooped } = this.#options;
    const at = this.#sentOctets % sound.length;
    const piece = sound.subarray(at, at + PIECE_OCTETS);
    this.#sentOctets += piece.length;
    if (isLooped || this.#sentOctets < sound.length) {
      const dueMs = this.#startedMs + (this.#sentOctets * 1000) / SOUND_RATE;
      this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.monotonicMs()), () => {
        // Lost pieces are a pause in the music; the next one comes in its time.
        if (this.#state === "playing") this.#piece().catch(() => undefined);
      });
    }
    await this.#command("play media", { "from-tag": to, blob: formatMuLawWav(piece) });
  }
}
