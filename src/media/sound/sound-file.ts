import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { MediaError } from "../errors.ts";
import { MAX_WAV_OCTETS, readWav } from "./wav.ts";

interface Kept {
  readonly modifiedMs: number;
  readonly sound: Promise<Buffer>;
}

/** Files that are kept: a plan names a few, and each is small as µ-law. */
const MAX_KEPT = 64;
const kept = new Map<string, Kept>();

/**
 * A user's sound file in µ-law of 8 kHz, read once and again when it has changed.
 *
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SOUND` when it cannot be read or is no such WAV file
 */
export function loadSoundFile(path: string): Promise<Buffer> {
  let modifiedMs: number;
  try {
    const stat = statSync(path);
    if (stat.size > MAX_WAV_OCTETS) throw new Error("it is too long");
    modifiedMs = stat.mtimeMs;
  } catch (cause) {
    kept.delete(path);
    return Promise.reject(unusable(path, cause));
  }
  const known = kept.get(path);
  if (known?.modifiedMs === modifiedMs) return known.sound;
  const sound = read(path);
  const [oldest] = kept.keys();
  if (kept.size >= MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  kept.set(path, { modifiedMs, sound });
  sound.catch(() => kept.delete(path));
  return sound;
}

async function read(path: string): Promise<Buffer> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  const result = readWav(file);
  if ("problem" in result) throw unusable(path, new Error(result.problem));
  return result.sound;
}

function unusable(path: string, cause: unknown): MediaError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MediaError("ERR_OFFHOOK_MEDIA_SOUND", `the sound file ${path}: ${why}`, cause);
}
