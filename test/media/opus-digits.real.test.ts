import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { MediaEngine } from "../../src/media/session.ts";
import { RTPENGINE_GENERATIONS, skipWithout } from "../harness/rtpengine-generation.ts";
import { audioPortOf, RtpPeer, TestRtpengine } from "../harness/rtpengine.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { waitFor } from "../harness/wait.ts";

const OPUS = 111;
const EVENT = 110;
/** RFC 6716 §3.1: 20 ms of silence, full band, one channel. */
const OPUS_SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);
/** 20 ms on the clock of Opus. */
const FRAME = 960;
const DIGITS = "159#";
const CODES: Readonly<Record<string, number>> = { "1": 1, "5": 5, "9": 9, "#": 11 };

/** A telephone that speaks Opus alone, a packet each 20 ms, and sends its events between them. */
class OpusLine implements AsyncDisposable {
  readonly peer: RtpPeer;
  #talk: ReturnType<typeof setInterval> | undefined;
  readonly #events: { readonly payload: Buffer; readonly isFirst: boolean }[] = [];

  static async open(): Promise<OpusLine> {
    return new OpusLine(await RtpPeer.open());
  }

  private constructor(peer: RtpPeer) {
    this.peer = peer;
  }

  talkTo(port: number): void {
    let behind = FRAME;
    this.#talk = setInterval(() => {
      const event = this.#events.shift();
      if (event === undefined) {
        this.peer.send(port, OPUS, OPUS_SILENCE, { advance: behind });
        behind = FRAME;
        return;
      }
      // RFC 4733 §2.5.1.2: the timestamp of an event is that of its beginning.
      const advance = event.isFirst ? behind : 0;
      behind = event.isFirst ? FRAME : behind + FRAME;
      this.peer.send(port, EVENT, event.payload, { advance, marker: event.isFirst });
    }, 20);
  }

  sendEvents(digits: string): void {
    for (const digit of digits) {
      for (let step = 1; step <= 8; step += 1) {
        const duration = Math.min(step, 6) * FRAME;
        const flags = (step >= 6 ? 0x80 : 0) | 10;
        const payload = Buffer.from([CODES[digit] ?? 0, flags, duration >> 8, duration & 0xff]);
        this.#events.push({ payload, isFirst: step === 1 });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#talk);
    await this.peer[Symbol.asyncDispose]();
  }
}

/** From a side with Opus to one without telephone-event. */
const EXCHANGE = {
  offerer: { tag: "caller", kind: "rtp" },
  answerer: { tag: "callee", kind: "rtp", codecs: ["PCMU"] },
  branch: "b1",
} as const;

describe.each(RTPENGINE_GENERATIONS)(
  "digits from Opus to a trunk without telephone-event, rtpengine $version",
  (generation) => {
    let rtpengine: TestRtpengine;
    let engine: MediaEngine;

    beforeEach((context) => skipWithout(generation, context));

    beforeAll(async () => {
      if (generation.command === undefined) return;
      rtpengine = await TestRtpengine.start({ command: generation.command });
      engine = await rtpengine.engine();
    });

    afterAll(async () => {
      if (generation.command === undefined) return;
      await engine.stop();
      await rtpengine.stop();
    });

    it.concurrent.each([
      ["events", "111 110"],
      ["SIP INFO", "111 110"],
      ["SIP INFO, from one that has no events", "111"],
    ] as const)("%s (%s) arrive as tones, each once, in order", async (by, formats) => {
      await using caller = await OpusLine.open();
      await using callee = await TelephoneLine.open();
      const session = engine.createSession({ policy: "auto" });
      const toCallee = await session.offer(EXCHANGE, caller.peer.sdp(formats));
      const toCaller = await session.answer(EXCHANGE, callee.peer.sdp("0"));
      expect(toCaller).toContain("opus/48000/2");
      caller.talkTo(audioPortOf(toCaller));
      callee.talkTo(audioPortOf(toCallee));
      await waitFor(() => callee.peer.received.length > 5 || undefined, { what: "sound" });

      if (by === "events") caller.sendEvents(DIGITS);
      else for (const digit of DIGITS) void session.playDigit(EXCHANGE, { from: "caller", digit });
      await waitFor(() => callee.heardTones().length >= DIGITS.length || undefined, {
        what: "all tones",
        timeoutMs: 15_000,
        detail: () => callee.heardTones(),
      });
      const count = callee.peer.received.length;
      await waitFor(() => callee.peer.received.length > count + 50 || undefined, {
        what: "sound behind the digits",
      });
      expect(callee.heardTones()).toBe(DIGITS);
      expect(session.negotiated().dtmf?.["callee"]).toBe("inband");
      await session.close();
    });

    it.concurrent("tones of such a trunk are heard, and arrive as events beside Opus", async () => {
      await using caller = await OpusLine.open();
      await using callee = await TelephoneLine.open();
      const session = engine.createSession({ policy: "auto" });
      const toCallee = await session.offer(EXCHANGE, caller.peer.sdp("111 110"));
      const toCaller = await session.answer(EXCHANGE, callee.peer.sdp("0"));
      caller.talkTo(audioPortOf(toCaller));
      callee.talkTo(audioPortOf(toCallee));
      await waitFor(() => caller.peer.received.length > 5 || undefined, { what: "sound" });

      await callee.sendTones(DIGITS);
      const events = (): ReadonlyMap<number, number> =>
        new Map(
          caller.peer.received
            .filter(({ payloadType }) => payloadType === EVENT)
            .map(({ timestamp, payload }) => [timestamp, payload[0] ?? 99]),
        );
      await waitFor(() => events().size >= DIGITS.length || undefined, {
        what: "all events",
        detail: () => JSON.stringify([...events()]),
      });
      expect([...events().values()]).toEqual(Array.from(DIGITS, (digit) => CODES[digit]));
      // On the clock of Opus: from one digit to the next are nine frames of 20 ms.
      const [first = 0, ...others] = events().keys();
      for (const [index, timestamp] of others.entries()) {
        const gap = (timestamp - first) >>> 0;
        expect(Math.abs(gap - (index + 1) * 9 * FRAME), `${index}`).toBeLessThan(3 * FRAME);
      }
      await session.close();
    });
  },
);
