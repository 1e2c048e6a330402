/**
 * How digits cross a session: which way each leg takes them, what its SDP says of it to rtpengine,
 * and the digits that wait to be played into the media.
 *
 * - `rfc4733` to a leg: rtpengine passes events on, on the leg's own clock.
 * - `inband`: the leg has no telephone-event, and `always transcode` makes tones of events.
 * - `info`: the leg is given no telephone-event, but rtpengine is told that it has one, so that the
 *   other side may send events; `block DTMF` keeps them, and rtpengine reports each.
 */
import type { Clock } from "../core/clock.ts";
import type { Codec } from "./codecs.ts";
import { isSpeech, isTelephoneEvent } from "./codecs.ts";
import { MediaError } from "./errors.ts";
import type { NgArguments } from "./ng-client.ts";
import type { DtmfWay, MediaLeg, PlayedDigit } from "./session.ts";

/** The way that digits go to a leg whose SDP has, or has no, telephone-event. */
export function wayTo(leg: MediaLeg, hasEvents: boolean): DtmfWay {
  const wanted = leg.dtmf ?? "rfc4733";
  return wanted === "rfc4733" && !hasEvents ? (leg.dtmfFallback ?? "inband") : wanted;
}

/** RFC 3551 §6: where a dynamic payload type may be. */
const DYNAMIC = { from: 96, to: 127 } as const;

/**
 * The codecs of a leg as rtpengine gets them: with a telephone-event of the clock of its first
 * codec, although the leg has none.
 *
 * @param offered the event that rtpengine meant for the leg, when the leg answers
 */
export function withEvents(codecs: readonly Codec[], offered: Codec | undefined): readonly Codec[] {
  const speech = codecs.find(isSpeech);
  if (speech === undefined || codecs.some(isTelephoneEvent)) return codecs;
  // RFC 3551 §4.5.2: G.722 has 16 kHz of sound on a clock of 8 kHz; rtpmap says so.
  const { clockRate } = speech;
  const taken = new Set(codecs.map(({ payloadType }) => payloadType));
  let payloadType = offered?.clockRate === clockRate ? offered.payloadType : undefined;
  for (let number = 101; payloadType === undefined; number += 1) {
    const candidate = String(number > DYNAMIC.to ? number - DYNAMIC.to + DYNAMIC.from : number);
    if (!taken.has(candidate)) payloadType = candidate;
  }
  return [
    ...codecs,
    {
      payloadType,
      name: "telephone-event",
      key: "telephone-event",
      clockRate,
      channels: 1,
    },
  ];
}

/** rtpengine takes no less than 100 ms, of sound and of pause. */
const SHORTEST_MS = 100;
const LONGEST_MS = 1000;
const USUAL_MS = 100;
const PAUSE_MS = 100;
/** Digits of one leg that may wait. */
const MAX_WAITING = 64;
const RETRY_MS = 50;
const PATIENCE_MS = 2000;
const DIGIT = /^[0-9*#A-D]$/;

/** What is done with a digit: one ng `play DTMF`. */
export interface DigitCommand {
  readonly from: string;
  readonly digit: string;
  readonly durationMs: number;
  readonly pauseMs: number;
}

/** rtpengine takes no longer tone or pause. */
const LONGEST_SAID_MS = 5000;

/**
 * The arguments of that command.
 *
 * @param stretch as `toneStretch` says it
 */
export function dtmfArguments(
  { from, digit, durationMs, pauseMs }: DigitCommand,
  stretch: number,
): NgArguments {
  const said = (milliseconds: number): number =>
    Math.min(LONGEST_SAID_MS, Math.max(SHORTEST_MS, Math.round(milliseconds * stretch)));
  return { "from-tag": from, code: digit, duration: said(durationMs), pause: said(pauseMs) };
}

/** Plays digits of one session one after another, so that they keep their order. */
export class DigitQueue {
  readonly #clock: Clock;
  /** Digits that rtpengine was told to play and has not reported yet. */
  #unreported: { readonly from: string; readonly digit: string; readonly untilMs: number }[] = [];
  readonly #play: (command: DigitCommand) => Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** @param play sends the command; it may fail because the sender has sent no packet yet */
  constructor(clock: Clock, play: (command: DigitCommand) => Promise<unknown>) {
    this.#clock = clock;
    this.#play = play;
  }

  /**
   * Whether a digit that rtpengine reports of a leg is one that it has played for us. Asked once for
   * each report: the next one is another digit.
   */
  hasPlayed(from: string, digit: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#unreported = this.#unreported.filter(({ untilMs }) => untilMs >= nowMs);
    const index = this.#unreported.findIndex((each) => each.from === from && each.digit === digit);
    if (index < 0) return false;
    this.#unreported.splice(index, 1);
    return true;
  }

  /**
   * @param prepare run before the digit, in its turn; gives what must hold first, for two seconds
   * @throws MediaError `ERR_OFFHOOK_MEDIA_REFUSED` for no digit, or too many of them
   */
  push(
    { from, digit, durationMs = USUAL_MS }: PlayedDigit,
    prepare: () => Promise<(() => Promise<boolean>) | undefined>,
  ): Promise<void> {
    if (!DIGIT.test(digit)) return Promise.reject(refused("not a digit of a telephone"));
    if (this.#waiting >= MAX_WAITING) return Promise.reject(refused("too many digits wait"));
    this.#waiting += 1;
    const command: DigitCommand = {
      from,
      digit,
      durationMs: Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.round(durationMs))),
      pauseMs: PAUSE_MS,
    };
    const played = this.#last.then(async () => {
      const isReady = await prepare();
      if (isReady !== undefined) await this.#until(isReady);
      // rtpengine may report it before it replies.
      const untilMs = this.#clock.monotonicMs() + PATIENCE_MS + command.durationMs;
      this.#unreported.push({ from, digit, untilMs });
      if (this.#unreported.length > MAX_WAITING) this.#unreported.shift();
      await this.#patiently(command);
    });
    this.#last = played
      // rtpengine puts what comes meanwhile behind it; waiting here bounds what it holds.
      .then(() => this.#sleep(command.durationMs + command.pauseMs))
      .catch(() => {})
      .finally(() => {
        this.#waiting -= 1;
      });
    return played;
  }

  async #until(isReady: () => Promise<boolean>): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + PATIENCE_MS;
    while (this.#clock.monotonicMs() < deadlineMs) {
      await this.#sleep(RETRY_MS);
      if (await isReady()) return;
    }
  }

  /** rtpengine makes events on the sender's own line of packets, and wants to have seen one. */
  async #patiently(command: DigitCommand): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      try {
        await this.#play(command);
        return;
      } catch (error) {
        const isLate = this.#clock.monotonicMs() >= deadlineMs;
        const isEarly = error instanceof MediaError && error.message.includes("No SSRC");
        if (!isEarly || isLate) throw error;
        await this.#sleep(RETRY_MS);
      }
    }
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(milliseconds, resolve);
    });
  }
}

function refused(why: string): MediaError {
  return new MediaError("ERR_OFFHOOK_MEDIA_REFUSED", `the digit cannot be played: ${why}`);
}
