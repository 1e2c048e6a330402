import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";

import type { SocketAddress } from "../../src/core/address.ts";
import { within } from "./wait.ts";

/** Message types and attributes of RFC 8489 and RFC 8656. */
const ALLOCATE = 0x0003;
const CREATE_PERMISSION = 0x0008;
const IS_ERROR = 0x0110;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const ERROR_CODE = 0x0009;
const XOR_PEER_ADDRESS = 0x0012;
const REALM = 0x0014;
const NONCE = 0x0015;
const REQUESTED_TRANSPORT = 0x0019;
const MAGIC = Buffer.from([0x21, 0x12, 0xa4, 0x42]);
const UDP = 17;

type Attribute = readonly [type: number, value: Buffer];

interface Reply {
  /** 0 for a success, else the error code. */
  readonly code: number;
  readonly attributes: ReadonlyMap<number, Buffer>;
}

/** A TURN client that asks what no browser would: one allocation over UDP. */
export class TurnClient implements AsyncDisposable {
  readonly #server: SocketAddress;
  readonly #username: string;
  readonly #credential: string;
  readonly #timeoutMs: number;
  readonly #socket: Socket;
  #realm: Buffer | undefined;
  #nonce: Buffer | undefined;

  /** @param timeoutMs for each answer */
  constructor(server: SocketAddress, username: string, credential: string, timeoutMs = 5000) {
    this.#timeoutMs = timeoutMs;
    this.#server = server;
    this.#username = username;
    this.#credential = credential;
    this.#socket = createSocket("udp4");
  }

  /** Asks for a relayed address. @returns 0, or the error code that stands after the challenge */
  async allocate(): Promise<number> {
    const transport: Attribute = [REQUESTED_TRANSPORT, Buffer.from([UDP, 0, 0, 0])];
    const challenge = await this.#request(ALLOCATE, [transport]);
    this.#realm = challenge.attributes.get(REALM);
    this.#nonce = challenge.attributes.get(NONCE);
    if (challenge.code !== 401 || this.#realm === undefined) return challenge.code;
    return (await this.#request(ALLOCATE, [transport])).code;
  }

  /** Asks to send to an address. @returns 0, or the error code */
  async permit(host: string): Promise<number> {
    const reply = await this.#request(CREATE_PERMISSION, [], host);
    return reply.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.close(() => resolve());
    });
  }

  async #request(type: number, attributes: readonly Attribute[], peer?: string): Promise<Reply> {
    const transaction = randomBytes(12);
    const all: Attribute[] = [...attributes];
    if (peer !== undefined) all.push([XOR_PEER_ADDRESS, xorAddress(peer, 5000, transaction)]);
    const message = this.#sign(type, transaction, all);
    const reply = new Promise<Reply>((resolve) => {
      const onMessage = (octets: Buffer): void => {
        if (!octets.subarray(8, 20).equals(transaction)) return;
        this.#socket.off("message", onMessage);
        resolve(parse(octets));
      };
      this.#socket.on("message", onMessage);
    });
    this.#socket.send(message, this.#server.port, this.#server.host);
    return await within(reply, {
      what: "an answer of the TURN server",
      timeoutMs: this.#timeoutMs,
    });
  }

  #sign(type: number, transaction: Buffer, attributes: readonly Attribute[]): Buffer {
    if (this.#realm === undefined || this.#nonce === undefined) {
      return build(type, transaction, attributes);
    }
    const signed: Attribute[] = [
      ...attributes,
      [USERNAME, Buffer.from(this.#username)],
      [REALM, this.#realm],
      [NONCE, this.#nonce],
    ];
    const key = createHash("md5")
      .update(`${this.#username}:${this.#realm.toString()}:${this.#credential}`)
      .digest();
    // The length counts the attribute itself, the HMAC ends before it.
    const draft = build(type, transaction, [...signed, [MESSAGE_INTEGRITY, Buffer.alloc(20)]]);
    const hmac = createHmac("sha1", key).update(draft.subarray(0, -24)).digest();
    return build(type, transaction, [...signed, [MESSAGE_INTEGRITY, hmac]]);
  }
}

function build(type: number, transaction: Buffer, attributes: readonly Attribute[]): Buffer {
  const body = Buffer.concat(
    attributes.map(([name, value]) => {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(name, 0);
      head.writeUInt16BE(value.length, 2);
      return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
    }),
  );
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, MAGIC, transaction, body]);
}

function parse(octets: Buffer): Reply {
  const attributes = new Map<number, Buffer>();
  for (let at = 20; at + 4 <= octets.length;) {
    const length = octets.readUInt16BE(at + 2);
    attributes.set(octets.readUInt16BE(at), octets.subarray(at + 4, at + 4 + length));
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  const isError = (octets.readUInt16BE(0) & IS_ERROR) === IS_ERROR;
  const error = attributes.get(ERROR_CODE);
  const code = error === undefined ? 500 : (error[2] ?? 0) * 100 + (error[3] ?? 0);
  return { code: isError ? code : 0, attributes };
}

/** RFC 8489 §14.2. */
function xorAddress(host: string, port: number, transaction: Buffer): Buffer {
  const mask = Buffer.concat([MAGIC, transaction]);
  const address = isIPv6(host) ? ipv6Octets(host) : Buffer.from(host.split(".").map(Number));
  const value = Buffer.alloc(4);
  value[1] = isIPv6(host) ? 2 : 1;
  value.writeUInt16BE(port ^ mask.readUInt16BE(0), 2);
  return Buffer.concat([value, address.map((octet, index) => octet ^ (mask[index] ?? 0))]);
}

function ipv6Octets(host: string): Buffer {
  const [left = "", right] = host.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const head = groups(left);
  const tail = groups(right ?? "");
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  const octets = Buffer.alloc(16);
  for (const [index, group] of all.entries()) octets.writeUInt16BE(group, index * 2);
  return octets;
}
