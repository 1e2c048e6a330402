import type { Clock, Timer } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";

const WINDOW_MS = 10_000;

/**
 * Warnings that strangers can cause: no more than so many lines in ten seconds, then one that says
 * how many there were more. A flood is one number.
 */
export class BoundedLines {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #maxLines: number;
  readonly #more: { readonly message: string; readonly fields?: LogFields };
  #lines = 0;
  #suppressed = 0;
  #window: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    /** In ten seconds. */
    readonly maxLines: number;
    /** What tells of the rest; `count` and `windowMs` are added. */
    readonly more: { readonly message: string; readonly fields?: LogFields };
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#maxLines = options.maxLines;
    this.#more = options.more;
  }

  /** @param fields made only when the line is written */
  warn(message: string, fields: () => LogFields): void {
    this.#window ??= this.#clock.after(WINDOW_MS, () => this.#onWindowEnd());
    if (this.#lines >= this.#maxLines) {
      this.#suppressed += 1;
      return;
    }
    this.#lines += 1;
    this.#logger.warn(message, fields());
  }

  close(): void {
    this.#window?.cancel();
    this.#window = undefined;
  }

  #onWindowEnd(): void {
    if (this.#suppressed > 0) {
      const { message, fields } = this.#more;
      this.#logger.warn(message, { ...fields, count: this.#suppressed, windowMs: WINDOW_MS });
    }
    this.#window = undefined;
    this.#lines = 0;
    this.#suppressed = 0;
  }
}
