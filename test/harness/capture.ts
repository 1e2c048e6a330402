import { readFile } from "node:fs/promises";
import { createSocket } from "node:dgram";
import { join } from "node:path";

import type { SocketAddress } from "../../src/core/address.ts";

import { freePort } from "./ports.ts";
import { Child } from "./process.ts";
import type { Sound } from "./tone.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

/** A UDP datagram as it was on the wire. */
export interface UdpPacket {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  /** RFC 2474 §3, 0 to 63. */
  readonly dscp: number;
  readonly payload: Buffer;
}

/** What travels on the loopback interface, written down by Debian's dumpcap (needs root). */
export class Capture implements AsyncDisposable {
  readonly #child: Child;
  readonly #directory: string;
  readonly #file: string;
  readonly #beaconPort: number;
  #marks = 0;

  /**
   * Starts to capture; from its return on nothing is missed.
   *
   * @param filter in the language of pcap-filter(7); default `udp`
   */
  static async start(filter = "udp"): Promise<Capture> {
    const directory = await makeTemporaryDirectory("capture");
    const file = join(directory, "packets.pcap");
    // One more port in the filter, on which a packet of ours tells that the capture runs.
    const beacon = await freePort();
    const args = ["-q", "-P", "-i", "lo", "-B", "32", "-w", file];
    args.push("-f", `(${filter}) or udp port ${beacon}`);
    const child = await Child.start("dumpcap", args);
    const capture = new Capture(child, directory, file, beacon);
    await capture.#beacon("offhook capture begins");
    return capture;
  }

  private constructor(child: Child, directory: string, file: string, beaconPort: number) {
    this.#beaconPort = beaconPort;
    this.#child = child;
    this.#directory = directory;
    this.#file = file;
  }

  /** Every datagram until now, in order; the capture goes on. */
  async soFar(): Promise<readonly UdpPacket[]> {
    this.#marks += 1;
    await this.#beacon(`offhook capture at mark ${this.#marks}.`);
    return this.#packetsOf(await readFile(this.#file));
  }

  /** Ends the capture and gives every datagram in order. */
  async stop(): Promise<readonly UdpPacket[]> {
    await this.#beacon("offhook capture ends");
    await this.#child.stop("SIGINT");
    const packets = this.#packetsOf(await readFile(this.#file));
    await removeDirectory(this.#directory);
    return packets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop("SIGKILL");
    await removeDirectory(this.#directory);
  }

  #packetsOf(file: Buffer): readonly UdpPacket[] {
    return parsePcap(file).filter((packet) => packet.destination.port !== this.#beaconPort);
  }

  /** Sends a datagram until it stands in the file: everything before it does too. */
  async #beacon(text: string): Promise<void> {
    const socket = createSocket("udp4");
    try {
      await waitFor(
        async () => {
          if (!this.#child.isRunning) throw new Error(`dumpcap ended\n${this.#child.tail()}`);
          socket.send(text, this.#beaconPort, "127.0.0.1");
          return (await readFile(this.#file).catch(() => Buffer.alloc(0))).includes(text);
        },
        { what: "dumpcap to capture", intervalMs: 100, detail: () => this.#child.tail() },
      );
    } finally {
      socket.close();
    }
  }
}

const PCAP_HEADER = 24;

/** Reads a classic pcap file of Ethernet frames (what Linux gives for `lo`): UDP over IPv4 and IPv6. */
export function parsePcap(file: Buffer): readonly UdpPacket[] {
  const magic = file.readUInt32LE(0);
  const unitsPerMs = magic === 0xa1b2c3d4 ? 1000 : magic === 0xa1b23c4d ? 1_000_000 : 0;
  if (unitsPerMs === 0) throw new Error("no little-endian pcap file");
  const packets: UdpPacket[] = [];
  for (let offset = PCAP_HEADER; offset + 16 <= file.length;) {
    const length = file.readUInt32LE(offset + 8);
    const start = offset + 16;
    if (start + length > file.length) break;
    const timeMs = file.readUInt32LE(offset) * 1000 + file.readUInt32LE(offset + 4) / unitsPerMs;
    const packet = parseFrame(file.subarray(start, start + length));
    if (packet !== undefined) packets.push({ timeMs, ...packet });
    offset = start + length;
  }
  return packets;
}

function parseFrame(frame: Buffer): Omit<UdpPacket, "timeMs"> | undefined {
  if (frame.length < 14 + 20 + 8) return undefined;
  const ip = frame.subarray(14);
  switch (frame.readUInt16BE(12)) {
    case 0x0800: {
      if (ip[9] !== 17) return undefined;
      const header = ((ip[0] ?? 0) & 0x0f) * 4;
      const host = (at: number): string => ip.subarray(at, at + 4).join(".");
      const dscp = (ip[1] ?? 0) >> 2;
      return parseUdp(ip.subarray(header), host(12), host(16), dscp);
    }
    case 0x86dd: {
      if (ip[6] !== 17 || ip.length < 48) return undefined;
      const host = (at: number): string => {
        const words = Array.from({ length: 8 }, (_, index) => ip.readUInt16BE(at + index * 2));
        return words.map((word) => word.toString(16)).join(":");
      };
      // RFC 8200 §3: version, traffic class, flow label.
      const dscp = (ip.readUInt16BE(0) >> 6) & 0x3f;
      return parseUdp(ip.subarray(40), host(8), host(24), dscp);
    }
    default:
      return undefined;
  }
}

function parseUdp(
  udp: Buffer,
  from: string,
  to: string,
  dscp: number,
): Omit<UdpPacket, "timeMs"> | undefined {
  if (udp.length < 8) return undefined;
  return {
    source: { host: from, port: udp.readUInt16BE(0) },
    destination: { host: to, port: udp.readUInt16BE(2) },
    dscp,
    payload: udp.subarray(8, udp.readUInt16BE(4)),
  };
}

/** RFC 3550 §5.1. */
export interface RtpPacket {
  readonly timeMs: number;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Buffer;
}

/** The RTP among the datagrams: not RTCP, STUN or DTLS (RFC 7983 §7, RFC 5761 §4). */
export function rtpPackets(
  packets: readonly UdpPacket[],
  filter: { readonly sourcePort?: number; readonly destinationPort?: number } = {},
): readonly RtpPacket[] {
  const found: RtpPacket[] = [];
  for (const { payload, source, destination, timeMs } of packets) {
    if (filter.sourcePort !== undefined && source.port !== filter.sourcePort) continue;
    if (filter.destinationPort !== undefined && destination.port !== filter.destinationPort) {
      continue;
    }
    const first = payload[0] ?? 0;
    const second = payload[1] ?? 0;
    if (payload.length < 12 || first < 128 || first > 191) continue;
    if (second >= 192 && second <= 223) continue;
    let start = 12 + (first & 0x0f) * 4;
    if ((first & 0x10) !== 0) {
      if (payload.length < start + 4) continue;
      start += 4 + payload.readUInt16BE(start + 2) * 4;
    }
    const padding = (first & 0x20) === 0 ? 0 : (payload.at(-1) ?? 0);
    if (start + padding > payload.length) continue;
    found.push({
      timeMs,
      source,
      destination,
      payloadType: second & 0x7f,
      marker: (second & 0x80) !== 0,
      sequence: payload.readUInt16BE(2),
      timestamp: payload.readUInt32BE(4),
      ssrc: payload.readUInt32BE(8),
      payload: payload.subarray(start, payload.length - padding),
    });
  }
  return found;
}

/** One key press: all RFC 4733 packets of one stream that share a timestamp. */
export interface TelephoneEvent {
  /** `0`-`9`, `*`, `#`, `A`-`D`; another event is its number. */
  readonly digit: string;
  readonly timestamp: number;
  readonly packets: number;
  /** Packets with the marker bit: 1, the first (RFC 4733 §2.5.1.1). */
  readonly markers: number;
  /** Whether the first packet is the one with the marker. */
  readonly isMarkerFirst: boolean;
  /** In timestamp units, in order of arrival; 8 a millisecond at 8000 Hz. */
  readonly durations: readonly number[];
  /** Packets with the end bit: 3 as a rule (RFC 4733 §2.5.1.4). */
  readonly endPackets: number;
  readonly ssrc: number;
  readonly timeMs: number;
}

const DIGITS = "0123456789*#ABCD";

/** The key presses in a stream, in order. @param payloadType the number of telephone-event in the SDP */
export function telephoneEvents(
  packets: readonly RtpPacket[],
  payloadType: number,
): readonly TelephoneEvent[] {
  const groups = new Map<string, RtpPacket[]>();
  for (const packet of packets) {
    if (packet.payloadType !== payloadType || packet.payload.length < 4) continue;
    const key = `${packet.ssrc}/${packet.destination.port}/${packet.timestamp}/${packet.payload[0] ?? 0}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [packet]);
    else group.push(packet);
  }
  const events: TelephoneEvent[] = [];
  for (const group of groups.values()) {
    const first = group[0];
    if (first === undefined) continue;
    const number = first.payload[0] ?? 0;
    events.push({
      digit: DIGITS[number] ?? String(number),
      timestamp: first.timestamp,
      packets: group.length,
      markers: group.filter((packet) => packet.marker).length,
      isMarkerFirst: first.marker,
      durations: group.map((packet) => packet.payload.readUInt16BE(2)),
      endPackets: group.filter((packet) => ((packet.payload[1] ?? 0) & 0x80) !== 0).length,
      ssrc: first.ssrc,
      timeMs: first.timeMs,
    });
  }
  return events;
}

/** ITU-T G.711, µ-law. */
function decodeMuLaw(octet: number): number {
  const inverted = ~octet & 0xff;
  const magnitude = (((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 0x07);
  return (inverted & 0x80) === 0 ? magnitude - 0x84 : 0x84 - magnitude;
}

/** ITU-T G.711, A-law. */
function decodeALaw(octet: number): number {
  const toggled = octet ^ 0x55;
  const exponent = (toggled >> 4) & 0x07;
  const mantissa = ((toggled & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (toggled & 0x80) === 0 ? -magnitude : magnitude;
}

/** The sound of a PCMU (0) or PCMA (8) stream, packet after packet in order of arrival. */
export function soundOf(packets: readonly RtpPacket[]): Sound {
  const samples: number[] = [];
  for (const { payloadType, payload } of packets) {
    if (payloadType === 0) for (const octet of payload) samples.push(decodeMuLaw(octet));
    if (payloadType === 8) for (const octet of payload) samples.push(decodeALaw(octet));
  }
  return { sampleRate: 8000, samples: Int16Array.from(samples) };
}
