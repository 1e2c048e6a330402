/** An RTP packet (RFC 3550 §5.1) without its CSRC list, extension and padding. */
export interface RtpPacket {
  readonly payloadType: number;
  readonly hasMarker: boolean;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Buffer;
}

/**
 * Reads an RTP packet.
 *
 * @returns undefined for anything else, RTCP on the same port included (RFC 5761 §4)
 */
export function tryParseRtp(octets: Buffer): RtpPacket | undefined {
  if (octets.length < 12) return undefined;
  const first = octets.readUInt8(0);
  const second = octets.readUInt8(1);
  if (first >> 6 !== 2 || (second >= 192 && second <= 223)) return undefined;
  let start = 12 + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (octets.length < start + 4) return undefined;
    start += 4 + 4 * octets.readUInt16BE(start + 2);
  }
  const padding = (first & 0x20) === 0 ? 0 : octets.readUInt8(octets.length - 1);
  const end = octets.length - padding;
  if (end < start) return undefined;
  return {
    payloadType: second & 0x7f,
    hasMarker: (second & 0x80) !== 0,
    sequenceNumber: octets.readUInt16BE(2),
    timestamp: octets.readUInt32BE(4),
    ssrc: octets.readUInt32BE(8),
    payload: octets.subarray(start, end),
  };
}

/** Writes an RTP packet. */
export function formatRtp(packet: RtpPacket): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(0x80, 0);
  header.writeUInt8((packet.hasMarker ? 0x80 : 0) | packet.payloadType, 1);
  header.writeUInt16BE(packet.sequenceNumber, 2);
  header.writeUInt32BE(packet.timestamp, 4);
  header.writeUInt32BE(packet.ssrc, 8);
  return Buffer.concat([header, packet.payload]);
}

/** How far `to` is ahead of `from` on RTP's 32-bit timestamp circle; negative when behind. */
export function timestampDistance(from: number, to: number): number {
  return (to - from) | 0;
}
