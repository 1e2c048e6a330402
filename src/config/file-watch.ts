import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";

import type { Clock, Timer } from "../core/clock.ts";

/** How long files must be quiet: editors write, rename and touch in several steps. */
const SETTLE_MS = 200;

/**
 * Tells when one of some files has changed, however it is replaced: written over, renamed into
 * place, or reached by a link that was moved. It watches their directories, and looks at the files
 * themselves before it tells.
 */
export class FileWatch {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #directories = new Map<string, FSWatcher>();
  #seen: ReadonlyMap<string, string> = new Map();
  #timer: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly onChange: () => void;
    /** A directory cannot be watched: its files are read no more by themselves. */
    readonly onError: (error: unknown) => void;
  }) {
    this.#clock = options.clock;
    this.#onChange = options.onChange;
    this.#onError = options.onError;
  }

  /**
   * Watches these files and no others; what they are now is known. Call it before they are read,
   * so that no change is missed.
   *
   * @param files absolute paths; a file need not be there yet
   */
  follow(files: readonly string[]): void {
    this.#seen = new Map(files.map((file) => [file, stateOf(file)]));
    const wanted = new Set(files.map((file) => dirname(file)));
    for (const [directory, watcher] of this.#directories) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#directories.delete(directory);
    }
    for (const directory of wanted) {
      if (!this.#directories.has(directory)) this.#open(directory);
    }
  }

  /** Watches more files, without forgetting what the others were. */
  add(files: readonly string[]): void {
    const before = this.#seen;
    this.follow(files);
    this.#seen = new Map(Array.from(this.#seen, ([file, now]) => [file, before.get(file) ?? now]));
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.follow([]);
  }

  #open(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#onEvent());
      watcher.on("error", (error) => {
        watcher.close();
        this.#directories.delete(directory);
        this.#onError(error);
      });
      this.#directories.set(directory, watcher);
    } catch (error) {
      this.#onError(error);
    }
  }

  #onEvent(): void {
    if (this.#timer !== undefined) return;
    const before = this.#states();
    this.#timer = this.#clock.after(SETTLE_MS, () => this.#look(before));
  }

  /** Tells once the files are the same twice in a row: half a file may be a plan of its own. */
  #look(before: ReadonlyMap<string, string>): void {
    const now = this.#states();
    if (!isSame(now, before)) {
      this.#timer = this.#clock.after(SETTLE_MS, () => this.#look(now));
      return;
    }
    this.#timer = undefined;
    if (isSame(now, this.#seen)) return;
    this.#seen = now;
    this.#onChange();
  }

  #states(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.#seen.keys(), (file) => [file, stateOf(file)]));
  }
}

function isSame(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  return left.size === right.size && [...left].every(([file, state]) => right.get(file) === state);
}

/** What changes with every write or replacement. */
function stateOf(file: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(file);
    return [ino, size, mtimeMs, ctimeMs].join(" ");
  } catch {
    return "missing";
  }
}
