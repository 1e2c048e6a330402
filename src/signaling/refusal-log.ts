import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { SipRequest } from "./message/message.ts";
import type { Flow } from "./transport/flow.ts";

const WINDOW_MS = 10_000;
const MAX_LINES = 10;

/** Logs refused requests, but never more than ten lines in ten seconds: a flood is one number. */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #lines = 0;
  #suppressed = 0;
  #window: Timer | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  note(request: SipRequest, flow: Flow, status: number): void {
    this.#window ??= this.#clock.after(WINDOW_MS, () => this.#onWindowEnd());
    if (this.#lines >= MAX_LINES) {
      this.#suppressed += 1;
      return;
    }
    this.#lines += 1;
    this.#logger.warn("refused a request", {
      method: request.method,
      status,
      transport: flow.transport,
      source: flow.remote.host,
      userAgent: request.headers.get("User-Agent"),
    });
  }

  close(): void {
    this.#window?.cancel();
    this.#window = undefined;
  }

  #onWindowEnd(): void {
    if (this.#suppressed > 0) {
      this.#logger.warn("refused more requests", { count: this.#suppressed, windowMs: WINDOW_MS });
    }
    this.#window = undefined;
    this.#lines = 0;
    this.#suppressed = 0;
  }
}
