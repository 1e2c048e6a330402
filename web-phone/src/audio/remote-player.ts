/** Plays the far end through one audio element of the page. */
import type { RemoteSound } from "../agent/sip-agent.ts";

/** See the head of this file. */
export class RemotePlayer implements RemoteSound {
  readonly #element: HTMLAudioElement;

  constructor(document: Document) {
    this.#element = document.createElement("audio");
    this.#element.autoplay = true;
    this.#element.hidden = true;
    document.body.append(this.#element);
  }

  attach(stream: MediaStream): void {
    this.#element.srcObject = stream;
    this.resume();
  }

  detach(stream: MediaStream): void {
    if (this.#element.srcObject === stream) this.#element.srcObject = null;
  }

  /** Plays what the browser held back until the user did something. */
  resume(): void {
    if (this.#element.srcObject === null || !this.#element.paused) return;
    this.#element.play().catch(() => {
      // Held back by the browser's autoplay rule: the next click or key comes here again.
    });
  }
}
