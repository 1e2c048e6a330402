import { BoundedLines } from "../core/bounded-lines.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { SipRequest } from "./message/message.ts";
import type { Flow } from "./transport/flow.ts";

const MAX_LINES = 10;

/** Logs refused requests, but never more than ten lines in ten seconds. */
export class RefusalLog {
  readonly #lines: BoundedLines;

  constructor(clock: Clock, logger: Logger) {
    const more = { message: "refused more requests" };
    this.#lines = new BoundedLines({ clock, logger, maxLines: MAX_LINES, more });
  }

  note(request: SipRequest, flow: Flow, status: number): void {
    this.#lines.warn("refused a request", () => ({
      method: request.method,
      status,
      transport: flow.transport,
      source: flow.remote.host,
      userAgent: request.headers.get("User-Agent"),
    }));
  }

  close(): void {
    this.#lines.close();
  }
}
