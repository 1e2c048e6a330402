import { readdir, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";

import type { SocketAddress } from "../../src/core/address.ts";

import { freePort, freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { readWav, type Sound } from "./tone.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { waitFor, within } from "./wait.ts";

export interface BaresipOptions {
  /** User part of its address; default `600`. */
  readonly user?: string;
  /** Where its requests go; default: to the address that is dialled. */
  readonly outboundProxy?: SocketAddress;
  /** `auto` answers at once, `manual` rings until `accept()`. Default `auto`. */
  readonly answer?: "auto" | "manual";
  /** Default PCMU. */
  readonly codec?: "PCMU" | "PCMA" | "G722" | "opus";
  /**
   * `sdes`: nothing but SRTP with keys in the SDP; `dtls`: DTLS-SRTP; `optional`: keys in a plain
   * profile (RFC 8643). Default: plain RTP.
   */
  readonly encryption?: keyof typeof ENCRYPTIONS;
  /** Also sends a test picture as VP8, and takes video; default false. */
  readonly video?: boolean;
  /** What it sends, in Hz; default 600. */
  readonly toneHz?: number;
  /** Default 127.0.0.1. */
  readonly localHost?: string;
  readonly port?: number;
}

/** An event of baresip's control socket; `type` is `CALL_INCOMING`, `CALL_ESTABLISHED`… */
export interface BaresipEvent {
  readonly type: string;
  readonly param: string;
}

const CODECS = {
  PCMU: { module: "g711.so", name: "PCMU/8000/1" },
  PCMA: { module: "g711.so", name: "PCMA/8000/1" },
  G722: { module: "g722.so", name: "G722/16000/1" },
  opus: { module: "opus.so", name: "opus/48000/2" },
} as const;

const ENCRYPTIONS = {
  sdes: { module: "srtp.so", name: "srtp-mand" },
  optional: { module: "srtp.so", name: "srtp" },
  dtls: { module: "dtls_srtp.so", name: "dtls_srtp" },
} as const;
/** How far a recording is behind what was played, seconds: it is written through a buffer. */
const WRITE_BEHIND_S = 0.5;

const VIDEO_SETTINGS: readonly (readonly [string, string | number])[] = [
  ["module", "vp8.so"],
  ["module", "fakevideo.so"],
  ["video_source", "fakevideo,nil"],
  ["video_display", "fakevideo,nil"],
  ["video_size", "320x240"],
  ["video_bitrate", 300_000],
  ["video_fps", "15.00"],
  ["videnc_format", "yuv420p"],
];

/**
 * A running baresip: a plain SIP phone that sends a tone and records what it hears.
 *
 * Controlled over its `ctrl_tcp` module: JSON in netstrings.
 */
export class Baresip implements AsyncDisposable {
  readonly address: SocketAddress;
  /** `sip:user@host:port` of this phone. */
  readonly uri: string;
  /** Where it takes RTP and RTCP, both ends included. */
  readonly mediaPorts: { readonly min: number; readonly max: number };
  readonly child: Child;
  readonly #directory: string;
  readonly #socket: Socket;
  readonly #events: BaresipEvent[] = [];
  readonly #answers = new Map<string, (answer: { ok: boolean; data: string }) => void>();
  #rest = Buffer.alloc(0);
  #token = 0;

  /** Starts baresip; it listens for calls and commands when this returns. */
  static async start(options: BaresipOptions = {}): Promise<Baresip> {
    const directory = await makeTemporaryDirectory("baresip");
    const host = options.localHost ?? "127.0.0.1";
    const port = options.port ?? (await freePort(host));
    const controlPort = await freePort();
    const rtpPort = await freePorts(20, host);
    const user = options.user ?? "600";
    const codec = CODECS[options.codec ?? "PCMU"];
    const account = [
      `<sip:${user}@${host}:${port}>`,
      "regint=0",
      "catchall=yes",
      "ptime=20",
      `audio_codecs=${codec.name}`,
      `answermode=${options.answer ?? "auto"}`,
      ...(options.video === true ? ["video_codecs=VP8"] : []),
    ];
    const encryption =
      options.encryption === undefined ? undefined : ENCRYPTIONS[options.encryption];
    if (encryption !== undefined) account.push(`mediaenc=${encryption.name}`);
    if (options.outboundProxy !== undefined) {
      account.push(`outbound="sip:${options.outboundProxy.host}:${options.outboundProxy.port}"`);
    }
    const settings: readonly (readonly [string, string | number])[] = [
      ["poll_method", "epoll"],
      ["sip_listen", `${host}:${port}`],
      // By address: with the name `lo` it refuses to start, without either it sends an empty one.
      ["net_interface", host],
      ["audio_path", directory],
      // A tone out of a module instead of a microphone; it works with 48 kHz stereo alone.
      ["audio_source", `ausine,${options.toneHz ?? 600}`],
      ["ausrc_srate", 48_000],
      ["ausrc_channels", 2],
      ["audio_player", "aubridge,sink"],
      ["audio_alert", "aubridge,alert"],
      ["auplay_srate", 8000],
      ["auplay_channels", 1],
      ["audio_level", "no"],
      ["rtp_ports", `${rtpPort}-${rtpPort + 19}`],
      ["rtp_tos", 0],
      ["snd_path", directory],
      ["module_path", "/usr/lib/baresip/modules"],
      ["module", codec.module],
      ["module", "ausine.so"],
      ["module", "aubridge.so"],
      ["module", "sndfile.so"],
      ...(encryption === undefined ? [] : [["module", encryption.module] as const]),
      ...(options.video === true ? VIDEO_SETTINGS : []),
      ["module_tmp", "uuid.so"],
      ["module_tmp", "account.so"],
      ["module_app", "menu.so"],
      ["module_app", "ctrl_tcp.so"],
      ["ctrl_tcp_listen", `127.0.0.1:${controlPort}`],
    ];
    await writeFile(
      join(directory, "config"),
      settings.map(([key, value]) => `${key}\t${value}\n`).join(""),
    );
    await writeFile(join(directory, "accounts"), `${account.join(";")}\n`);
    await writeFile(join(directory, "contacts"), "");
    const child = await Child.start("baresip", ["-f", directory], { name: `baresip ${user}` });
    const socket = await waitFor(() => tryConnect(child, controlPort), {
      what: `${child.name}'s control socket`,
      detail: () => child.tail(),
    });
    const mediaPorts = { min: rtpPort, max: rtpPort + 19 };
    return new Baresip(child, directory, socket, { host, port }, user, mediaPorts);
  }

  private constructor(
    child: Child,
    directory: string,
    socket: Socket,
    address: SocketAddress,
    user: string,
    mediaPorts: { readonly min: number; readonly max: number },
  ) {
    this.mediaPorts = mediaPorts;
    this.child = child;
    this.#directory = directory;
    this.#socket = socket;
    this.address = address;
    this.uri = `sip:${user}@${address.host}:${address.port}`;
    socket.on("data", (octets: Buffer) => this.#read(octets));
    // The end of the process closes the socket; the child's exit tells of it.
    socket.on("error", () => undefined);
  }

  /** Calls `uri` and waits until the call stands. */
  async dial(uri: string): Promise<void> {
    const established = this.#count("CALL_ESTABLISHED");
    await this.command("dial", uri);
    await this.waitForEvent("CALL_ESTABLISHED", established);
  }

  /** Calls `uri` and does not wait for what comes of it. */
  async startDialling(uri: string): Promise<void> {
    await this.command("dial", uri);
  }

  /** Answers the call that rings. */
  async accept(): Promise<void> {
    await this.command("accept");
  }

  async hold(): Promise<void> {
    await this.command("hold");
  }

  async resume(): Promise<void> {
    await this.command("resume");
  }

  async hangUp(): Promise<void> {
    await this.command("hangup");
  }

  /** Sends DTMF digits as RFC 4733 events, one after another. */
  async sendDigits(digits: string): Promise<void> {
    for (const digit of digits) await this.command("sndcode", digit);
  }

  /** Pictures that it has decoded and shown in its call, by its own count. */
  async picturesShown(): Promise<number> {
    return Number(/vidisp:.* frames=(\d+)/.exec(await this.command("video_debug"))?.[1] ?? 0);
  }

  /** Any command of baresip's menu. @throws when baresip refuses it */
  async command(command: string, params = ""): Promise<string> {
    this.#token += 1;
    const token = String(this.#token);
    const answer = new Promise<{ ok: boolean; data: string }>((resolve) => {
      this.#answers.set(token, resolve);
    });
    const text = JSON.stringify({ command, params, token });
    this.#socket.write(`${Buffer.byteLength(text)}:${text},`);
    const { ok, data } = await within(answer, { what: `baresip's answer to ${command}` });
    if (!ok) throw new Error(`baresip refused ${command} ${params}: ${data}`);
    return data;
  }

  /** Every event so far. */
  get events(): readonly BaresipEvent[] {
    return this.#events;
  }

  /** The `nth` event (from 0) of a type. */
  async waitForEvent(type: string, nth = 0, timeoutMs = 10_000): Promise<BaresipEvent> {
    return await waitFor(() => this.#events.filter((event) => event.type === type)[nth], {
      what: `${this.child.name}: ${type} #${nth}`,
      timeoutMs,
      detail: () => `${JSON.stringify(this.#events)}\n${this.child.tail()}`,
    });
  }

  /**
   * What it has heard in its latest call so far.
   *
   * baresip 1.0 stops its recording (not its sound) at the first hold from either side; after that,
   * measure what arrives at its RTP port: capture.ts, `soundOf`.
   */
  async heard(): Promise<Sound> {
    return await readWav(await this.#recording());
  }

  /** What it hears from now on, as soon as that is so long. */
  async hearAnew(durationMs: number): Promise<Sound> {
    const path = await this.#recording();
    const before = await readWav(path);
    return await waitFor(
      async () => {
        const now = await this.#recording();
        const { samples, sampleRate } = await readWav(now);
        // A recording that has begun since is new from its first sample.
        const known = now === path ? before.samples.length + WRITE_BEHIND_S * sampleRate : 0;
        const fresh = samples.subarray(known);
        return fresh.length * 1000 < durationMs * sampleRate
          ? undefined
          : { samples: fresh, sampleRate };
      },
      { what: `${this.child.name} to hear more`, timeoutMs: 20_000, intervalMs: 100 },
    );
  }

  async stop(): Promise<void> {
    this.#socket.destroy();
    await this.child.stop("SIGTERM", 1000);
    await removeDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** The path of the recording of its latest call. */
  async #recording(): Promise<string> {
    return await waitFor(
      async () =>
        (await readdir(this.#directory))
          .filter((name) => name.endsWith("-dec.wav"))
          .toSorted()
          .map((name) => join(this.#directory, name))
          .at(-1),
      { what: `a recording of ${this.child.name}` },
    );
  }

  #count(type: string): number {
    return this.#events.filter((event) => event.type === type).length;
  }

  #read(octets: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, octets]);
    for (;;) {
      const colon = this.#rest.indexOf(":");
      if (colon < 0) return;
      const end = colon + 1 + Number(this.#rest.toString("latin1", 0, colon));
      if (this.#rest.length < end + 1) return;
      const text = this.#rest.toString("utf8", colon + 1, end);
      this.#rest = this.#rest.subarray(end + 1);
      this.#accept(JSON.parse(text));
    }
  }

  #accept(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    const fields = new Map<string, unknown>(Object.entries(message));
    const text = (name: string): string => {
      const value = fields.get(name);
      return typeof value === "string" ? value : "";
    };
    if (fields.get("event") === true) {
      this.#events.push({ type: text("type"), param: text("param") });
    } else if (fields.get("response") === true) {
      const resolve = this.#answers.get(text("token"));
      this.#answers.delete(text("token"));
      resolve?.({ ok: fields.get("ok") === true, data: text("data") });
    }
  }
}

function tryConnect(child: Child, port: number): Promise<Socket | undefined> {
  if (!child.isRunning) throw new Error(`${child.name} ended\n${child.tail()}`);
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}
