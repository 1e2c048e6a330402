/** Rtpengine is asked about this many calls a second; with more calls, about each less often. */
const CHECKS_PER_SECOND = 100;
const USUAL_POLL_MS = 15_000;
const LEAST_POLL_MS = 1000;

/**
 * How often the media of a call that runs well is looked at; one for all calls. What it costs to
 * look has a bound that the number of calls cannot change, as long as each is looked at once in
 * `timeoutMs`.
 */
export class MediaPace {
  /** Milliseconds without a packet from an end that should send, after which a call is dead. */
  readonly timeoutMs: number;
  #watched = 0;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  /** One more call is looked at. @returns what is called once, when it no longer is */
  watch(): () => void {
    this.#watched += 1;
    return () => {
      this.#watched -= 1;
    };
  }

  /** From one look at a call to the next, milliseconds. */
  get pollMs(): number {
    const usualMs = Math.min(USUAL_POLL_MS, Math.max(LEAST_POLL_MS, this.timeoutMs / 4));
    const sharedMs = (this.#watched / CHECKS_PER_SECOND) * 1000;
    return Math.max(usualMs, Math.min(this.timeoutMs, sharedMs));
  }
}
