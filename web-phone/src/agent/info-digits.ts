/**
 * Digits by SIP INFO, for calls whose media has no telephone-event. They keep their order: each
 * waits for the response to the one before it.
 */
import { type Session, SessionState } from "sip.js";

/** As `insertDTMF` is asked for: long enough for every detector. */
const DURATION_MS = 100;
/** More than anybody types ahead. */
const MAX_WAITING = 32;
const DIGITS = /^[0-9*#A-D]$/i;

/** See the head of this file. */
export class InfoDigits {
  readonly #session: Session;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Sends them one after another; what is no digit is left out. */
  send(digits: string): void {
    for (const digit of digits) {
      if (!DIGITS.test(digit) || this.#waiting >= MAX_WAITING) continue;
      this.#waiting += 1;
      this.#last = this.#last.then(async () => {
        await this.#sendOne(digit.toUpperCase()).catch(() => undefined);
        this.#waiting -= 1;
      });
    }
  }

  #sendOne(digit: string): Promise<void> {
    if (this.#session.state !== SessionState.Established) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#session
        .info({
          requestDelegate: { onAccept: () => resolve(), onReject: () => resolve() },
          requestOptions: {
            body: {
              contentDisposition: "render",
              contentType: "application/dtmf-relay",
              content: `Signal=${digit}\r\nDuration=${DURATION_MS}\r\n`,
            },
          },
        })
        .catch(reject);
    });
  }
}
