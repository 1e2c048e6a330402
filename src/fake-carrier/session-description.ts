import { randomInt } from "node:crypto";

import type { SocketAddress } from "../core/address.ts";

/** What a far end's SDP says of its sound. */
export interface FarSound {
  /** Undefined: it wants none now. */
  readonly address: SocketAddress | undefined;
  readonly codecs: readonly ("PCMU" | "PCMA")[];
  /** The payload type of telephone-event, where there is one. */
  readonly eventType: number | undefined;
  readonly direction: Direction;
}

/** RFC 3264 §5.1, as the side that says it sees it. */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** RFC 3264 §6.1: the answer to a direction. */
export const ANSWER_TO: Readonly<Record<Direction, Direction>> = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
};

/** Reads the first audio line. @returns undefined when there is none with G.711 */
export function readSound(sdp: string): FarSound | undefined {
  const lines = sdp.split(/\r?\n/);
  const start = lines.findIndex((line) => line.startsWith("m="));
  const audio = lines.findIndex((line) => line.startsWith("m=audio "));
  if (audio < 0) return undefined;
  const next = lines.findIndex((line, index) => index > audio && line.startsWith("m="));
  const own = lines.slice(audio, next < 0 ? undefined : next);
  const [, port = "0", , ...types] = (own[0] ?? "").slice(2).split(" ");
  const connection =
    own.find((line) => line.startsWith("c=")) ??
    lines.slice(0, start).find((line) => line.startsWith("c="));
  const host = connection?.split(" ")[2];
  const codecs = types.flatMap((type): readonly ("PCMU" | "PCMA")[] =>
    type === "0" ? ["PCMU"] : type === "8" ? ["PCMA"] : [],
  );
  if (codecs.length === 0) return undefined;
  const event = own.find((line) => /^a=rtpmap:[0-9]+ telephone-event\//i.test(line));
  const isSilent = host === undefined || host === "0.0.0.0" || Number(port) === 0;
  return {
    address: isSilent ? undefined : { host, port: Number(port) },
    codecs,
    eventType: event === undefined ? undefined : Number(/:([0-9]+)/.exec(event)?.[1]),
    direction: directionOf(own) ?? directionOf(lines.slice(0, start)) ?? "sendrecv",
  };
}

function directionOf(lines: readonly string[]): Direction | undefined {
  for (const word of ["sendrecv", "sendonly", "recvonly", "inactive"] as const) {
    if (lines.includes(`a=${word}`)) return word;
  }
  return undefined;
}

/** What our SDP says. */
export interface OwnSound {
  readonly address: SocketAddress;
  readonly codecs: readonly ("PCMU" | "PCMA")[];
  readonly eventType: number | undefined;
  readonly direction: Direction;
}

/** The carrier's SDPs of one call: one origin, a version that grows (RFC 3264 §8). */
export class OwnDescription {
  readonly #session = randomInt(1, 2 ** 31);
  #version = 0;

  write({ address, codecs, eventType, direction }: OwnSound): string {
    this.#version += 1;
    const family = address.host.includes(":") ? "IP6" : "IP4";
    const types = codecs.map((codec) => (codec === "PCMU" ? 0 : 8));
    const event = eventType === undefined ? [] : [eventType];
    return [
      "v=0",
      `o=carrier ${this.#session} ${this.#version} IN ${family} ${address.host}`,
      "s=-",
      `c=IN ${family} ${address.host}`,
      "t=0 0",
      `m=audio ${address.port} RTP/AVP ${[...types, ...event].join(" ")}`,
      ...codecs.map((codec, index) => `a=rtpmap:${types[index] ?? 0} ${codec}/8000`),
      ...event.flatMap((type) => [`a=rtpmap:${type} telephone-event/8000`, `a=fmtp:${type} 0-15`]),
      "a=ptime:20",
      `a=${direction}`,
      "",
    ].join("\r\n");
  }
}
