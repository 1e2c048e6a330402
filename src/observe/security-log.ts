import type { FactChannel } from "../core/channels.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { securityFacts, type SecurityFact } from "../signaling/dialog/security-facts.ts";

const WINDOW_MS = 10_000;
const MAX_LINES = 20;
/** What an attacker writes stands in the log up to here. */
const MAX_TEXT = 128;

/**
 * Logs attacks that were refused, never more than twenty in ten seconds: a flood is one number.
 * Listens from construction until `close`.
 */
export class SecurityLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #unsubscribe: () => void;
  #lines = 0;
  #suppressed = 0;
  #window: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    /** Default: `securityFacts`. */
    readonly channel?: FactChannel<SecurityFact>;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#unsubscribe = (options.channel ?? securityFacts).subscribe((fact) => this.#note(fact));
  }

  close(): void {
    this.#unsubscribe();
    this.#window?.cancel();
    this.#window = undefined;
  }

  #note({ event, method, callId, source, trunkId, realm }: SecurityFact): void {
    this.#window ??= this.#clock.after(WINDOW_MS, () => this.#onWindowEnd());
    if (this.#lines >= MAX_LINES) {
      this.#suppressed += 1;
      return;
    }
    this.#lines += 1;
    this.#logger.warn(TEXTS[event], {
      event,
      method: method.slice(0, MAX_TEXT),
      callId: callId.slice(0, MAX_TEXT),
      source,
      trunk: trunkId,
      realm: realm?.slice(0, MAX_TEXT),
    });
  }

  #onWindowEnd(): void {
    if (this.#suppressed > 0) {
      this.#logger.warn("more attacks were refused", {
        event: "attacks-refused",
        count: this.#suppressed,
        windowMs: WINDOW_MS,
      });
    }
    this.#window = undefined;
    this.#lines = 0;
    this.#suppressed = 0;
  }
}

const TEXTS: Readonly<Record<SecurityFact["event"], string>> = {
  "foreign-source": "refused a request inside a dialog from a foreign source",
  "foreign-realm": "gave no digest to a realm that is not the trunk's",
  "unknown-dialog": "refused an INVITE with the tag of no dialog",
};
