import { callRefused } from "../call/channels.ts";
import type { RefusedCall } from "../call/refused.ts";
import { BoundedLines } from "../core/bounded-lines.ts";
import type { FactChannel } from "../core/channels.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

const MAX_LINES = 20;
/** A number has 15 digits; what is longer is nobody's. */
const MAX_NUMBER = 64;

/**
 * Logs refused calls as security events, never more than twenty in ten seconds. Listens from
 * construction until `close`.
 */
export class RefusedCallLog {
  readonly #lines: BoundedLines;
  readonly #unsubscribe: () => void;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    /** Default: `callRefused`. */
    readonly channel?: FactChannel<RefusedCall>;
  }) {
    const { clock, logger, channel = callRefused } = options;
    const more = { message: "more calls were refused", fields: { event: "calls-refused" } };
    this.#lines = new BoundedLines({ clock, logger, maxLines: MAX_LINES, more });
    this.#unsubscribe = channel.subscribe((call) => this.#note(call));
  }

  close(): void {
    this.#unsubscribe();
    this.#lines.close();
  }

  #note({ reason, from, to, route }: RefusedCall): void {
    this.#lines.warn("a call was refused", () => ({
      event: "call-refused",
      reason,
      from: `${from.kind} ${from.id}`,
      to: to.slice(0, MAX_NUMBER),
      route,
    }));
  }
}
