import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value: number): Buffer =>
  Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
const block = (octets: Buffer): Buffer => Buffer.concat([u16(octets.length), octets]);
const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), block(body)]);

/** A DTLS 1.2 ClientHello (RFC 6347 §4.2, RFC 5764 §4.1.1), as any stranger may send one. */
export function clientHello(): Buffer {
  const DTLS_1_2 = u16(0xfefd);
  const ciphers = Buffer.concat([0xc02b, 0xc02f, 0xc00a, 0xc009, 0xc013, 0xc014].map(u16));
  const groups = block(Buffer.concat([0x001d, 0x0017, 0x0018].map(u16)));
  const algorithms = block(Buffer.concat([0x0403, 0x0804, 0x0401, 0x0503].map(u16)));
  const extensions = Buffer.concat([
    extension(0x000a, groups),
    extension(0x000b, Buffer.from([1, 0])),
    extension(0x000d, algorithms),
    // use_srtp: SRTP_AES128_CM_HMAC_SHA1_80, no MKI.
    extension(0x000e, Buffer.concat([block(u16(0x0001)), Buffer.from([0])])),
    // extended_master_secret
    extension(0x0017, Buffer.alloc(0)),
  ]);
  const body = Buffer.concat([
    DTLS_1_2,
    randomBytes(32),
    // No session id, no cookie.
    Buffer.from([0, 0]),
    block(ciphers),
    // Compression: null.
    Buffer.from([1, 0]),
    block(extensions),
  ]);
  const handshake = Buffer.concat([
    Buffer.from([1]),
    u24(body.length),
    u16(0),
    u24(0),
    u24(body.length),
    body,
  ]);
  const epochAndNumber = Buffer.alloc(8);
  return Buffer.concat([Buffer.from([22]), DTLS_1_2, epochAndNumber, block(handshake)]);
}

/** Sends one ClientHello to each port of 127.0.0.1 again and again, from an address of nobody's. */
export class ClientHelloAttack implements AsyncDisposable {
  /** Datagrams that were sent. */
  sent = 0;
  readonly #socket = createSocket("udp4");
  readonly #timer: ReturnType<typeof setInterval>;

  static async start(ports: { readonly min: number; readonly max: number }, everyMs: number) {
    const attack = new ClientHelloAttack(ports, everyMs);
    await new Promise<void>((resolve) => {
      attack.#socket.bind(0, "127.0.0.66", resolve);
    });
    return attack;
  }

  private constructor(ports: { readonly min: number; readonly max: number }, everyMs: number) {
    this.#timer = setInterval(() => {
      for (let port = ports.min; port <= ports.max; port += 1) {
        this.#socket.send(clientHello(), port, "127.0.0.1");
        this.sent += 1;
      }
    }, everyMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await new Promise<void>((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}
