import type { Timer } from "../../core/clock.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ClientTransaction } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { Peer } from "./peer.ts";

/** How a request of ours inside a dialog came out. */
export type ExchangeOutcome =
  | { readonly kind: "response"; readonly response: SipResponse; readonly request: SipRequest }
  | { readonly kind: "timeout" }
  | { readonly kind: "transport" };

export interface ExchangeOptions {
  readonly peer: Peer;
  /**
   * Builds the request anew for every attempt: a higher CSeq, the Contact of that flow, and the
   * credentials when there are any.
   */
  readonly build: (flow: Flow, credentials: readonly HeaderField[]) => SipRequest;
  /**
   * The request is outside a dialog: it goes to one server of the far end after the other until one
   * takes it (RFC 3263 §4.3), where the far end has several. Default false.
   */
  readonly findsServer?: boolean;
  /** The URI that decides the way. */
  readonly nextHop: () => string;
  /** Final: called once, never from inside the constructor. */
  readonly onDone: (outcome: ExchangeOutcome) => void;
  /** INVITE only: another 2xx after the first. */
  readonly onRepeatedAccept?: (response: SipResponse) => void;
  /** Gives up, counted from the start; only INVITE needs one beside Timer F. */
  readonly limitMs?: number;
}

type State =
  | { readonly name: "sending"; readonly transaction: ClientTransaction; readonly flow: Flow }
  | { readonly name: "waiting-for-flow"; readonly limit: Timer }
  | { readonly name: "done" };

/**
 * One request of ours inside a dialog, with what may lie between it and its final response: a
 * challenge of the trunk, and a browser that loses its connection and comes back, to which the
 * request is sent again in a new transaction.
 */
export class Exchange {
  readonly #context: DialogContext;
  readonly #options: ExchangeOptions;
  readonly #unwatch: () => void;
  readonly #limit: Timer | undefined;
  #state: State = { name: "done" };
  #challenges = 0;
  #credentials: readonly HeaderField[] = [];

  constructor(context: DialogContext, options: ExchangeOptions) {
    this.#context = context;
    this.#options = options;
    this.#unwatch = options.peer.watch({
      onFlowLost: () => {},
      onFlowRestored: () => this.#onFlowRestored(),
    });
    if (options.limitMs !== undefined) {
      this.#limit = context.clock.after(options.limitMs, () => this.#onLimit());
    }
    this.#send();
  }

  /** Forgets the request: nothing is called any more. An INVITE is cancelled. */
  abandon(): void {
    if (this.#state.name === "sending" && this.#state.transaction.request.method === "INVITE") {
      this.#state.transaction.cancel();
    }
    this.#dispose();
  }

  #send(): void {
    const { peer, build, findsServer = false } = this.#options;
    if (findsServer && peer.request !== undefined) {
      this.#hunt(peer.request.bind(peer), build);
      return;
    }
    const flow = this.#options.peer.flowTo(this.#options.nextHop());
    if (flow === undefined) {
      this.#wait();
      return;
    }
    const request = this.#options.build(flow, this.#credentials);
    const transaction: ClientTransaction = this.#context.transactions.request(request, flow, {
      onResponse: (response) => this.#onResponse(transaction, response),
      onTimeout: () => this.#onTimeout(transaction),
      onTransportError: () => this.#onTransportError(transaction),
    });
    this.#state = { name: "sending", transaction, flow };
  }

  #hunt(request: NonNullable<Peer["request"]>, build: ExchangeOptions["build"]): void {
    const transaction = request(
      this.#context.transactions,
      (flow, isNext) => {
        // Another server has another nonce: it gets the request as the first one got it.
        if (isNext) this.#challenges = 0;
        return build(flow, isNext ? [] : this.#credentials);
      },
      {
        onResponse: (response) => {
          if (transaction !== undefined) this.#onResponse(transaction, response);
        },
        onTimeout: () => {
          if (transaction !== undefined) this.#onTimeout(transaction);
        },
        onTransportError: () => this.#finish({ kind: "transport" }),
      },
    );
    if (transaction === undefined) {
      const limit = this.#context.clock.after(0, () => this.#finish({ kind: "transport" }));
      this.#state = { name: "waiting-for-flow", limit };
      return;
    }
    this.#state = { name: "sending", transaction, flow: transaction.flow };
  }

  #wait(): void {
    const limit = this.#context.clock.after(this.#context.timers.timerF, () => {
      this.#finish({ kind: "transport" });
    });
    this.#state = { name: "waiting-for-flow", limit };
  }

  #onResponse(transaction: ClientTransaction, response: SipResponse): void {
    if (!this.#isCurrent(transaction)) {
      // The 2xx of an INVITE must be acknowledged whatever has become of us.
      this.#repeatAccept(response);
      return;
    }
    if (response.statusCode < 200) return;
    if (response.statusCode === 401 || response.statusCode === 407) {
      const credentials = this.#options.peer.authorize(
        transaction.request,
        response,
        this.#challenges,
      );
      if (credentials !== undefined) {
        this.#challenges += 1;
        this.#credentials = [credentials];
        this.#send();
        return;
      }
    }
    this.#finish({ kind: "response", response, request: transaction.request });
  }

  #repeatAccept(response: SipResponse): void {
    const isAccept = response.statusCode >= 200 && response.statusCode < 300;
    if (isAccept && response.cseq.method === "INVITE") this.#options.onRepeatedAccept?.(response);
  }

  #onTimeout(transaction: ClientTransaction): void {
    if (this.#isCurrent(transaction)) this.#finish({ kind: "timeout" });
  }

  #onTransportError(transaction: ClientTransaction): void {
    if (!this.#isCurrent(transaction)) return;
    // A browser may come back (its flow is gone or is already another one); a trunk will not.
    const flow = this.#options.peer.flowTo(this.#options.nextHop());
    if (flow === undefined) this.#wait();
    else if (flow !== transaction.flow && this.#options.peer.party.kind === "user") this.#send();
    else this.#finish({ kind: "transport" });
  }

  #onFlowRestored(): void {
    switch (this.#state.name) {
      case "waiting-for-flow":
        this.#state.limit.cancel();
        this.#send();
        return;
      case "sending":
        if (this.#options.peer.flowTo(this.#options.nextHop()) !== this.#state.flow) this.#send();
        return;
      case "done":
        return;
    }
  }

  #onLimit(): void {
    switch (this.#state.name) {
      case "sending":
        this.#state.transaction.cancel();
        break;
      case "waiting-for-flow":
      case "done":
        break;
    }
    this.#finish({ kind: "timeout" });
  }

  #isCurrent(transaction: ClientTransaction): boolean {
    return this.#state.name === "sending" && this.#state.transaction === transaction;
  }

  #finish(outcome: ExchangeOutcome): void {
    this.#dispose();
    this.#options.onDone(outcome);
  }

  #dispose(): void {
    if (this.#state.name === "waiting-for-flow") this.#state.limit.cancel();
    this.#state = { name: "done" };
    this.#limit?.cancel();
    this.#unwatch();
  }
}
