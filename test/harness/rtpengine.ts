import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createMediaEngine } from "../../src/media/media-engine.ts";
import { NgClient } from "../../src/media/ng-client.ts";
import type { MediaEngine } from "../../src/media/session.ts";
import { freePort, freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { waitFor } from "./wait.ts";

/** Neighbouring UDP ports that one test's rtpengine gets. */
const MEDIA_PORTS = 200;

export interface RtpengineOptions {
  /** Default `["rtpengine"]`; `["chroot", DIR, "/usr/bin/rtpengine"]` for another version. */
  readonly command?: readonly string[];
  /** Default 200. */
  readonly mediaPorts?: number;
}

/**
 * A real rtpengine on 127.0.0.1 with ports of its own, as an operator would run it beside the
 * gateway. It ends with the test file at the latest.
 */
export class TestRtpengine implements AsyncDisposable {
  readonly child: Child;
  readonly ngPort: number;

  static async start(options: RtpengineOptions = {}): Promise<TestRtpengine> {
    const [command = "rtpengine", ...prefix] = options.command ?? ["rtpengine"];
    const { mediaPorts = MEDIA_PORTS } = options;
    const ngPort = await freePort();
    const firstPort = await freePorts(mediaPorts);
    const child = await Child.start(
      command,
      [
        ...prefix,
        "--config-file=none",
        "--foreground",
        "--log-stderr",
        "--table=-1",
        "--interface=127.0.0.1",
        `--listen-ng=127.0.0.1:${ngPort}`,
        `--port-min=${firstPort}`,
        `--port-max=${firstPort + mediaPorts - 1}`,
        "--timeout=60",
        "--silent-timeout=3600",
        "--tos=0",
        "--delete-delay=0",
        "--log-level=5",
      ],
      { name: "rtpengine" },
    );
    const rtpengine = new TestRtpengine(child, ngPort);
    await rtpengine.#waitUntilReady();
    return rtpengine;
  }

  private constructor(child: Child, ngPort: number) {
    this.child = child;
    this.ngPort = ngPort;
  }

  /** A media engine of the gateway on this rtpengine. The caller stops it. */
  async engine(): Promise<MediaEngine> {
    const engine = createMediaEngine({
      clock: new SystemClock(),
      logger: silentLogger,
      rtpengine: { kind: "external", nodes: [{ host: "127.0.0.1", port: this.ngPort }] },
    });
    await engine.start();
    return engine;
  }

  /** Ids of the calls that it holds. */
  async callIds(): Promise<readonly string[]> {
    const client = new NgClient({
      address: { host: "127.0.0.1", port: this.ngPort },
      clock: new SystemClock(),
      logger: silentLogger,
    });
    try {
      const { calls } = await client.request("list", { limit: 1000 });
      return Array.isArray(calls) ? calls.filter((id) => typeof id === "string") : [];
    } finally {
      client.close();
    }
  }

  async stop(): Promise<void> {
    await this.child.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #waitUntilReady(): Promise<void> {
    const client = new NgClient({
      address: { host: "127.0.0.1", port: this.ngPort },
      clock: new SystemClock(),
      logger: silentLogger,
      timing: { resendAtMs: [], deadlineMs: 100 },
    });
    try {
      await waitFor(
        async () => {
          try {
            await client.request("ping", {});
            return true;
          } catch {
            return undefined;
          }
        },
        { what: "rtpengine's first pong", detail: () => this.child.tail() },
      );
    } finally {
      client.close();
    }
  }
}

/** One RTP packet as `RtpPeer` counts it. */
export interface ReceivedRtp {
  readonly payloadType: number;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly payload: Buffer;
  readonly atMs: number;
  readonly fromPort: number;
}

/** A telephone's RTP: one UDP port, by default on 127.0.0.1, that sends and counts packets. */
export class RtpPeer implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly received: ReceivedRtp[] = [];
  readonly #socket: Socket;
  #sequenceNumber = 1000;
  #timestamp = 50_000;
  #echoTo: number | undefined;
  #loseEvery: number | undefined;

  static async open(host = "127.0.0.1"): Promise<RtpPeer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, host, resolve);
    });
    return new RtpPeer(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.host = address;
    this.port = port;
    socket.on("message", (octets: Buffer, from: RemoteInfo) => this.#accept(octets, from));
  }

  /**
   * An SDP of this peer.
   *
   * @param formats payload types of G.711, G.722, 111 for Opus; of telephone-event, 110 beside Opus
   */
  sdp(formats = "8 0 101", direction = "sendrecv"): string {
    const maps: Readonly<Record<string, string>> = {
      "0": "PCMU/8000",
      "3": "GSM/8000",
      "8": "PCMA/8000",
      "9": "G722/8000",
      "18": "G729/8000",
      "101": "telephone-event/8000",
      "96": "telephone-event/8000",
      "126": "telephone-event/8000",
      "110": "telephone-event/48000",
      "111": "opus/48000/2",
    };
    return [
      "v=0",
      `o=peer 77 3 IN IP4 ${this.host}`,
      "s=A telephone",
      `c=IN IP4 ${this.host}`,
      "t=0 0",
      `m=audio ${this.port} RTP/AVP ${formats}`,
      ...formats.split(" ").map((format) => `a=rtpmap:${format} ${maps[format] ?? "X-NONE/8000"}`),
      "a=ssrc:311651804 cname:peer-secret",
      "a=ptime:20",
      `a=${direction}`,
      "",
    ].join("\r\n");
  }

  /** Sends every packet back to its sender's port from now on, or all but every `loseEvery`th. */
  echo(options: { readonly loseEvery?: number } = {}): void {
    this.#echoTo = 0;
    this.#loseEvery = options.loseEvery;
  }

  /** Sends one packet: 20 ms of payload, or an event that keeps its timestamp. */
  send(
    port: number,
    payloadType: number,
    payload: Buffer,
    options: { readonly advance?: number; readonly marker?: boolean } = {},
  ): void {
    this.#timestamp = (this.#timestamp + (options.advance ?? 160)) >>> 0;
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff;
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = (options.marker === true ? 0x80 : 0) | payloadType;
    header.writeUInt16BE(this.#sequenceNumber, 2);
    header.writeUInt32BE(this.#timestamp, 4);
    header.writeUInt32BE(0x0ff4_00c1, 8);
    this.#socket.send(Buffer.concat([header, payload]), port, "127.0.0.1");
  }

  close(): void {
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.close(resolve);
    });
  }

  #accept(octets: Buffer, from: RemoteInfo): void {
    const second = octets[1] ?? 0;
    if (octets.length < 12 || (second >= 192 && second <= 223)) return;
    this.received.push({
      payloadType: second & 0x7f,
      sequenceNumber: octets.readUInt16BE(2),
      timestamp: octets.readUInt32BE(4),
      payload: octets.subarray(12),
      atMs: performance.now(),
      fromPort: from.port,
    });
    const isLost = this.#loseEvery !== undefined && this.received.length % this.#loseEvery === 0;
    if (this.#echoTo !== undefined && !isLost) this.#socket.send(octets, from.port, from.address);
  }
}

/** The port of the audio section of an SDP. */
export function audioPortOf(sdp: string): number {
  const port = /^m=audio (\d+) /m.exec(sdp)?.[1];
  if (port === undefined) throw new Error(`no audio section in\n${sdp}`);
  return Number(port);
}

/** The payload types of the audio section of an SDP. */
export function formatsOf(sdp: string): readonly string[] {
  const formats = /^m=audio \d+ \S+ (.+?)\r?$/m.exec(sdp)?.[1];
  if (formats === undefined) throw new Error(`no audio section in\n${sdp}`);
  return formats.split(" ");
}
