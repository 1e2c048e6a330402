import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createMediaEngine } from "../../src/media/media-engine.ts";
import type { DtmfWay, Exchange, MediaEngine, MediaSession } from "../../src/media/session.ts";
import { toneDigits } from "../harness/dtmf-tones.ts";
import { freePorts } from "../harness/ports.ts";
import { audioPortOf, formatsOf, RtpPeer } from "../harness/rtpengine.ts";
import { waitFor } from "../harness/wait.ts";

const DIGITS = "0123456789*#ABCD";
const CODES = new Map(Array.from(DIGITS).map((digit, code) => [digit, code]));

/** Two telephones in a call, both with sound on their lines all the time. */
class Pair implements AsyncDisposable {
  readonly session: MediaSession;
  readonly exchange: Exchange;
  readonly caller: RtpPeer;
  readonly callee: RtpPeer;
  readonly reported: string[] = [];
  readonly toCaller: string;
  readonly toCallee: string;
  readonly #talk: ReturnType<typeof setInterval>;

  static async join(
    engine: MediaEngine,
    options: {
      readonly callee?: DtmfWay;
      readonly calleeFallback?: "info" | "inband";
      readonly callerFormats?: string;
      readonly calleeFormats?: string;
    },
  ): Promise<Pair> {
    const caller = await RtpPeer.open();
    const callee = await RtpPeer.open();
    const reported: string[] = [];
    const session = engine.createSession({
      policy: "auto",
      handler: { onDigit: (tag, digit) => reported.push(`${tag} ${digit}`) },
    });
    const exchange: Exchange = {
      offerer: { tag: "caller", kind: "rtp", codecs: ["PCMU"] },
      answerer: {
        tag: "callee",
        kind: "rtp",
        codecs: ["PCMU"],
        dtmf: options.callee,
        dtmfFallback: options.calleeFallback,
      },
      branch: "b1",
    };
    const toCallee = await session.offer(exchange, caller.sdp(options.callerFormats ?? "0 101"));
    const answer = callee.sdp(options.calleeFormats ?? formatsOf(toCallee).join(" "));
    const toCaller = await session.answer(exchange, answer);
    const pair = new Pair({ session, exchange, caller, callee, reported, toCaller, toCallee });
    await waitFor(() => (callee.received.length > 2 ? true : undefined), {
      what: "sound at the callee",
    });
    return pair;
  }

  private constructor(
    parts: Pick<
      Pair,
      "session" | "exchange" | "caller" | "callee" | "reported" | "toCaller" | "toCallee"
    >,
  ) {
    this.session = parts.session;
    this.exchange = parts.exchange;
    this.caller = parts.caller;
    this.callee = parts.callee;
    this.reported = parts.reported;
    this.toCaller = parts.toCaller;
    this.toCallee = parts.toCallee;
    this.#talk = setInterval(() => this.#speak(), 20);
  }

  /** Digits as events of RFC 4733 on the caller's line. */
  async sendEvents(digits: string): Promise<void> {
    clearInterval(this.#talk);
    const port = audioPortOf(this.toCaller);
    for (const digit of digits) {
      const event = (isEnd: boolean, duration: number): Buffer =>
        Buffer.from([
          CODES.get(digit) ?? 0,
          (isEnd ? 0x80 : 0) | 10,
          duration >> 8,
          duration & 0xff,
        ]);
      for (let step = 1; step <= 5; step += 1) {
        this.caller.send(port, 101, event(false, step * 160), {
          advance: step === 1 ? 160 : 0,
          marker: step === 1,
        });
        await tick();
      }
      for (let end = 0; end < 3; end += 1) {
        this.caller.send(port, 101, event(true, 800), { advance: 0 });
      }
      // The line moves on by what the event has lasted.
      for (let frame = 0; frame < 4; frame += 1) {
        this.caller.send(port, 0, Buffer.alloc(160, 0xff), { advance: frame === 0 ? 800 : 160 });
        await tick();
      }
    }
  }

  /** Digits that the callee gets as events: each once, by its timestamp. */
  eventsAtCallee(): string {
    const begun = new Map<number, number>();
    for (const { payloadType, timestamp, payload } of this.callee.received) {
      if (payloadType !== 0) begun.set(timestamp, payload[0] ?? 99);
    }
    return [...begun.values()].map((code) => DIGITS[code] ?? "?").join("");
  }

  /** Digits that the callee hears as tones. */
  tonesAtCallee(): string {
    const sound = this.callee.received.filter(({ payloadType }) => payloadType === 0);
    return toneDigits(Buffer.concat(sound.map(({ payload }) => payload)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#talk);
    await this.session.close();
    this.caller.close();
    this.callee.close();
  }

  #speak(): void {
    this.caller.send(audioPortOf(this.toCaller), 0, Buffer.alloc(160, 0xff));
    this.callee.send(audioPortOf(this.toCallee), 0, Buffer.alloc(160, 0xff));
  }
}

async function tick(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

// Digits take their time: all lines talk at once.
describe.concurrent("digits through a real rtpengine", () => {
  let engine: MediaEngine;

  beforeAll(async () => {
    const min = await freePorts(100);
    engine = createMediaEngine({
      clock: new SystemClock(),
      logger: silentLogger,
      rtpengine: { kind: "managed", address: "127.0.0.1", ports: { min, max: min + 99 } },
    });
    await engine.start();
  });
  afterAll(async () => {
    expect(await engine.sessionCount()).toBe(0);
    await engine.stop();
  });

  it("events pass to a telephone that takes them, and nothing is transcoded", async () => {
    await using pair = await Pair.join(engine, {});
    await pair.sendEvents(DIGITS);
    await waitFor(() => pair.eventsAtCallee() === DIGITS || undefined, {
      what: "all digits",
      detail: () => pair.eventsAtCallee(),
    });
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "rfc4733" });
    expect((await pair.session.query()).isTranscoded).toBe(false);
    expect(pair.reported).toEqual([]);
  });

  it("events become reports for a trunk of INFO, which is offered none and gets none", async () => {
    await using pair = await Pair.join(engine, { callee: "info" });
    expect(pair.toCallee).not.toContain("telephone-event");
    expect(pair.toCaller).toContain("telephone-event/8000");
    await pair.sendEvents(DIGITS);
    const expected = Array.from(DIGITS).map((digit) => `caller ${digit}`);
    await waitFor(() => (pair.reported.length >= DIGITS.length ? true : undefined), {
      what: "reports",
      detail: () => pair.reported.join(),
    });
    expect(pair.reported).toEqual(expected);
    expect(pair.eventsAtCallee()).toBe("");
    expect(pair.tonesAtCallee()).toBe("");
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "info" });
    expect((await pair.session.query()).isTranscoded).toBe(false);
  });

  it.each([
    ["a trunk of tones", { callee: "inband" }],
    ["a trunk that answers without events", { calleeFormats: "0" }],
  ] as const)("events become tones for %s", async (_what, options) => {
    await using pair = await Pair.join(engine, options);
    expect(pair.toCaller).toContain("telephone-event/8000");
    await pair.sendEvents(DIGITS);
    await waitFor(() => pair.tonesAtCallee() === DIGITS || undefined, {
      what: "all tones",
      detail: () => pair.tonesAtCallee(),
    });
    expect(pair.eventsAtCallee()).toBe("");
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "inband" });
  });

  it("a trunk that answers without events may get INFO instead", async () => {
    await using pair = await Pair.join(engine, { calleeFormats: "0", calleeFallback: "info" });
    expect(pair.toCallee).toContain("telephone-event");
    expect(pair.toCaller).toContain("telephone-event/8000");
    await pair.sendEvents("1#D");
    await waitFor(() => (pair.reported.length >= 3 ? true : undefined), { what: "reports" });
    expect(pair.reported).toEqual(["caller 1", "caller #", "caller D"]);
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "info" });
  });

  it.each([
    ["events", {}, "events"],
    ["tones", { calleeFormats: "0", callerFormats: "0" }, "tones"],
  ] as const)("played digits arrive as %s, in order", async (_what, options, as) => {
    await using pair = await Pair.join(engine, options);
    for (const digit of DIGITS) {
      void pair.session.playDigit(pair.exchange, { from: "caller", digit, durationMs: 80 });
    }
    const arrived = (): string => (as === "events" ? pair.eventsAtCallee() : pair.tonesAtCallee());
    await waitFor(() => arrived() === DIGITS || undefined, {
      what: `all ${as}`,
      timeoutMs: 15_000,
      detail: arrived,
    });
    expect(as === "events" ? pair.tonesAtCallee() : pair.eventsAtCallee()).toBe("");
    expect(pair.reported).toEqual([]);
  });

  it("plays no digit before anything is joined, and none that is no digit", async () => {
    const session = engine.createSession({ policy: "auto" });
    await expect(session.playDigit({ branch: "b" }, { from: "a", digit: "1" })).rejects.toThrow(
      /nothing is joined/,
    );
    await session.close();
    await using pair = await Pair.join(engine, {});
    await expect(
      pair.session.playDigit(pair.exchange, { from: "caller", digit: "E" }),
    ).rejects.toThrow(/not a digit/);
  });
});
