import { Link } from "../../core/chain.ts";
import type { Timer } from "../../core/clock.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";
import { responseFlow, sendMessage } from "../transport/outbound.ts";
import type { TransactionContext } from "./context.ts";
import type {
  NonInviteServerState,
  ServerTransaction,
  ServerTransactionEnd,
  ServerTransactionHandler,
} from "./transaction.ts";

interface SentResponse {
  readonly message: SipResponse;
  readonly octets: Buffer;
}

/** The non-INVITE server transaction: RFC 3261 §17.2.2. It sends nothing by itself (RFC 4320). */
export class NonInviteServerTransaction extends Link implements ServerTransaction {
  readonly id: string;
  readonly request: SipRequest;
  readonly flow: Flow;
  #responseFlow: Flow;
  readonly #context: TransactionContext;
  readonly #onTerminated: () => void;
  #handler: ServerTransactionHandler = {};
  #state: NonInviteServerState = "trying";
  #last: SentResponse | undefined;
  /** Timer J. */
  #deadline: Timer | undefined;

  constructor(options: {
    readonly id: string;
    readonly request: SipRequest;
    readonly flow: Flow;
    readonly context: TransactionContext;
    readonly onTerminated: () => void;
  }) {
    super();
    this.id = options.id;
    this.request = options.request;
    this.flow = options.flow;
    this.#responseFlow = responseFlow(options.request.topmostVia, options.flow);
    this.#context = options.context;
    this.#onTerminated = options.onTerminated;
  }

  get state(): NonInviteServerState {
    return this.#state;
  }

  attach(handler: ServerTransactionHandler): void {
    this.#handler = handler;
  }

  respond(response: SipResponse): void {
    switch (this.#state) {
      case "trying":
      case "proceeding":
        this.#send(response);
        if (response.statusCode < 200) this.#state = "proceeding";
        else this.#complete();
        return;
      case "completed":
      case "terminated":
        // RFC 3261 §17.2.2: any other final response is discarded.
        return;
    }
  }

  /** The request came again. */
  receiveRetransmission(): void {
    switch (this.#state) {
      case "trying":
        // RFC 3261 §17.2.2: absorbed, there is nothing to say yet.
        return;
      case "proceeding":
      case "completed":
        this.#resend();
        return;
      case "terminated":
        return;
    }
  }

  /** The connection has gone; see `InviteServerTransaction.connectionLost`. */
  connectionLost(): void {
    // RFC 3261 §18.2.2: a client with an address of its own is called back.
    if (this.flow.transport === "TCP") return;
    switch (this.#state) {
      case "trying":
      case "proceeding":
        this.#terminate("transport");
        return;
      case "completed":
        this.#terminate("done");
        return;
      case "terminated":
        return;
    }
  }

  /** Ends without a word to the user. */
  dispose(): void {
    this.#state = "terminated";
    this.#deadline?.cancel();
  }

  #complete(): void {
    this.#state = "completed";
    // RFC 3261 §17.2.2: Timer J is zero over a reliable transport.
    if (this.flow.isReliable) {
      this.#terminate("done");
      return;
    }
    this.#deadline = this.#context.clock.after(this.#context.timers.timerJ, () => {
      this.#terminate("done");
    });
  }

  #send(message: SipResponse): void {
    const octets = sendMessage(message, this.#way(), { onError: this.#onSendError });
    this.#last = { message, octets };
  }

  #resend(): void {
    if (this.#last === undefined) return;
    const { message, octets } = this.#last;
    sendMessage(message, this.#way(), { octets, onError: this.#onSendError });
  }

  /** RFC 3261 §18.2.2: when the connection has gone, a new one to the client. */
  #way(): Flow {
    if (!this.#responseFlow.isOpen) {
      this.#responseFlow = responseFlow(this.request.topmostVia, this.flow);
    }
    return this.#responseFlow;
  }

  readonly #onSendError = (): void => {
    if (this.#state === "terminated") return;
    this.#context.tell(() => {
      this.#handler.onTransportError?.();
    });
  };

  #terminate(end: ServerTransactionEnd): void {
    this.dispose();
    this.#onTerminated();
    this.#context.tell(() => {
      this.#handler.onTerminated?.(end);
    });
  }
}
