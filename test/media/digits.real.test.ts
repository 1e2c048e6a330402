import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createMediaEngine } from "../../src/media/media-engine.ts";
import type { DtmfWay, Exchange, MediaEngine, MediaSession } from "../../src/media/session.ts";
import { freePorts } from "../harness/ports.ts";
import { audioPortOf, formatsOf } from "../harness/rtpengine.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { waitFor } from "../harness/wait.ts";

const DIGITS = "0123456789*#ABCD";

const SUITE = "AES_CM_128_HMAC_SHA1_80";

/** An answer of SDES with any key, for what is sent with it is not read. */
function encrypted(answer: string, offer: string): string {
  const tag = new RegExp(`a=crypto:(\\d+) ${SUITE} `).exec(offer)?.[1] ?? "none";
  const key = Buffer.alloc(30, 7).toString("base64");
  return `${answer.replace("RTP/AVP", "RTP/SAVP")}a=crypto:${tag} ${SUITE} inline:${key}\r\n`;
}

/** Two telephones in a call, both with sound on their lines all the time. */
class Pair implements AsyncDisposable {
  readonly session: MediaSession;
  readonly exchange: Exchange;
  readonly caller: TelephoneLine;
  readonly callee: TelephoneLine;
  /** Digits that were held back. */
  readonly reported: string[] = [];
  /** Digits that went through. */
  readonly passed: string[] = [];
  toCaller = "";
  toCallee = "";

  static async join(
    engine: MediaEngine,
    options: {
      readonly caller?: DtmfWay;
      readonly callee?: DtmfWay;
      readonly calleeFallback?: "info" | "inband";
      readonly callerFormats?: string;
      readonly calleeFormats?: string;
      readonly calleeSrtp?: "sdes";
    },
  ): Promise<Pair> {
    const pair = new Pair(engine, options, await TelephoneLine.open(), await TelephoneLine.open());
    const { session, exchange, caller, callee } = pair;
    pair.toCallee = await session.offer(
      exchange,
      caller.peer.sdp(options.callerFormats ?? "0 101"),
    );
    const formats = options.calleeFormats ?? formatsOf(pair.toCallee).join(" ");
    const plain = callee.peer.sdp(formats);
    pair.toCaller = await session.answer(
      exchange,
      options.calleeSrtp === undefined ? plain : encrypted(plain, pair.toCallee),
    );
    caller.talkTo(audioPortOf(pair.toCaller));
    callee.talkTo(audioPortOf(pair.toCallee));
    await waitFor(() => callee.peer.received.length > 2 || undefined, {
      what: "sound at the callee",
    });
    return pair;
  }

  private constructor(
    engine: MediaEngine,
    options: {
      readonly caller?: DtmfWay;
      readonly callee?: DtmfWay;
      readonly calleeFallback?: "info" | "inband";
      readonly calleeSrtp?: "sdes";
    },
    caller: TelephoneLine,
    callee: TelephoneLine,
  ) {
    this.caller = caller;
    this.callee = callee;
    this.session = engine.createSession({
      policy: "auto",
      handler: {
        onDigit: (tag, digit, _durationMs, isHeld) => {
          (isHeld ? this.reported : this.passed).push(`${tag} ${digit}`);
        },
      },
    });
    const telephone = { kind: "rtp", codecs: ["PCMU"] } as const;
    this.exchange = {
      offerer: { tag: "caller", ...telephone, dtmf: options.caller },
      answerer: {
        tag: "callee",
        ...telephone,
        dtmf: options.callee,
        dtmfFallback: options.calleeFallback,
        srtp: options.calleeSrtp,
      },
      branch: "b1",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
    await this.caller[Symbol.asyncDispose]();
    await this.callee[Symbol.asyncDispose]();
  }
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
    await pair.caller.sendEvents(DIGITS);
    await waitFor(() => pair.callee.heardEvents() === DIGITS || undefined, {
      what: "all digits",
      detail: () => pair.callee.heardEvents(),
    });
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "rfc4733" });
    expect((await pair.session.query()).isTranscoded).toBe(false);
    expect(pair.reported).toEqual([]);
    await waitFor(() => pair.passed.length >= DIGITS.length || undefined, {
      what: "word of what went through",
      detail: () => pair.passed.join(),
    });
    expect(pair.passed).toEqual(Array.from(DIGITS).map((digit) => `caller ${digit}`));
  });

  it("events become reports for a trunk of INFO, which is offered none and gets none", async () => {
    await using pair = await Pair.join(engine, { callee: "info" });
    expect(pair.toCallee).not.toContain("telephone-event");
    expect(pair.toCaller).toContain("telephone-event/8000");
    await pair.caller.sendEvents(DIGITS);
    const expected = Array.from(DIGITS).map((digit) => `caller ${digit}`);
    await waitFor(() => (pair.reported.length >= DIGITS.length ? true : undefined), {
      what: "reports",
      detail: () => pair.reported.join(),
    });
    expect(pair.reported).toEqual(expected);
    expect(pair.callee.heardEvents()).toBe("");
    expect(pair.callee.heardTones()).toBe("");
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "info" });
    expect((await pair.session.query()).isTranscoded).toBe(false);
  });

  it.each([
    ["a trunk of tones", { callee: "inband" }],
    ["a trunk that answers without events", { calleeFormats: "0" }],
  ] as const)("events become tones for %s", async (_what, options) => {
    await using pair = await Pair.join(engine, options);
    expect(pair.toCaller).toContain("telephone-event/8000");
    await pair.caller.sendEvents(DIGITS);
    await waitFor(() => pair.callee.heardTones() === DIGITS || undefined, {
      what: "all tones",
      detail: () => pair.callee.heardTones(),
    });
    expect(pair.callee.heardEvents()).toBe("");
    expect(pair.session.negotiated().dtmf).toEqual({ caller: "rfc4733", callee: "inband" });
  });

  it("a trunk that answers without events may get INFO instead", async () => {
    await using pair = await Pair.join(engine, { calleeFormats: "0", calleeFallback: "info" });
    expect(pair.toCallee).toContain("telephone-event");
    expect(pair.toCaller).toContain("telephone-event/8000");
    await pair.caller.sendEvents("1#D");
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
    const arrived = (): string =>
      as === "events" ? pair.callee.heardEvents() : pair.callee.heardTones();
    await waitFor(() => arrived() === DIGITS || undefined, {
      what: `all ${as}`,
      timeoutMs: 15_000,
      detail: arrived,
    });
    expect(as === "events" ? pair.callee.heardTones() : pair.callee.heardEvents()).toBe("");
    expect(pair.reported).toEqual([]);
    expect(pair.passed, "what we have played ourselves is no digit of the caller").toEqual([]);
  });

  it.each([
    ["has none in its SDP", "0"],
    ["has them in its SDP", "0 101"],
  ] as const)("tones become events when their sender %s", async (_what, callerFormats) => {
    await using pair = await Pair.join(engine, { caller: "inband", callerFormats });
    await pair.caller.sendTones(DIGITS);
    await waitFor(() => pair.passed.length >= DIGITS.length || undefined, {
      what: "word of every digit",
      detail: () => pair.passed.join(),
    });
    expect(pair.callee.heardEvents()).toBe(DIGITS);
    expect(pair.passed).toEqual(Array.from(DIGITS).map((digit) => `caller ${digit}`));
    expect(pair.session.negotiated()).toMatchObject({
      dtmf: { caller: "inband", callee: "rfc4733" },
      isTranscoded: true,
    });
    expect((await pair.session.query()).isTranscoded).toBe(true);
  });

  it.each([
    ["has none in its SDP", "0"],
    ["has them in its SDP", "0 101"],
  ] as const)(
    "tones are held back for a trunk of INFO when their sender %s",
    async (_w, formats) => {
      await using pair = await Pair.join(engine, {
        caller: "inband",
        callee: "info",
        callerFormats: formats,
      });
      await pair.caller.sendTones("1#D");
      await waitFor(() => pair.reported.length >= 3 || undefined, { what: "reports" });
      expect(pair.reported).toEqual(["caller 1", "caller #", "caller D"]);
      expect(pair.callee.heardEvents()).toBe("");
      expect((await pair.session.query()).isTranscoded).toBe(true);
    },
  );

  it("plays no tone to a trunk that encrypts, for it would go in the clear", async () => {
    await using pair = await Pair.join(engine, { calleeFormats: "0", calleeSrtp: "sdes" });
    expect(pair.session.negotiated()).toMatchObject({
      dtmf: { callee: "inband" },
      srtp: { callee: "sdes" },
    });
    await expect(
      pair.session.playDigit(pair.exchange, { from: "caller", digit: "5" }),
    ).rejects.toThrow(/not be encrypted/);
    expect(pair.callee.heardTones()).toBe("");
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
