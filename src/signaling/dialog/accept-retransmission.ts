import type { Timer } from "../../core/clock.ts";
import type { DialogContext } from "./dialog-context.ts";

/**
 * Sends a 2xx to INVITE again and again until its ACK, over reliable transports too: a proxy
 * behind the connection may use UDP (RFC 3261 §13.3.1.4).
 */
export class AcceptRetransmission {
  readonly #context: DialogContext;
  readonly #send: () => void;
  #repeat: Timer;
  readonly #giveUp: Timer;

  /**
   * Sends at once.
   *
   * @param onGaveUp 64·T1 have passed without `stop`
   */
  constructor(context: DialogContext, send: () => void, onGaveUp: () => void) {
    this.#context = context;
    this.#send = send;
    const { clock, timers } = context;
    this.#repeat = clock.after(timers.t1, () => this.#onRepeat(timers.t1));
    this.#giveUp = clock.after(64 * timers.t1, () => {
      this.stop();
      onGaveUp();
    });
    send();
  }

  stop(): void {
    this.#repeat.cancel();
    this.#giveUp.cancel();
  }

  #onRepeat(lastMs: number): void {
    const nextMs = Math.min(2 * lastMs, this.#context.timers.t2);
    this.#repeat = this.#context.clock.after(nextMs, () => this.#onRepeat(nextMs));
    this.#send();
  }
}
