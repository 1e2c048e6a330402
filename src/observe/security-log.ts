import { BoundedLines } from "../core/bounded-lines.ts";
import type { FactChannel } from "../core/channels.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { securityFacts, type SecurityFact } from "../signaling/dialog/security-facts.ts";

const MAX_LINES = 20;
/** What an attacker writes stands in the log up to here. */
const MAX_TEXT = 128;

/**
 * Logs attacks that were refused, never more than twenty in ten seconds. Listens from construction
 * until `close`.
 */
export class SecurityLog {
  readonly #lines: BoundedLines;
  readonly #unsubscribe: () => void;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    /** Default: `securityFacts`. */
    readonly channel?: FactChannel<SecurityFact>;
  }) {
    const { clock, logger, channel = securityFacts } = options;
    const more = { message: "more attacks were refused", fields: { event: "attacks-refused" } };
    this.#lines = new BoundedLines({ clock, logger, maxLines: MAX_LINES, more });
    this.#unsubscribe = channel.subscribe((fact) => this.#note(fact));
  }

  close(): void {
    this.#unsubscribe();
    this.#lines.close();
  }

  #note({ event, method, callId, source, trunkId, realm }: SecurityFact): void {
    this.#lines.warn(TEXTS[event], () => ({
      event,
      method: method.slice(0, MAX_TEXT),
      callId: callId.slice(0, MAX_TEXT),
      source,
      trunk: trunkId,
      realm: realm?.slice(0, MAX_TEXT),
    }));
  }
}

const TEXTS: Readonly<Record<SecurityFact["event"], string>> = {
  "foreign-source": "refused a request inside a dialog from a foreign source",
  "foreign-realm": "gave no digest to a realm that is not the trunk's",
  "unknown-dialog": "refused an INVITE with the tag of no dialog",
};
