import type { LogStream } from "./log-stream.ts";

/** How long a line may wait for others, in milliseconds. */
const WAIT_MS = 50;
/** Characters after which nothing waits any longer. */
const MAX_LENGTH = 65_536;

/**
 * Joins lines that come in quick succession into one write. Writing a line costs more than making
 * it, and a busy gateway has hundreds of calls that end in a second. A line that comes alone is
 * written at once; one that comes within 50 ms of another waits for the rest of these, or for the
 * end of the process.
 */
export class BatchedLines implements LogStream {
  readonly #stream: LogStream;
  #waiting = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  write(line: string): void {
    if (this.#timer === undefined) {
      this.#stream.write(line);
      this.#wait();
      return;
    }
    this.#waiting += line;
    if (this.#waiting.length > MAX_LENGTH) this.flush();
  }

  /** Writes what waits, now. */
  flush(): void {
    if (this.#waiting === "") return;
    const lines = this.#waiting;
    this.#waiting = "";
    this.#stream.write(lines);
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting === "") return;
      this.flush();
      this.#wait();
    }, WAIT_MS);
    this.#timer.unref();
  }
}
