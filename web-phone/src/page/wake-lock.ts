/** Keeps the screen on while a call is up, and not a moment longer (W3C Screen Wake Lock). */

/** See the head of this file. */
export class CallWakeLock {
  #isWanted = false;
  #isAsking = false;
  #sentinel: WakeLockSentinel | undefined;

  /** @param signal ends the watch over the page's visibility, with which the browser takes it away */
  constructor(signal: AbortSignal) {
    document.addEventListener("visibilitychange", () => void this.#take(), { signal });
  }

  want(isWanted: boolean): void {
    if (this.#isWanted === isWanted) return;
    this.#isWanted = isWanted;
    if (isWanted) void this.#take();
    else this.#drop();
  }

  async #take(): Promise<void> {
    const isHeld = this.#sentinel !== undefined && !this.#sentinel.released;
    if (!this.#isWanted || isHeld || this.#isAsking) return;
    const wakeLock: WakeLock | undefined = Reflect.get(navigator, "wakeLock");
    if (wakeLock === undefined || document.visibilityState !== "visible") return;
    this.#isAsking = true;
    try {
      this.#sentinel = await wakeLock.request("screen");
    } catch {
      // The battery is low, or the page is hidden by now.
    }
    this.#isAsking = false;
    if (!this.#isWanted) this.#drop();
  }

  #drop(): void {
    this.#sentinel?.release().catch(() => undefined);
    this.#sentinel = undefined;
  }
}
