import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import type { Clock } from "../../../core/clock.ts";

const RECHECK_MS = 10_000;
const MAX_OCTETS = 1_048_576;
const MAX_ADDRESSES_OF_NAME = 16;

/**
 * The names of /etc/hosts, which c-ares does not look at for single record types. The file is read
 * when it is first asked for, and again when it has changed.
 */
export class HostsFile {
  readonly #clock: Clock;
  readonly #path: string;
  #names: ReadonlyMap<string, readonly string[]> = new Map();
  #version = "";
  #checkAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(clock: Clock, path = "/etc/hosts") {
    this.#clock = clock;
    this.#path = path;
  }

  /** The addresses of a name, both families; undefined when the file does not name it. */
  async addressesOf(name: string): Promise<readonly string[] | undefined> {
    const key = name.toLowerCase();
    if (this.#clock.monotonicMs() >= this.#checkAtMs) {
      this.#reading ??= this.#read();
      await this.#reading;
    }
    const found = this.#names.get(key);
    if (found !== undefined) return found;
    // RFC 6761 §6.3: localhost and what is under it is this machine, and is asked of no server.
    return key === "localhost" || key.endsWith(".localhost") ? ["127.0.0.1", "::1"] : undefined;
  }

  async #read(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version !== this.#version && size <= MAX_OCTETS) {
        this.#names = parseHosts(await readFile(this.#path, "latin1"));
        this.#version = version;
      }
    } catch {
      // No file, or none that we may read: no names.
      this.#names = new Map();
      this.#version = "";
    }
    this.#checkAtMs = this.#clock.monotonicMs() + RECHECK_MS;
    this.#reading = undefined;
  }
}

/** Reads hosts(5): an address and its names a line, `#` begins a comment. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const comment = line.indexOf("#");
    const words = (comment < 0 ? line : line.slice(0, comment)).trim().split(/[ \t\r]+/);
    const [address = "", ...ownNames] = words;
    // An address with a zone (fe80::1%lo) can be no target.
    if (isIP(address) === 0 || address.includes("%")) continue;
    for (const name of ownNames) {
      const key = name.toLowerCase();
      const known = names.get(key) ?? [];
      if (known.length < MAX_ADDRESSES_OF_NAME && !known.includes(address)) known.push(address);
      names.set(key, known);
    }
  }
  return names;
}
