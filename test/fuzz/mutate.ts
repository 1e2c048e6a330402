import type { Random } from "./random.ts";

/** What a mutator may draw on beside the input itself. */
export interface Pantry {
  readonly random: Random;
  /** Words of the language that is parsed. */
  readonly words: readonly Buffer[];
  /** Another input of the corpus. */
  other(): Buffer;
  /** Octets that an input has at most. */
  readonly maxOctets: number;
}

/** Octets that end, begin or escape something in SIP or SDP, and the edges of what an octet is. */
const SPICE = Buffer.from(
  '\r\n\t "\\<>;,=%:@?[]()/*&+-.0a9\u0000\u0001\u000B\u007F\u0080\u00FF',
  "latin1",
);

const NUMBERS = [
  "0",
  "-1",
  "+1",
  "00000001",
  "255",
  "256",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "1e3",
  "0x10",
  "99999999999999999999",
].map((text) => Buffer.from(text));

type Mutator = (input: Buffer, pantry: Pantry) => Buffer;

const MUTATORS: readonly Mutator[] = [
  // One octet becomes another.
  (input, { random }) => replace(input, random.below(input.length), 1, spice(random)),
  (input, { random }) => {
    const at = random.below(input.length);
    const flipped = (input[at] ?? 0) ^ (1 << random.below(8));
    return replace(input, at, 1, Buffer.from([flipped]));
  },
  // Something is put in.
  (input, { random }) => replace(input, random.below(input.length + 1), 0, spice(random)),
  (input, { random, words }) =>
    replace(input, random.below(input.length + 1), 0, random.pick(words)),
  // A word stands in another's place.
  (input, { random, words }) => {
    const { start, length } = range(input, random, 16);
    return replace(input, start, length, random.pick(words));
  },
  // A number becomes another.
  (input, { random }) => {
    const { start, length } = digits(input, random);
    return replace(input, start, length, random.pick(NUMBERS));
  },
  // Something is taken out.
  (input, { random }) => {
    const { start, length } = range(input, random, random.oneIn(4) ? input.length : 16);
    return replace(input, start, length, Buffer.alloc(0));
  },
  // The rest is missing.
  (input, { random }) => input.subarray(0, random.below(input.length + 1)),
  // A piece stands twice, or very often: what is not linear shows itself here.
  (input, { random }) => {
    const { start, length } = range(input, random, 64);
    return replace(input, start, 0, input.subarray(start, start + length));
  },
  (input, { random, maxOctets }) => {
    const { start, length } = range(input, random, 12);
    const room = Math.max(1, Math.floor((maxOctets - input.length) / Math.max(1, length)));
    const most = random.oneIn(40) ? room : Math.min(room, 200);
    const piece = Buffer.alloc(
      length * (1 + random.below(most)),
      input.subarray(start, start + length),
    );
    return length === 0 ? input : replace(input, start, 0, piece);
  },
  // A piece of another input is put in, or stands in a piece's place.
  (input, { random, other }) => {
    const from = other();
    const piece = range(from, random, 120);
    const place = range(input, random, random.oneIn(2) ? 1 : 60);
    const octets = from.subarray(piece.start, piece.start + piece.length);
    return replace(input, place.start, place.length, octets);
  },
  // Two lines change places.
  (input, { random }) => {
    const lines = input.toString("latin1").split("\r\n");
    const [left, right] = [random.below(lines.length), random.below(lines.length)];
    const [a, b] = [lines[left] ?? "", lines[right] ?? ""];
    return Buffer.from(lines.with(left, b).with(right, a).join("\r\n"), "latin1");
  },
  // A line stands twice.
  (input, { random }) => {
    const lines = input.toString("latin1").split("\r\n");
    const at = random.below(lines.length);
    return Buffer.from(lines.toSpliced(at, 0, lines[at] ?? "").join("\r\n"), "latin1");
  },
];

/** A changed copy of an input: one to four changes, never longer than `maxOctets`. */
export function mutate(input: Buffer, pantry: Pantry): Buffer {
  let octets = input;
  for (let rest = 1 + pantry.random.below(4); rest > 0; rest -= 1) {
    octets = pantry.random.pick(MUTATORS)(octets, pantry).subarray(0, pantry.maxOctets);
  }
  return octets;
}

function replace(input: Buffer, start: number, length: number, piece: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, start), piece, input.subarray(start + length)]);
}

function spice(random: Random): Buffer {
  const octet = random.oneIn(3) ? random.below(256) : (SPICE[random.below(SPICE.length)] ?? 0);
  return Buffer.from([octet]);
}

interface Range {
  readonly start: number;
  readonly length: number;
}

function range(input: Buffer, random: Random, most: number): Range {
  const start = random.below(input.length);
  return { start, length: Math.min(1 + random.below(most), input.length - start) };
}

/** The first run of digits behind a random place, or a place without any. */
function digits(input: Buffer, random: Random): Range {
  const isDigit = (octet: number | undefined): boolean =>
    octet !== undefined && octet >= 0x30 && octet <= 0x39;
  let start = random.below(input.length);
  while (start < input.length && !isDigit(input[start])) start += 1;
  let end = start;
  while (isDigit(input[end])) end += 1;
  return { start, length: end - start };
}
