import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { within } from "./wait.ts";

/** How long a test waits for a message that should be there at once. */
export const MESSAGE_TIMEOUT_MS = 5000;

type Waiter = () => void;

/** What arrives for one call, or outside any call. */
export class Inbox {
  readonly #messages: SipMessage[] = [];
  readonly #waiters = new Set<Waiter>();

  push(message: SipMessage): void {
    this.#messages.push(message);
    this.wake();
  }

  wake(): void {
    for (const waiter of this.#waiters) waiter();
  }

  get names(): readonly string[] {
    return this.#messages.map((message) =>
      message.kind === "request" ? message.method : `${message.statusCode} ${message.cseq.method}`,
    );
  }

  /** Takes the first message that fits; waits for it if need be. */
  async take<Found extends SipMessage>(
    fits: (message: SipMessage) => message is Found,
    what: string,
    timeoutMs: number,
    isOpen: () => boolean,
  ): Promise<Found> {
    let waiter: Waiter | undefined;
    const found = new Promise<Found>((resolve, reject) => {
      waiter = () => {
        const index = this.#messages.findIndex((message) => fits(message));
        const message = this.#messages[index];
        if (message !== undefined && fits(message)) {
          this.#messages.splice(index, 1);
          resolve(message);
        } else if (!isOpen()) {
          reject(new Error(`the connection closed before ${what} came`));
        } else {
          return;
        }
        if (waiter !== undefined) this.#waiters.delete(waiter);
      };
      this.#waiters.add(waiter);
      waiter();
    });
    try {
      return await within(found, {
        what,
        timeoutMs,
        detail: () => `came instead: ${this.names.join(", ") || "nothing"}`,
      });
    } finally {
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }
}

/** Any response, or one with that status and CSeq method. */
export function isResponse(
  fits: (status: number) => boolean = () => true,
  method?: string,
): (message: SipMessage) => message is SipResponse {
  return (message): message is SipResponse =>
    message.kind === "response" &&
    fits(message.statusCode) &&
    (method === undefined || message.cseq.method === method);
}

export function isRequest(method: string): (message: SipMessage) => message is SipRequest {
  return (message): message is SipRequest =>
    message.kind === "request" && message.method === method;
}
