/** The two laws of G.711, as octets. Our sounds are kept in µ-law. */
export type G711Law = "PCMU" | "PCMA";

/** An octet of silence. */
export const SILENCE: Readonly<Record<G711Law, number>> = { PCMU: 0xff, PCMA: 0xd5 };

/** G.711's decoding of a µ-law octet to 14 bits, here scaled to 16. */
function decodeMuLaw(octet: number): number {
  const bits = ~octet & 0xff;
  const magnitude = (((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4);
  return (bits & 0x80) === 0 ? magnitude - 0x84 : 0x84 - magnitude;
}

/** G.711's A-law encoding of a 16-bit sample. */
function encodeALaw(sample: number): number {
  const sign = sample >= 0 ? 0x80 : 0;
  const magnitude = Math.min(sample >= 0 ? sample : -sample - 1, 32_635);
  let exponent = 7;
  for (let mask = 0x4000; (magnitude & mask) === 0 && exponent > 0; mask >>= 1) exponent -= 1;
  const mantissa = exponent === 0 ? (magnitude >> 4) & 0x0f : (magnitude >> (exponent + 3)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

/** G.711's µ-law encoding of a 16-bit sample. */
export function encodeMuLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(sample < 0 ? -sample : sample, 32_635) + 0x84;
  let exponent = 7;
  for (let mask = 0x4000; (magnitude & mask) === 0 && exponent > 0; mask >>= 1) exponent -= 1;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** G.711's decoding of an A-law octet to 13 bits, here scaled to 16. */
function decodeALaw(octet: number): number {
  const bits = octet ^ 0x55;
  const exponent = (bits & 0x70) >> 4;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? step : (step + 0x100) << (exponent - 1);
  return (bits & 0x80) === 0 ? -magnitude : magnitude;
}

const LINEAR: Readonly<Record<G711Law, Int16Array>> = {
  PCMU: Int16Array.from({ length: 256 }, (_, octet) => decodeMuLaw(octet)),
  PCMA: Int16Array.from({ length: 256 }, (_, octet) => decodeALaw(octet)),
};

/** Octets of either law as 16-bit samples. */
export function toLinear(octets: Buffer, law: G711Law): Int16Array {
  const table = LINEAR[law];
  return Int16Array.from(octets, (octet) => table[octet] ?? 0);
}

const MU_TO_A = Buffer.from(
  Array.from({ length: 256 }, (_, octet) => encodeALaw(decodeMuLaw(octet))),
);

/** µ-law octets in the law that was negotiated. */
export function fromMuLaw(octets: Buffer, law: G711Law): Buffer {
  switch (law) {
    case "PCMU":
      return octets;
    case "PCMA":
      return Buffer.from(octets.map((octet) => MU_TO_A[octet] ?? SILENCE.PCMA));
  }
}
