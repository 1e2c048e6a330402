import { createSocket } from "node:dgram";
import type { Socket as UdpSocket } from "node:dgram";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { NaptrRecord, SrvRecord } from "../../src/signaling/transport/dns/resolver.ts";
import { freePort } from "./ports.ts";
import { delay } from "./wait.ts";

/** What a name has. */
export interface DnsZone {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly srv?: readonly SrvRecord[];
  readonly naptr?: readonly NaptrRecord[];
  /** Seconds; default 60. */
  readonly ttl?: number;
}

/**
 * `normal`; `servfail`; `silent`: never answers; `slow`: answers after 5 s; `junk`: octets that are
 * no answer.
 */
export type DnsMood = "normal" | "servfail" | "silent" | "slow" | "junk";

const TYPES: ReadonlyMap<number, "A" | "AAAA" | "SRV" | "NAPTR"> = new Map([
  [1, "A"],
  [28, "AAAA"],
  [33, "SRV"],
  [35, "NAPTR"],
]);
const MAX_UDP_OCTETS = 512;
const SLOW_MS = 5000;

/**
 * A name server of our own on 127.0.0.1, over UDP and, for answers that were truncated, TCP. A name
 * without zone does not exist (NXDOMAIN); one without records of the asked type has no data.
 */
export class DnsServer implements AsyncDisposable {
  readonly zones = new Map<string, DnsZone>();
  mood: DnsMood = "normal";
  /** `SRV _sip._udp.x`, in the order asked, over UDP and TCP. */
  readonly asked: string[] = [];
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  readonly #port: number;
  #isOpen = true;

  static async start(zones: Readonly<Record<string, DnsZone>> = {}): Promise<DnsServer> {
    const port = await freePort("127.0.0.1");
    const server = new DnsServer(port);
    for (const [name, zone] of Object.entries(zones)) server.zones.set(name, zone);
    await new Promise<void>((resolve, reject) => {
      server.#udp.once("error", reject);
      server.#udp.bind(port, "127.0.0.1", resolve);
    });
    await new Promise<void>((resolve, reject) => {
      server.#tcp.once("error", reject);
      server.#tcp.listen(port, "127.0.0.1", resolve);
    });
    return server;
  }

  private constructor(port: number) {
    this.#port = port;
    this.#udp = createSocket("udp4");
    this.#udp.on("message", (query, from) => {
      void this.#answer(query, true).then((answer) => {
        if (answer !== undefined && this.#isOpen) this.#udp.send(answer, from.port, from.address);
      });
    });
    this.#tcp = createServer((connection) => {
      this.#connections.add(connection);
      connection.on("error", () => connection.destroy());
      connection.on("close", () => this.#connections.delete(connection));
      connection.on("data", (data) => {
        // RFC 1035 §4.2.2: two octets of length; a query comes in one piece on loopback.
        void this.#answer(data.subarray(2), false).then((answer) => {
          if (answer !== undefined) connection.end(Buffer.concat([uint16(answer.length), answer]));
        });
      });
    });
  }

  /** `127.0.0.1:PORT`, for the resolver. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => {
      this.#udp.close(() => resolve());
    });
    await new Promise<void>((resolve) => {
      this.#tcp.close(() => resolve());
    });
  }

  async #answer(query: Buffer, isUdp: boolean): Promise<Buffer | undefined> {
    const question = readQuestion(query);
    const type = TYPES.get(question.type);
    this.asked.push(`${type ?? question.type} ${question.name}`);
    switch (this.mood) {
      case "silent":
        return undefined;
      case "servfail":
        return reply(query, question, { rcode: 2, records: [] });
      case "junk":
        return Buffer.concat([query.subarray(0, 2), Buffer.alloc(40, 0xff)]);
      case "slow":
        await delay(SLOW_MS);
        break;
      case "normal":
        break;
    }
    const zone = this.zones.get(question.name);
    if (zone === undefined) return reply(query, question, { rcode: 3, records: [] });
    const records = type === undefined ? [] : recordsOf(zone, type);
    const whole = reply(query, question, { rcode: 0, records, ttl: zone.ttl ?? 60 });
    return isUdp && whole.length > MAX_UDP_OCTETS
      ? reply(query, question, { rcode: 0, records: [], isTruncated: true })
      : whole;
  }
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the query. */
  readonly end: number;
}

function readQuestion(query: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function reply(
  query: Buffer,
  { type, end }: Question,
  said: {
    readonly rcode: number;
    readonly records: readonly Buffer[];
    readonly ttl?: number;
    readonly isTruncated?: boolean;
  },
): Buffer {
  const { rcode, records, ttl = 60, isTruncated = false } = said;
  const flags = 0x8180 | (isTruncated ? 0x0200 : 0) | rcode;
  const head = Buffer.concat([
    query.subarray(0, 2),
    ...[flags, 1, records.length, 0, 0].map((value) => uint16(value)),
    query.subarray(12, end),
  ]);
  const seconds = Buffer.alloc(4);
  seconds.writeUInt32BE(ttl);
  const answers = records.map((data) =>
    // RFC 1035 §4.1.4: a pointer to the name in the question.
    Buffer.concat([uint16(0xc00c), uint16(type), uint16(1), seconds, uint16(data.length), data]),
  );
  return Buffer.concat([head, ...answers]);
}

function recordsOf(zone: DnsZone, type: "A" | "AAAA" | "SRV" | "NAPTR"): readonly Buffer[] {
  switch (type) {
    case "A":
      return (zone.a ?? []).map((host) => Buffer.from(host.split(".").map(Number)));
    case "AAAA":
      return (zone.aaaa ?? []).map((host) => ipv6(host));
    case "SRV":
      return (zone.srv ?? []).map(({ priority, weight, port, target }) =>
        Buffer.concat([uint16(priority), uint16(weight), uint16(port), domain(target)]),
      );
    case "NAPTR":
      return (zone.naptr ?? []).map(({ order, preference, flags, service, replacement }) =>
        Buffer.concat([
          uint16(order),
          uint16(preference),
          characters(flags),
          characters(service),
          characters(""),
          domain(replacement),
        ]),
      );
  }
}

function uint16(value: number): Buffer {
  const octets = Buffer.alloc(2);
  octets.writeUInt16BE(value);
  return octets;
}

function characters(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
}

function domain(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.concat([...labels.map((label) => characters(label)), Buffer.from([0])]);
}

function ipv6(host: string): Buffer {
  const [left = "", right] = host.split("::");
  const groupsOf = (text: string | undefined): number[] =>
    text === undefined || text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
  const head = groupsOf(left);
  const tail = groupsOf(right);
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0);
  return Buffer.concat([...head, ...zeros, ...tail].map((group) => uint16(group)));
}
