import type {
  DialogHandler,
  OutgoingReferHandler,
  OutgoingReferOptions,
  ResponseOptions,
} from "../engine.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import type { Peer } from "./peer.ts";
import { ReferUsage } from "./refer-usage.ts";
import { methodResponse, ourResponse, packageRefusal, respondTo } from "./responses.ts";
import { ServerMessage, messageRefusal } from "./server-message.ts";
import { ServerRequest } from "./server-reinvite.ts";

/**
 * The requests inside one confirmed dialog that are not about its session: INFO, MESSAGE, NOTIFY,
 * REFER and SUBSCRIBE.
 */
export class OtherRequests {
  readonly #context: DialogContext;
  readonly #peer: Peer;
  readonly #handler: () => DialogHandler | undefined;
  readonly #refers: ReferUsage;

  constructor(
    context: DialogContext,
    options: {
      readonly dialog: DialogState;
      readonly peer: Peer;
      readonly contactUser: string;
      /** How a request of ours came out: may end the dialog. Gives the status. */
      readonly onOutcome: (outcome: ExchangeOutcome) => number;
      readonly handler: () => DialogHandler | undefined;
    },
  ) {
    this.#context = context;
    this.#peer = options.peer;
    this.#handler = options.handler;
    this.#refers = new ReferUsage(context, options);
  }

  receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    const handler = this.#handler();
    switch (request.method) {
      case "INFO":
        this.#onInfo(transaction);
        return;
      case "MESSAGE":
        this.#onMessage(transaction);
        return;
      case "NOTIFY":
        if (!this.#refers.onNotify(transaction)) this.#handOver(transaction);
        return;
      case "REFER":
        if (!this.#refers.onRefer(transaction, handler)) this.#handOver(transaction);
        return;
      case "SUBSCRIBE":
        if (this.#refers.onSubscribe(transaction, handler)) return;
        transaction.respond(methodResponse(request));
        return;
      default:
        transaction.respond(methodResponse(request));
    }
  }

  /** Sends a REFER. */
  refer(options: OutgoingReferOptions, handler: OutgoingReferHandler): void {
    this.#refers.refer(options, handler);
  }

  close(): void {
    this.#refers.close();
  }

  #onInfo(transaction: ServerTransaction): void {
    const refusal = packageRefusal(transaction.request, this.#handler()?.infoPackages);
    if (refusal === undefined) this.#handOver(transaction);
    else transaction.respond(refusal);
  }

  #onMessage(transaction: ServerTransaction): void {
    const handler = this.#handler();
    if (handler?.onMessage === undefined) {
      this.#handOver(transaction);
      return;
    }
    const refusal = messageRefusal(transaction.request);
    if (refusal !== undefined) transaction.respond(refusal);
    else handler.onMessage(new ServerMessage(this.#context, transaction, this.#peer));
  }

  #handOver(transaction: ServerTransaction): void {
    const { request } = transaction;
    const handler = this.#handler();
    if (handler === undefined) {
      transaction.respond(ourResponse(request, 481));
      return;
    }
    const respond = (status: number, options: ResponseOptions): void => {
      respondTo(this.#context, this.#peer, transaction, ourResponse(request, status, options));
    };
    handler.onRequest(new ServerRequest(request, respond));
  }
}
