import type { HeaderField } from "../message/headers.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import { PRODUCT, contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";

/** One NOTIFY that is to go out. */
export interface Notification {
  /** Event and Subscription-State, as they stand when it is sent. */
  readonly fields: () => readonly HeaderField[];
  readonly contentType?: string | undefined;
  readonly body?: Buffer | string | undefined;
}

export interface NotifierOptions {
  readonly dialog: DialogState;
  readonly peer: Peer;
  /** The user part of our Contact. */
  readonly contactUser: string;
  /** The far end takes no NOTIFY any more: the subscription is gone (RFC 6665 §4.2.2). */
  readonly onRefused: () => void;
}

/** Responses that end a subscription (RFC 6665 §4.2.2, RFC 5057 §5.1). */
const FATAL: ReadonlySet<number> = new Set([
  404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
]);

/**
 * Sends the NOTIFYs of one subscription, one after another: a later one must not overtake an
 * earlier one. Of several that wait only the last is sent, for each tells the whole state.
 */
export class Notifier {
  readonly #context: DialogContext;
  readonly #options: NotifierOptions;
  readonly #unwatch: () => void;
  #sending: Exchange | undefined;
  #waiting: Notification | undefined;
  #state: "open" | "finishing" | "closed" = "open";

  constructor(context: DialogContext, options: NotifierOptions) {
    this.#context = context;
    this.#options = options;
    // Keeps the way to the far end between two NOTIFYs.
    this.#unwatch = options.peer.watch({ onFlowLost() {}, onFlowRestored() {} });
  }

  /** Sends it now or after the one on its way. Nothing is sent after `finish`. */
  send(notification: Notification): void {
    if (this.#state !== "open") return;
    this.#waiting = notification;
    this.#pump();
  }

  /** Sends the last one. */
  finish(notification: Notification): void {
    this.send(notification);
    if (this.#state === "open") this.#state = "finishing";
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#waiting = undefined;
    this.#sending?.abandon();
    this.#sending = undefined;
    this.#unwatch();
  }

  #pump(): void {
    const notification = this.#waiting;
    if (notification === undefined || this.#sending !== undefined) return;
    this.#waiting = undefined;
    const { dialog, peer, contactUser } = this.#options;
    this.#sending = new Exchange(this.#context, {
      peer,
      nextHop: () => dialog.nextHop,
      build: (flow, credentials) =>
        dialog.request("NOTIFY", {
          headers: [
            contactField(flow, contactUser),
            ["User-Agent", PRODUCT],
            ...credentials,
            ...notification.fields(),
          ],
          body: notification.body,
          contentType: notification.contentType,
        }),
      onDone: (outcome) => this.#onDone(outcome),
    });
  }

  #onDone(outcome: ExchangeOutcome): void {
    this.#sending = undefined;
    if (isFatal(outcome)) {
      this.close();
      this.#options.onRefused();
      return;
    }
    this.#pump();
    if (this.#state === "finishing" && this.#sending === undefined) this.close();
  }
}

function isFatal(outcome: ExchangeOutcome): boolean {
  switch (outcome.kind) {
    case "response":
      return FATAL.has(outcome.response.statusCode);
    case "timeout":
    case "transport":
      return true;
  }
}
