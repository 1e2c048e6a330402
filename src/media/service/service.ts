import type { Clock, Timer } from "../../core/clock.ts";
import type { ServiceHandler, ServiceKind } from "../session.ts";
import { Playlist, digitSound, loadSound } from "./playlist.ts";

/** What a service does with a call; the endpoint below it does the RTP. */
export interface Service {
  /** Whether every packet goes back to its sender. */
  readonly isEcho: boolean;
  /** Sound flows, or should by now. Called once. */
  onConnected(): void;
  /** A digit has begun. */
  onDigit(digit: string): void;
  /** A packet of a digit, the first or a later one. */
  onDigitHeld(): void;
  /** The next 20 ms in µ-law; undefined: silence. */
  nextFrame(): Buffer | undefined;
  close(): void;
}

/** Makes the service of a kind. */
export function createService(
  kind: ServiceKind,
  handler: ServiceHandler,
  clock: Clock,
  sound?: Buffer,
): Service {
  switch (kind) {
    case "echo":
      return echo;
    case "play":
      return new AnnouncementService(handler, sound);
    case "read-digits":
      return new ReadDigitsService(handler, clock);
  }
}

const echo: Service = {
  isEcho: true,
  onConnected() {},
  onDigit() {},
  onDigitHeld() {},
  nextFrame: () => undefined,
  close() {},
};

const PAUSE_MS = 800;

/** Says the built-in text twice, or plays another sound once; then it is done. */
class AnnouncementService implements Service {
  readonly isEcho = false;
  readonly #handler: ServiceHandler;
  readonly #sound: Buffer | undefined;
  readonly #playlist = new Playlist();
  #state: "waiting" | "playing" | "done" = "waiting";

  constructor(handler: ServiceHandler, sound: Buffer | undefined) {
    this.#handler = handler;
    this.#sound = sound;
  }

  onConnected(): void {
    if (this.#sound === undefined) {
      const announcement = loadSound("announcement");
      this.#playlist.add(announcement);
      this.#playlist.addPause(PAUSE_MS);
      this.#playlist.add(announcement);
    } else {
      this.#playlist.add(this.#sound);
    }
    this.#playlist.addPause(PAUSE_MS);
    this.#state = "playing";
  }

  onDigit(): void {}

  onDigitHeld(): void {}

  nextFrame(): Buffer | undefined {
    const frame = this.#playlist.nextFrame();
    if (frame === undefined && this.#state === "playing") {
      this.#state = "done";
      this.#handler.onFinished();
    }
    return frame;
  }

  close(): void {
    this.#state = "done";
  }
}

const DIGIT_PAUSE_MS = 1000;
const MOST_DIGITS = 32;

/** Collects digits and speaks them back after a pause or `#`; a digit interrupts what is spoken. */
class ReadDigitsService implements Service {
  readonly isEcho = false;
  readonly #handler: ServiceHandler;
  readonly #clock: Clock;
  readonly #playlist = new Playlist();
  #digits: string[] = [];
  #pause: Timer | undefined;

  constructor(handler: ServiceHandler, clock: Clock) {
    this.#handler = handler;
    this.#clock = clock;
  }

  onConnected(): void {
    this.#playlist.add(loadSound("press-keys"));
  }

  onDigit(digit: string): void {
    this.#playlist.clear();
    this.#digits.push(digit);
    this.#handler.onDigit(digit);
    if (digit === "#" || this.#digits.length === MOST_DIGITS) this.#speak();
  }

  onDigitHeld(): void {
    this.#pause?.cancel();
    if (this.#digits.length === 0) return;
    this.#pause = this.#clock.after(DIGIT_PAUSE_MS, () => {
      this.#speak();
    });
  }

  nextFrame(): Buffer | undefined {
    return this.#playlist.nextFrame();
  }

  close(): void {
    this.#pause?.cancel();
    this.#playlist.clear();
  }

  #speak(): void {
    this.#pause?.cancel();
    for (const digit of this.#digits) this.#playlist.add(loadSound(digitSound(digit)));
    this.#digits = [];
  }
}
