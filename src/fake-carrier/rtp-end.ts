import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";

import type { SocketAddress } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { encodeMuLaw, fromMuLaw } from "../media/service/g711.ts";
import type { Sound } from "./scripts.ts";

const FRAME_MS = 20;
const FRAME_SAMPLES = 160;
const TONE_HZ = 440;
const AMPLITUDE = 8000;
const RTP_HEADER = 12;
/** Of lossy sound: one in so many is lost. */
const LOST_ONE_IN = 5;

/** A second of the tone in µ-law: whole periods, so that it goes round. */
const TONE = Buffer.from(
  Array.from({ length: 8000 }, (_, index) =>
    encodeMuLaw(Math.round(AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * index) / 8000))),
  ),
);

/** One end of plain RTP (RFC 3550): it sends back what it hears, or a tone. */
export class RtpEnd {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #ssrc = randomInt(2 ** 32);
  readonly #host: string;
  #sound: Sound | undefined;
  #codec: "PCMU" | "PCMA" = "PCMU";
  #remote: SocketAddress | undefined;
  #timer: Timer | undefined;
  #nextMs = 0;
  #sent = 0;
  #received = 0;
  #isClosed = false;

  private constructor(socket: Socket, host: string, clock: Clock) {
    this.#socket = socket;
    this.#host = host;
    this.#clock = clock;
    socket.on("message", (octets, { address, port }) => this.#onPacket(octets, address, port));
    // What is lost on its way is lost: this is UDP.
    socket.on("error", () => {});
  }

  /** @param host where it binds, and what stands in the SDP */
  static async open(host: string, clock: Clock): Promise<RtpEnd> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, host, () => {
        socket.off("error", reject);
        resolve();
      });
    });
    return new RtpEnd(socket, host, clock);
  }

  get address(): SocketAddress {
    return { host: this.#host, port: this.#socket.address().port };
  }

  /** Packets that came. */
  get received(): number {
    return this.#received;
  }

  /** Where the far end wants its sound; undefined: it wants none. */
  direct(remote: SocketAddress | undefined, codec: "PCMU" | "PCMA"): void {
    this.#remote = remote;
    this.#codec = codec;
  }

  play(sound: Sound): void {
    this.#sound = sound;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (sound !== "tone" || this.#isClosed) return;
    this.#nextMs = this.#clock.monotonicMs();
    this.#frame();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#socket.close();
  }

  #onPacket(octets: Buffer, address: string, port: number): void {
    // RFC 3550 §5.1: version 2; RTCP has a port of its own.
    if (octets.length < RTP_HEADER || ((octets[0] ?? 0) & 0xc0) !== 0x80) return;
    this.#received += 1;
    if (this.#sound === "tone" || this.#sound === undefined) return;
    if (this.#sound === "lossy" && this.#received % LOST_ONE_IN === 0) return;
    this.#socket.send(octets, port, address);
  }

  #frame(): void {
    const at = (this.#sent * FRAME_SAMPLES) % TONE.length;
    const remote = this.#remote;
    if (remote !== undefined) {
      const header = Buffer.alloc(RTP_HEADER);
      header[0] = 0x80;
      header[1] = (this.#codec === "PCMU" ? 0 : 8) | (this.#sent === 0 ? 0x80 : 0);
      header.writeUInt16BE(this.#sent & 0xffff, 2);
      header.writeUInt32BE((this.#sent * FRAME_SAMPLES) >>> 0, 4);
      header.writeUInt32BE(this.#ssrc, 8);
      const frame = fromMuLaw(TONE.subarray(at, at + FRAME_SAMPLES), this.#codec);
      this.#socket.send([header, frame], remote.port, remote.host);
    }
    this.#sent += 1;
    this.#nextMs += FRAME_MS;
    const waitMs = Math.max(0, this.#nextMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(waitMs, () => this.#frame());
  }
}
