import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createServiceEndpoint } from "../../src/media/service/endpoint.ts";
import { fromMuLaw, SILENCE } from "../../src/media/service/g711.ts";
import { digitSound, loadSound } from "../../src/media/service/playlist.ts";
import type {
  Exchange,
  MediaEngine,
  MediaSession,
  ServiceEndpoint,
  ServiceKind,
} from "../../src/media/session.ts";
import {
  audioPortOf,
  formatsOf,
  type ReceivedRtp,
  RtpPeer,
  TestRtpengine,
} from "../harness/rtpengine.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { delay, waitFor } from "../harness/wait.ts";

const PAIR: Exchange = {
  offerer: { tag: "caller", kind: "rtp" },
  answerer: { tag: "service", kind: "rtp", codecs: ["PCMU", "PCMA"], hasFixedAddress: true },
  branch: "b1",
};
const VOICE = Buffer.alloc(160, 0x22);
const EVENT_PAYLOAD_TYPE = 101;

/** RFC 4733 §2.3: event, E bit and volume, duration. */
function event(digit: string, duration: number, isEnd: boolean): Buffer {
  const payload = Buffer.alloc(4);
  payload[0] = "0123456789*#ABCD".indexOf(digit);
  payload[1] = (isEnd ? 0x80 : 0) | 10;
  payload.writeUInt16BE(duration, 2);
  return payload;
}

/** Sends one digit as telephones do: updates every 20 ms, the end three times over. */
async function sendDigit(peer: RtpPeer, port: number, digit: string): Promise<void> {
  for (let update = 1; update <= 4; update += 1) {
    peer.send(port, EVENT_PAYLOAD_TYPE, event(digit, update * 160, false), {
      marker: update === 1,
      advance: update === 1 ? 800 : 0,
    });
    await delay(5);
  }
  for (let repeat = 0; repeat < 3; repeat += 1) {
    peer.send(port, EVENT_PAYLOAD_TYPE, event(digit, 800, true), { advance: 0 });
  }
}

interface ServiceCall {
  readonly peer: RtpPeer;
  readonly session: MediaSession;
  readonly service: ServiceEndpoint;
  readonly port: number;
  readonly digits: string[];
  readonly finished: Promise<void>;
}

describe("services behind rtpengine", () => {
  let rtpengine: TestRtpengine;
  let engine: MediaEngine;

  beforeAll(async () => {
    rtpengine = await TestRtpengine.start();
    engine = await rtpengine.engine();
  });
  afterAll(async () => {
    await engine.stop();
    await rtpengine.stop();
  });

  async function call(kind: ServiceKind, formats: string): Promise<ServiceCall> {
    const peer = await RtpPeer.open();
    const digits: string[] = [];
    let onFinished: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      onFinished = resolve;
    });
    const service = await engine.createService(kind, {
      onFinished,
      onDigit: (digit) => digits.push(digit),
    });
    const session = engine.createSession({ policy: "auto" });
    const offer = await session.offer(PAIR, peer.sdp(formats));
    const answer = await session.answer(PAIR, await service.answer(offer));
    return { peer, session, service, port: audioPortOf(answer), digits, finished };
  }

  async function hangUp({ peer, session, service }: ServiceCall): Promise<void> {
    service.close();
    await session.close();
    peer.close();
  }

  it.each(["0 101", "8 101"])(
    "echo: returns sound and digits of %s in a stream of its own",
    async (formats) => {
      const live = await call("echo", formats);
      const { peer, port } = live;
      const payloadType = Number(formats[0]);
      for (let frame = 0; frame < 20; frame += 1) {
        peer.send(port, payloadType, VOICE);
        await delay(5);
      }
      await sendDigit(peer, port, "5");
      const isVoice = ({ payload }: ReceivedRtp): boolean => payload[0] === 0x22;
      await waitFor(
        () => peer.received.filter(({ payloadType }) => payloadType === 101).length === 7,
        {
          what: "the digit's seven packets",
        },
      );
      const voice = peer.received.filter(isVoice);
      expect(voice).toHaveLength(20);
      expect(new Set(voice.map((packet) => packet.payloadType))).toEqual(new Set([payloadType]));
      expect((voice[19]?.timestamp ?? 0) - (voice[0]?.timestamp ?? 0)).toBe(19 * 160);
      const digit = peer.received.filter((packet) => packet.payloadType === 101);
      expect(new Set(digit.map(({ timestamp }) => timestamp)).size).toBe(1);
      await hangUp(live);
    },
  );

  it("echo: sends silence at 20 ms when it hears nothing", async () => {
    const live = await call("echo", "0 101");
    const { peer } = live;
    await waitFor(() => peer.received.length >= 30, { what: "30 packets of silence" });
    const packets = peer.received.slice(0, 30);
    expect(packets.every(({ payload }) => payload.every((octet) => octet === SILENCE.PCMU))).toBe(
      true,
    );
    packets.slice(1).forEach((packet, index) => {
      expect((packet.timestamp - (packets[index]?.timestamp ?? 0)) >>> 0).toBe(160);
      expect((packet.sequenceNumber - (packets[index]?.sequenceNumber ?? 0)) & 0xffff).toBe(1);
    });
    const spanMs = (packets[29]?.atMs ?? 0) - (packets[0]?.atMs ?? 0);
    expect(spanMs).toBeGreaterThan(29 * 20 - 60);
    expect(spanMs).toBeLessThan(29 * 20 + 200);
    await hangUp(live);
  });

  it("play: plays the whole announcement, twice, and is done", async () => {
    const live = await call("play", "8 101");
    const { peer, port, finished } = live;
    peer.send(port, 8, VOICE);
    await finished;
    const sound = fromMuLaw(loadSound("announcement"), "PCMA");
    const heard = Buffer.concat(peer.received.map(({ payload }) => payload));
    const first = heard.indexOf(sound);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(heard.indexOf(sound, first + sound.length)).toBeGreaterThan(first);
    await hangUp(live);
  }, 20_000);

  it("read-digits: hears every digit once, in order, and speaks them back", async () => {
    const live = await call("read-digits", "0 101");
    const { peer, port, digits } = live;
    peer.send(port, 0, VOICE);
    const keys = "0123456789*#".split("");
    for (const key of keys) await sendDigit(peer, port, key);
    // Frames are filled up with silence, so each sound is looked for on its own.
    const sounds = keys.map((key) => loadSound(digitSound(key)));
    const heard = (): Buffer => Buffer.concat(peer.received.map(({ payload }) => payload));
    await waitFor(
      () => {
        let from = 0;
        return sounds.every((sound) => {
          from = heard().indexOf(sound, from);
          return from >= 0;
        });
      },
      { what: "the digits spoken", timeoutMs: 15_000, intervalMs: 200 },
    );
    expect(digits).toEqual(keys);
    await hangUp(live);
  }, 25_000);

  it("read-digits: speaks after a second without a digit, and a new digit interrupts", async () => {
    const live = await call("read-digits", "0 101");
    const { peer, port, digits } = live;
    await sendDigit(peer, port, "7");
    const sentMs = performance.now();
    const isSpoken = (): boolean =>
      Buffer.concat(peer.received.map(({ payload }) => payload)).includes(loadSound("7"));
    await waitFor(isSpoken, { what: "the digit spoken" });
    expect(performance.now() - sentMs).toBeGreaterThan(1000);
    await sendDigit(peer, port, "7");
    await waitFor(() => digits.length === 2, { what: "the same digit again" });
    await hangUp(live);
  }, 15_000);

  it.each(["0", "0 101"])("read-digits: hears the tones of a trunk (%s)", async (formats) => {
    await using line = await TelephoneLine.open();
    const digits: string[] = [];
    const service = await engine.createService("read-digits", {
      onFinished: () => {},
      onDigit: (digit) => digits.push(digit),
    });
    const session = engine.createSession({ policy: "auto" });
    const pair: Exchange = { ...PAIR, offerer: { ...PAIR.offerer, dtmf: "inband" } };
    const offer = await session.offer(pair, line.peer.sdp(formats));
    line.talkTo(audioPortOf(await session.answer(pair, await service.answer(offer))));
    await waitFor(() => line.peer.received.length > 2 || undefined, { what: "sound" });
    await line.sendTones("1159D#");
    await waitFor(() => digits.length >= 6 || undefined, {
      what: "all digits",
      detail: () => digits.join(""),
    });
    expect(digits.join("")).toBe("1159D#");
    service.close();
    await session.close();
  });

  it("follows a hold: sends nothing to an offer that is sendonly, and goes on after it", async () => {
    const live = await call("echo", "0 101");
    const { peer, session, service } = live;
    const held = await service.answer(await session.offer(PAIR, peer.sdp("0 101", "sendonly")));
    expect(held).toContain("a=recvonly\r\n");
    await session.answer(PAIR, held);
    await delay(60);
    const count = peer.received.length;
    await delay(200);
    expect(peer.received.length).toBe(count);
    const resumed = await service.answer(await session.offer(PAIR, peer.sdp("0 101")));
    expect(resumed).toContain("a=sendrecv\r\n");
    await session.answer(PAIR, resumed);
    await waitFor(() => peer.received.length > count, { what: "silence again" });
    await hangUp(live);
  });
});

describe("a service endpoint", () => {
  it("hears only the address in the offer, refuses other codecs, and leaves no timer", async () => {
    const clock = new SystemClock();
    await using peer = await RtpPeer.open();
    await using stranger = await RtpPeer.open();
    const endpoint = await createServiceEndpoint({
      kind: "echo",
      handler: { onFinished() {}, onDigit() {} },
      clock,
      logger: silentLogger,
      address: "127.0.0.1",
    });
    await expect(endpoint.answer(peer.sdp("9"))).rejects.toMatchObject({
      code: "ERR_OFFHOOK_MEDIA_SDP",
    });
    const answer = await endpoint.answer(peer.sdp("9 8 101"));
    expect(formatsOf(answer)).toEqual(["8", "101"]);
    const port = audioPortOf(answer);
    for (let count = 0; count < 5; count += 1) stranger.send(port, 8, VOICE);
    peer.send(port, 8, Buffer.alloc(160, 0x33));
    await waitFor(() => peer.received.some(({ payload }) => payload[0] === 0x33), {
      what: "the echo",
    });
    expect(peer.received.some(({ payload }) => payload[0] === 0x22)).toBe(false);
    expect(stranger.received).toHaveLength(0);
    endpoint.close();
    endpoint.close();
    await expect(endpoint.answer(peer.sdp("8"))).rejects.toThrow(/closed/);
    expect(clock.pendingTimers).toBe(0);
  });
});
