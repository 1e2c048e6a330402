import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { Socket } from "node:net";

/** One SIP connection of the load generator: sends and receives whole messages as text. */
export interface Connection {
  /** The Via transport: `WS` or `UDP`. */
  readonly transport: "WS" | "UDP";
  send(text: string): void;
  close(): void;
}

const TEXT_FRAME = 0x81;
const PONG_FRAME = 0x8a;
const NO_MASK = Buffer.alloc(4);

/**
 * A WebSocket of RFC 6455 with as little as SIP needs. The masking key is zero, so that masking
 * costs the generator nothing; a server unmasks it like any other.
 *
 * @param localAddress every user gets an address of 127.0.0.0/8 of its own, as real users have
 */
export function openWebSocket(options: {
  readonly port: number;
  readonly localAddress: string;
  readonly onMessage: (text: string) => void;
  readonly onClosed: () => void;
}): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { port, localAddress, onMessage, onClosed } = options;
    const socket = connect({ host: "127.0.0.1", port, localAddress, noDelay: true });
    let rest: Buffer = Buffer.alloc(0);
    let isOpen = false;
    socket.on("error", reject);
    socket.on("close", onClosed);
    socket.on("connect", () => {
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
          "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
          "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n",
      );
    });
    socket.on("data", (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (!isOpen) {
        const end = rest.indexOf("\r\n\r\n");
        if (end < 0) return;
        const status = rest.toString("latin1", 9, 12);
        if (status !== "101") {
          reject(new Error(`the WebSocket upgrade was answered with ${status}`));
          return;
        }
        rest = rest.subarray(end + 4);
        isOpen = true;
        resolve({
          transport: "WS",
          send: (text) => sendFrame(socket, TEXT_FRAME, Buffer.from(text, "latin1")),
          close: () => {
            socket.destroy();
          },
        });
      }
      rest = readFrames(rest, socket, onMessage);
    });
  });
}

/** @returns what is left of a frame that has not come whole */
function readFrames(octets: Buffer, socket: Socket, onMessage: (text: string) => void): Buffer {
  let start = 0;
  while (octets.length - start >= 2) {
    const opcode = (octets[start] ?? 0) & 0x0f;
    let length = (octets[start + 1] ?? 0) & 0x7f;
    let head = 2;
    if (length === 126) {
      if (octets.length - start < 4) break;
      length = octets.readUInt16BE(start + 2);
      head = 4;
    }
    const end = start + head + length;
    if (octets.length < end) break;
    if (opcode === 9) sendFrame(socket, PONG_FRAME, octets.subarray(start + head, end));
    else if (opcode < 3) onMessage(octets.toString("latin1", start + head, end));
    start = end;
  }
  return octets.subarray(start);
}

function sendFrame(socket: Socket, first: number, payload: Buffer): void {
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([first, 0x80 | length])
      : Buffer.from([first, 0xfe, length >> 8, length & 0xff]);
  socket.write(Buffer.concat([head, NO_MASK, payload]));
}

/** A caller that talks to the trunk itself: what the path without a gateway costs. */
export function openUdp(port: number, onMessage: (text: string) => void): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
    socket.on("error", reject);
    socket.on("message", (octets) => onMessage(octets.toString("latin1")));
    socket.connect(port, "127.0.0.1", () => {
      resolve({
        transport: "UDP",
        send: (text) => {
          socket.send(text);
        },
        close: () => {
          socket.close();
        },
      });
    });
  });
}
