import { Session } from "node:inspector";
import type { Profiler } from "node:inspector";

/**
 * Which blocks of the code under test have ever run, by V8's own precise coverage. (The one
 * maintained fuzzer on npm, Jazzer.js, comes as a binary that needs a newer libc than Debian 12's.)
 *
 * It must be started before the code under test is imported: V8 counts blocks only in functions
 * that it compiles afterwards.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #isWanted: (url: string) => boolean;
  /** One octet for each character of a function, by script and place: 1 has run. */
  readonly #functions = new Map<string, Uint8Array>();
  #count = 0;

  /** @param isWanted says whether a script, by its file URL, is under test */
  constructor(isWanted: (url: string) => boolean) {
    this.#isWanted = isWanted;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Characters of source that have run. */
  get count(): number {
    return this.#count;
  }

  /**
   * Looks at what has run since the last look.
   *
   * @param isKept whether it counts as seen from now on
   * @returns whether anything of it had never run before
   */
  look(isKept: boolean): boolean {
    let isNew = false;
    for (const script of this.#take()) {
      for (const { ranges, isBlockCoverage } of script.functions) {
        const [whole] = ranges;
        if (whole === undefined || whole.count === 0 || !isBlockCoverage) continue;
        if (this.#paint(`${script.scriptId} ${whole.startOffset}`, ranges, isKept)) isNew = true;
      }
    }
    return isNew;
  }

  stop(): void {
    this.#session.disconnect();
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = [];
    // In its own thread a session answers before post returns.
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      result = answer.result.filter(({ url }) => this.#isWanted(url));
    });
    return result;
  }

  /** The ranges of a function are nested, outer ones first: the innermost says what has run. */
  #paint(key: string, ranges: readonly Profiler.CoverageRange[], isKept: boolean): boolean {
    const [whole] = ranges;
    if (whole === undefined) return false;
    const { startOffset: start, endOffset: end } = whole;
    const known = this.#functions.get(key) ?? new Uint8Array(end - start);
    const now = new Uint8Array(end - start);
    for (const { startOffset, endOffset, count } of ranges) {
      now.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start);
    }
    let added = 0;
    for (let index = 0; index < now.length; index += 1) {
      if (now[index] === 1 && known[index] !== 1) {
        added += 1;
        if (isKept) known[index] = 1;
      }
    }
    if (isKept) {
      this.#functions.set(key, known);
      this.#count += added;
    }
    return added > 0;
  }
}
