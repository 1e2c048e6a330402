import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { SOUND_RATE } from "../sound/wav.ts";

const HEAD_OCTETS = 44;
/** RIFF lengths have 32 bits: some 37 hours. */
export const MAX_DATA_OCTETS = 0xffff_ffff - HEAD_OCTETS - 8;

/**
 * A stereo WAV file of 16 bits and 8 kHz that grows. It is named `….wav.part` until it is whole, so
 * that nobody takes half a call for a recording; its header is right at every flush, so that a crash
 * leaves a file that plays.
 *
 * Its writes are synchronous on purpose: each is a tenth of a second of sound, a few kilobytes into
 * the page cache, and a full disk is told at once.
 *
 * @throws what the file system throws: ENOSPC, EACCES, …
 */
export class StereoWavFile {
  readonly path: string;
  readonly #partPath: string;
  readonly #descriptor: number;
  #dataOctets = 0;
  #state: "open" | "closed" = "open";

  /** Makes the file, readable by its owner alone; its directory too, when there is none. */
  constructor(path: string) {
    this.path = path;
    this.#partPath = `${path}.part`;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(this.#partPath, "wx", 0o600);
    try {
      writeAll(this.#descriptor, this.#head(), 0);
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Milliseconds of sound so far. */
  get durationMs(): number {
    return Math.round((this.#dataOctets / 4 / SOUND_RATE) * 1000);
  }

  /** Whether more than this many frames still fit. */
  hasRoomFor(frames: number): boolean {
    return this.#dataOctets + frames * 4 <= MAX_DATA_OCTETS;
  }

  /** Appends as many samples of each side; both are of one length. */
  append(left: Int16Array, right: Int16Array): void {
    if (this.#state === "closed") return;
    const octets = Buffer.alloc(left.length * 4);
    for (let index = 0; index < left.length; index += 1) {
      octets.writeInt16LE(left[index] ?? 0, index * 4);
      octets.writeInt16LE(right[index] ?? 0, index * 4 + 2);
    }
    writeAll(this.#descriptor, octets, HEAD_OCTETS + this.#dataOctets);
    this.#dataOctets += octets.length;
    writeAll(this.#descriptor, this.#head(), 0);
  }

  /** Ends the file and gives it its name. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    try {
      fsyncSync(this.#descriptor);
    } finally {
      closeSync(this.#descriptor);
    }
    renameSync(this.#partPath, this.path);
  }

  #head(): Buffer {
    const head = Buffer.alloc(HEAD_OCTETS);
    head.write("RIFF", 0, "latin1");
    head.writeUInt32LE(HEAD_OCTETS - 8 + this.#dataOctets, 4);
    head.write("WAVEfmt ", 8, "latin1");
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(1, 20);
    head.writeUInt16LE(2, 22);
    head.writeUInt32LE(SOUND_RATE, 24);
    head.writeUInt32LE(SOUND_RATE * 4, 28);
    head.writeUInt16LE(4, 32);
    head.writeUInt16LE(16, 34);
    head.write("data", 36, "latin1");
    head.writeUInt32LE(this.#dataOctets, 40);
    return head;
  }
}

/** A disk that fills up takes a part of a write first, and refuses the rest. */
function writeAll(descriptor: number, octets: Buffer, position: number): void {
  let done = 0;
  while (done < octets.length) {
    done += writeSync(descriptor, octets, done, octets.length - done, position + done);
  }
}
