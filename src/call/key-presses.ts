/**
 * Finds the one key press behind an event in RTP and an INFO: some telephones send both for each
 * key. The event is the one that counts, for it passes through the media without waiting; its INFO
 * is dropped, whichever of the two comes first. Only a leg that could send events gets here, and
 * what a leg has done tells how long its next INFO waits for its event: a leg that sends INFO alone
 * waits once. An INFO whose event never comes is carried in the end, so no key is lost.
 */
import { LazyMap } from "../core/lazy-map.ts";
import type { Clock, Timer } from "../core/clock.ts";

/** From the end of an event to its INFO, at most. */
const WINDOW_MS = 500;
/** rtpengine tells of an event at its end: as long as a key is pressed as a rule, and some more. */
const FIRST_PATIENCE_MS = 400;
/** For a leg that is known to send both: keys may be held down. */
const PATIENCE_MS = 1500;
const MAX_WAITING = 64;
const MAX_EVENTS = 16;

/** `both`: an event and an INFO were one key; `info`: an INFO came without its event. */
type Habit = "unknown" | "info" | "both";

interface Waiting {
  readonly digit: string;
  readonly carry: () => void;
  readonly timer: Timer;
}

interface LegKeys {
  habit: Habit;
  waiting: Waiting[];
  /** Events that no INFO has been found for, by the time of their end. */
  events: { readonly digit: string; readonly endMs: number }[];
  /** The last INFO that was carried. */
  carried: { readonly digit: string; readonly atMs: number } | undefined;
}

/** See the head of this file. */
export class KeyPresses {
  readonly #clock: Clock;
  readonly #legs = new LazyMap<string, LegKeys>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A leg has sent an event, which is over now. */
  onEvent(tag: string, digit: string, durationMs: number): void {
    const leg = this.#leg(tag);
    const nowMs = this.#clock.monotonicMs();
    const index = leg.waiting.findIndex((each) => each.digit === digit);
    const same = leg.waiting[index];
    if (same !== undefined) {
      same.timer.cancel();
      leg.waiting.splice(index, 1);
      leg.habit = "both";
      return;
    }
    const { carried } = leg;
    const hasDoubled =
      carried?.digit === digit && carried.atMs >= nowMs - durationMs - FIRST_PATIENCE_MS;
    if (hasDoubled) {
      leg.habit = "both";
      leg.carried = undefined;
      return;
    }
    if (leg.habit === "info") leg.habit = "unknown";
    leg.events.push({ digit, endMs: nowMs });
    if (leg.events.length > MAX_EVENTS) leg.events.shift();
  }

  /**
   * A leg has sent an INFO.
   *
   * @param carry called once, now or later, unless it is the key of an event
   * @returns false when too many wait
   */
  onInfo(tag: string, digit: string, carry: () => void): boolean {
    const leg = this.#leg(tag);
    const nowMs = this.#clock.monotonicMs();
    leg.events = leg.events.filter(({ endMs }) => endMs >= nowMs - WINDOW_MS);
    const index = leg.events.findIndex((each) => each.digit === digit);
    if (index >= 0) {
      leg.events.splice(index, 1);
      leg.habit = "both";
      return true;
    }
    if (leg.habit === "info") {
      leg.carried = { digit, atMs: nowMs };
      carry();
      return true;
    }
    if (leg.waiting.length >= MAX_WAITING) return false;
    const patienceMs = leg.habit === "both" ? PATIENCE_MS : FIRST_PATIENCE_MS;
    const waiting: Waiting = {
      digit,
      carry: () => {
        leg.carried = { digit, atMs: nowMs };
        carry();
      },
      timer: this.#clock.after(patienceMs, () => this.#onAlone(leg, waiting)),
    };
    leg.waiting.push(waiting);
    return true;
  }

  /** What waits is dropped. */
  close(): void {
    for (const { waiting } of this.#legs.values()) for (const { timer } of waiting) timer.cancel();
    this.#legs.clear();
  }

  /** No event came for this INFO: it goes on, behind those that came before it. */
  #onAlone(leg: LegKeys, alone: Waiting): void {
    const count = leg.habit === "both" ? leg.waiting.indexOf(alone) + 1 : leg.waiting.length;
    leg.habit = leg.habit === "both" ? "unknown" : "info";
    for (const { timer, carry } of leg.waiting.splice(0, count)) {
      timer.cancel();
      carry();
    }
  }

  #leg(tag: string): LegKeys {
    let leg = this.#legs.get(tag);
    if (leg === undefined) {
      leg = { habit: "unknown", waiting: [], events: [], carried: undefined };
      this.#legs.set(tag, leg);
    }
    return leg;
  }
}
