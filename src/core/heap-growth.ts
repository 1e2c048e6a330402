import { totalmem } from "node:os";
import { constants, PerformanceObserver } from "node:perf_hooks";
import type { PerformanceEntry } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import type { Clock, Timer } from "./clock.ts";

export interface HeapGrowthOptions {
  readonly clock: Clock;
  /** Calls that are up now. */
  readonly liveCalls: () => number;
  /** What this process may use, in octets; default: the limit of its control group or the machine's. */
  readonly memoryOctets?: number;
  /** What V8's heap holds now, garbage included, in octets; default: V8's own figure. */
  readonly usedOctets?: () => number;
  /** Calls back each time that V8 has marked the heap; default: as Node observes. @returns its end */
  readonly watchMarks?: (onMarked: () => void) => () => void;
  /** Tells V8; default: its flag `--heap-growing-percent`, which it reads at each collection. */
  readonly apply?: (percent: number) => void;
}

/** Fewer calls are no load, and a flood of strangers' requests may not take more than 20 MB. */
const BUSY_CALLS = 50;
const MAX_ROOM_OCTETS = 256 * 1024 * 1024;
const SHARE_OF_MEMORY = 1 / 16;
/** What the command line says, too: `scripts/setup/node-flags.mjs`. */
const USUAL_PERCENT = 60;
const MAX_PERCENT = 300;
/** Less is not worth a word to V8. */
const STEP_PERCENT = 10;
const LOOK_MS = 1000;
/** Looks for which the last calls count: they come and go. */
const BUSY_LOOKS = 60;

/**
 * How far the heap may grow before V8 marks all of it again. What is marked is all that lives, and
 * with calls to carry that is much, and again and again: a tenth of the CPU time of a call at 200
 * calls a second. So a gateway that has calls takes more memory for less work, within a sixteenth
 * of what there is, and at most 256 MB; one without keeps to little.
 */
export class HeapGrowth {
  readonly #options: HeapGrowthOptions;
  readonly #usedOctets: () => number;
  readonly #roomOctets: number;
  /** What lived when the heap was marked last: then it holds no garbage. */
  #lived: number;
  /** Looks since there were calls to carry. */
  #looksSinceBusy = BUSY_LOOKS;
  #percent = USUAL_PERCENT;
  #timer: Timer | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: HeapGrowthOptions) {
    this.#options = options;
    this.#usedOctets = options.usedOctets ?? (() => getHeapStatistics().used_heap_size);
    const memory = options.memoryOctets ?? availableOctets();
    this.#roomOctets = Math.min(MAX_ROOM_OCTETS, memory * SHARE_OF_MEMORY);
    this.#lived = this.#usedOctets();
  }

  /** In percent of what lived after the last collection. */
  get percent(): number {
    return this.#percent;
  }

  start(): void {
    this.#unwatch = (this.#options.watchMarks ?? watchV8)(() => {
      this.#lived = this.#usedOctets();
    });
    this.#lookSoon();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #lookSoon(): void {
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#look();
      this.#lookSoon();
    });
  }

  #look(): void {
    this.#looksSinceBusy = this.#options.liveCalls() < BUSY_CALLS ? this.#looksSinceBusy + 1 : 0;
    const room = (this.#roomOctets / this.#lived) * 100;
    const wanted =
      this.#looksSinceBusy >= BUSY_LOOKS
        ? USUAL_PERCENT
        : Math.round(Math.min(MAX_PERCENT, Math.max(USUAL_PERCENT, room)));
    const step = Math.abs(wanted - this.#percent);
    if (step === 0 || (step < STEP_PERCENT && wanted !== USUAL_PERCENT)) return;
    this.#percent = wanted;
    (this.#options.apply ?? tellV8)(wanted);
  }
}

function watchV8(onMarked: () => void): () => void {
  const observer = new PerformanceObserver((list) => {
    if (list.getEntries().some(isMark)) onMarked();
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => {
    observer.disconnect();
  };
}

/** @see https://nodejs.org/docs/latest-v24.x/api/perf_hooks.html#garbage-collection-gc-details */
function isMark(entry: PerformanceEntry): boolean {
  const { detail } = entry as PerformanceEntry & { readonly detail: { readonly kind: number } };
  return detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

function tellV8(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

function availableOctets(): number {
  const limit = process.constrainedMemory();
  // Without a limit it says nothing, or a number that no machine has.
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
