import { Link } from "../../core/chain.ts";
import type { Timer } from "../../core/clock.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";
import { sendMessage } from "../transport/outbound.ts";
import type { Recover, TransactionContext } from "./context.ts";
import type {
  ClientTransaction,
  ClientTransactionHandler,
  NonInviteClientState,
} from "./transaction.ts";

/** The non-INVITE client transaction: RFC 3261 §17.1.2. */
export class NonInviteClientTransaction extends Link implements ClientTransaction {
  readonly id: string;
  #request: SipRequest;
  #flow: Flow;
  readonly #recover: Recover | undefined;
  #startedMs = 0;
  readonly #handler: ClientTransactionHandler;
  readonly #context: TransactionContext;
  readonly #onTerminated: () => void;
  #state: NonInviteClientState = "trying";
  /** Timer E. */
  #retransmission: Timer | undefined;
  /** Timer F, then K. */
  #deadline: Timer | undefined;

  constructor(options: {
    readonly id: string;
    readonly request: SipRequest;
    readonly flow: Flow;
    readonly handler: ClientTransactionHandler;
    readonly context: TransactionContext;
    readonly onTerminated: () => void;
    /** Another way, asked for when the flow is lost before any response. */
    readonly recover?: Recover | undefined;
  }) {
    super();
    this.id = options.id;
    this.#request = options.request;
    this.#flow = options.flow;
    this.#recover = options.recover;
    this.#handler = options.handler;
    this.#context = options.context;
    this.#onTerminated = options.onTerminated;
  }

  get state(): NonInviteClientState {
    return this.#state;
  }

  get request(): SipRequest {
    return this.#request;
  }

  get flow(): Flow {
    return this.#flow;
  }

  /** Sends the request for the first time. */
  start(): void {
    const { clock, timers } = this.#context;
    this.#startedMs = clock.monotonicMs();
    const octets = sendMessage(this.request, this.flow, { onError: this.#onSendError() });
    // RFC 3261 §17.1.2.2: no Timer E over a reliable transport.
    if (!this.flow.isReliable) this.#retransmitAfter(timers.timerE, octets);
    this.#deadline = clock.after(timers.timerF, () => {
      this.#fail("timeout");
    });
  }

  /** @returns false when the response is none of this transaction's business */
  receive(response: SipResponse): boolean {
    switch (this.#state) {
      case "trying":
      case "proceeding":
        if (response.statusCode < 200) this.#state = "proceeding";
        else this.#complete();
        this.#context.tell(() => {
          this.#handler.onResponse(response);
        });
        return true;
      case "completed":
        // RFC 3261 §17.1.2.2: Completed buffers retransmitted responses.
        return true;
      case "terminated":
        break;
    }
    return false;
  }

  cancel(): void {
    // RFC 3261 §9.1: a CANCEL is sent for INVITE alone.
  }

  abandon(): void {
    this.#retransmission?.cancel();
  }

  /** The connection has gone, or the request may not be sent at all. */
  connectionLost(): void {
    switch (this.#state) {
      case "trying":
        if (!this.#moveOn()) this.#fail("transport");
        return;
      case "proceeding":
        this.#fail("transport");
        return;
      case "completed":
        this.#terminate();
        return;
      case "terminated":
        return;
    }
  }

  /** Ends without a word to the user. */
  dispose(): void {
    this.#state = "terminated";
    this.#retransmission?.cancel();
    this.#deadline?.cancel();
  }

  #complete(): void {
    this.#state = "completed";
    this.#retransmission?.cancel();
    this.#deadline?.cancel();
    // RFC 3261 §17.1.2.2: Timer K is zero over a reliable transport.
    if (this.flow.isReliable) {
      this.#terminate();
      return;
    }
    this.#deadline = this.#context.clock.after(this.#context.timers.timerK, () => {
      this.#terminate();
    });
  }

  #retransmitAfter(delayMs: number, octets: Buffer): void {
    const { clock, timers } = this.#context;
    this.#retransmission = clock.after(delayMs, () => {
      sendMessage(this.request, this.flow, { octets, onError: this.#onSendError() });
      // RFC 3261 §17.1.2.2: Timer E doubles up to T2, and is T2 in Proceeding.
      const isProceeding = this.#state === "proceeding";
      this.#retransmitAfter(isProceeding ? timers.t2 : Math.min(delayMs * 2, timers.t2), octets);
    });
  }

  #onSendError(): () => void {
    const flow = this.#flow;
    return () => {
      if (this.#flow === flow) this.connectionLost();
    };
  }

  /** Sends the request on another flow when there is one. */
  #moveOn(): boolean {
    const next = this.#recover?.(this.#flow);
    if (next === undefined) return false;
    this.#retransmission?.cancel();
    this.#deadline?.cancel();
    this.#flow = next.flow;
    this.#request = next.request;
    this.start();
    return true;
  }

  #fail(cause: "timeout" | "transport"): void {
    const isUnanswered = cause === "timeout" && this.#state === "trying";
    this.#terminate();
    if (isUnanswered) this.#flow.unanswered?.(this.#startedMs);
    this.#context.tell(() => {
      if (cause === "timeout") this.#handler.onTimeout();
      else this.#handler.onTransportError();
    });
  }

  #terminate(): void {
    this.dispose();
    this.#onTerminated();
  }
}
