import { callRefused } from "../call/channels.ts";
import type { RefusedCall } from "../call/refused.ts";
import type { FactChannel } from "../core/channels.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

const WINDOW_MS = 10_000;
const MAX_LINES = 20;
/** A number has 15 digits; what is longer is nobody's. */
const MAX_NUMBER = 64;

/**
 * Logs refused calls as security events, never more than twenty in ten seconds: a flood is one
 * number. Listens from construction until `close`.
 */
export class RefusedCallLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #unsubscribe: () => void;
  #lines = 0;
  #suppressed = 0;
  #window: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    /** Default: `callRefused`. */
    readonly channel?: FactChannel<RefusedCall>;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#unsubscribe = (options.channel ?? callRefused).subscribe((call) => this.#note(call));
  }

  close(): void {
    this.#unsubscribe();
    this.#window?.cancel();
    this.#window = undefined;
  }

  #note({ reason, from, to, route }: RefusedCall): void {
    this.#window ??= this.#clock.after(WINDOW_MS, () => this.#onWindowEnd());
    if (this.#lines >= MAX_LINES) {
      this.#suppressed += 1;
      return;
    }
    this.#lines += 1;
    this.#logger.warn("a call was refused", {
      event: "call-refused",
      reason,
      from: `${from.kind} ${from.id}`,
      to: to.slice(0, MAX_NUMBER),
      route,
    });
  }

  #onWindowEnd(): void {
    if (this.#suppressed > 0) {
      this.#logger.warn("more calls were refused", {
        event: "calls-refused",
        count: this.#suppressed,
        windowMs: WINDOW_MS,
      });
    }
    this.#window = undefined;
    this.#lines = 0;
    this.#suppressed = 0;
  }
}
