import type { NgCommands } from "./ng-client.ts";
import type { LegState } from "./session-state.ts";

/** Sends a command about the call. */
type SendDigitCommand = (
  command: "block DTMF" | "unblock DTMF",
  args: Omit<NgCommands["block DTMF"], "call-id">,
) => Promise<unknown>;

/**
 * What becomes of the digits of a leg. `pass`: its events go through. `listen`: tones become events.
 * `drop`: its events are kept back. `silence`: its tones are.
 */
type DigitMode = "pass" | "listen" | "drop" | "silence";

/**
 * What rtpengine does with the digits that come from each leg.
 *
 * It listens by itself, 10.5 as 26, where a leg has no telephone-event and the other one has been
 * given one: tones become events, and are reported as events are. A leg whose digits are tones by
 * configuration, but whose SDP has a telephone-event all the same, it would believe; `detect-DTMF`
 * has it listen. That flag counts only in `unblock DTMF` beside a `delay-buffer`, whose 0 is what it
 * is anyway, and in a `block DTMF` that replaces the sound. One that drops would not drop the events
 * that it has made of tones itself.
 */
export class DigitFlow {
  readonly #send: SendDigitCommand;
  readonly #reportsDigits: boolean;
  readonly #modes = new Map<string, DigitMode>();

  /** @param reportsDigits whether rtpengine tells of digits, without which none is kept back */
  constructor(send: SendDigitCommand, reportsDigits: boolean | undefined) {
    this.#send = send;
    this.#reportsDigits = reportsDigits === true;
  }

  /** Whether the digits of this leg are kept back. */
  isHeld(tag: string): boolean {
    const mode = this.#modes.get(tag);
    return mode === "drop" || mode === "silence";
  }

  /** Whether the sound of a leg is decoded for the sake of its tones. */
  get isListening(): boolean {
    return [...this.#modes.values()].some((mode) => mode === "listen" || mode === "silence");
  }

  /** The call at rtpengine is another one now. */
  forget(): void {
    this.#modes.clear();
  }

  /** Two legs were joined, or joined anew. */
  async adjust(legs: ReadonlyMap<string, LegState>, joined: readonly string[]): Promise<void> {
    for (const tag of joined) {
      const leg = legs.get(tag);
      const peer = legs.get(joined.find((each) => each !== tag) ?? "");
      if (leg === undefined || peer === undefined) continue;
      await this.#change(tag, this.#modeOf(leg, peer));
    }
  }

  #modeOf(leg: LegState, peer: LegState): DigitMode {
    const givesTones = leg.way === "inband";
    if (peer.way === "info" && this.#reportsDigits) return givesTones ? "silence" : "drop";
    return givesTones && leg.hasEvents && peer.way === "rfc4733" ? "listen" : "pass";
  }

  async #change(tag: string, mode: DigitMode): Promise<void> {
    const before = this.#modes.get(tag) ?? "pass";
    if (mode === before) return;
    const from = { "from-tag": tag };
    // It listens on through a `block DTMF` that drops.
    if (before === "listen") await this.#send("unblock DTMF", { ...from, "delay-buffer": 0 });
    switch (mode) {
      case "pass":
        if (before !== "listen") await this.#send("unblock DTMF", from);
        break;
      case "listen":
        await this.#send("unblock DTMF", { ...from, flags: ["detect-DTMF"], "delay-buffer": 0 });
        break;
      case "drop":
        await this.#send("block DTMF", from);
        break;
      case "silence":
        await this.#send("block DTMF", {
          ...from,
          "DTMF-security": "silence",
          flags: ["detect-DTMF"],
        });
        break;
    }
    this.#modes.set(tag, mode);
  }
}
