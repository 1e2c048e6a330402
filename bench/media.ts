import { encodeToneDigit } from "../test/harness/dtmf-tones.ts";
import { audioPortOf, RtpPeer, TestRtpengine } from "../test/harness/rtpengine.ts";
import type { Exchange, MediaEngine, MediaSession } from "../src/media/session.ts";
import { waitFor } from "../test/harness/wait.ts";
import { browserSdp } from "../test/harness/browser-sdp.ts";
import { cpuMs } from "./process-figures.ts";

/**
 * What rtpengine costs, by the kernel's books: a call set-up with a browser's SDP, and a minute of
 * talk, for `auto` (packets pass) and for `opus` (every packet is decoded and encoded). The talk is
 * between plain telephones, one of them with Opus: SRTP toward a browser costs the same in both.
 */

const SET_UPS = 200;
const CALLS = 20;
const TALK_MS = 10_000;
const FRAME_MS = 20;
/** A tone, so that the encoder has something to do. */
const TONE = encodeToneDigit("5", 50);

interface Figures {
  readonly setUpMs: number;
  readonly minuteMs: number;
  readonly isTranscoded: boolean;
}

/** @returns lines to print */
export async function measureMedia(): Promise<readonly string[]> {
  const auto = await measure("auto");
  const opus = await measure("opus");
  const row = (name: string, { setUpMs, minuteMs, isTranscoded }: Figures): string =>
    `${name.padEnd(8)}${setUpMs.toFixed(2).padStart(12)}${minuteMs.toFixed(0).padStart(12)}   ${isTranscoded ? "yes" : "no"}`;
  return [
    "CPU of rtpengine, milliseconds",
    "policy   per set-up  per minute   transcodes, by its own word",
    row("auto", auto),
    row("opus", opus),
  ];
}

async function measure(policy: "auto" | "opus"): Promise<Figures> {
  await using rtpengine = await TestRtpengine.start();
  const engine = await rtpengine.engine();
  try {
    const setUpMs = await measureSetUps(engine, rtpengine.child.pid, policy);
    const talk = await measureTalk(engine, rtpengine.child.pid, policy);
    return { setUpMs, ...talk };
  } finally {
    await engine.stop();
  }
}

async function measureSetUps(
  engine: MediaEngine,
  pid: number,
  policy: "auto" | "opus",
): Promise<number> {
  await using telephone = await RtpPeer.open();
  const exchange: Exchange = {
    offerer: { tag: "caller", kind: "webrtc" },
    answerer: { tag: "callee", kind: "rtp", codecs: ["PCMU"] },
    branch: "b",
  };
  const setUp = async (): Promise<void> => {
    const session = engine.createSession({ policy });
    await session.offer(exchange, browserSdp());
    await session.answer(exchange, telephone.sdp("0 126"));
    await session.close();
  };
  for (let warmUp = 0; warmUp < 20; warmUp += 1) await setUp();
  const before = cpuMs(pid);
  for (let call = 0; call < SET_UPS; call += 1) await setUp();
  return (cpuMs(pid) - before) / SET_UPS;
}

async function measureTalk(
  engine: MediaEngine,
  pid: number,
  policy: "auto" | "opus",
): Promise<Omit<Figures, "setUpMs">> {
  const calls = await Promise.all(Array.from({ length: CALLS }, () => Talk.begin(engine, policy)));
  try {
    await waitFor(() => calls.every((call) => call.flows) || undefined, { what: "sound" });
    const before = cpuMs(pid);
    const startMs = performance.now();
    await new Promise((resolve) => {
      setTimeout(resolve, TALK_MS);
    });
    const minutes = ((performance.now() - startMs) / 60_000) * CALLS;
    const minuteMs = (cpuMs(pid) - before) / minutes;
    const [first] = calls;
    return { minuteMs, isTranscoded: (await first?.session.query())?.isTranscoded === true };
  } finally {
    for (const call of calls) await call.end();
  }
}

/** Two telephones that send each other a tone; with `opus` one of them has Opus alone. */
class Talk {
  readonly session: MediaSession;
  readonly #caller: RtpPeer;
  readonly #callee: RtpPeer;
  readonly #timer: ReturnType<typeof setInterval>;

  static async begin(engine: MediaEngine, policy: "auto" | "opus"): Promise<Talk> {
    const caller = await RtpPeer.open();
    const callee = await RtpPeer.open();
    const session = engine.createSession({ policy });
    const exchange: Exchange = {
      offerer: { tag: "caller", kind: "rtp" },
      answerer: { tag: "callee", kind: "rtp", codecs: ["PCMU"] },
      branch: "b",
    };
    const offer =
      policy === "auto"
        ? caller.sdp("0")
        : caller.sdp("111").replace("a=rtpmap:111 X-NONE/8000", "a=rtpmap:111 opus/48000/2");
    const toCallee = audioPortOf(await session.offer(exchange, offer));
    const toCaller = audioPortOf(await session.answer(exchange, callee.sdp("0")));
    return new Talk(session, { caller, callee, toCallee, toCaller, isOpus: policy === "opus" });
  }

  private constructor(
    session: MediaSession,
    line: {
      readonly caller: RtpPeer;
      readonly callee: RtpPeer;
      readonly toCallee: number;
      readonly toCaller: number;
      readonly isOpus: boolean;
    },
  ) {
    const { caller, callee, toCallee, toCaller, isOpus } = line;
    this.session = session;
    this.#caller = caller;
    this.#callee = callee;
    let frame = 0;
    this.#timer = setInterval(() => {
      const tone = TONE[frame % TONE.length] ?? Buffer.alloc(160);
      frame += 1;
      callee.send(toCallee, 0, tone);
      if (!isOpus) {
        caller.send(toCaller, 0, tone);
        return;
      }
      // What rtpengine has encoded comes back: real Opus without an encoder of ours. RFC 6716 §3.2:
      // until then one frame of silence.
      const encoded = caller.received.at(-1)?.payload ?? Buffer.from([0xf8, 0xff, 0xfe]);
      caller.send(toCaller, 111, encoded, { advance: 960 });
      if (caller.received.length > 100) caller.received.splice(0, 50);
    }, FRAME_MS);
  }

  get flows(): boolean {
    return this.#caller.received.length > 5 && this.#callee.received.length > 5;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.session.close();
    this.#caller.close();
    this.#callee.close();
  }
}
