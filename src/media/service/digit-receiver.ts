import { timestampDistance } from "./rtp.ts";
import type { RtpPacket } from "./rtp.ts";

// RFC 4733 §3.2: event codes 0 to 15.
const DIGITS = "0123456789*#ABCD";

/**
 * Finds the digits in a telephone-event stream, each once.
 *
 * All packets of one event carry the timestamp at which it began (RFC 4733 §2.3), its end three
 * times over: a digit is new when its timestamp is, so neither repeats nor a lost end count.
 */
export class DigitReceiver {
  #last: { readonly ssrc: number; readonly timestamp: number } | undefined;

  /** @returns the digit that begins with this packet, or undefined */
  receive(packet: RtpPacket): string | undefined {
    // RFC 4733 §2.3: four octets an event.
    if (packet.payload.length < 4) return undefined;
    const digit = DIGITS[packet.payload.readUInt8(0)];
    if (digit === undefined) return undefined;
    const last = this.#last;
    if (
      last !== undefined &&
      last.ssrc === packet.ssrc &&
      timestampDistance(last.timestamp, packet.timestamp) <= 0
    ) {
      return undefined;
    }
    this.#last = { ssrc: packet.ssrc, timestamp: packet.timestamp };
    return digit;
  }
}
